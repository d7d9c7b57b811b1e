"""The front, whoever serves it: its files, the settings that its modules know, and the markup of its parts.

Gradio's page has them (`webui.client`), and the static site (`export.site`), which needs no Gradio.
"""

import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import cv2
from markdown_it import MarkdownIt

from inference import age_gender, blazeface, emotion, face_check, images, model_files, search, tables, video
from inference.constants import constants
from inference.drawing import PERSON_COLORS, shrink
from inference.satisfaction import BASELINE_SECONDS, FORMULA, NEUTRAL_ZONE, VALENCE
from inference.types import ADULT, AGE_COVERAGE, COLUMNS_IN_CROWD, CROWD, EMOTIONS, GENDER_SURE, GENDERS, NOT_SURE
from webui.limits import RATES, SHOWN_PIXELS, Limits
from webui.texts import LANGUAGES, text, texts

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "webui" / "static"
MODEL_CARD = ROOT / "MODEL_CARD.md"
TABS = ("photo", "live", "video")
HEAD = "<ifade-notice></ifade-notice><ifade-compute></ifade-compute>"
"""What stands under the title: the notice, and where pictures are analysed."""
PLACES = ("device", "server")
"""Where pictures may be analysed: in the visitor's browser, or by the server of the page."""

MODULES = sorted(STATIC.glob("*.js"))
"""ES modules; page.js is the one that begins."""
DEVICE = sorted([*STATIC.glob("device/*.js"), *STATIC.glob("vendor/*.js"), *STATIC.glob("vendor/*.gz")])
"""What the worker loads that answers in the server's place: its modules, and the runtimes of `export.runtimes`."""
DEVICE_MODELS = (
    emotion.LIVE_MODEL,
    search.FILE,
    face_check.FILE,
    blazeface.ONNX_FILE,
    age_gender.DEFAULT_MODEL,
)
"""Networks that it loads, the last where somebody wants age and gender."""

EXAMPLES = [
    ROOT / "examples" / f"{name}.jpg"
    for name in ("astronaut", "meeting", "solvay_1927", "happy", "angry", "sad", "neutral", "cat")
]
THUMBNAIL = 144
"""Shortest side of an example's small picture, in pixels."""


def named_place(environment: Mapping[str, str]) -> str:
    """Where pictures are analysed unless a visitor chooses otherwise: what IFADE_COMPUTE says, one of PLACES; on a Space on the
    device, else by the server."""
    named = environment.get("IFADE_COMPUTE", "").strip() or ("device" if environment.get("SPACE_ID") else "server")
    if named not in PLACES:
        sys.exit(f"error: IFADE_COMPUTE is {ascii(named)}: name one of {' and '.join(PLACES)}.")
    return named


def thumbnail(file: Path) -> bytes:
    """A small copy of a photograph, as JPEG."""
    image = images.load_image(file.read_bytes())
    height, width = image.shape[:2]
    small = shrink(image, round(THUMBNAIL * max(width, height) / min(width, height)))
    return cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()


def settings(
    coverage: dict[str, float] | None,
    limits: Limits = Limits(),
    places: tuple[str, ...] = PLACES,
    start: str = "server",
) -> dict:
    """The labels, limits and constants of Python that the modules use.

    Args:
        coverage: of how many people the range of years held the age, 0 to 1 by data set; where it is None, age and gender are
            not offered.
        places: those of PLACES that there are.
        start: the one that holds for a visitor who has chosen none.
    """
    return {
        "emotions": EMOTIONS,
        "personColors": PERSON_COLORS,
        "crowd": [CROWD[column] for column in COLUMNS_IN_CROWD],
        "notSure": NOT_SURE,
        "genders": GENDERS,
        "adult": ADULT,
        "genderSure": GENDER_SURE,
        "ageCoverage": AGE_COVERAGE,
        "measuredCoverage": coverage,
        "valence": VALENCE,
        "formula": FORMULA,
        "neutralZone": NEUTRAL_ZONE,
        "baselineSeconds": BASELINE_SECONDS,
        "columns": {column.name: int(column.form[-2]) if column.form else None for column in tables.COLUMNS},
        "examples": [file.stem for file in EXAMPLES],
        "photo": {"suffixes": images.SUFFIXES, "megabytes": limits.photo_bytes // 2**20, "shownPixels": SHOWN_PIXELS},
        "video": {
            "suffixes": video.SUFFIXES,
            "megabytes": limits.video_bytes // 2**20,
            "rates": RATES,
            "rate": video.RATE,
        },
        "compute": {"places": places, "start": start},
        "device": {
            "constants": constants(),
            "models": DEVICE_MODELS[:-1],
            "checksums": {name: value for name, value in model_files.checksums().items() if name in DEVICE_MODELS},
            "limits": {
                "shownPixels": SHOWN_PIXELS,
                "videoLongest": video.LONGEST,
                "videoPixels": limits.video_pixels,
                "videoMinutes": limits.video_minutes,
            },
        },
    }


def page_texts(language: str, limits: Limits = Limits(), card: str = "model-card") -> dict[str, str]:
    """All sentences of a language by key, and the notice as HTML: of a page whose pictures are analysed by its server
    (`notice_html`), and on the visitor's device (`notice_html_device`).

    Args:
        card: the model card's address, from the page.
    """
    about = f" {text(language, 'model_card', card=card)}" if MODEL_CARD.is_file() else ""
    times = {"sent": limits.sent_seconds, "left": limits.left_seconds, "idle": limits.idle_seconds // 60}
    kept = {
        "notice_html": text(language, "kept_on_server", **times),
        "notice_html_device": text(language, "kept_on_device"),
    }
    notices = {key: _html(text(language, "page_notice", card=about, kept=words)) for key, words in kept.items()}
    return texts(language) | notices


@lru_cache
def _html(words: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).render(words)


def introduction(language: str) -> tuple[str, str]:
    """The page's title and what it is."""
    title, description = text(language, "page_introduction").removeprefix("# ").split("\n", 1)
    return title, description


def language_links() -> str:
    """The page's address in each language; what else is in the address stays."""
    links = " ".join(f"<a href='?lang={key}' lang='{key}'>{name}</a>" for key, name in LANGUAGES.items())
    names = " / ".join(LANGUAGES.values())
    return f"<ifade-languages><nav aria-label='{names}'>{links}</nav></ifade-languages>"


def measured_coverage(metrics: dict) -> dict[str, float]:
    """Of how many people the range of years held the age, 0 to 1 by data set, where the metrics of an estimator say it."""
    return {
        dataset: figures["all"]["coverage"]
        for dataset, figures in metrics.items()
        if "coverage" in figures.get("all", {})
    }


def tab_markup(name: str) -> str:
    """The markup of a tab, static/NAME.html, which its module brings to life; Live and Video have static/session.html in it."""
    markup, session = ((STATIC / f"{file}.html").read_text("utf-8") for file in (name, "session"))
    return markup.replace("SESSION", session.replace("TAB", name))
