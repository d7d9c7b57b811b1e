"""The Live tab in headless Chromium, whose camera shows two people that move along a known path."""

import csv
import gc
import io
import json
import numpy as np
import os
import pytest
import re
import time
import uuid
import weakref
from contextlib import ExitStack
from pathlib import Path
from PIL import Image
from playwright.sync_api import expect

from benchmarks.camera import PERIOD, RATE, camera_arguments, moving_faces, place_of, write_video
from inference.report import FRAME_COLUMNS
from inference.types import EMOTIONS
from webui.screenshot import CHROMIUM_ARGUMENTS, free_port, page_process

PERSON_COLORS = {1: (0xD9, 0x77, 0x06), 2: (0x25, 0x63, 0xEB)}

# Answers to frames, and how many were asked for at the same time, as the page's own script sees them.
LISTEN = """
  window.answers = []; window.flying = 0; window.mostFlying = 0;
  const real = fetch;
  window.fetch = async (address, options) => {
    if (!String(address).endsWith("/live/frame")) return real(address, options);
    mostFlying = Math.max(mostFlying, ++flying);
    try {
      const answer = await real(address, options);
      if (answer.ok) answers.push(await answer.clone().json());
      return answer;
    } finally {
      flying--;
    }
  };
"""


class Server:
    """`python app.py` in folders of its own, which can be killed and started again at the same address."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = free_port()
        for name in ("cwd", "tmp", "gradio"):
            (folder / name).mkdir()
        self._running = ExitStack()
        self.start()

    def start(self) -> None:
        environment = {"TMPDIR": str(self.folder / "tmp"), "GRADIO_TEMP_DIR": str(self.folder / "gradio")}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        running = page_process(self.port, environment, folder=self.folder / "cwd")
        self.address, self.process = self._running.enter_context(running)

    def kill(self) -> None:
        self.process.kill()
        self._running.close()

    def files(self) -> dict[str, int]:
        """All files below its folders, with their sizes."""
        return {str(file): file.stat().st_size for file in self.folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def launch(playwright, chromium, tmp_path_factory):
    """A function that starts Chromium with arguments of its own; the camera of `launch.arguments` shows two people."""
    video = tmp_path_factory.mktemp("camera") / "camera.y4m"
    write_video(video, moving_faces(2))
    with ExitStack() as stack:

        def start(arguments=tuple(camera_arguments(video))):
            browser = playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM_ARGUMENTS, *arguments])
            stack.callback(browser.close)
            return browser

        start.arguments = camera_arguments(video)
        yield start


@pytest.fixture(scope="module")
def two_people(launch):
    """Chromium whose camera shows two moving people."""
    return launch()


@pytest.fixture
def visit(server, two_people):
    """A function that opens the Live tab in a context of its own and returns the page; camera=False for the page as it opens."""
    with ExitStack() as stack:

        def visit_page(browser=two_people, camera=True, permissions=("camera",), **options):
            context = browser.new_context(permissions=list(permissions), **options)
            stack.callback(context.close)
            context.add_init_script(LISTEN)
            page = context.new_page()
            page.set_default_timeout(30_000)
            page.requests, page.errors = [], []
            page.on("request", lambda request: page.requests.append(request.url))
            page.on("pageerror", lambda error: page.errors.append(str(error)))
            page.goto(server.address)
            page.get_by_role("tab", name="Live").click()
            expect(page.locator(".ifade-start")).to_be_visible()
            if camera:
                page.click(".ifade-start")
                wait_for_answers(page, 1)
            return page

        yield visit_page


def wait_for_answers(page, count: int) -> None:
    """Until so many more frames were answered."""
    page.wait_for_function("(wanted) => answers.length >= wanted", arg=page.evaluate("answers.length") + count)


def stays_still(page, seconds: float = 1.0) -> bool:
    """Whether no frame is answered for that long, after one that may be on its way."""
    page.wait_for_timeout(400)
    before = page.evaluate("answers.length")
    page.wait_for_timeout(1000 * seconds)
    return page.evaluate("answers.length") == before


def text(page, name: str) -> str:
    return page.locator(f".ifade-{name}").first.inner_text()


def download(page, name: str) -> bytes:
    with page.expect_download() as download:
        page.click(f"[data-file='{name}']")
    assert download.value.suggested_filename == f"ifade-{name}"
    return Path(download.value.path()).read_bytes()


def colored_pixels(page, chart: str, color: tuple[int, int, int]) -> int:
    """How many pixels of a chart have the color of a person's line."""
    return page.evaluate(
        """([chart, color]) => {
          const canvas = document.querySelector(chart);
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let i = 0; i < data.length; i += 4)
            if (data[i + 3] > 200 && color.every((value, part) => Math.abs(data[i + part] - value) < 12)) count++;
          return count;
        }""",
        [chart, color],
    )


# The stream


def test_two_moving_people_are_followed_and_their_rows_are_true(visit):
    page = visit()
    expect(page.locator(".ifade-card")).to_have_count(2)
    # What is on the page stays the same elements: nothing is built anew while the figures change.
    page.evaluate(
        """() => {
          window.removed = 0;
          const watch = new MutationObserver((changes) => changes.forEach((change) => {
            removed += [...change.removedNodes].filter((node) => node.nodeType === Node.ELEMENT_NODE).length;
          }));
          watch.observe(document.querySelector(".ifade-people"), {childList: true, subtree: true});
          window.widths = () => [...document.querySelectorAll(".ifade-bar .ifade-track > span")].map(
            (bar) => bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width);
        }"""
    )
    wait_for_answers(page, 60)
    assert page.evaluate("removed") == 0 and page.evaluate("mostFlying") == 1
    for card in page.locator(".ifade-card").all():
        assert card.locator(".ifade-label").all_inner_texts() == list(EMOTIONS)
    names = [card.get_attribute("aria-label") for card in page.locator(".ifade-card").all()]
    assert names == ["Person 1: happy", "Person 2: happy"]
    assert "frames a second" in text(page, "speed") and text(page, "problem") == ""

    # The line goes dead, so that the page stands still at its last answer: it shows just that.
    page.route("**/live/frame", lambda route: None)
    page.wait_for_timeout(700)
    people = page.evaluate("answers.at(-1).people")
    shown = np.array(page.evaluate("widths()")).reshape(2, len(EMOTIONS))
    expected = np.array([person["probabilities"] for person in sorted(people, key=lambda person: person["id"])])
    assert np.abs(shown - expected).max() < 0.01
    percents = [float(percent.rstrip("%")) for percent in page.locator(".ifade-card .ifade-percent").all_inner_texts()]
    assert np.abs(np.array(percents) - 100 * expected.ravel()).max() <= 0.6

    lines = list(csv.DictReader(io.StringIO(download(page, "report.csv").decode())))
    assert tuple(lines[0]) == FRAME_COLUMNS and {line["person"] for line in lines} == {"1", "2"}
    values = np.array([[float(line[name]) for name in ("person", "seconds", "x1", "y1", "x2", "y2")] for line in lines])
    assert len(lines) >= 120
    for name in ("", "smoothed_"):
        probabilities = np.array([[float(line[name + label]) for label in EMOTIONS] for line in lines])
        assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-3
    turns = {}
    for person in (1, 2):
        seconds, x1, y1, x2, y2 = values[values[:, 0] == person, 1:].T
        assert (np.diff(seconds) > 0).all()
        # Each face runs on an ellipse, at a steady speed: whatever frame of the camera was caught, it is on that.
        corners = np.array([place_of(number, face, 2) for number in range(PERIOD) for face in range(2)])
        face = int(np.median(x1 + x2) / 2 > 320)
        path = corners[face::2]
        middle, radius = (path.max(axis=0) + path.min(axis=0)) / 2, np.ptp(path, axis=0)[:2] / 2
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        east, south = (x - middle[0]) / radius[0], (y - np.median(y)) / radius[1]
        assert abs(np.median(y) - middle[1]) < 15 and np.abs(x2 - x1 - middle[2]).max() < 25
        assert np.abs(np.hypot(east, south) - 1).mean() < 0.15
        turns[face] = np.unwrap(np.arctan2(east, south))
        speed = np.polyfit(seconds, turns[face], 1)[0]
        assert speed == pytest.approx(2 * np.pi * RATE / PERIOD, rel=0.15)
    # They are half a turn apart, in the same frames.
    apart = np.exp(1j * (turns[1] - turns[0]))
    assert np.abs(np.angle(-apart)).mean() < 0.3
    assert page.errors == []
