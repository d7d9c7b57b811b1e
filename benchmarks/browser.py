"""How fast the static site is, whose answers the browser works out itself.

    python -m benchmarks.browser [--seconds S] [--peers DIR] --docs

Writes the site into a temporary folder, serves it as files, with the headers of its README, and drives it in headless Chromium on
this machine: how long it takes until its networks are loaded, over a line of LINE_MBIT and from a warm cache, and what was sent for
that; how many frames of a camera (640x480, 30 a second) it answers with one and with six faces in view, and how late; a photo of 12
megapixels; how long the page itself stood still; and the memory of the browser's processes that have to do with it, with a camera
and after several such photos. Nothing else should be running.

With --peers two other programs look at the same frames in the same browser: human and face-api, whose newest versions come by

    npm install --prefix DIR --ignore-scripts @vladmandic/human @vladmandic/face-api @tensorflow/tfjs-backend-wasm@4.22.0
"""

import argparse
import contextlib
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from benchmarks.camera import camera_arguments, moving_faces, write_video
from benchmarks.results import write_result
from benchmarks.screenshot import CHROMIUM_ARGUMENTS, ROOT, find_chromium
from benchmarks.speed import processor
from export import site
from inference.processors import usable_processors
from webui.policy import ISOLATION

LINE_MBIT = 20
WARM_UP = 5.0
"""The first seconds of a camera are not counted."""
CHOOSING = 3.0
"""Seconds that a page is there before a photo is chosen."""
PHOTOS = 6
"""Photos of 12 megapixels, one after the other, after which the memory is read."""
SETTLING = 20.0
"""Seconds until then, in which a browser gives back what nobody needs any more."""
PEERS = ("human", "face-api")
"""As they are called on npm, in @vladmandic/."""
READY = "() => performance.getEntriesByName('ifade-ready')[0]?.startTime"
BLOCKS = """
  window.blocks = [];
  new PerformanceObserver((list) => blocks.push(...list.getEntries().map((entry) => entry.duration)))
    .observe({type: "longtask", buffered: true});
"""
"""The page's own tasks of more than 50 milliseconds."""


class _Quiet(SimpleHTTPRequestHandler):
    def __init__(self, *args, told: Mapping[str, str], **options):
        self._told = told
        super().__init__(*args, **options)

    def end_headers(self) -> None:
        for name, value in self._told.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_) -> None:
        pass


@contextlib.contextmanager
def served_folder(folder: Path, headers: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
    """Serve a folder as `python -m http.server` does, with further headers, on a free port; yields its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder, told=headers)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def measure(seconds: float, peers: Path | None = None) -> dict:
    """All of it, with so many seconds of each camera.

    Args:
        peers: the folder of node_modules of other programs, which are measured too.
    """
    from playwright.sync_api import sync_playwright

    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("error: no Chromium found: install it, or name it in CHROMIUM.")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = site.write(folder / "site")
        address = stack.enter_context(served_folder(folder / "site", ISOLATION))
        playwright = stack.enter_context(sync_playwright())
        found: dict[str, Any] = {"processor": processor(), "processors": usable_processors(), "seconds": seconds}
        if peers:
            (folder / "peers").mkdir()
            shutil.copy(Path(__file__).with_name("browser_peers.html"), folder / "peers" / "index.html")
            (folder / "peers" / "node_modules").symlink_to(peers.resolve() / "node_modules")
            others = stack.enter_context(served_folder(folder / "peers", ISOLATION))
            found["peers"] = {name: {"version": _version(peers, name)} for name in PEERS}
        found["site_mb"] = round(sum(map(len, files.values())) / 1e6, 1)
        for faces in (1, 6):
            write_video(folder / "camera.y4m", moving_faces(faces))
            arguments = [*CHROMIUM_ARGUMENTS, *camera_arguments(folder / "camera.y4m")]
            with contextlib.closing(playwright.chromium.launch(executable_path=chromium, args=arguments)) as browser:
                if faces == 1:
                    found |= _start(browser, address)
                    large = cv2.resize(_meeting(), (4000, 3000), interpolation=cv2.INTER_CUBIC)
                    small = cv2.cvtColor(next(moving_faces(1)), cv2.COLOR_RGB2BGR)
                    found["photo_12_megapixels_ms"] = _photo(browser, address, folder / "large.jpg", large)
                    found["photo_640x480_ms"] = _photo(browser, address, folder / "small.jpg", small)
                    found["photos_memory_mb"] = _photos_memory(browser, address, folder)
                found[f"live_{faces}"] = _live(browser, address, seconds)
                for name, figures in found.get("peers", {}).items():
                    if faces == 1:
                        shutil.copy(folder / "small.jpg", folder / "peers")
                        figures["photo_640x480_ms"] = _peer_photo(browser, f"{others}?peer={name}")
                    figures[f"live_{faces}"] = _peer_live(browser, f"{others}?peer={name}", seconds)
        return found


def _meeting() -> np.ndarray:
    return cv2.imread(str(ROOT / "examples" / "meeting.jpg"))


def _version(peers: Path, name: str) -> str:
    package = peers / "node_modules" / "@vladmandic" / name / "package.json"
    if not package.is_file():
        raise SystemExit(f"error: {package} was not found; see python -m benchmarks.browser --help.")
    return json.loads(package.read_text())["version"]


def _start(browser, address: str) -> dict:
    context = browser.new_context()
    page = context.new_page()
    client = context.new_cdp_session(page)
    client.send("Network.enable")
    line = {"offline": False, "latency": 20, "downloadThroughput": LINE_MBIT * 125_000, "uploadThroughput": -1}
    client.send("Network.emulateNetworkConditions", line)
    page.goto(address)
    page.wait_for_function(READY, timeout=120_000)
    cold = page.evaluate(READY)
    sizes = page.evaluate("performance.getEntriesByType('resource').map((entry) => [entry.name, entry.transferSize])")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    client.send("Network.emulateNetworkConditions", line | {"downloadThroughput": -1, "latency": 0})
    worker = page.workers[0].evaluate(
        "performance.getEntriesByType('resource').reduce((sum, entry) => sum + entry.transferSize, 0)"
    )
    warm = []
    for _ in range(5):
        page.reload()
        page.wait_for_function(READY, timeout=120_000)
        warm.append(page.evaluate(READY))
    context.close()
    return {
        "ready_line_ms": round(cold),
        "ready_warm_ms": round(float(np.median(warm))),
        "transfer_mb": round((sum(size for _, size in sizes) + worker) / 1e6, 2),
    }


def _photo(browser, address: str, file: Path, photo: np.ndarray) -> float:
    """Milliseconds from choosing a file, which is written, to its answer: the median of five, after a first one.

    The page has been there for CHOOSING seconds, as it is where a person chooses one.
    """
    cv2.imwrite(str(file), photo)
    page = browser.new_context().new_page()
    page.goto(address)
    page.wait_for_function(READY)
    page.wait_for_timeout(1000 * CHOOSING)
    times = []
    for _ in range(6):
        page.evaluate("""() => { window.answered = new Promise((done) => {
          document.querySelector("#ifade-photo .ifade-photo-file").addEventListener("change", () => {
            const started = performance.now(), status = document.querySelector("#ifade-photo .ifade-photo-status");
            const watch = new MutationObserver(() => {
              if (!/found/.test(status.textContent)) return;
              watch.disconnect();
              done(performance.now() - started);
            });
            watch.observe(status, {childList: true, characterData: true, subtree: true});
          }, {once: true}); }); }""")
        page.set_input_files("#ifade-photo .ifade-photo-file", file)
        times.append(page.evaluate("answered"))
        page.click("#ifade-photo .ifade-remove")
    page.context.close()
    return round(float(np.median(times[1:])))


def _photos_memory(browser, address: str, folder: Path) -> int:
    """Megabytes some time after the last of several photos of 12 megapixels, which are written; all are in the list still."""
    files = []
    for number, example in enumerate(sorted((ROOT / "examples").glob("*.jpg"))[:PHOTOS]):
        files.append(folder / f"{number}.jpg")
        photo = cv2.imread(str(example))
        cv2.imwrite(str(files[-1]), cv2.resize(photo, (4000, 3000), interpolation=cv2.INTER_CUBIC))
    page = browser.new_context().new_page()
    page.goto(address)
    page.wait_for_function(READY)
    page.set_input_files("#ifade-photo .ifade-photo-file", files)
    page.wait_for_selector(f"#ifade-photo .ifade-thumbnail.ifade-done >> nth={PHOTOS - 1}", timeout=120_000)
    page.wait_for_timeout(1000 * SETTLING)
    memory = _memory_mb(browser)
    page.context.close()
    return memory


def _live(browser, address: str, seconds: float) -> dict:
    context = browser.new_context(permissions=["camera"])
    page = context.new_page()
    page.add_init_script(BLOCKS)
    page.goto(f"{address}#live")
    page.wait_for_function(READY)
    page.click("#ifade-live .ifade-start")
    page.wait_for_timeout(1000 * WARM_UP)
    start = page.evaluate("() => { ifadeLive.take(); blocks.length = 0; return performance.now(); }")
    memory = _memory_mb(browser)
    page.wait_for_timeout(1000 * seconds)
    end, latencies, blocks = page.evaluate("() => [performance.now(), ifadeLive.take(), blocks]")
    found = {
        "fps": round(1000 * len(latencies) / (end - start), 1),
        "latency_ms": [round(float(value), 1) for value in np.percentile(latencies, [50, 95, 100])],
        "longest_block_ms": round(max(blocks, default=0)),
        "people": page.locator("#ifade-live .ifade-card").count(),
        "memory_mb": [memory, _memory_mb(browser)],
    }
    context.close()
    return found


def _peer_page(browser, address: str):
    page = browser.new_context(permissions=["camera"]).new_page()
    page.goto(address)
    page.wait_for_function("() => window.ready", timeout=120_000)
    return page


def _peer_photo(browser, address: str) -> float:
    """As of `_photo`."""
    page = _peer_page(browser, address)
    page.wait_for_timeout(1000 * CHOOSING)
    times = [page.evaluate("photo('small.jpg')") for _ in range(6)]
    page.context.close()
    return round(float(np.median(times[1:])))


def _peer_live(browser, address: str, seconds: float) -> dict:
    """As of `_live`."""
    page = _peer_page(browser, address)
    page.evaluate("() => { follow(); }")
    page.wait_for_function("() => live.latencies.length", timeout=120_000)
    page.wait_for_timeout(1000 * WARM_UP)
    start = page.evaluate("() => { live.take(); return performance.now(); }")
    page.wait_for_timeout(1000 * seconds)
    end, latencies, faces = page.evaluate("() => [performance.now(), live.take(), live.faces]")
    page.context.close()
    return {
        "fps": round(1000 * len(latencies) / (end - start), 1),
        "latency_ms": [round(float(value), 1) for value in np.percentile(latencies, [50, 95, 100])],
        "people": faces,
    }


def _memory_mb(browser) -> int:
    """What the processes hold that show pages, each shared part by its share."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    rollups = [Path(f"/proc/{each['id']}/smaps_rollup").read_text() for each in processes if each["type"] == "renderer"]
    return round(sum(int(text.split("Pss:")[1].split()[0]) for text in rollups) / 1024)


def to_markdown(result: dict) -> str:
    """The page."""
    lines = [
        f"The site of `python -m export.site` in headless Chromium on {result['processor']}, {result['processors']} cores, without a "
        "graphics processor, served with the headers that let its networks have threads. A frame's latency counts from taking the "
        "picture to having its answer. A fake camera shows the example photograph moved about.",
        "",
        "| | measured |",
        "|---|---|",
        f"| networks loaded, first visit over {LINE_MBIT} Mbit/s | {result['ready_line_ms'] / 1000:.1f} s |",
        f"| networks loaded, later visits | {result['ready_warm_ms'] / 1000:.1f} s |",
        f"| sent for that | {result['transfer_mb']:.1f} MB |",
        f"| the whole site, with what is loaded when it is needed | {result['site_mb']:.1f} MB |",
        f"| a photo of 12 megapixels, from choosing it to its answer | {result['photo_12_megapixels_ms'] / 1000:.2f} s |",
    ]
    if memory := result.get("photos_memory_mb"):
        lines.append(
            f"| memory of the pages {SETTLING:g} s after {PHOTOS} such photos, which stay in the list | {memory} MB |"
        )
    lines += [
        "",
        "| faces in view | frames a second | latency p50, p95, max (ms) | longest stop of the page (ms) | memory of the pages at the "
        f"start and after {result['seconds']:g} s (MB) |",
        "|---|---|---|---|---|",
    ]
    for faces in (1, 6):
        live = result[f"live_{faces}"]
        latency = ", ".join(f"{value:.0f}" for value in live["latency_ms"])
        block = live["longest_block_ms"] or "under 50"
        lines.append(
            f"| {live['people']} | {live['fps']} | {latency} | {block} | {' and '.join(map(str, live['memory_mb']))} |"
        )
    if peers := result.get("peers"):
        lines += [
            "",
            "Other programs on the same frames in the same browser. They find all faces and their expressions in every frame anew, "
            "without anything else that they can do, on TensorFlow.js with WebAssembly, which has threads too, in the page itself; "
            "face-api with its small detector. Ifade works in a worker, and follows a face from frame to frame.",
            "",
            "| | faces in view and found | frames a second | latency p50, p95, max (ms) | a photo of one face, 640x480 (ms) |",
            "|---|---|---|---|---|",
        ]
        for name, figures in {"Ifade": result, **peers}.items():
            for faces in (1, 6):
                live, photo = figures[f"live_{faces}"], figures["photo_640x480_ms"] if faces == 1 else ""
                latency = ", ".join(f"{value:.0f}" for value in live["latency_ms"])
                title = f"{name} {figures.get('version', '')}".strip()
                lines.append(f"| {title} | {faces}, {live['people']} | {live['fps']} | {latency} | {photo} |")
    option = " --peers DIR" if peers else ""
    lines += ["", f"Written by `python -m benchmarks.browser{option} --docs`."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="of each camera, after the warm-up")
    parser.add_argument("--docs", action="store_true", help="write docs/results/browser.md")
    parser.add_argument("--peers", type=Path, metavar="DIR", help="where npm has put human and face-api, see above")
    args = parser.parse_args()
    result = measure(args.seconds, args.peers)
    print(json.dumps(result, indent=2))
    if args.docs:
        write_result("browser", "The static site in a browser", to_markdown(result), result)


if __name__ == "__main__":
    main()
