"""Gradio's protocol as the page answers it, without a browser and without Gradio: photos, calls, and what is kept of them."""

import asyncio
import base64
import gc
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from inference.analyzer import FaceAnalyzer
from test_photo import Held, blank, wait_until
from webui.api import Api
from webui.bodies import Bodies
from webui.limits import Limits
from webui.photo import PhotoServer
from webui.texts import text

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "astronaut.jpg"
PHOTO = EXAMPLE.read_bytes()


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


@pytest.fixture
def serve(analyzer):
    """A function that serves the protocol within limits."""
    clients = []

    def enter(analyzer=analyzer, **limits: float) -> TestClient:
        bounds = Limits(**{"sweep_seconds": 0.1, **limits})
        api = Api(PhotoServer(analyzer, Bodies(bounds), bounds), Bodies(bounds), bounds)
        client = TestClient(Starlette(routes=api.routes(), lifespan=api.lifespan)).__enter__()
        client.api = api
        clients.append(client)
        return client

    yield enter
    for client in clients:
        client.__exit__(None, None, None)


def send(client: TestClient, photo: bytes = PHOTO) -> str:
    response = client.post("/gradio_api/upload", files={"files": ("photo.jpg", photo)})
    assert response.status_code == 200, response.text
    return response.json()[0]


def begin(client: TestClient, photo: object, session: str | None = None) -> str:
    path, body = ("queue/join", {"session_hash": session}) if session else ("call/analyze", {})
    response = client.post(f"/gradio_api/{path}", json={"data": [photo], **body})
    assert response.status_code == 200, response.text
    return response.json()["event_id"]


def fetch(client: TestClient, event: str) -> tuple[str, object]:
    response = client.get(f"/gradio_api/call/analyze/{event}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    name, data = response.text.strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def messages(client: TestClient, session: str) -> list[dict]:
    response = client.get(f"/gradio_api/queue/data?session_hash={session}")
    assert response.status_code == 200, response.text
    return [json.loads(part.removeprefix("data: ")) for part in response.text.split("\n\n")[:-1]]


def test_a_photo_that_was_uploaded_is_answered_once_and_then_forgotten(serve, analyzer):
    client = serve()
    path = send(client)
    event = begin(client, {"path": path, "meta": {"_type": "gradio.FileData"}})
    assert not client.api._sent
    name, (result,) = fetch(client, event)
    assert name == "complete" and result["faces"][0]["shown"] == "happy" and "age" not in result["faces"][0]
    assert not client.api._calls
    assert client.get(f"/gradio_api/call/analyze/{event}").json()["error"] == text("en", "no_such_answer")
    assert "Upload it again" in fetch(client, begin(client, {"path": path}))[1]["error"]


def test_calls_by_name_and_data_urls(serve):
    client, url = serve(), "data:image/jpeg;base64," + base64.b64encode(PHOTO).decode()
    response = client.post("/gradio_api/call/v2/analyze", json={"photo": {"url": url}, "age_gender": True})
    name, (result,) = fetch(client, response.json()["event_id"])
    assert name == "complete" and "age" in result["faces"][0]


def test_a_session_hears_all_its_answers_and_no_others(serve):
    client = serve()
    events = [begin(client, {"path": send(client)}, "mine") for _ in range(3)]
    other = begin(client, None, "other")
    *answers, last = messages(client, "mine")
    assert sorted(answer["event_id"] for answer in answers) == sorted(events)
    assert all(answer["success"] and len(answer["output"]["data"][0]["faces"]) == 1 for answer in answers)
    assert last == {"msg": "close_stream"}
    ((_, call),) = client.api._calls.items()
    assert call.session == "other" and messages(client, "other")[0]["event_id"] == other


@pytest.mark.parametrize("session", ["", "x" * 65, None, 7])
def test_a_session_has_a_name(serve, session):
    response = serve().post("/gradio_api/queue/join", json={"data": [None], "session_hash": session})
    assert response.status_code == 400 and "session_hash" in response.json()["error"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"file": b"photo"}, "one file named files"),
        ([("files", b"one"), ("files", b"two")], "one file named files"),
        ({}, "multipart/form-data"),
    ],
)
def test_uploads_are_forms_with_one_file(serve, files, says):
    response = serve().post("/gradio_api/upload", files=files)
    assert response.status_code == 400 and says in response.text


def test_a_fault_is_told_without_its_details(serve, monkeypatch, caplog):
    client = serve()
    monkeypatch.setattr(client.api._photos._analyzer, "analyze", lambda *_: 1 / 0)
    name, data = fetch(client, begin(client, {"path": send(client)}))
    assert name == "error" and data["error"] == "Something went wrong with this photo. Try again."
    assert "ZeroDivisionError" in caplog.text


def test_errors_speak_the_language_of_the_one_who_asks(serve):
    client = serve()
    client.headers["Accept-Language"] = "tr-TR"
    assert fetch(client, begin(client, {"path": "gone"}))[1]["error"].startswith("Fotoğraf sunucuda bulunamadı")


def test_photos_and_answers_that_nobody_asks_for_are_forgotten(serve):
    client = serve(sent_seconds=0.3, unread_seconds=0.3)
    send(client)
    event = begin(client, {"path": send(client)})
    assert len(client.api._sent) == 1
    wait_until(lambda: not client.api._sent and not client.api._calls)
    assert client.get(f"/gradio_api/call/analyze/{event}").json()["error"] == text("en", "no_such_answer")
    gc.collect()
    results = [thing for thing in gc.get_objects() if type(thing) is dict and "milliseconds" in thing]
    assert not [result for result in results if isinstance(result["milliseconds"], float)]


def test_who_does_not_read_the_answers_gets_no_more(serve):
    client = serve(unread_each=2)
    for _ in range(2):
        begin(client, None, "greedy")
    response = client.post("/gradio_api/queue/join", json={"data": [None], "session_hash": "greedy"})
    assert response.status_code == 429 and response.json()["error"].startswith("session_hash has 2 answers that nobody")
    assert len(messages(client, "other" if begin(client, None, "other") else "")) == 2
    assert len(messages(client, "greedy")) == 3
    begin(client, None, "greedy")


def test_of_answers_that_nobody_reads_the_newest_stay(serve):
    client = serve(unread_answers=2)
    events = [begin(client, None) for _ in range(4)]
    assert [client.get(f"/gradio_api/call/analyze/{event}").status_code for event in events] == [404, 404, 200, 200]


def test_photos_that_were_sent_are_bounded_and_the_abandoned_make_room(serve):
    client = serve(sent_photos=2, abandoned_seconds=0.3)
    first, second = send(client, b"first"), send(client, b"second")
    response = client.post("/gradio_api/upload", files={"files": b"third"})
    assert response.status_code == 503 and "as many photos as it can" in response.text
    time.sleep(0.4)
    third = send(client, b"third")
    assert list(client.api._sent) == [second, third] and first != second
    client = serve(held_bytes=10)
    send(client, b"12345678")
    assert client.post("/gradio_api/upload", files={"files": b"123"}).status_code == 503


def test_whoever_finds_no_room_is_told_so_and_keeps_the_photo(serve, analyzer):
    held = Held(analyzer)
    client = serve(held, photos_waiting=0)
    try:
        for _ in range(2):
            begin(client, {"path": send(client, blank(40))}, "waiting")
        wait_until(lambda: len(held.seen) == 2)
        path = send(client)
        response = client.post("/gradio_api/call/analyze", json={"data": [{"path": path}]})
        assert response.status_code == 503 and "busy: 0 photos are waiting" in response.json()["error"]
    finally:
        held.go.set()
    assert len(messages(client, "waiting")) == 3
    assert fetch(client, begin(client, {"path": path}))[0] == "complete"


def test_a_call_is_given_up_when_it_is_cancelled_or_nobody_listens_any_more(serve, analyzer):
    held = Held(analyzer)
    client = serve(held)
    try:
        for width in (40, 41):
            begin(client, {"path": send(client, blank(width))}, "first")
        wait_until(lambda: len(held.seen) == 2)
        cancelled = begin(client, {"path": send(client, blank(42))})
        begin(client, {"path": send(client, blank(43))}, "left")
        last = begin(client, {"path": send(client, blank(44))})
        assert client.post("/gradio_api/reset", json={"event_id": cancelled}).json() == {"success": True}

        async def listen_and_go() -> None:
            answers = client.api._answers("left")
            waiting = asyncio.ensure_future(anext(answers))
            await asyncio.sleep(0.2)
            waiting.cancel()

        client.portal.call(listen_and_go)
        wait_until(lambda: all(call.session != "left" for call in client.api._calls.values()))
    finally:
        held.go.set()
    assert fetch(client, last)[0] == "complete" and fetch(client, cancelled)[1]["error"] == text("en", "no_such_answer")
    assert held.seen[2:] == [44]


def test_who_waits_hears_something_now_and_then(serve, analyzer, monkeypatch):
    monkeypatch.setattr("webui.api.HEARTBEAT_SECONDS", 0.1)
    held = Held(analyzer)
    client = serve(held)
    begin(client, {"path": send(client, blank(40))}, "waiting")
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(messages, client, "waiting")
        threading.Timer(0.5, held.go.set).start()
        kinds = [message["msg"] for message in heard.result(60)]
    assert kinds[0] == "heartbeat" and kinds[-2:] == ["process_completed", "close_stream"]


def test_a_body_of_many_parts_is_not_parsed(serve):
    body = b'{"data": [' + b"[]," * 1000 + b"1]}"
    response = serve().post("/gradio_api/call/analyze", content=body)
    assert response.status_code == 422 and response.json()["error"] == "The body has too many parts."
