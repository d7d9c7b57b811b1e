"""Write the page as a static site, whose pictures are analysed by the visitor's browser: python -m export.site DIR

Any server of files can offer it, under any path: a static Space, GitHub Pages, `python -m http.server --directory DIR`.
"""

import argparse
import hashlib
import json
import re
import shutil
import sys
from html import escape
from pathlib import Path

from inference.model_files import MODELS
from webui.card import model_card
from webui.front import (
    DEVICE,
    DEVICE_MODELS,
    EXAMPLES,
    HEAD,
    MODEL_CARD,
    MODULES,
    ROOT,
    STATIC,
    TABS,
    introduction,
    language_links,
    measured_coverage,
    page_texts,
    settings,
    tab_markup,
    thumbnail,
)
from webui.texts import LANGUAGES, text

SITE = STATIC / "site"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",  # the color of a person is a style of its card
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
"""Everything comes from the site itself, and nothing goes anywhere else."""
LATER = (
    "models/age_gender.onnx",
    *(f"static/vendor/{name}" for name in ("lcms.js", "lcms.wasm.gz", "libheif.js", "utif.js")),
)
"""Files that a browser loads, and keeps for use offline, when somebody first needs them."""
ABOUT = ("README.md", "LICENSE", "NOTICE", "models/NOTICE", "examples/NOTICE", "SHA256SUMS", "sw.js")
"""Files that the page does not need."""


def settings_of_the_site() -> dict:
    """As of `webui.front.settings`, with the sentences of all languages."""
    metrics = json.loads((MODELS / "age_gender_metrics.json").read_text("utf-8"))["metrics"]
    found = settings(measured_coverage(metrics), places=("device",), start="device")
    return found | {"languages": {language: page_texts(language, card="model-card.html") for language in LANGUAGES}}


def index() -> str:
    """The page."""
    title, description = introduction("en")
    introductions, buttons, panels = [], [], []
    for language in LANGUAGES:
        name, words = map(escape, introduction(language))
        hidden = "" if language == "en" else " hidden"
        introductions.append(
            f"<div class='prose ifade-introduction' lang='{language}'{hidden}><h1>{name}</h1><p>{words}</p></div>"
        )
    for place, tab in enumerate(TABS):
        words, chosen = text("en", f"page_{tab}"), "false" if place else "true"
        buttons.append(
            f"<button type='button' role='tab' id='tab-{tab}' data-tab-id='{tab}' data-text='page_{tab}' tabindex='{-min(place, 1)}'"
            f" aria-selected='{chosen}' aria-controls='ifade-{tab}'>{words}</button>"
        )
        panels.append(
            f"<div role='tabpanel' id='ifade-{tab}' aria-labelledby='tab-{tab}'{' hidden' * bool(place)}>{tab_markup(tab)}</div>"
        )
    preloads = [f"<link rel='modulepreload' href='static/{file.name}'>" for file in modules()]
    parts = {
        "POLICY": POLICY,
        "TITLE": title,
        "DESCRIPTION": escape(description),
        "SETTINGS": json.dumps(settings_of_the_site(), ensure_ascii=False).replace("<", "\\u003c"),
        "LANGUAGES": language_links(),
        "HEAD": HEAD,
        "INTRODUCTIONS": "\n".join(introductions),
        "BUTTONS": "\n".join(buttons),
        "PANELS": "\n".join(panels),
        "PRELOADS": "\n".join(preloads),
    }
    page = (SITE / "index.html").read_text("utf-8")
    return re.sub(rf"\b({'|'.join(parts)})\b", lambda found: parts[found[1]], page)


def modules() -> list[Path]:
    """The front's, without the one that speaks with Gradio."""
    return [file for file in MODULES if file.name != "gradio.js"]


def manifest() -> dict:
    """What a browser needs to install the site."""
    title, description = introduction("en")
    icon = {"src": "icon.png", "sizes": "512x512", "type": "image/png"}
    return {
        "id": "ifade",
        "name": title,
        "short_name": title,
        "description": description,
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#ffffff",
        "icons": [icon, icon | {"purpose": "maskable"}],
    }


def contents() -> dict[str, bytes]:
    """All files of the site by their paths, but sw.js and SHA256SUMS."""
    copied = [*modules(), *DEVICE, STATIC / "style.css", SITE / "site.js", SITE / "site.css"]
    files = {f"static/{file.relative_to(STATIC).as_posix()}": file.read_bytes() for file in copied}
    files |= {f"models/{name}": (MODELS / name).read_bytes() for name in DEVICE_MODELS}
    files["models/NOTICE"] = (MODELS / "NOTICE").read_bytes()
    for file in EXAMPLES:
        files[f"examples/{file.name}"], files[f"examples/small/{file.name}"] = file.read_bytes(), thumbnail(file)
    files["examples/NOTICE"] = (EXAMPLES[0].parent / "NOTICE").read_bytes()
    files |= {name: (ROOT / name).read_bytes() for name in ("LICENSE", "NOTICE")}
    files |= {name: (SITE / name).read_bytes() for name in ("README.md", "icon.png")}
    files["index.html"] = index().encode()
    files["model-card.html"] = model_card(MODEL_CARD).encode()
    files["manifest.webmanifest"] = json.dumps(manifest(), indent=2).encode()
    return files


def service_worker(hashes: dict[str, str]) -> str:
    """What keeps the site for use offline, see static/site/sw.js."""
    kept = {path: value for path, value in hashes.items() if path not in ABOUT}
    version = hashlib.sha256(json.dumps(kept).encode()).hexdigest()[:16]
    source = (SITE / "sw.js").read_text("utf-8").replace("VERSION_OF_THE_FILES", version)
    source = source.replace("const FILES = {};", f"const FILES = {json.dumps(kept, indent=2)};")
    return source.replace("const LATER = [];", f"const LATER = {json.dumps(LATER)};")


def write(folder: Path) -> dict[str, bytes]:
    """Write the site into a folder, which is emptied before; gives what was written."""
    files = contents()
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in sorted(files.items())}
    files["sw.js"] = service_worker(hashes).encode()
    hashes["sw.js"] = hashlib.sha256(files["sw.js"]).hexdigest()
    files["SHA256SUMS"] = "".join(f"{value}  {path}\n" for path, value in sorted(hashes.items())).encode()
    if folder.exists():
        shutil.rmtree(folder)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return files


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m export.site", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder, or one that this command wrote before")
    folder = parser.parse_args().folder
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or (folder / "sw.js").is_file())):
        print(f"error: {folder} holds other files. Name a new folder.", file=sys.stderr)
        return 1
    files = write(folder)
    size = sum(map(len, files.values())) / 2**20
    print(f"{folder}: {len(files)} files, {size:.1f} MB. To see it: python -m http.server --directory {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
