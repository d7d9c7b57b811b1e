"""The route that photos are sent to, without a browser: what it answers, what it refuses, and whom it serves first."""

import asyncio
import base64
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.testclient import TestClient

from inference.analyzer import FaceAnalyzer
from inference.blazeface import DetectorError
from inference.images import MAX_BYTES, Photograph, load_image
from webui.bodies import Bodies
from webui.limits import Limits
from webui.photo import PhotoServer

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "astronaut.jpg"


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


@pytest.fixture
def server(analyzer) -> PhotoServer:
    return PhotoServer(analyzer, Bodies())


@pytest.fixture
def client(server):
    with TestClient(Starlette(routes=server.routes())) as client:
        yield client


def without_times(answer: dict) -> dict:
    return {name: value for name, value in answer.items() if not name.endswith("milliseconds")}


def picture_of(url: str) -> tuple[str, Image.Image]:
    head, _, data = url.partition(";base64,")
    return head, Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("age_gender", [False, True])
def test_it_answers_what_python_answers(client, analyzer, age_gender):
    response = client.post(f"/analyze?age_gender={int(age_gender)}", content=EXAMPLE.read_bytes())
    assert response.status_code == 200 and response.headers["cache-control"] == "no-store"
    answer, expected = response.json(), analyzer.analyze(load_image(EXAMPLE), age_gender).to_dict()
    assert answer.keys() == expected.keys() and without_times(answer) == without_times(expected)
    (face,) = answer["faces"]
    assert face["shown"] == "happy" and ("age" in face) == age_gender


def test_the_picture_of_a_format_that_browsers_do_not_show_comes_upright(client):
    photo, file = Image.open(EXAMPLE), io.BytesIO()
    photo = photo.resize((2000, 2000)).crop((0, 0, 2000, 1500))
    tags = Image.Exif()
    tags[0x0112] = 6  # it stands on its right side
    photo.rotate(90, expand=True).save(file, "TIFF", exif=tags)
    answer = client.post("/analyze?picture=1", content=file.getvalue()).json()
    assert (answer["width"], answer["height"]) == (2000, 1500)
    head, picture = picture_of(answer["picture"])
    assert head == "data:image/jpeg" and picture.format == "JPEG" and picture.size == (1600, 1200)
    shown = np.asarray(picture, float), np.asarray(photo.resize((1600, 1200)).convert("RGB"), float)
    assert np.abs(shown[0] - shown[1]).mean() < 4
    assert "picture" not in client.post("/analyze", content=file.getvalue()).json()


def test_why_shows_what_the_network_saw(client, analyzer):
    answer = client.post("/analyze?why=1", content=EXAMPLE.read_bytes()).json()
    (entry,), (face,) = answer["faces"], analyzer.analyze(load_image(EXAMPLE)).faces
    head, crop = picture_of(entry["crop"])
    assert head == "data:image/png" and np.array_equal(np.asarray(crop), face.crop)
    head, heat = picture_of(entry["heat"])
    assert head == "data:image/jpeg" and np.ptp(np.asarray(heat, int), axis=2).max() > 50  # tinted


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 422, "The file is empty."),
        (b"text, whatever the name says", 422, "This is not a photo"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(100), 422, "This is a video, not a photo. Open it in the Video tab."),
        (EXAMPLE.read_bytes()[:9000], 422, "The photo is damaged"),
        (bytes(MAX_BYTES + 1), 413, "That is too large; at most 30 MB are read."),
    ],
    ids=["empty", "text", "video", "cut off", "large"],
)
def test_what_is_no_photo_is_refused_in_a_sentence(client, body, status, says):
    response = client.post("/analyze", content=body)
    assert response.status_code == status and response.json()["error"].startswith(says)


def test_a_refusal_has_a_code_and_values_for_programs(client):
    told = client.post("/analyze", content=bytes(MAX_BYTES + 1), headers={"Accept-Language": "tr"}).json()
    assert told["error"] == told["detail"] == "Bu çok büyük; en çok 30 MB okunur."
    assert told["code"] == "body_megabytes" and told["values"] == {"megabytes": 30}
    told = client.post("/analyze", content=b"").json()
    assert (told["code"], told["values"]) == ("photo_empty", {})


def test_a_form_around_a_photo_is_refused_and_the_language_heeded(client):
    files = {"file": EXAMPLE.read_bytes()}
    response = client.post("/analyze", files=files)
    assert response.status_code == 415 and response.json()["error"].startswith("Send the photo itself")
    response = client.post("/analyze", files=files, headers={"Accept-Language": "tr"})
    assert response.json()["error"].startswith("Fotoğrafı form içine")
    assert client.get("/analyze").status_code == 405


def test_a_detector_that_fails_is_told(client, analyzer, monkeypatch):
    def fail(*_):
        raise DetectorError("detector_failed")

    monkeypatch.setattr(analyzer, "analyze", fail)
    response = client.post("/analyze", content=EXAMPLE.read_bytes())
    assert response.status_code == 500 and response.json()["error"].startswith("The face detector failed")


class Held:
    """An analyzer whose photos wait for `go`, in the order in which they are looked at."""

    def __init__(self, analyzer: FaceAnalyzer):
        self.classifier, self.analyzer = analyzer.classifier, analyzer
        self.go, self.seen = threading.Event(), []

    def analyze(self, photo: Photograph, age_gender: bool):
        self.seen.append(photo.width)
        assert self.go.wait(60)
        return self.analyzer.analyze(photo, age_gender)


def blank(width: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, 40), 90).save(file, "PNG")
    return file.getvalue()


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_at_a_time_the_rest_in_order_and_no_more_than_there_is_room_for(analyzer):
    held = Held(analyzer)
    server = PhotoServer(held, Bodies(), Limits(photos_waiting=3))
    with TestClient(Starlette(routes=server.routes())) as client, ThreadPoolExecutor(5) as pool:
        answers = []
        try:
            for width in range(40, 45):
                answers.append(pool.submit(client.post, f"/analyze?turn=photo-{width}", content=blank(width)))
                wait_until(lambda: len(server._pool) == len(answers))
            assert sorted(held.seen) == [40, 41]
            turns = [client.get(f"/analyze/turn?turn=photo-{width}").json() for width in range(40, 46)]
            assert [turn["ahead"] for turn in turns] == [0, 0, 1, 2, 3, None]
            response = client.post("/analyze", content=blank(50))
            assert response.status_code == 503 and "busy: 3 photos are waiting" in response.json()["error"]
        finally:
            held.go.set()
        assert [answer.result(60).json()["width"] for answer in answers] == [40, 41, 42, 43, 44]
        assert set(held.seen[2:]) == {42, 43, 44} and held.seen[2] in (42, 43)
        assert client.post("/analyze", content=blank(50)).status_code == 200
        assert client.get("/analyze/turn?turn=photo-44").json() == {"ahead": None}


def test_large_photos_that_wait_are_bounded_by_their_size(analyzer):
    held, photo = Held(analyzer), blank(40)
    server = PhotoServer(held, Bodies(), Limits(held_bytes=2 * len(photo)))
    with TestClient(Starlette(routes=server.routes())) as client, ThreadPoolExecutor(2) as pool:
        try:
            answers = [pool.submit(client.post, "/analyze", content=photo) for _ in range(2)]
            wait_until(lambda: len(server._pool) == 2)
            response = client.post("/analyze", content=photo)
            assert response.status_code == 503 and response.json()["error"].startswith("Too many large photos")
        finally:
            held.go.set()
        assert [answer.result(60).status_code for answer in answers] == [200, 200]


def test_a_photo_whose_client_went_away_is_not_looked_at(analyzer):
    held = Held(analyzer)
    server = PhotoServer(held, Bodies())

    async def ask(photo: bytes, gone: asyncio.Event):
        body = iter([{"type": "http.request", "body": photo, "more_body": False}])

        async def receive():
            if message := next(body, None):
                return message
            await gone.wait()
            return {"type": "http.disconnect"}

        scope = {"type": "http", "method": "POST", "path": "/analyze", "query_string": b"", "headers": []}
        return await server.analyze(Request(scope, receive))

    async def visit():
        stays, goes = asyncio.Event(), asyncio.Event()
        first = [asyncio.create_task(ask(blank(width), stays)) for width in (40, 41)]
        while len(held.seen) < 2:
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(ask(blank(42), goes))
        later = asyncio.create_task(ask(blank(43), stays))
        while len(server._pool) < 4:
            await asyncio.sleep(0.01)
        goes.set()
        with pytest.raises(ClientDisconnect):
            await waiting
        assert len(server._pool) == 3
        held.go.set()
        for task in (*first, later):
            assert (await task).status_code == 200

    # In a thread of its own: a browser of another test leaves its event loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, visit()).result(120)
    assert held.seen[2:] == [43] and len(server._pool) == 0
