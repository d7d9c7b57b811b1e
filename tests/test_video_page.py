"""The Video tab: its routes without a browser, and the page in headless Chromium."""

import asyncio
import base64
import csv
import io
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.testclient import TestClient

import inference.video
from clips import face_at, write_clip, write_face_clip
from inference.decoding import DecoderProcess
from inference.stream import Stream
from inference.tables import AGE_GENDER, NAMES
from inference.tracker import TrackedFace
from inference.types import EMOTIONS, GENDER_SURE, WIDEST_AGE_RANGE
from test_app_page import VIEWS, drop_file
from test_satisfaction import person, sure_of
from webui import sessions as sessions_module
from webui import video as video_module
from webui.http import Refusal
from webui.limits import Limits
from webui.server import build_sessions, build_video_server
from webui.session_routes import SessionServer
from webui.sessions import SessionStore
from webui.texts import text
from webui.video import VideoJob, VideoServer

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "astronaut.jpg"
TIMES = [number / 25 for number in range(100)]


@pytest.fixture(scope="module")
def server() -> VideoServer:
    return build_video_server(build_sessions())


@pytest.fixture(scope="module")
def client(server):
    with served(server) as client:
        yield client


def served(server: VideoServer) -> TestClient:
    return TestClient(Starlette(routes=server._sessions.routes() + server.routes(), lifespan=server.lifespan))


def limited(server: VideoServer, **limits: float) -> VideoServer:
    """The same within other limits."""
    store = SessionStore(server._sessions.store.new_stream, Limits(**limits))
    return VideoServer(SessionServer(store), server._new_stream)


def follow_by(monkeypatch, server: VideoServer, people: Callable[[float], list[TrackedFace]]) -> None:
    """In its videos are those of whom something else says so, by the second."""

    class Follower:
        analyzer = SimpleNamespace(answer=lambda cuts: cuts)

        def find(self, image, seconds, age_gender):
            return people(seconds), []

        def name(self, faces, placed):
            return faces

    def new_stream(make=server._new_stream) -> Stream:
        stream = make()
        stream.follower = Follower()
        return stream

    monkeypatch.setattr(server, "_new_stream", new_stream)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> bytes:
    """Four seconds with one moving face."""
    return write_face_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", TIMES, movflags="faststart").read_bytes()


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory, clip) -> bytes:
    """A minute, which takes several seconds to analyse."""
    folder = tmp_path_factory.mktemp("long")
    part = write_face_clip(folder / "part.ts", TIMES).read_bytes()
    return part * 15


class Visitor:
    """A page with a session."""

    def __init__(self, client: TestClient):
        self.client = client
        self.headers = {"X-Session": client.post("/session/start").json()["session"]}

    def get(self, path: str):
        return self.client.get(path, headers=self.headers)

    def post(self, path: str):
        return self.client.post(path, headers=self.headers)

    def send(self, content: bytes, rate: int = 10, **headers: str):
        headers = {**self.headers, "X-Rate": str(rate), **headers}
        return self.client.post("/video/analyze", content=content, headers=headers)

    def wait(self, *states: str) -> dict:
        deadline = time.monotonic() + 60
        while True:
            state = self.get("/video/progress").json()
            if state["state"] in states:
                return state
            assert time.monotonic() < deadline and "error" in state, state
            time.sleep(0.02)


@pytest.fixture
def visitor(client):
    visitor = Visitor(client)
    yield visitor
    visitor.post("/session/delete")


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A function that counts the videos which the server holds, in files with or without a name."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))

    def count() -> int:
        links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        held = [os.readlink(link) for link in links if os.path.lexists(link)]
        return len(list(folder.iterdir())) + sum(target.startswith(str(folder)) for target in held)

    if not sys.platform.startswith("linux"):
        pytest.skip("open files are read from /proc")
    return count


def until(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_video_is_analysed_and_forgotten(visitor, clip, stored):
    answer = visitor.send(clip, rate=25)
    assert answer.status_code == 200 and answer.json()["state"] in ("waiting", "reading")
    assert answer.headers["cache-control"] == "no-store"
    state = visitor.wait("done")
    assert (state["frames"], state["size"], state["incomplete"], state["error"]) == (100, [320, 240], None, None)
    assert state["position"] == pytest.approx(3.96) and state["duration"] == pytest.approx(4, abs=0.1)
    rows = list(csv.DictReader(io.StringIO(visitor.get("/session/report.csv").text)))
    assert tuple(rows[0]) == NAMES and len(rows) == 100
    for row, seconds in zip(rows, TIMES):
        assert float(row["seconds"]) == pytest.approx(seconds, abs=0.001) and row["person"] == "1"
        middle = (float(row["x1"]) + float(row["x2"])) / 2, (float(row["y1"]) + float(row["y2"])) / 2
        assert middle == pytest.approx(face_at(seconds), abs=4)
    report = visitor.get("/session/report.json").json()
    assert report["frames"] == 100 and report["room"]["dwell"]["happy"] == pytest.approx(4, abs=0.1)
    assert visitor.get("/session/report.png").content.startswith(b"\x89PNG")
    assert stored() == 0


def test_the_curve_looks_back_when_the_video_is_over(server, visitor, clip, monkeypatch):
    """A face that is sad for two seconds and then happy: curve, table and report turn in the middle, by any weights."""

    follow_by(monkeypatch, server, lambda seconds: [person(sure_of("sad" if seconds < 2 else "happy", 0.6))])
    visitor.send(clip)
    visitor.wait("done")
    for weights in ({"happy": 1.0, "sad": -1.0}, {"happy": 0.9, "sad": -0.9}):
        wanted = {"weights": dict.fromkeys(EMOTIONS, 0.0) | weights}
        state = visitor.client.post("/session/weights", headers=visitor.headers, json=wanted).json()
        report = visitor.get("/session/report.json").json()
        rows = list(csv.DictReader(io.StringIO(visitor.get("/session/report.csv").text)))
        assert report["smoothed"] and report["curve"] == state["curve"]
        seconds, values = zip(*((point["seconds"], point["people"]["1"][0]) for point in state["curve"]))
        at, index = np.array([[float(row["seconds"]), float(row["index"])] for row in rows]).T
        assert index == pytest.approx(np.interp(at, seconds, values), abs=2e-3)
        assert index[0] == pytest.approx(values[0], abs=1e-4) and index[-1] == pytest.approx(values[-1], abs=1e-4)
        assert np.interp(0, index, at) == pytest.approx(1.95, abs=0.1)
        assert report["people"][0]["highest"]["index"] == pytest.approx(index.max(), abs=1e-4)


def test_age_and_gender_only_where_asked_for(client, clip):
    tables = []
    for wanted in ("0", "1"):
        visitor = Visitor(client)
        visitor.send(clip, rate=2, **{"X-Age-Gender": wanted})
        visitor.wait("done")
        tables.append(list(csv.DictReader(io.StringIO(visitor.get("/session/report.csv").text))))
        visitor.post("/session/delete")
    without, asked = tables
    assert len(without) == len(asked) == 8
    assert {row[name] for row in without for name in AGE_GENDER} == {""}
    for row in asked:
        first, age, last = (float(row[name]) for name in ("age_first", "age", "age_last"))
        assert 0 <= first <= age <= last + 1 and row["age_sure"] == str(last - first <= WIDEST_AGE_RANGE).upper()
        female, male = float(row["gender_female"]), float(row["gender_male"])
        assert female + male == pytest.approx(1, abs=1e-4)
        assert row["gender_sure"] == str(max(female, male) >= GENDER_SURE).upper()
        assert row["apparent_gender"] == ("female" if female >= male else "male")


def test_stop_is_prompt_and_keeps_what_was_read(visitor, long_clip, stored):
    visitor.send(long_clip, rate=25)
    until(lambda: visitor.get("/video/progress").json()["frames"] >= 10)
    assert stored() == 1
    asked = time.monotonic()
    assert visitor.post("/video/stop").status_code == 200
    state = visitor.wait("stopped", "done")
    assert state["state"] == "stopped" and time.monotonic() - asked < 1
    assert "Reading was ended" in state["incomplete"] and 10 <= state["frames"] < 1400
    report = visitor.get("/session/report.json").json()
    assert report["frames"] == state["frames"] and report["to"] <= state["position"]
    assert stored() == 0


@pytest.mark.parametrize("end", ["/session/delete", "/session/leave"])
def test_work_ends_with_its_session(server, long_clip, end, stored):
    server = limited(server, left_seconds=0.2)
    with served(server) as client:
        visitor, waiting = Visitor(client), Visitor(client)
        visitor.send(long_clip)
        waiting.send(long_clip)
        visitor.wait("reading")
        assert waiting.get("/video/progress").json()["ahead"] == 1
        for one in (waiting, visitor):
            client.post(end, headers=one.headers, json={"session": one.headers["X-Session"]})
        until(lambda: not server._jobs and stored() == 0, 5)
        assert visitor.get("/video/progress").status_code == 404


@pytest.mark.parametrize("end", ["/video/stop", "/session/delete"])
@pytest.mark.parametrize("opened", [True, False])
def test_work_ends_where_the_decoder_does_not_answer(server, visitor, end, opened, stored, monkeypatch, clip):
    """As within a frame that takes it minutes, the first or a later one."""
    started: list[DecoderProcess] = []

    class Process(DecoderProcess):
        def __init__(self, *arguments, **more):
            super().__init__(*arguments, **more)
            started.append(self)
            if not opened:
                os.kill(self._process.pid, signal.SIGSTOP)

    monkeypatch.setattr(inference.video, "DecoderProcess", Process)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(visitor.send, clip)
        if opened:
            assert sending.result().status_code == 200
            until(lambda: visitor.get("/video/progress").json()["frames"] >= 3)
            os.kill(started[0]._process.pid, signal.SIGSTOP)
        until(lambda: len(started) == 1)
        asked = time.monotonic()
        visitor.post(end)
        until(lambda: not server._jobs and stored() == 0, 5)
        answer = sending.result()
        assert time.monotonic() - asked < 5
    assert started[0]._process.returncode == -signal.SIGKILL
    if not opened:
        assert answer.status_code == 422 and "ended before" in answer.json()["error"]
    elif end == "/video/stop":
        assert "Reading was ended after" in visitor.wait("stopped")["incomplete"]


def test_a_broken_file_says_where_it_ends(visitor, clip):
    assert visitor.send(clip[: int(len(clip) * 0.6)]).status_code == 200
    state = visitor.wait("done")
    assert re.match(r"The file ends after 2(\.\d)? of 4 seconds", state["incomplete"]) and state["frames"] > 15


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"no video" * 1000, "not a video"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "not a video"),
        (EXAMPLE.read_bytes(), text("en", "photo_in_video")),
        (b"\0\0\0\x18ftypheic" + bytes(2000), text("en", "photo_in_video")),
        (b"GIF89a" + bytes(2000), "This is not a video"),
    ],
)
def test_what_is_no_video_is_refused_and_the_next_is_taken(visitor, clip, content, says):
    answer = visitor.send(content)
    assert answer.status_code == 422 and says in answer.json()["error"]
    assert visitor.get("/video/progress").status_code == 404
    assert visitor.send(clip).status_code == 200
    visitor.wait("done")


def test_limits(server, client, visitor, clip, long_clip, tmp_path):
    assert visitor.send(clip, rate=7).status_code == 422
    assert client.post("/video/analyze", content=clip).status_code == 404
    with served(limited(server, video_bytes=len(clip) - 1)) as small:
        late = Visitor(small)
        answer = late.send(clip)
        assert answer.status_code == 413 and "too large" in answer.json()["error"]
        # Without a Content-Length too.
        assert late.send(iter([clip[:1000], clip[1000:]])).status_code == 413
    large = write_clip(tmp_path / "large.mp4", TIMES[:2], [np.zeros((2400, 4100, 3), np.uint8)] * 2)
    answer = visitor.send(large.read_bytes())
    assert answer.status_code == 422 and "4,100 x 2,400 pixels" in answer.json()["error"]

    assert visitor.send(long_clip).status_code == 200
    assert visitor.send(clip).status_code == 409
    others = [Visitor(client) for _ in range(Limits.videos)]
    answers = [other.send(clip) for other in others]
    assert [answer.status_code for answer in answers] == [200] * (len(others) - 1) + [503]
    assert "Try again" in answers[-1].json()["error"]
    assert [other.get("/video/progress").json()["ahead"] for other in others[:-1]] == [1, 2, 3]
    # One who waits can stop at once; the rest moves up.
    others[0].post("/video/stop")
    assert others[0].get("/video/progress").json()["state"] == "stopped"
    assert others[1].get("/video/progress").json()["ahead"] == 1
    for one in (visitor, *others):
        one.post("/session/delete")
    until(lambda: not server._jobs)


def test_visitors_share_the_places_of_videos_and_take_turns(server, clip, long_clip):
    server = limited(server, videos=2, turn_seconds=0.05)
    app = Starlette(routes=server._sessions.routes() + server.routes(), lifespan=server.lifespan)
    with TestClient(app, client=("203.0.113.1", 1)) as client:
        other = TestClient(app, client=("203.0.113.2", 1))
        other.portal = client.portal
        greedy = [Visitor(client) for _ in range(3)]
        assert [one.send(long_clip).status_code for one in greedy] == [200, 200, 503]
        polite = Visitor(other)
        assert polite.send(clip).status_code == 200
        assert polite.wait("done")["error"] is None
        assert greedy[0].get("/video/progress").json()["state"] == "reading"
        evicted = greedy[1].get("/video/progress").json()
        assert evicted["state"] == "stopped" and evicted["error"].startswith("Another visitor needed the place")
        greedy[0].post("/video/stop")
        greedy[0].wait("stopped")


def test_a_video_is_no_longer_than_may_be(server, clip, monkeypatch):
    server = limited(server, video_minutes=1 / 60)
    with served(server) as client:
        answer = Visitor(client).send(clip)
        assert answer.status_code == 422 and answer.json()["code"] == "video_too_long"
        # Where a file does not say how long it is, or says too little, what comes later is left out.
        monkeypatch.setattr(video_module, "VideoReader", WithoutDuration)
        visitor = Visitor(client)
        assert visitor.send(clip).status_code == 200
        state = visitor.wait("done")
        assert state["frames"] == 11 and "first" in state["error"]


class WithoutDuration(inference.video.VideoReader):
    duration = property(lambda self: None, lambda self, value: None)


def test_an_upload_that_stands_still_is_given_up(server):
    server = limited(server, silent_seconds=0.05)

    class Request:
        async def stream(self):
            yield b"a beginning"
            await asyncio.sleep(60)

    # In a thread of its own: Playwright keeps an event loop running in this one.
    with ThreadPoolExecutor(1) as pool, pytest.raises(Refusal, match="stood still"):
        pool.submit(lambda: asyncio.run(server._receive(Request(), io.BytesIO(), VideoJob("", False)))).result(
            timeout=20
        )


def test_a_slow_upload_keeps_its_session_until_it_has_taken_too_long(server, visitor, monkeypatch):
    """At 25 kB/s, of which 16 MB take longer than a session that nobody uses is kept."""
    clock = SimpleNamespace(now=time.monotonic())
    clock.monotonic = lambda: clock.now
    for module in (video_module, sessions_module):
        monkeypatch.setattr(module, "time", clock)
    session = server._sessions.store.get(visitor.headers["X-Session"])
    session.video = VideoJob("", False)  # as `analyze` does
    session.live_on()

    class Request:
        headers = {"x-session": session.token}

        async def stream(self):
            for _ in range(9 if file.tell() == 0 else 30):
                clock.now += 100
                yield bytes(2_500_000)

    file = io.BytesIO()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(server._receive(Request(), file, session.video))).result(timeout=20)
        assert len(file.getbuffer()) == 9 * 2_500_000 and server._sessions.store.holds(session)
        file.seek(1)
        with pytest.raises(Refusal, match="longer than 30 minutes"):
            pool.submit(lambda: asyncio.run(server._receive(Request(), file, session.video))).result(timeout=20)


def test_a_fault_is_told_and_what_was_read_is_kept(server, visitor, clip, monkeypatch):
    def faulty(seconds: float) -> list[TrackedFace]:
        if seconds > 1:
            raise RuntimeError("broken on purpose")
        return []

    follow_by(monkeypatch, server, faulty)
    visitor.send(clip)
    state = visitor.wait("stopped")
    assert state["error"].startswith("Something went wrong") and state["frames"] == 11
    assert "purpose" not in json.dumps(state) and not server._jobs


# In the browser


@pytest.fixture(params=VIEWS)
def page(request, browser, page_address):
    context = browser.new_context(**VIEWS[request.param])
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(page_address)
    page.get_by_role("tab", name="Video").click()
    expect(page.get_by_role("button", name="Choose a video")).to_be_visible()
    yield page
    context.close()
    assert page.errors == []


@pytest.fixture(scope="module")
def clips(tmp_path_factory, clip, long_clip) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    (folder / "clip.mp4").write_bytes(clip)
    (folder / "long.ts").write_bytes(long_clip)
    (folder / "cut.mp4").write_bytes(clip[: int(len(clip) * 0.6)])
    (folder / "text.mp4").write_text("no video")
    return folder


def choose(page, file: Path) -> None:
    page.set_input_files(".ifade-file", file)


def section(page, name: str):
    return page.get_by_role("region", name=name)


def check_printed_report(page, report) -> None:
    """One file that asks nobody for anything, with the curves, the tables and the settings; a label in it is text."""
    with page.expect_download() as download:
        report.get_by_role("button", name="Report to print").click()
    assert download.value.suggested_filename == "clip-report.html"
    words = Path(download.value.path()).read_text("utf-8")
    assert re.findall(r'(?:src|href)="(?!data:image/png;base64,)|url\(|<script|<b>price', words) == []
    printed = page.context.new_page()
    asked = []
    printed.on("request", lambda request: asked.append(request.url) if not request.url.startswith("data:") else None)
    printed.set_content(words)
    expect(printed.locator("h1")).to_have_text("clip")
    expect(printed.get_by_role("img")).to_have_count(2)
    assert printed.locator("img").evaluate_all("images => images.map(image => image.naturalWidth)") == [1920, 1920]
    expect(printed.locator("caption")).to_have_text(["Satisfaction", "How long each emotion led", "Markers"])
    expect(printed.get_by_role("table", name="Markers")).to_contain_text("<b>price</b> shown")
    settings = printed.locator("dl").inner_text()
    assert "320 x 240 pixels" in settings and "happy +0.81" in settings and asked == []
    printed.close()


def test_a_video_in_the_page(page, clips):
    box = page.locator(".ifade-film").get_by_label("Estimate age and gender")
    expect(box).not_to_be_checked()
    note = page.locator(".ifade-film .ifade-apparent-note")
    expect(note).to_be_hidden()
    box.check()
    expect(note).to_contain_text("not what the person is")
    box.uncheck()
    expect(note).to_be_hidden()
    box.check()
    choose(page, clips / "clip.mp4")
    status = page.locator(".ifade-film-status")
    expect(status).to_contain_text("Finished. Frames analysed: 40 (4.0 s)", timeout=60_000)
    report = section(page, "Report of the video")
    expect(report.get_by_role("table", name="Satisfaction")).to_contain_text("person 1")
    expect(page.locator(".ifade-progress")).to_be_hidden()
    assert page.locator(".ifade-film .ifade-problem").inner_text() == ""
    # From the first picture on, the card says what the curve shows.
    with page.expect_download() as download:
        report.get_by_role("button", name=re.compile("JSON")).click()
    curve = json.loads(Path(download.value.path()).read_text())["curve"]
    assert page.locator(".ifade-player").evaluate("video => video.currentTime") == 0
    assert (
        section(page, "Person 1: happy").locator(".ifade-card-index").inner_text()
        == f"{curve[0]['people']['1'][0]:+.2f}"
    )
    # The visitor's own copy plays, with a box where the face is.
    player = page.locator(".ifade-player")
    assert player.evaluate("video => video.videoWidth") == 320
    player.evaluate("video => new Promise(done => { video.onseeked = done; video.currentTime = 1.02; })")
    page.wait_for_timeout(300)
    x, y = face_at(1)
    left, right = page.evaluate(
        """(y) => {
          const canvas = document.querySelector(".ifade-film .ifade-overlay");
          const {data, width, height} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const row = Math.round(y * height / 240) * width;
          const drawn = [...Array(width).keys()].filter((x) => data[4 * (row + x) + 3] > 128);
          return [320 * drawn[0] / width, 320 * drawn.at(-1) / width];
        }""",
        y,
    )
    assert (left + right) / 2 == pytest.approx(x, abs=4) and 30 < right - left < 70
    card = section(page, "Person 1: happy")
    assert [label.strip() for label in card.locator(".ifade-label").all_inner_texts()] == list(EMOTIONS)
    assert card.locator(".ifade-leading .ifade-label").all_inner_texts() == ["happy"]
    assert re.match(
        r"apparent age: .*about \d+ \(\d+ to \d+\), apparent gender: ",
        card.locator(".ifade-card-apparent").inner_text(),
    )
    # A marker at that moment, with a label that is text and nothing else.
    page.locator(".ifade-rate").focus()
    page.keyboard.press("m")
    page.get_by_label("Label of the marker at 0:01").fill("<b>price</b> shown")
    page.keyboard.press("Enter")
    expect(report.get_by_role("table", name="Markers")).to_contain_text("<b>price</b> shown")
    expect(report.get_by_role("table", name="Markers")).to_contain_text("0:01")
    # The player goes where the chart is clicked, or Enter pressed; the readout is of that moment.
    chart, readout = page.locator(".ifade-film .ifade-chart"), page.locator(".ifade-film .ifade-at")
    chart.click(position={"x": 40 + (chart.bounding_box()["width"] - 50) * 0.75, "y": 60})
    page.mouse.move(0, 0)
    assert player.evaluate("video => video.currentTime") == pytest.approx(3, abs=0.2)
    expect(readout).to_have_text("0:03")
    chart.focus()
    page.keyboard.press("Home")
    expect(readout).to_have_text("0:00")
    page.keyboard.press("Enter")
    expect(player).to_have_js_property("currentTime", 0)
    # A zoom is left as it was entered, and the emotions are those of the bars.
    whole = page.locator(".ifade-film [data-zoom=all]")
    expect(whole).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("+")
    expect(whole).to_have_attribute("aria-pressed", "false")
    assert chart.get_attribute("aria-valuemax") == "2"
    whole.click()
    assert chart.get_attribute("aria-valuemax") == "4"
    page.locator(".ifade-film").get_by_role("radio", name="Emotions").check(force=True)
    happy = page.locator(".ifade-film .ifade-legend li", has_text="happy").locator("strong").inner_text()
    assert (
        abs(int(happy.rstrip("%")) - int(card.locator(".ifade-leading .ifade-percent").inner_text().rstrip("%"))) <= 3
    )
    page.locator(".ifade-film").get_by_role("radio", name="Satisfaction").check(force=True)
    # The face's own neutral, from what was seen, and back.
    page.locator(".ifade-film .ifade-baseline").click()
    expect(card.locator(".ifade-card-index")).to_have_text(re.compile(r"[+−]?0\.0\d"))
    expect(page.locator(".ifade-film .ifade-marker-note")).to_contain_text("from 0:00 to 0:05")
    page.locator(".ifade-film .ifade-baseline-off").click()
    expect(card.locator(".ifade-card-index")).to_contain_text("+0.7")
    # Other weights turn the report and the card.
    page.locator(".ifade-film .ifade-formula summary").click()
    happy = page.locator(".ifade-film").get_by_label("Weight of happy")
    happy.fill("-0.8")
    happy.dispatch_event("change")
    expect(report.get_by_role("table", name="Satisfaction")).to_contain_text("−0.")
    expect(card.locator(".ifade-card-index")).to_contain_text("−0.")
    page.locator(".ifade-film .ifade-weights-reset").click()
    expect(card.locator(".ifade-card-index")).to_contain_text("+0.")
    for button, start in (("PNG", b"\x89PNG"), ("CSV", b"file,seconds,faces,"), ("JSON", b'{\n  "formula"')):
        with page.expect_download() as download:
            report.get_by_role("button", name=re.compile(button)).click()
        assert download.value.url.startswith("blob:")
        assert Path(download.value.path()).read_bytes().startswith(start)
        assert download.value.suggested_filename == f"clip-report.{button.lower()}"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    check_printed_report(page, report)
    page.locator(".ifade-film .ifade-delete").click()
    expect(page.locator(".ifade-film .ifade-delete")).to_contain_text("once more")
    page.wait_for_timeout(500)
    page.locator(".ifade-film .ifade-delete").click()
    expect(page.locator(".ifade-film")).to_contain_text("The results were deleted")
    expect(page.locator(".ifade-film .ifade-report table")).to_have_count(0)
    expect(page.get_by_role("button", name="Choose a video")).to_be_visible()


def test_files_dropped_and_pasted_in_the_page(page, page_address, clips, tmp_path):
    """A picture is told where it belongs, by its name and by its content, and what was found stays until a video comes."""
    status, problem = page.locator(".ifade-film-status"), page.locator(".ifade-film .ifade-problem")
    drop_file(page, clips / "clip.mp4", 20, 20)
    expect(status).to_contain_text("Frames analysed: 40", timeout=60_000)
    drop_file(page, EXAMPLE, 20, 20)
    expect(problem).to_have_text(text("en", "photo_in_video"))
    assert page.url == f"{page_address}#video" and page.locator(".ifade-film .ifade-report table").count() > 0
    shutil.copy(EXAMPLE, tmp_path / "clip.mp4")
    choose(page, tmp_path / "clip.mp4")
    expect(problem).to_have_text(text("en", "photo_in_video"))
    page.evaluate(
        """(data) => {
          const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0)), transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "pasted.mp4", {type: "video/mp4"}));
          document.body.dispatchEvent(
            new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true, cancelable: true}));
        }""",
        base64.b64encode((clips / "clip.mp4").read_bytes()).decode(),
    )
    expect(status).to_contain_text("Frames analysed: 40", timeout=60_000)
    expect(problem).to_be_hidden()


def test_a_picture_is_told_in_turkish_where_it_belongs(browser, page_address):
    page = browser.new_page()
    page.goto(f"{page_address}?lang=tr")
    page.get_by_role("tab", name="Video").click()
    choose(page, EXAMPLE)
    expect(page.locator(".ifade-film .ifade-problem")).to_have_text(text("tr", "photo_in_video"))
    page.close()


def test_stop_in_the_page(page, clips):
    choose(page, clips / "long.ts")
    expect(page.locator(".ifade-film-status")).to_contain_text("analysed")
    page.wait_for_timeout(500)
    expect(page.locator(".ifade-progress")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(".ifade-film-status")).to_contain_text("Stopped", timeout=3000)
    expect(section(page, "Report of the video").get_by_role("table", name="Satisfaction")).to_be_visible()
    # The browser cannot play a transport stream, and says so.
    expect(page.locator(".ifade-film")).to_contain_text("cannot play this file")


def test_broken_videos_in_the_page(page, clips):
    problem = page.locator(".ifade-film .ifade-problem")
    choose(page, clips / "text.mp4")
    expect(problem).to_contain_text("This is not a video")
    choose(page, clips / "cut.mp4")
    expect(problem).to_contain_text("The file ends after 2")
    expect(page.locator(".ifade-film-status")).to_contain_text("Finished")
    choose(page, clips / "clip.mp4")
    expect(page.locator(".ifade-film-status")).to_contain_text("Frames analysed: 40")
    expect(problem).to_be_hidden()
