"""What others can learn of a visitor, and what is left of one: by raw HTTP against the page, served by this process."""

import contextlib
import hashlib
import http.client
import io
import json
import re
import secrets
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from gradio.utils import get_upload_folder
from gradio_client import Client, handle_file
from PIL import Image

from inference.analyzer import FaceAnalyzer

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "astronaut.jpg"
META = {"meta": {"_type": "gradio.FileData"}}
BOUNDARY = {"Content-Type": "multipart/form-data; boundary=x"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The temporary folder of the page."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def page(folder):
    import app
    from webui.server import build_sessions, build_video_server, launch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "gradio"))
        sessions = build_sessions()
        video, options = build_video_server(sessions), {"prevent_thread_lock": True, "quiet": True}
        page = launch(app.build_page(), FaceAnalyzer(), sessions, video, **options)
        yield page
        page.close()


@pytest.fixture
def photo() -> bytes:
    """A photo that nobody has sent before."""
    file = io.BytesIO()
    image = Image.open(EXAMPLE)
    image.putpixel((0, 0), tuple(secrets.token_bytes(3)))
    image.save(file, "PNG")
    return file.getvalue()


def request(page, method: str, path: str, body: bytes | None = None, headers: dict | None = None, seconds: float = 60):
    """Status and the first megabyte of the answer, as far as it comes in time."""
    connection = http.client.HTTPConnection(urlsplit(page.local_url).netloc, timeout=seconds)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        answer, data = connection.getresponse(), b""
        with contextlib.suppress(TimeoutError):
            while len(data) < 2**20 and (part := answer.read1()):
                data += part
        return answer.status, data


def send(page, photo: bytes, name: str = "photo.png") -> str:
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    status, answer = request(page, "POST", "/gradio_api/upload", head + photo + b"\r\n--x--\r\n", BOUNDARY)
    assert status == 200, answer
    return json.loads(answer)[0]


def join(page, session: str, path: str | None = None) -> tuple[int, bytes]:
    """A call as Gradio's clients make it, whose answer nobody reads yet."""
    shown = {"path": path, **META} if path else None
    body = json.dumps({"data": [shown], "fn_index": 0, "session_hash": session}).encode()
    return request(page, "POST", "/gradio_api/queue/join", body, JSON)


def ask_as_page(page, photo: bytes) -> dict:
    status, answer = request(page, "POST", "/analyze?picture=1&why=1", photo)
    assert status == 200, answer
    return json.loads(answer)


def ask_as_program(page, path: str) -> str:
    body = json.dumps({"data": [{"path": path, **META}]}).encode()
    status, answer = request(page, "POST", "/gradio_api/call/analyze", body, JSON)
    assert status == 200, answer
    return json.loads(answer)["event_id"]


def held(page) -> list:
    """All places where Gradio keeps something of a session or a call."""
    queue, states = page._queue, page.app.state_holder
    stores = [queue.pending_messages_per_session, queue.pending_event_ids_session, queue.event_ids_to_events]
    return stores + [states.session_data, states.time_last_used]


def test_gradios_queue_to_which_nothing_comes_does_not_look_for_calls(page):
    assert page._queue.stopped


def test_no_photo_is_written_to_disk(page, folder, photo):
    """Neither the page's nor a program's."""
    before = {file for file in folder.rglob("*") if file.is_file()}
    assert len(ask_as_page(page, photo)["faces"]) == 1
    event = ask_as_program(page, send(page, photo))
    assert b"event: complete" in request(page, "GET", f"/gradio_api/call/analyze/{event}")[1]
    assert {file for file in folder.rglob("*") if file.is_file()} == before
    assert not any(photo[1000:2000] in file.read_bytes() for file in before)


def test_the_photo_of_a_program_is_forgotten_when_it_was_read(page, photo):
    path = send(page, photo)
    event = ask_as_program(page, path)
    assert b"event: complete" in request(page, "GET", f"/gradio_api/call/analyze/{event}")[1]
    again = ask_as_program(page, path)
    assert b"Upload it again" in request(page, "GET", f"/gradio_api/call/analyze/{again}")[1]
    # The answer is given once.
    assert request(page, "GET", f"/gradio_api/call/analyze/{event}")[0] == 404


def test_gradio_hears_of_no_call(page, photo):
    ask_as_page(page, photo)
    event = ask_as_program(page, send(page, photo))
    assert join(page, "unread", send(page, photo))[0] == 200
    assert b"event: complete" in request(page, "GET", f"/gradio_api/call/analyze/{event}")[1]
    assert not any(held(page))


def test_an_answer_is_asked_for_by_one_session(page):
    """Of two, another than was looked up might be read."""
    assert join(page, "known")[0] == 200
    for second in ("stranger", ""):
        status, answer = request(page, "GET", f"/gradio_api/queue/data?session_hash=known&session_hash={second}")
        assert status == 404 and b"Ask again" in answer
    answer = request(page, "GET", "/gradio_api/queue/data?session_hash=stranger&session_hash=known")[1]
    assert b"process_completed" in answer


def test_photos_of_a_program_do_not_replace_each_other(page):
    """Its client has one session, and asks about the next before the last was read."""
    client = Client(page.local_url, verbose=False)
    jobs = [client.submit(handle_file(EXAMPLE), api_name="/analyze") for _ in range(6)]
    assert [len(job.result(60)["faces"]) for job in jobs] == [1] * 6


def test_others_find_nothing_by_any_address(page, photo):
    """Who knows a visitor's photo, its name and hash, and all numbers of the page, but none of the secrets."""
    answer, path = ask_as_page(page, photo), send(page, photo, "holiday.png")
    event, session = ask_as_program(page, send(page, photo, "holiday.png")), secrets.token_urlsafe(12)
    assert join(page, session, send(page, photo))[0] == 200
    token = json.loads(request(page, "POST", "/session/start")[1])["session"]
    seconds = str(time.time())
    headers = {"X-Session": token, "X-Seconds": seconds, "X-Camera": "512x512"}
    assert request(page, "POST", "/live/frame", EXAMPLE.read_bytes(), headers)[0] == 200
    # Photos and answers are of high entropy: any long piece of them gives them away.
    secret = [photo[1000:1100], answer["picture"][500:600].encode(), answer["faces"][0]["crop"][50:150].encode()]
    secret += [word.encode() for word in (path, session, event, token, '"consensus"')]
    guesses = {hashlib.sha256(photo).hexdigest(), hashlib.md5(photo).hexdigest(), "holiday.png", "0", "photo.png"}
    temporary = Path(get_upload_folder())
    names = sorted(guesses) + [str(temporary / guess / "holiday.png") for guess in sorted(guesses)]
    routes = list(page.app.routes)
    routes += [inner for route in routes for inner in getattr(getattr(route, "original_router", None), "routes", [])]
    assert {"/gradio_api/queue/data", "/gradio_api/deep_link", "/session/report.csv"} <= {
        getattr(route, "path", None) for route in routes
    }
    tried = 0
    for route in routes:
        pattern = getattr(route, "path", "")
        # The networks' files, which are everybody's, have the word in their figures.
        words = secret[:-1] if pattern.startswith("/models/") else secret
        for name in names if "{" in pattern else names[:1]:
            address = quote(re.sub(r"\{[^}]*\}", lambda _: name, pattern), safe="/=")
            address += f"?session_hash={quote(name)}&upload_id={quote(name)}&event_id={quote(name)}"
            for method in getattr(route, "methods", None) or ():
                body = {"session_hash": name, "event_id": name, "fn_index": 1, "data": [{"path": name, **META}]}
                sent = json.dumps(body).encode() if method == "POST" else None
                with contextlib.suppress(TimeoutError):
                    _, data = request(page, method, address, sent, JSON | {"X-Session": name}, seconds=0.5)
                    assert not [word for word in words if word in data], (method, address)
                tried += 1
    assert tried > 200
    # And the owner still reads what is theirs.
    assert b"event: complete" in request(page, "GET", f"/gradio_api/call/analyze/{event}")[1]
    assert b"process_completed" in request(page, "GET", f"/gradio_api/queue/data?session_hash={session}")[1]
    event = ask_as_program(page, path)
    assert b"event: complete" in request(page, "GET", f"/gradio_api/call/analyze/{event}")[1]


def test_what_was_uploaded_lies_under_no_address(page):
    for name in ("x.html", "x.svg", "x.js", "photo.png"):
        path = send(page, b"<script>alert(1)</script>", name)
        for address in (path, f"{path}/{name}", str(Path(get_upload_folder()) / path)):
            assert request(page, "GET", "/gradio_api/file=" + quote(address))[0] == 404


def test_nothing_of_a_request_is_printed(page, capfd, caplog):
    """Requests that go wrong in every way, with a word that stands for what is in a photo."""
    word = "NeverToBePrinted"
    bodies = (
        word.encode(),
        json.dumps({"data": word}).encode(),
        json.dumps({"data": [{"path": word, **META}, word]}).encode(),
    )
    for path in ("queue/join", "call/analyze", "call/v2/analyze", "run/predict", "cancel", "reset", "upload"):
        for body in bodies:
            request(page, "POST", f"/gradio_api/{path}", body, JSON | {"Cookie": word, "X-Session": word}, seconds=5)
    request(page, "GET", f"/gradio_api/call/analyze/{word}", headers={"Cookie": word})
    request(page, "POST", "/live/frame", word.encode(), {"X-Session": word})
    printed = "".join(capfd.readouterr()) + caplog.text
    assert word not in printed and "127.0.0.1" not in printed and "Traceback" not in printed


@pytest.mark.parametrize(
    "address", ["/gradio_api/run/predict", "/gradio_api/api/analyze", "/gradio_api/component_server"]
)
def test_gradio_takes_nothing_from_anybody(page, address):
    """Its queue ends for all where two calls name an empty session at the same moment."""
    body = json.dumps({"data": [None], "fn_index": 0, "session_hash": ""}).encode()
    assert request(page, "POST", address, body, JSON)[0] == 404
    status, answer = request(page, "POST", "/gradio_api/queue/join", body, JSON)
    assert status == 400 and b"session_hash" in answer


def test_a_session_is_bounded():
    """One that is as full as it can be: more stretches of time of 800 people, and more rows of the table, than are kept.

    A copy of it is measured, because each thing that is made takes three times as long while that is measured.
    """
    import tracemalloc
    from copy import deepcopy
    from dataclasses import replace

    import numpy as np

    from inference.images import load_image
    from inference.stream import Stream
    from inference.tables import MAX_ROWS, STORED
    from webui.sessions import SessionStore

    analyzer = FaceAnalyzer()
    session = SessionStore(lambda: Stream(analyzer)).start()
    (face,) = session.stream.add(load_image(EXAMPLE), 0.0).people
    for number in range(2200):
        people = [replace(face, id=number % 50 * 16 + place) for place in range(20)]
        session.timeline.add(number / 2, people)
    session.rows.add(np.zeros((MAX_ROWS + 10_000, len(STORED))))
    for part, megabytes in ((session.timeline, 3.2), (session.rows, 35)):
        tracemalloc.start()
        try:
            _copy = deepcopy(part)
            assert 0.6 * megabytes < tracemalloc.get_traced_memory()[0] / 2**20 < megabytes
        finally:
            tracemalloc.stop()
