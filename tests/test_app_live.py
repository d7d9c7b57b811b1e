"""The Live tab in headless Chromium, whose camera shows two people that move along a known path."""

import csv
import gc
import io
import json
import os
import re
import time
import weakref
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

import app
from benchmarks.camera import PERIOD, RATE, camera_arguments, moving_faces, place_of, write_video
from benchmarks.screenshot import CHROMIUM_ARGUMENTS, free_port, page_process
from inference.analyzer import FaceAnalyzer
from inference.drawing import PERSON_COLORS
from inference.emotion import LIVE_MODEL, EmotionClassifier
from inference.tables import NAMES
from inference.types import EMOTIONS
from webui.address import listen
from webui.limits import Limits
from webui.server import build_sessions, build_video_server
from webui.server import launch as serve

ROOT = Path(__file__).resolve().parent.parent
FIRST_COLORS = [(0xB4, 0x53, 0x09), (0x25, 0x63, 0xEB)]

# Answers to frames, how many were asked for at the same time, and frames of the screen, as the page's own script sees them.
LISTEN = """
  window.answers = []; window.flying = 0; window.mostFlying = 0;
  window.framesAsked = 0; // of the screen
  const askFrame = requestAnimationFrame;
  window.requestAnimationFrame = (callback) => (framesAsked++, askFrame(callback));
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


def open_page(browser, address: str, permissions=("camera",), **options):
    """The Live tab in a context of its own."""
    context = browser.new_context(permissions=list(permissions), **options)
    context.add_init_script(LISTEN)
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.requests, page.errors = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(address)
    page.get_by_role("tab", name="Live").click()
    expect(page.locator("#ifade-live .ifade-start")).to_be_visible()
    return page


def start_camera(page) -> None:
    page.click("#ifade-live .ifade-start")
    wait_for_answers(page, 1)


@pytest.fixture
def visit(server, two_people):
    """A function that opens the Live tab, starts the camera unless camera=False, and returns the page."""
    with ExitStack() as stack:

        def visit_page(browser=two_people, camera=True, **options):
            page = open_page(browser, server.address, **options)
            stack.callback(page.context.close)
            if camera:
                start_camera(page)
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


def wait_until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_gone(reference: weakref.ref) -> bool:
    gc.collect()
    return reference() is None


def token_of(page) -> str:
    return page.evaluate("JSON.parse(sessionStorage['ifade-live']).session")


def text(page, name: str) -> str:
    return page.locator(f"#ifade-live .ifade-{name}").first.inner_text()


def download(page, name: str) -> bytes:
    with page.expect_download() as download:
        page.click(f"#ifade-live [data-file='{name}']")
    assert re.fullmatch(r"live-\d{4}-\d\d-\d\d-\d{4}-" + re.escape(name), download.value.suggested_filename)
    return Path(download.value.path()).read_bytes()


def set_marker(page, label: str) -> None:
    """A marker at this moment, and its label in its place."""
    count = page.locator("#ifade-live .ifade-markers li").count()
    page.click("#ifade-live .ifade-marker-set")
    expect(page.locator("#ifade-live .ifade-markers li")).to_have_count(count + 1)
    page.locator("#ifade-live .ifade-marker-label").last.fill(label)
    page.keyboard.press("Enter")
    expect(page.locator("#ifade-live .ifade-marker-note")).to_contain_text(" ".join(label.split()))


def rows_with_faces(page) -> list[dict]:
    """Of the downloaded table, whose other rows are of frames without a face."""
    lines = list(csv.DictReader(io.StringIO(download(page, "report.csv").decode())))
    return [line for line in lines if line["faces"] != "0"]


def colored_pixels(page, chart: str) -> int:
    """How many pixels of a chart have the color of one of the people's lines."""
    return page.evaluate(
        """([chart, colors]) => {
          const canvas = document.querySelector(chart);
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let i = 0; i < data.length; i += 4)
            if (data[i + 3] > 60 && colors.some((color) => color.every((value, part) => Math.abs(data[i + part] - value) < 30)))
              count++;
          return count;
        }""",
        [chart, FIRST_COLORS],
    )


# The stream


def test_the_page_comes_to_rest_after_loading(two_people, server):
    """Whoever asks for a frame of the screen again and again has everything drawn sixty times a second."""
    page = open_page(two_people, server.address)
    asked_in_half_a_second = """async () => {
      framesAsked = 0;
      await new Promise((done) => setTimeout(done, 500));
      return framesAsked;
    }"""
    assert any(page.evaluate(asked_in_half_a_second) == 0 for _ in range(20))
    page.context.close()


def test_two_moving_people_are_followed_and_their_rows_are_true(visit):
    page = visit()
    expect(page.locator("#ifade-live .ifade-card")).to_have_count(2)
    # What is on the page stays the same elements: nothing is built anew while the figures change.
    page.evaluate(
        """() => {
          window.removed = 0;
          const watch = new MutationObserver((changes) => changes.forEach((change) => {
            removed += [...change.removedNodes].filter((node) => node.nodeType === Node.ELEMENT_NODE).length;
          }));
          watch.observe(document.querySelector("#ifade-live .ifade-people"), {childList: true, subtree: true});
          window.widths = () => [...document.querySelectorAll("#ifade-live .ifade-bar .ifade-track > span")].map(
            (bar) => bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width);
        }"""
    )
    wait_for_answers(page, 80)
    assert page.evaluate("removed") == 0 and page.evaluate("mostFlying") == 1
    for card in page.locator("#ifade-live .ifade-card").all():
        assert card.locator(".ifade-label").all_inner_texts() == list(EMOTIONS)
    names = [card.get_attribute("aria-label") for card in page.locator("#ifade-live .ifade-card").all()]
    assert names == ["Person 1: happy", "Person 2: happy"]
    assert re.match(r"\d+ fps, \d+ ms behind", text(page, "speed")) and text(page, "problem") == ""

    # The line goes dead, so that the page stands still at its last answer: it shows just that.
    page.route("**/live/frame", lambda route: None)
    page.wait_for_timeout(700)
    people = page.evaluate("answers.at(-1).people")
    shown = np.array(page.evaluate("widths()")).reshape(2, len(EMOTIONS))
    expected = np.array([person["probabilities"] for person in sorted(people, key=lambda person: person["id"])])
    assert np.abs(shown - expected).max() < 0.01
    percents = [
        float(percent.rstrip("%"))
        for percent in page.locator("#ifade-live .ifade-card .ifade-percent").all_inner_texts()
    ]
    assert np.abs(np.array(percents) - 100 * expected.ravel()).max() <= 0.6

    lines = rows_with_faces(page)
    assert tuple(lines[0]) == NAMES and {line["person"] for line in lines} == {"1", "2"}
    values = np.array([[float(line[name]) for name in ("person", "seconds", "x1", "y1", "x2", "y2")] for line in lines])
    assert len(lines) >= 120
    for name in ("", "smoothed_"):
        probabilities = np.array([[float(line[name + label]) for label in EMOTIONS] for line in lines])
        assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-3
    # And they say what the network says of the camera's frames.
    analyzer = FaceAnalyzer(classifier=EmotionClassifier(LIVE_MODEL))
    faces = [face for frame in list(moving_faces(2))[::15] for face in analyzer.analyze(frame).faces]
    truth = np.mean([face.consensus for face in faces], axis=0)
    measured = np.mean([[float(line[label]) for label in EMOTIONS] for line in lines], axis=0)
    assert len(faces) == 12 and np.abs(measured - truth).max() < 0.06
    turns = {}
    for person in (1, 2):
        seconds, x1, y1, x2, y2 = values[values[:, 0] == person, 1:].T
        assert (np.diff(seconds) > 0).all()
        # Each face runs on an ellipse, at a steady speed. In units of its radii that is a circle of radius 1, whatever frames
        # of the camera were caught; where in a face its box lies is the detector's own matter.
        face = int((x1 + x2).mean() / 2 > 320)
        path = np.array([place_of(number, face, 2) for number in range(PERIOD)])
        middle, radius, side = path[:, :2].mean(axis=0), np.ptp(path[:, :2], axis=0) / 2, path[0, 2]
        places = (np.stack([x1 + x2, y1 + y2], axis=1) / 2 - middle) / radius
        circle = np.column_stack([2 * places, np.ones(len(places))])
        *center, rest = np.linalg.lstsq(circle, (places**2).sum(axis=1))[0]
        assert np.sqrt(rest + np.dot(center, center)) == pytest.approx(1, abs=0.08)
        assert np.abs(center * radius).max() < 0.1 * side and np.abs(x2 - x1 - side).max() < 0.2 * side
        east, south = (places - center).T
        assert np.abs(np.hypot(east, south) - 1).mean() < 0.1
        turn = np.unwrap(np.arctan2(east, south))
        turns[face] = dict(zip(seconds, turn))
        speed = np.polyfit(seconds, turn, 1)[0]
        assert speed == pytest.approx(2 * np.pi * RATE / PERIOD, rel=0.15)
    # In the frames that show both they are half a turn apart.
    both = turns[0].keys() & turns[1].keys()
    apart = np.exp([1j * (turns[1][seconds] - turns[0][seconds]) for seconds in both])
    assert len(both) > 50 and np.abs(np.angle(-apart)).mean() < 0.3
    assert page.errors == []


def test_boxes_lie_on_the_faces_they_belong_to(visit):
    """The overlay, mirrored and not: a box in a person's colour stands around that person's place."""
    page = visit()
    wait_for_answers(page, 20)
    columns = """() => {
      const canvas = document.querySelector("#ifade-live .ifade-overlay");
      const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const found = {};
      for (const [id, color] of [[1, [180, 83, 9]], [2, [37, 99, 235]]]) {
        const xs = [];
        for (let i = 0; i < data.length; i += 4)
          if (data[i + 3] > 200 && color.every((value, part) => Math.abs(data[i + part] - value) < 12))
            xs.push((i / 4) % canvas.width / canvas.width);
        found[id] = xs.reduce((sum, x) => sum + x, 0) / xs.length;
      }
      return [found, answers.at(-1).people.map((person) => [person.id, (person.box[0] + person.box[2]) / 2])];
    }"""
    assert page.locator("#ifade-live .ifade-mirror").is_checked()
    drawn, people = page.evaluate(columns)
    for person, middle in people:
        assert drawn[str(person)] == pytest.approx(1 - middle, abs=0.1)
    page.uncheck("#ifade-live .ifade-mirror")
    page.wait_for_timeout(500)
    drawn, people = page.evaluate(columns)
    for person, middle in people:
        assert drawn[str(person)] == pytest.approx(middle, abs=0.1)


# What it looks like

CONTRASTS = """() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => color.slice(0, 3).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }).reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const over = (top, below, alpha) => below.slice(0, 3).map((value, i) => alpha * top[i] + (1 - alpha) * value);
  const background = (element) => {
    if (!element) return [255, 255, 255];
    const color = numbers(getComputedStyle(element).backgroundColor), alpha = color[3] ?? 1;
    return alpha === 1 ? color : over(color, background(element.parentElement), alpha);
  };
  const found = [];
  const walker = document.createTreeWalker(document.querySelector("#ifade-live"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest(":disabled, .ifade-hidden, option")) continue;
    const behind = background(element);
    let alpha = 1;
    for (let parent = element; parent; parent = parent.parentElement) alpha *= getComputedStyle(parent).opacity;
    const [a, b] = [light(over(numbers(getComputedStyle(element).color), behind, alpha)), light(behind)];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text]);
  }
  return found;
}"""


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it_legibly(visit, color_scheme):
    phone = {"viewport": {"width": 360, "height": 780}, "has_touch": True, "is_mobile": True}
    page = visit(camera=False, color_scheme=color_scheme, **phone)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    start_camera(page)
    expect(page.locator("#ifade-live .ifade-chart")).to_be_visible()
    set_marker(page, "a" * 80)
    page.click("#ifade-live .ifade-formula summary")
    page.click("#ifade-live .ifade-report-show")
    expect(page.locator("#ifade-live .ifade-report table").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 60
    assert [(round(contrast, 1), words) for contrast, words in contrasts if contrast < 4.5] == []
    # Letters on a box are white, on its person's colour; the lines stand on the page.
    ground = 1.05 if color_scheme == "light" else 0.0525
    for color in re.findall(
        r"#(\w{6})", (ROOT / "webui" / "static" / "chart.js").read_text() + " ".join(PERSON_COLORS)
    ):
        parts = np.array([int(color[place : place + 2], 16) / 255 for place in (0, 2, 4)])
        light = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)
        assert 1.05 / (light + 0.05) > 4.5
        assert max(ground, light + 0.05) / min(ground, light + 0.05) > 3
    assert page.errors == []


@pytest.mark.parametrize("size", [(1440, 900), (1280, 720)])
def test_picture_cards_and_curve_are_in_sight_together(visit, size):
    """From the first answers on, without scrolling; before them there is no empty chart."""
    page = visit(camera=False, viewport={"width": size[0], "height": size[1]})
    assert page.locator("#ifade-live :is(.ifade-chart, .ifade-report-page, .ifade-delete):visible").count() == 0
    start_camera(page)
    expect(page.locator("#ifade-live .ifade-card")).to_have_count(2)
    expect(page.locator("#ifade-live .ifade-chart")).to_be_visible()
    assert page.evaluate("scrollY") == 0
    for part in (".ifade-stage", ".ifade-card >> nth=0", ".ifade-card >> nth=1", ".ifade-chart"):
        box = page.locator(f"#ifade-live {part}").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1], part


# Curve, markers, weights, report


def test_curve_markers_scale_and_report(visit):
    page = visit()
    expect(page.locator("#ifade-live .ifade-chart")).to_be_visible()
    wait_for_answers(page, 15)
    set_marker(page, "price <b>shown</b>")
    wait_for_answers(page, 5)
    # By its key at that very moment, wherever the focus is, and labelled afterwards.
    page.focus("#ifade-live .ifade-mirror")
    page.keyboard.press("m")
    expect(page.locator("#ifade-live .ifade-marker-note")).to_contain_text("“Marker 2” set")
    assert page.evaluate("document.activeElement.matches('.ifade-mirror')")
    last = page.locator("#ifade-live .ifade-marker-label").last
    last.focus()
    page.keyboard.type("by Me")  # which sets no further one
    page.keyboard.press("Enter")
    expect(page.locator("#ifade-live .ifade-marker-note")).to_contain_text("by Me")
    wait_for_answers(page, 5)
    # Both are the same woman, so their lines hide each other.
    assert colored_pixels(page, "#ifade-live .ifade-chart") > 20
    # The legend is the readout: by the last moment, by the keyboard, and of the emotions.
    legend, chart = page.locator("#ifade-live .ifade-legend"), page.locator("#ifade-live .ifade-chart")
    names = [item.locator("span").inner_text() for item in legend.locator("li").all()]
    assert names[:3] == ["Room", "Person 1", "Person 2"]  # who is lost on a busy machine comes back as another
    page.click("#ifade-live [data-zoom=all]")
    chart.focus()
    page.keyboard.press("Home")
    assert chart.get_attribute("aria-valuetext").startswith("0:00: Room +0.")
    page.keyboard.press("End")
    assert int(chart.get_attribute("aria-valuenow")) >= 1 and "Person 2 +0." in chart.get_attribute("aria-valuetext")
    page.keyboard.press("Escape")
    page.locator("#ifade-live").get_by_role("radio", name="Emotions").check(force=True)
    expect(legend.locator("li")).to_have_count(len(EMOTIONS))
    page.locator("#ifade-live .ifade-who").select_option("2")
    happy = legend.locator("li", has_text="happy").locator("strong")
    expect(happy).to_have_text(re.compile(r"9\d%"))
    assert chart.get_attribute("aria-label").startswith("Emotions: Person 2. From 0:00 to ")
    page.locator("#ifade-live").get_by_role("radio", name="Satisfaction").check(force=True)
    # Two happy people; the same on the other scale.
    assert float(text(page, "now-index")) > 0.5
    page.locator("#ifade-live").get_by_label("0 to 100").check(force=True)
    page.wait_for_timeout(500)
    assert (
        75 < int(text(page, "now-index")) <= 100
        and int(page.locator("#ifade-live .ifade-card-index").first.inner_text()) > 75
    )

    page.click("#ifade-live .ifade-report-show")
    report = page.locator("#ifade-live .ifade-report")
    expect(report.get_by_role("table")).to_have_count(3)
    rows = [row.split("\t") for row in report.locator("tr").all_inner_texts()]
    assert [row[0] for row in rows if row[0].startswith(("room", "person"))][:3] == ["room", "person 1", "person 2"]
    markers = [row for row in rows if ":" in row[0]]
    assert list(dict.fromkeys(row[1] for row in markers)) == ["price <b>shown</b>", "by Me"]
    assert markers[0][2] == "room"
    values = json.loads(download(page, "report.json"))
    first, second = values["markers"]
    assert [first["label"], second["label"]] == ["price <b>shown</b>", "by Me"]
    assert 0 < first["seconds"] < second["seconds"] <= values["to"]
    assert values["room"]["positive"] > 0.8 and values["room"]["dwell"]["happy"] > 1
    assert [person["id"] for person in values["people"]][:2] == [1, 2]
    picture = Image.open(io.BytesIO(download(page, "report.png")))
    assert picture.format == "PNG" and picture.size == (1500, 1000)
    lines = rows_with_faces(page)
    happy = [line for line in lines if line["smoothed_shown"] == "happy" and line["smoothed_sure"] == "TRUE"]
    assert len(happy) > 0.9 * len(lines) > 50
    assert text(page, "problem") == "" and page.errors == []


def test_weights_and_baseline_change_the_index(visit):
    page = visit()
    wait_for_answers(page, 5)
    page.click("#ifade-live .ifade-formula summary")
    happy = page.locator("#ifade-live").get_by_label("Weight of happy")
    happy.fill("-0.8")
    happy.dispatch_event("change")
    expect(page.locator("#ifade-live .ifade-now-index")).to_contain_text("−")
    page.click("#ifade-live .ifade-weights-reset")
    expect(page.locator("#ifade-live .ifade-now-index")).to_contain_text("+")
    page.click("#ifade-live .ifade-baseline")
    expect(page.locator("#ifade-live .ifade-marker-note")).to_contain_text("Look neutral")
    expect(page.locator("#ifade-live .ifade-marker-note")).to_contain_text("baseline taken", timeout=20_000)
    wait_for_answers(page, 5)
    page.wait_for_timeout(300)
    assert abs(float(text(page, "now-index").replace("−", "-"))) < 0.2
    # The whole curve is fetched once when the zero is known, and not with every frame after that.
    fetched = sum(address.endswith("/curve") for address in page.requests)
    wait_for_answers(page, 10)
    assert fetched == 1 == sum(address.endswith("/curve") for address in page.requests)
    page.click("#ifade-live .ifade-baseline-off")
    expect(page.locator("#ifade-live .ifade-baseline-off")).to_be_hidden()
    wait_for_answers(page, 5)
    page.wait_for_timeout(300)
    assert float(text(page, "now-index")) > 0.5 and page.errors == []


def test_delete_my_session_leaves_nothing(visit, server):
    page = visit()
    wait_for_answers(page, 10)
    token = token_of(page)
    page.click("#ifade-live .ifade-report-show")
    expect(page.locator("#ifade-live .ifade-report table").first).to_be_visible()
    # It asks once, and a double click is no answer.
    page.dblclick("#ifade-live .ifade-delete")
    expect(page.locator("#ifade-live .ifade-delete")).to_contain_text("once more")
    wait_for_answers(page, 2)
    page.wait_for_timeout(500)
    page.click("#ifade-live .ifade-delete")
    expect(page.locator("#ifade-live .ifade-session-note")).to_contain_text("was deleted")
    for hidden in (".ifade-curve", ".ifade-results"):
        expect(page.locator(f"#ifade-live {hidden}")).to_be_hidden()
    for name in ("curve", "report.json", "report.csv", "report.png", "frames.json"):
        answer = page.request.get(f"{server.address}session/{name}", headers={"X-Session": token})
        assert answer.status == 404 and answer.json()["error"] == "This session has ended."
    assert stays_still(page) and page.locator("#ifade-live :is(.ifade-card, .ifade-report table)").count() == 0
    assert page.evaluate("sessionStorage.length") == 0 and page.locator("#ifade-live .ifade-start").is_visible()
    assert page.evaluate("document.querySelector('#ifade-live video').srcObject") is None
    # And from there a new one begins.
    page.click("#ifade-live .ifade-start")
    wait_for_answers(page, 5)
    assert token_of(page) != token
    assert page.evaluate("answers.at(-1).seconds") < 20


# Pauses


def test_it_pauses_where_nobody_looks_and_stops_when_told(visit):
    page = visit()
    page.evaluate(
        """() => {
          window.show = (hidden) => {
            Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
            document.dispatchEvent(new Event("visibilitychange"));
          };
          show(true);
        }"""
    )
    assert stays_still(page)
    page.evaluate("show(false)")
    wait_for_answers(page, 3)
    page.get_by_role("tab", name="Photo").click()
    assert stays_still(page)
    page.get_by_role("tab", name="Live").click()
    wait_for_answers(page, 3)
    track = page.evaluate_handle("document.querySelector('#ifade-live video').srcObject.getVideoTracks()[0]")
    page.click("#ifade-live .ifade-stop")
    assert stays_still(page) and track.evaluate("track => track.readyState") == "ended"
    assert text(page, "speed") == "" and text(page, "now-index") == "–"
    assert (
        page.locator("#ifade-live .ifade-card").count() == 0 and page.locator("#ifade-live .ifade-start").is_visible()
    )
    # Two quick presses start one camera.
    page.evaluate("mostFlying = 0")
    page.locator("#ifade-live .ifade-start").dblclick()
    wait_for_answers(page, 10)
    assert page.evaluate("mostFlying") == 1 and page.errors == []


# What goes wrong


def test_each_trouble_with_a_camera_says_what_to_do(visit, launch):
    page = visit(launch(["--use-fake-device-for-media-stream"]), camera=False, permissions=())
    page.click("#ifade-live .ifade-start")
    expect(page.locator("#ifade-live .ifade-problem")).to_contain_text("Allow it at the camera or lock icon")
    assert page.locator("#ifade-live .ifade-start").is_visible() and page.requests[-1] != f"{page.url}live/frame"

    page = visit(launch([]), camera=False)
    page.click("#ifade-live .ifade-start")
    expect(page.locator("#ifade-live .ifade-problem")).to_contain_text("No camera was found. Connect one")


def test_a_camera_that_is_taken_or_unplugged(visit):
    page = visit()
    page.evaluate(
        """() => {
          const track = document.querySelector("#ifade-live video").srcObject.getVideoTracks()[0];
          const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotFoundError"); };
          window.plugIn = () => { navigator.mediaDevices.getUserMedia = real; };
          track.stop();
          track.dispatchEvent(new Event("ended"));
          navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
        }"""
    )
    expect(page.locator("#ifade-live .ifade-problem")).to_contain_text("unplugged")
    assert stays_still(page) and page.locator("#ifade-live .ifade-card").count() == 0
    assert "unplugged" in text(page, "problem")  # it still waits
    page.evaluate("plugIn()")  # no word from the browser: it is tried now and then
    wait_for_answers(page, 3)
    assert text(page, "problem") == ""
    page.click("#ifade-live .ifade-stop")
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotReadableError'); } }"
    )
    page.click("#ifade-live .ifade-start")
    expect(page.locator("#ifade-live .ifade-problem")).to_contain_text("Another program is using the camera")
    assert page.errors == []


def test_lost_and_refused_answers_do_not_stop_it(visit):
    page = visit()
    lost = []
    page.route("**/live/frame", lambda route: lost.append(route) if len(lost) < 1 else route.continue_())
    wait_for_answers(page, 3)
    assert len(lost) == 1 and text(page, "problem") == ""  # one lost answer is no news
    page.unroute("**/live/frame")
    page.route("**/live/frame", lambda route: route.abort())
    expect(page.locator("#ifade-live .ifade-problem")).to_contain_text("The server does not answer")
    page.unroute("**/live/frame")
    wait_for_answers(page, 3)
    expect(page.locator("#ifade-live .ifade-problem")).to_be_empty()
    assert page.evaluate("mostFlying") == 1 and page.errors == []


def test_a_reload_goes_on_with_the_session(visit):
    page = visit()
    wait_for_answers(page, 10)
    set_marker(page, "before")
    token, seconds = token_of(page), page.evaluate("answers.at(-1).seconds")
    page.reload()
    page.get_by_role("tab", name="Live").click()
    wait_for_answers(page, 3)
    later = page.evaluate("answers.at(-1).seconds")
    assert token_of(page) == token and later > seconds
    report = json.loads(download(page, "report.json"))
    assert [marker["label"] for marker in report["markers"]] == ["before"]
    assert report["from"] == 0 and report["to"] >= later


# Privacy


def test_two_visitors_leave_no_trace(visit, server):
    before = server.files()
    pages = [visit(), visit()]
    for page in pages:
        wait_for_answers(page, 10)
        set_marker(page, f"secret of {pages.index(page)}")
    pages[0].click("#ifade-live .ifade-stop")  # one camera is enough for what follows
    for page in pages:
        for name in ("report.csv", "report.json", "report.png"):
            download(page, name)
    # No file, and none that is open though it has no name any more, as that has to which these tests let the server print.
    # What decoders share with the page is memory, which is empty but while a picture is handed over.
    assert server.files() == before
    descriptors = Path(f"/proc/{server.process.pid}/fd")
    files = [file for file in descriptors.iterdir() if file.name not in ("1", "2")] if descriptors.exists() else []
    memory = [file for file in files if os.readlink(file).startswith("/memfd:pixels")]
    opened = [os.readlink(file) for file in files if file not in memory]
    assert not [name for name in opened if "deleted" in name or str(server.folder) in name]
    for file in memory:
        wait_until(lambda file=file: file.stat().st_size == 0)
    # Nothing goes to another machine, and nothing of a session into an address.
    tokens = [token_of(page) for page in pages]
    for page in pages:
        addresses = [address for address in page.requests if not address.startswith(("data:", "blob:"))]
        assert all(address.startswith(server.address) for address in addresses)
        assert not any(token in address for token in tokens for address in addresses)
        assert {address for address in addresses if "/live/" in address and "?" in address} == set()
    # What is the one's is not the other's.
    reports = [json.loads(download(page, "report.json")) for page in pages]
    assert tokens[0] != tokens[1]
    assert [[marker["label"] for marker in report["markers"]] for report in reports] == [
        ["secret of 0"],
        ["secret of 1"],
    ]


def test_closing_the_page_ends_its_session_and_frees_its_memory(two_people):
    """The page in this process, so that it can be seen what is left of a session: nothing."""
    served, port = build_sessions(Limits(left_seconds=1.0, sweep_seconds=0.2)), free_port()
    options = {"prevent_thread_lock": True, "quiet": True}
    demo = serve(
        app.build_page(), FaceAnalyzer(), served, build_video_server(served), listen("127.0.0.1", port), **options
    )
    try:
        sessions = []
        pages = [open_page(two_people, f"http://127.0.0.1:{port}/") for _ in range(2)]
        for page in pages:
            start_camera(page)
            wait_for_answers(page, 3)
            sessions.append(weakref.ref(served.store.get(token_of(page))))
        pages[0].close()
        wait_until(lambda: len(served.store) == 1)
        wait_until(lambda: is_gone(sessions[0]))
        assert sessions[1]() is not None
        wait_for_answers(pages[1], 3)  # and the other one goes on
        pages[1].goto("about:blank")
        wait_until(lambda: len(served.store) == 0)
        wait_until(lambda: is_gone(sessions[1]))
    finally:
        for page in pages:
            page.context.close()
        demo.close()


# A server that comes back; the last test, because it restarts the page


def test_a_server_that_was_restarted_is_found_again(visit, server):
    page = visit()
    wait_for_answers(page, 3)
    server.kill()
    expect(page.locator("#ifade-live .ifade-problem")).to_contain_text("The server does not answer")
    server.start()
    wait_for_answers(page, 5)
    expect(page.locator("#ifade-live .ifade-problem")).to_be_empty()
    expect(page.locator("#ifade-live .ifade-session-note")).to_contain_text("A new session has begun")
    assert page.evaluate("answers.at(-1).seconds") < 60 and page.errors == []
