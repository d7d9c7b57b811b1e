"""The routes behind the Live tab, without a browser: what they answer, what they refuse, and what they keep."""

import contextlib
import csv
import gc
import io
import json
import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from inference.images import load_image
from inference.satisfaction import VALENCE
from inference.stream import Stream
from inference.tables import AGE_GENDER, NAMES
from inference.types import EMOTIONS, GENDER_SURE, WIDEST_AGE_RANGE
from webui import session_routes
from webui.limits import Limits
from webui.live import LiveServer
from webui.server import build_sessions
from webui.session_routes import SessionServer
from webui.sessions import SessionStore

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(scope="module")
def sessions() -> SessionServer:
    return build_sessions()


@pytest.fixture(scope="module")
def live(sessions) -> LiveServer:
    return LiveServer(sessions)


@pytest.fixture(scope="module")
def client(sessions, live):
    with TestClient(Starlette(routes=sessions.routes() + live.routes())) as client:
        yield client


@pytest.fixture
def serve(sessions):
    """A function that serves sessions within other limits."""
    with contextlib.ExitStack() as opened:

        def enter(**limits: float) -> tuple[SessionServer, TestClient]:
            limited = SessionServer(SessionStore(sessions.store.new_stream, Limits(**limits)))
            routes = limited.routes() + LiveServer(limited).routes()
            return limited, opened.enter_context(TestClient(Starlette(routes=routes, lifespan=limited.lifespan)))

        yield enter


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """uint8 (480, 640, 3), RGB, with one face."""
    return cv2.resize(load_image(EXAMPLES / "astronaut.jpg"), (640, 640), interpolation=cv2.INTER_AREA)[:480]


def jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


class Visitor:
    """A page: one session and a clock of its own."""

    def __init__(self, client: TestClient):
        self.client, self.clock = client, 1e9
        self.state = client.post("/session/start").json()
        self.headers = {"X-Session": self.state["session"]}

    def get(self, name: str):
        return self.client.get(f"/session/{name}", headers=self.headers)

    def post(self, name: str, value: dict | None = None):
        return self.client.post(f"/session/{name}", headers=self.headers, json=value or {})

    def send(self, image: np.ndarray | bytes, camera: str = "640x480", step: float = 0.05, **headers: str):
        self.clock += step
        data = image if isinstance(image, bytes) else jpeg(image)
        headers = {**self.headers, "X-Seconds": str(self.clock), "X-Camera": camera, **headers}
        return self.client.post("/live/frame", content=data, headers=headers)


@pytest.fixture
def visitor(client) -> Visitor:
    return Visitor(client)


def rows(visitor: Visitor) -> list[dict]:
    return list(csv.DictReader(io.StringIO(visitor.get("report.csv").text)))


# What it answers


def test_a_face_that_moves_keeps_its_id_and_is_followed(visitor, portrait):
    expected = []
    for number in range(40):
        shift = 60 * np.sin(number / 8)
        frame = cv2.warpAffine(portrait, np.float32([[1, 0, shift], [0, 1, 0]]), (640, 480))
        answer = visitor.send(frame)
        assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
        (person,) = answer.json()["people"]
        expected.append(shift)
        assert person["id"] == 1 and len(person["probabilities"]) == 7 and person["shown"] == "happy" and person["sure"]
        assert sum(person["probabilities"]) == pytest.approx(1, abs=0.01)
        assert person["probabilities"].index(max(person["probabilities"])) == EMOTIONS.index("happy")
    table = rows(visitor)
    assert [row["person"] for row in table] == ["1"] * 40
    assert [float(row["seconds"]) for row in table] == pytest.approx(np.arange(40) * 0.05, abs=2e-3)
    middles = [(float(row["x1"]) + float(row["x2"])) / 2 for row in table]
    assert np.abs(np.array(middles) - middles[0] - expected).max() < 6
    drawn = answer.json()["people"][0]["box"]
    assert (drawn[0] + drawn[2]) / 2 * 640 == pytest.approx(middles[-1], abs=8)
    room = answer.json()["room"]
    assert room == person["index"] and room[0] > 0.6 and 0 < room[1] < 0.3


def test_age_and_gender_only_while_asked_for(visitor, portrait):
    """Asked for frame by frame; what was said before it was switched off is shown no more."""
    asked = {}
    for wanted in ("", "1", "0"):
        (person,) = visitor.send(portrait, **{"X-Age-Gender": wanted}).json()["people"]
        asked[wanted] = person["apparent"]
    assert asked[""] is asked["0"] is None
    said = asked["1"]
    first, last = said["age_range"]
    assert 10 <= first <= said["age"] <= last + 1 and said["age_sure"] == (last - first <= WIDEST_AGE_RANGE)
    likelier = max(said["gender"], key=said["gender"].get)
    assert said["apparent_gender"] == likelier and sum(said["gender"].values()) == pytest.approx(1, abs=1e-4)
    assert said["gender_sure"] == (said["gender"][likelier] >= GENDER_SURE)
    # The table says it of that frame alone.
    table = rows(visitor)
    assert [row["age"] != "" for row in table] == [row["gender_male"] != "" for row in table] == [False, True, False]
    assert {table[0][name] for name in AGE_GENDER} == {table[2][name] for name in AGE_GENDER} == {""}
    row = table[1]
    assert float(row["age"]) == said["age"] and [int(row["age_first"]), int(row["age_last"])] == said["age_range"]
    assert (row["age_sure"], row["gender_sure"]) == (str(said["age_sure"]).upper(), str(said["gender_sure"]).upper())
    assert row["apparent_gender"] == likelier
    assert float(row["gender_female"]) == pytest.approx(said["gender"]["female"], abs=1e-5)


def test_age_and_gender_of_a_clear_face(visitor):
    picture = Path(os.environ.get("PHOTOS_DIR", "")) / "obama_official.jpg"
    if not picture.is_file():
        pytest.skip("set PHOTOS_DIR to a folder with obama_official.jpg, the portrait of 2012")
    frame = cv2.resize(load_image(picture)[:640], (480, 338), interpolation=cv2.INTER_AREA)
    (person,) = visitor.send(frame, **{"X-Age-Gender": "1"}).json()["people"]
    said = person["apparent"]
    assert said["apparent_gender"] == "male" and said["gender_sure"] and said["gender"]["male"] > 0.9
    first, last = said["age_range"]
    assert first <= 51 <= last and said["age_sure"] == (last - first <= WIDEST_AGE_RANGE)


def test_two_people_each_with_a_curve_of_their_own(visitor, portrait):
    half = cv2.resize(portrait[:, 120:440], (320, 480))
    frame = np.hstack([half, half[:, ::-1]])
    for _ in range(10):
        answer = visitor.send(frame).json()
    assert [person["id"] for person in answer["people"]] == [1, 2]
    report = visitor.get("report.json").json()
    assert [person["id"] for person in report["people"]] == [1, 2] and report["frames"] == 10
    assert set(report["curve"][0]["people"]) == {"1", "2"}


def test_frames_scaled_down_give_boxes_of_the_camera(visitor, portrait):
    for size in ((640, 480), (480, 360), (320, 240), (640, 480)):
        answer = visitor.send(cv2.resize(portrait, size, interpolation=cv2.INTER_AREA), camera="640x480").json()
        assert [person["id"] for person in answer["people"]] == [1]
    boxes = np.array([[float(row[name]) for name in ("x1", "y1", "x2", "y2")] for row in rows(visitor)])
    assert np.ptp(boxes, axis=0).max() < 15 and (boxes[:, 2] - boxes[:, 0]).min() > 80


def test_an_empty_frame_is_an_answer_too(visitor):
    answer = visitor.send(np.full((480, 640, 3), 128, np.uint8)).json()
    assert answer["people"] == [] and answer["room"] is None
    assert visitor.get("report.json").json()["room"]["mean"] is None
    assert Image.open(io.BytesIO(visitor.get("report.png").content)).format == "PNG"


def test_a_clock_that_is_set_back_does_not_stop_the_stream(visitor, portrait):
    seconds = [visitor.send(portrait, step=step).json()["seconds"] for step in (1, 0.05, -30, 0, 31)]
    assert all(later > earlier for earlier, later in zip(seconds, seconds[1:])) and seconds[3] < 0.1


def test_markers_weights_and_baseline(visitor, portrait):
    for _ in range(20):
        visitor.send(portrait)
    marker = visitor.post("mark", {"label": "Marker 1", "seconds": 0.5}).json()
    assert marker == {"id": marker["id"], "label": "Marker 1", "seconds": 0.5}
    assert visitor.post("mark", {"id": marker["id"], "label": "price <shown>"}).json() == {
        **marker,
        "label": "price <shown>",
    }
    assert visitor.post("mark", {"label": "now"}).json()["seconds"] == pytest.approx(0.95, abs=1e-3)
    mistaken = visitor.post("mark", {"label": "mistaken"}).json()
    assert visitor.post("unmark", {"id": mistaken["id"]}).json() == {}
    turned = visitor.post("weights", {"weights": {**VALENCE, "happy": -0.8}}).json()
    assert turned["weights"]["happy"] == -0.8 and turned["curve"][-1]["room"][0] < -0.4
    assert visitor.send(portrait).json()["room"][0] < -0.4
    visitor.post("weights", {"weights": VALENCE})
    assert visitor.post("baseline", {"on": True}).json()["baseline_until"] > 5
    for _ in range(10):
        answer = visitor.send(portrait).json()
    assert answer["room"][0] == pytest.approx(0, abs=0.15)
    assert visitor.get("curve").json()["baseline"]["1"] > 0.5
    assert visitor.post("baseline", {"on": False}).json()["baseline"] == {}
    assert visitor.post("baseline", {"on": True, "seconds": 0}).json()["baseline"]["1"] > 0.5
    visitor.post("baseline", {"on": False})
    report = visitor.get("report.json").json()
    assert [marker["label"] for marker in report["markers"]] == ["price <shown>", "now"]
    assert report["room"]["mean"] > 0.5


def test_a_reload_goes_on_and_another_page_does_not(client, visitor, portrait):
    for _ in range(5):
        visitor.send(portrait)
    token = visitor.state["session"]
    stolen = client.post("/session/start", json={"resume": token}).json()
    assert not stolen["resumed"] and stolen["session"] != token and stolen["curve"] == []
    client.post("/session/leave", content=json.dumps({"session": token}))
    back = client.post("/session/start", json={"resume": token}).json()
    assert back["resumed"] and back["session"] == token and back["curve"]
    assert len(rows(visitor)) == 5


def test_the_table_is_to_be_had_as_json_and_for_spreadsheets(visitor, portrait):
    assert visitor.get("frames.json").json() == []
    for image in (portrait, np.zeros((480, 640, 3), np.uint8)):
        visitor.send(image)
    answer, text = visitor.get("frames.json"), visitor.get("report.csv?decimal=comma").text
    (table,) = answer.json()
    assert answer.headers["content-type"] == "application/json" and answer.headers["cache-control"] == "no-store"
    assert tuple(table) == NAMES and (table["faces"], table["person"]) == ([1, 0], [1, None])
    assert table["shown"] == ["happy", None] and table["sure"] == [True, None]
    plain, spreadsheet = rows(visitor), list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))
    assert text.startswith("\ufefffile;seconds;")
    assert [row["happy"] for row in spreadsheet] == [row["happy"].replace(".", ",") for row in plain]
    assert float(plain[0]["happy"]) == table["happy"][0] > 0.5 and plain[1]["happy"] == ""


# What it refuses

SESSION_ROUTES = [
    *(("GET", f"/session/{name}") for name in ("curve", "report.json", "report.csv", "report.png", "frames.json")),
    *(("POST", f"/session/{name}") for name in ("mark", "unmark", "weights", "baseline")),
    ("POST", "/live/frame"),
]


@pytest.mark.parametrize("method, path", SESSION_ROUTES)
@pytest.mark.parametrize("headers", [{}, {"X-Session": ""}, {"X-Session": "guess"}])
def test_no_session_no_answer(client, method, path, headers):
    answer = client.request(method, path, headers=headers, content=b"{}")
    assert answer.status_code == 404 and answer.json()["error"] == "This session has ended."


def test_every_route_of_a_session_is_in_the_list_above(sessions, live):
    others = {("POST", f"/session/{name}") for name in ("start", "leave", "delete")}
    routes = sessions.routes() + live.routes()
    assert {(next(iter(route.methods - {"HEAD"})), route.path) for route in routes} == {*SESSION_ROUTES, *others}


def huge() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8000, 8000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data, headers, status, word",
    [
        (b"", {}, 422, "empty"),
        (b"not a picture", {}, 422, "not a photo"),
        (huge(), {}, 422, "megapixels"),
        (b"x" * (2 * 2**20 + 1), {}, 413, "too large"),
        (None, {"X-Seconds": "nan"}, 422, "X-Seconds"),
        (None, {"X-Seconds": "soon"}, 422, "X-Seconds"),
        (None, {"X-Seconds": "1e12"}, 422, "X-Seconds"),
        (None, {"X-Camera": "640"}, 422, "X-Camera"),
        (None, {"X-Camera": "0x480"}, 422, "X-Camera"),
        (None, {"X-Camera": "640x99999999"}, 422, "X-Camera"),
        (None, {"X-Camera": "1" * 5000 + "x1"}, 422, "X-Camera"),
    ],
)
def test_a_bad_frame_is_refused_and_the_next_is_answered(visitor, portrait, data, headers, status, word):
    answer = visitor.send(portrait if data is None else data, **headers)
    assert answer.status_code == status and word in answer.json()["error"] and "Traceback" not in answer.text
    assert [person["id"] for person in visitor.send(portrait).json()["people"]] == [1]


@pytest.mark.parametrize(
    "name, value",
    [
        ("weights", {}),
        ("weights", {"weights": {"happy": 1}}),
        ("weights", {"weights": [1, 2]}),
        ("mark", {}),
        ("mark", {"label": "x", "seconds": "soon"}),
        ("mark", {"label": "x", "seconds": -1}),
        ("mark", {"label": "x", "seconds": True}),
        ("mark", {"label": "x", "id": 7}),
        ("mark", {"label": "x", "id": []}),
        ("unmark", {}),
        ("unmark", {"id": {}}),
        ("baseline", {"on": True, "seconds": "soon"}),
        ("baseline", {"on": True, "seconds": 0}),
    ],
)
def test_bad_changes_are_refused(visitor, name, value):
    answer = visitor.post(name, value)
    assert answer.status_code == 422 and answer.json()["error"].endswith(".")


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"\xff", b"1", b'{"label": "' + b"x" * 5000 + b'"}', b'{"label": "\\ud800"}', b"[" * 2000]
)
def test_bad_json_is_refused(visitor, client, body):
    answer = client.post("/session/mark", headers=visitor.headers, content=body)
    assert answer.status_code in (413, 422) and answer.json()["error"]


def test_a_fault_is_answered_without_its_details(visitor, portrait, sessions, monkeypatch):
    session = sessions.store.get(visitor.state["session"])
    monkeypatch.setattr(session.stream.follower, "analyze", lambda *_: 1 / 0)
    answer = visitor.send(portrait)
    assert answer.status_code == 500 and "division" not in answer.text and answer.json()["error"]
    monkeypatch.undo()
    assert visitor.send(portrait).status_code == 200


def test_one_frame_at_a_time_and_a_bounded_number_of_waiting_ones(serve, portrait, monkeypatch):
    """While one frame is worked on, a second one of the same page is refused, and more pages than there is room for too."""
    sessions, client = serve(frames_waiting=1)
    first, second = Visitor(client), Visitor(client)
    session = sessions.store.get(first.state["session"])
    begun, go_on, answers = threading.Event(), threading.Event(), []

    def slow(*_):
        begun.set()
        assert go_on.wait(20)
        return []

    monkeypatch.setattr(session.stream.follower, "analyze", slow)
    thread = threading.Thread(target=lambda: answers.append(first.send(portrait)))
    thread.start()
    assert begun.wait(20)
    assert first.send(portrait).status_code == 409
    answer = second.send(portrait)
    assert answer.status_code == 503 and "busy" in answer.json()["error"]
    go_on.set()
    thread.join(20)
    assert answers[0].status_code == 200 and second.send(portrait).status_code == 200


def test_a_stranger_who_takes_all_places_loses_them_to_others(sessions, portrait):
    """Visitors are told apart by where they ask from."""
    limits = Limits(sessions=4, begun_frames=1)
    limited = SessionServer(SessionStore(sessions.store.new_stream, limits))
    app = Starlette(routes=limited.routes() + LiveServer(limited).routes())
    greedy, polite, third = (TestClient(app, client=(f"203.0.113.{number}", 1)) for number in range(3))
    held = [Visitor(greedy) for _ in range(4)]
    assert all(one.send(portrait).status_code == 200 for one in held)
    assert greedy.post("/session/start").status_code == 503
    first, second = Visitor(polite), Visitor(third)
    assert [one.send(portrait).status_code for one in (first, second)] == [200, 200]
    assert [one.send(portrait).status_code for one in held] == [404, 404, 200, 200]
    assert greedy.post("/session/start").status_code == 503
    assert [one.send(portrait).status_code for one in (first, second)] == [200, 200]


def test_sessions_that_have_hardly_begun_make_room_soon(sessions, portrait):
    """Also where all ask from one address."""
    limits = Limits(sessions=3, begun_frames=3, silent_begun_seconds=0.2)
    limited = SessionServer(SessionStore(sessions.store.new_stream, limits))
    client = TestClient(Starlette(routes=limited.routes() + LiveServer(limited).routes()))
    steady, *taken = (Visitor(client) for _ in range(3))
    for one in (*taken, *[steady] * 4):
        assert one.send(portrait).status_code == 200
    time.sleep(0.3)
    assert Visitor(client).send(portrait).status_code == 200
    assert [one.send(portrait).status_code for one in (steady, *taken)] == [200, 404, 200]


def test_a_frame_waits_while_a_report_is_made(sessions, client, portrait):
    visitor, answers = Visitor(client), []
    with sessions.store.get(visitor.state["session"]).lock:
        thread = threading.Thread(target=lambda: answers.append(visitor.send(portrait)))
        thread.start()
        thread.join(0.5)
        assert answers == []
    thread.join(20)
    assert answers[0].status_code == 200


@pytest.fixture
def slow_reports(monkeypatch):
    """What is called to let reports be finished; the list says how many were in the making at each one's beginning."""
    go_on, making, begun = threading.Event(), [], []

    def slow(*_):
        making.append(True)
        begun.append(len(making))
        assert go_on.wait(20)
        making.pop()
        return b"picture"

    monkeypatch.setattr(session_routes, "figure_png", slow)
    yield go_on, begun
    go_on.set()


def until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_reports_keep_nobody_from_beginning(sessions, client, slow_reports):
    """One at a time of a session, a few in waiting; those of a session that was deleted are not made."""
    go_on, begun = slow_reports
    visitor, other = Visitor(client), Visitor(client)
    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(visitor.get, "report.png") for _ in range(40)]
        until(lambda: begun and sum(answer.done() for answer in asked) == 40 - Limits.session_reports)
        started = pool.submit(Visitor, client)
        assert started.result(timeout=10).state["curve"] == []
        assert pool.submit(other.get, "curve").result(timeout=10).status_code == 200
        assert begun == [1]
        visitor.post("delete")
        go_on.set()
        answers = [answer.result(timeout=20) for answer in asked]
    count = Limits.session_reports
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * (count - 1) + [409] * (40 - count)
    assert all("still being made" in answer.json()["error"] for answer in answers if answer.status_code == 409)
    assert begun == [1] and not sessions._reports_wanted and not sessions._report_turns and len(sessions._pool) == 0


def test_a_bounded_number_of_reports(serve, slow_reports):
    go_on, begun = slow_reports
    _, client = serve(reports=1)
    visitor, other = Visitor(client), Visitor(client)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(visitor.get, "report.png") for _ in range(2)]
        until(lambda: begun)
        answer = other.get("report.json")
        assert answer.status_code == 503 and answer.json()["error"] == "The page is busy. Try again in a moment."
        go_on.set()
        assert [answer.result(timeout=20).status_code for answer in asked] == [200, 200]
    assert other.get("report.json").status_code == 200


def test_the_threads_end_with_the_server():
    sessions = SessionServer(SessionStore(lambda: Stream(None)))
    live = LiveServer(sessions)
    with TestClient(Starlette(routes=sessions.routes(), lifespan=sessions.lifespan)) as client:
        assert Visitor(client).get("curve").status_code == 200
    with TestClient(Starlette(lifespan=live.lifespan)):
        pass
    for pool in (live._pool, sessions._pool):
        with pytest.raises(RuntimeError):
            pool.submit("", print)


def test_a_file_of_rows_is_that_of_the_moment_it_was_asked_for(sessions, live, portrait):
    session = sessions.store.start()
    for moment in range(3):
        live._analyze(session, jpeg(portrait), 1e9 + moment, (640, 480))
    parts = session.rows.csv()
    live._analyze(session, jpeg(portrait), 1e9 + 9, (640, 480))
    assert "".join(parts).count("\n") == 1 + 3
    sessions.store.delete(session.token)


# What it keeps


def test_a_frame_that_comes_after_its_page_was_closed_does_not_keep_the_session(sessions, client, portrait):
    visitor = Visitor(client)
    session = sessions.store.get(visitor.state["session"])
    client.post("/session/leave", content=json.dumps({"session": session.token}))
    expires = session.expires
    assert visitor.send(portrait).status_code == 200
    assert session.left and session.expires == expires


def test_visitors_do_not_see_each_other(client, portrait):
    one, other = Visitor(client), Visitor(client)
    for _ in range(3):
        one.send(portrait)
    one.post("mark", {"label": "secret"})
    assert rows(other) == [] and other.get("curve").json()["markers"] == []
    assert "secret" not in other.get("report.json").text and one.state["session"] != other.state["session"]


def test_deleting_forgets_at_once(client, sessions, portrait):
    visitor = Visitor(client)
    visitor.send(portrait)
    session = weakref.ref(sessions.store.get(visitor.state["session"]))
    assert visitor.post("delete").json() == {"deleted": True}
    assert visitor.get("report.csv").status_code == 404 and visitor.send(portrait).status_code == 404
    assert visitor.post("delete").json() == {"deleted": False}
    gc.collect()
    assert session() is None


def test_sessions_end_by_themselves(serve, portrait):
    sessions, client = serve(left_seconds=0.3, idle_seconds=4.0, sweep_seconds=0.1)
    leaving, idle, staying = Visitor(client), Visitor(client), Visitor(client)
    for visitor in (leaving, idle, staying):
        visitor.send(portrait)
    kept = [weakref.ref(sessions.store.get(visitor.state["session"])) for visitor in (leaving, idle, staying)]
    client.post("/session/leave", content=json.dumps({"session": leaving.state["session"]}))

    def alive() -> list[bool]:
        staying.send(portrait)
        gc.collect()
        return [session() is not None for session in kept]

    deadline = time.monotonic() + 20
    seen = []
    while (now := alive()) != [False, False, True]:
        seen.append(now)
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [False, True, True] in seen  # who left went before who was only idle


def test_a_session_without_a_frame_ends_soon(serve, portrait):
    sessions, client = serve(unused_seconds=2)  # time enough for the decoder to start
    used = Visitor(client)
    used.send(portrait)
    Visitor(client)
    time.sleep(2.1)
    sessions.store.sweep()
    assert len(sessions.store) == 1 and used.get("curve").status_code == 200


def test_the_number_of_sessions_is_bounded(serve):
    _, client = serve(sessions=2)
    first, _ = Visitor(client), Visitor(client)
    answer = client.post("/session/start")
    assert answer.status_code == 503 and "full" in answer.json()["error"]
    first.post("delete")
    assert client.post("/session/start").status_code == 200


def test_memory_stays_flat_over_many_frames(sessions, portrait):
    """What a session holds after 2,000 frames of a face, beside its rows, is what it held after 500."""
    import tracemalloc

    from inference.stream import Moment
    from inference.tables import moment_rows

    session = sessions.store.start()
    stream = session.stream
    faces = stream.follower.analyze(portrait, 0.0)
    sizes = {}
    tracemalloc.start()
    for number in range(1, 2_001):
        people = stream.follower.tracker.update([face.measured for face in faces], number / 20)
        session.rows.add(moment_rows(Moment(number / 20, people, *stream.timeline.add(number / 20, people))))
        if number in (500, 2_000):
            gc.collect()
            sizes[number] = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    per_row = 4 * session.rows._chunks[0].shape[1]
    assert sizes[2_000] - sizes[500] < 1_500 * per_row + 60_000
    sessions.store.delete(session.token)
