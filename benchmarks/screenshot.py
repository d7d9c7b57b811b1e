"""The pictures of the page in docs/: page.png with a photograph of a meeting, live.png with a camera that sees two people.

    python -m benchmarks.screenshot [DIR]

Needs Playwright for Python and Chromium (from CHROMIUM, or found on the PATH).
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


def find_chromium() -> str | None:
    """The Chromium or Chrome to drive, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served_page(environment: dict | None = None, timeout: float = 120):
    """Run `python app.py` on a free port and yield its address; ends it afterwards.

    Raises:
        RuntimeError: the page ended or did not answer in time; the message holds what it printed.
    """
    with page_process(free_port(), environment, timeout) as (address, _):
        yield address


@contextmanager
def page_process(
    port: int,
    environment: dict | None = None,
    timeout: float = 120,
    folder: Path = ROOT,
    log: BinaryIO | None = None,
):
    """The same on a given port and in a given folder; yields the address and the process, whose output goes to `log`.

    Raises:
        RuntimeError: as above.
    """
    settings = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1", **(environment or {})}
    # A file, because a pipe that nobody reads stops a page that prints much.
    log = log or tempfile.TemporaryFile()
    process = subprocess.Popen(
        [sys.executable, ROOT / "app.py"], cwd=folder, env=settings, stdout=log, stderr=subprocess.STDOUT
    )
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    address, deadline = f"http://127.0.0.1:{port}/", time.monotonic() + timeout
    try:
        while True:
            try:
                ask.open(address, timeout=5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"The page did not start: {log.read().decode(errors='replace')}") from None
                time.sleep(0.2)
        yield address, process
    finally:
        process.terminate()
        process.wait(20)


def reduce_colors(path: Path) -> None:
    """Make a PNG file a third as large: 256 colors are enough for a page."""
    from PIL import Image

    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


def two_people() -> Iterator[np.ndarray]:
    """Eight seconds of a camera, uint8 (480, 640, 3), RGB: two of the examples beside each other, which sway a little."""
    import cv2

    from inference.images import load_image

    photos = [load_image(ROOT / "examples" / f"{name}.jpg") for name in ("neutral", "angry")]
    for angle in np.linspace(0, 2 * np.pi, 240, endpoint=False):
        halves = []
        for number, photo in enumerate(photos):
            height, width = photo.shape[:2]
            scale = 320 / width / (0.8 + 0.03 * np.sin(angle))
            x, y = width * (0.5 + 0.03 * np.sin(angle + number)), height * (0.45 + 0.02 * np.cos(angle + number))
            move = np.array([[scale, 0, 160 - scale * x], [0, scale, 240 - scale * y]], np.float32)
            halves.append(
                cv2.warpAffine(photo, move, (320, 480), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
            )
        yield np.hstack(halves)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screenshot", description="Take the pictures of docs/.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs")
    args = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print("error: no Chromium found: install it, or name it in CHROMIUM.", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    from benchmarks.camera import camera_arguments, write_video

    args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, served_page() as address, sync_playwright() as playwright:
        camera = Path(temporary) / "camera.y4m"
        write_video(camera, two_people())
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[*CHROMIUM_ARGUMENTS, *camera_arguments(camera)]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.set_input_files("#ifade-photo .ifade-photo-file", ROOT / "examples" / "meeting.jpg")
        page.wait_for_selector("#ifade-photo .ifade-card", timeout=60_000)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(1000)  # the photograph fades in
        page.screenshot(path=args.folder / "page.png")
        page.get_by_role("tab", name="Live").click()
        page.click(".ifade-start")
        page.wait_for_timeout(20_000)
        page.click("#ifade-live .ifade-marker-set")
        page.fill("#ifade-live .ifade-marker-label", "price shown")
        page.keyboard.press("Enter")
        page.wait_for_timeout(10_000)
        page.screenshot(path=args.folder / "live.png")
        browser.close()
    for picture in (args.folder / "page.png", args.folder / "live.png"):
        reduce_colors(picture)
        print(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
