"""What others can learn of a visitor, and what is left of one: by raw HTTP against the page, served by this process."""

import contextlib
import gc
import hashlib
import http.client
import io
import json
import pytest
import re
import secrets
import socket
import tempfile
import threading
import time
from gradio_client import Client, handle_file
from pathlib import Path
from PIL import Image
from playwright.sync_api import expect
from urllib.parse import quote, urlsplit

from inference.analyzer import FaceAnalyzer
from webui import connections, guard, photos
from webui.photo_input import PhotoInput
from webui.photos import PhotoStore

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

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "gradio"))
        sessions = app.build_sessions()
        page = app.launch(
            FaceAnalyzer(), sessions, app.build_video_server(sessions), prevent_thread_lock=True, quiet=True
        )
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


def join(
    page, session: str, path: str | None = None, function: int | None = None, language: str = "en"
) -> tuple[int, bytes]:
    """A call as the page makes it, whose answer nobody reads yet."""
    if function is None:
        function = next(call["id"] for call in page.config["dependencies"] if len(call["outputs"]) == 3)
    shown = {"path": path, **META} if path else None
    body = json.dumps({"data": [shown, False, language], "fn_index": function, "session_hash": session}).encode()
    return request(page, "POST", "/gradio_api/queue/join", body, JSON)


def ask_as_page(page, path: str | None, session: str, language: str = "en") -> bytes:
    status, answer = join(page, session, path, language=language)
    assert status == 200, answer
    return request(page, "GET", f"/gradio_api/queue/data?session_hash={session}")[1]


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


def begin(page, path: str, length: int, body: bytes = b"") -> socket.socket:
    """A connection with a request that has got so far."""
    host = urlsplit(page.local_url)
    client = socket.create_connection((host.hostname, host.port), timeout=20)
    head = f"POST /gradio_api/{path} HTTP/1.1\r\nHost: page\r\nContent-Length: {length}\r\n"
    client.sendall((head + "Content-Type: multipart/form-data; boundary=x\r\n\r\n").encode() + body)
    return client


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_no_photo_is_written_to_disk(page, folder, photo):
    before = {file for file in folder.rglob("*") if file.is_file()}
    answer = ask_as_page(page, send(page, photo), "on-disk")
    assert b"data:image/jpeg;base64," in answer and b"ifade-face" in answer
    assert {file for file in folder.rglob("*") if file.is_file()} == before
    assert not any(photo[1000:2000] in file.read_bytes() for file in before)


def test_the_photo_of_a_page_is_there_until_it_is_cleared_replaced_or_left(page, photo, monkeypatch):
    monkeypatch.setattr(photos, "LEFT_SECONDS", 0.5)
    first, session = send(page, photo), "holding"
    for _ in range(2):  # again, with another tick in the box for age and gender, say
        assert b"ifade-face" in ask_as_page(page, first, session)
    assert request(page, "GET", "/gradio_api/file=" + quote(first)) == (200, photo)
    second = send(page, photo)
    assert b"ifade-face" in ask_as_page(page, second, session)
    assert PhotoInput.photos.get(first) is None and PhotoInput.photos.get(second) is not None
    assert b"ifade-face" not in ask_as_page(page, None, session)
    assert PhotoInput.photos.get(second) is None
    third = send(page, photo)
    host = urlsplit(page.local_url)
    with socket.create_connection((host.hostname, host.port)) as heartbeat:
        heartbeat.sendall(f"GET /gradio_api/heartbeat/{session} HTTP/1.1\r\nHost: page\r\n\r\n".encode())
        assert b"ALIVE" in heartbeat.recv(4096) + heartbeat.recv(4096)
        assert b"ifade-face" in ask_as_page(page, third, session)
        time.sleep(1.5)
        assert PhotoInput.photos.get(third) is not None
    wait_until(lambda: PhotoInput.photos.get(third) is None)
    assert request(page, "GET", "/gradio_api/file=" + quote(third))[0] == 403


def test_the_photo_of_a_program_is_forgotten_when_it_was_read(page, photo):
    path = send(page, photo)
    event = ask_as_program(page, path)
    assert b"event: complete" in request(page, "GET", f"/gradio_api/call/analyze/{event}")[1]
    assert PhotoInput.photos.get(path) is None
    assert request(page, "GET", "/gradio_api/file=" + quote(path))[0] == 403
    # The answer is given once.
    assert request(page, "GET", f"/gradio_api/call/analyze/{event}")[0] == 404


def test_photos_nobody_asks_about_are_forgotten(page, photo, monkeypatch):
    monkeypatch.setattr(photos, "UNUSED_SECONDS", 0.5)
    path = send(page, photo)
    wait_until(lambda: PhotoInput.photos.get(path) is None)


def test_the_values_of_an_open_page_are_forgotten_when_it_has_its_answer(page, photo):
    for _ in range(2):
        assert b"ifade-face" in ask_as_page(page, send(page, photo), "values")
        wait_until(lambda: "values" not in page.app.state_holder.session_data)


def test_answers_are_forgotten(page, photo, monkeypatch):
    """Those that were read, and those that nobody fetches."""
    monkeypatch.setattr(guard, "UNREAD_SECONDS", 1)
    ask_as_page(page, send(page, photo), "forgotten")
    event = ask_as_program(page, send(page, photo))
    assert event in page._queue.pending_messages_per_session
    wait_until(lambda: not any(name in store for store in held(page) for name in ("forgotten", event)))
    gc.collect()
    left = [thing for thing in gc.get_objects() if type(thing).__name__ == "ProcessCompletedMessage"]
    assert not [message for message in left if message.event_id == event]
    status, answer = request(page, "GET", f"/gradio_api/call/analyze/{event}")
    assert status == 404 and b"Ask again" in answer


def wait_until_answered(page) -> None:
    """Until no call waits or runs."""
    wait_until(lambda: not page._queue.event_ids_to_events)


def test_who_does_not_read_the_answers_gets_no_more(page, monkeypatch):
    monkeypatch.setattr(guard, "MAX_UNREAD_EACH", 2)
    for _ in range(2):
        assert join(page, "greedy")[0] == 200
        wait_until_answered(page)
    status, answer = join(page, "greedy")
    assert status == 429 and json.loads(answer)["detail"].startswith("session_hash has 2 answers that nobody has read")
    assert b"process_completed" in ask_as_page(page, None, "other")
    read = request(page, "GET", "/gradio_api/queue/data?session_hash=greedy")[1]
    assert read.count(b'"process_completed"') == 2
    assert b"process_completed" in ask_as_page(page, None, "greedy")


def test_all_answers_that_nobody_reads_are_bounded(page, photo, monkeypatch):
    """The newest stay, and those of programs, which ask for many and then read one after the other."""
    wait_until_answered(page)
    monkeypatch.setattr(guard, "MAX_UNREAD", 0)
    join(page, "earlier")  # and what other tests have left is forgotten
    wait_until_answered(page)
    monkeypatch.setattr(guard, "MAX_UNREAD", 3)
    event = ask_as_program(page, send(page, photo))
    for session in ("twice", "twice", "once", "late", "latest", "now"):
        assert join(page, session)[0] == 200
        wait_until_answered(page)
    assert request(page, "GET", "/gradio_api/queue/data?session_hash=twice")[0] == 404
    assert request(page, "GET", "/gradio_api/queue/data?session_hash=earlier")[0] == 404
    for session in ("once", "late", "latest", "now"):
        assert b"process_completed" in request(page, "GET", f"/gradio_api/queue/data?session_hash={session}")[1]
    assert b"event: complete" in request(page, "GET", f"/gradio_api/call/analyze/{event}")[1]


def test_an_answer_is_asked_for_by_one_session(page):
    """Of two, Gradio would read another than was looked up."""
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
    path, session = send(page, photo, "holiday.png"), secrets.token_urlsafe(12)
    answer = ask_as_page(page, path, session).decode()
    event = ask_as_program(page, send(page, photo, "holiday.png"))
    token = json.loads(request(page, "POST", "/session/start")[1])["session"]
    seconds = str(time.time())
    headers = {"X-Session": token, "X-Seconds": seconds, "X-Camera": "512x512"}
    assert request(page, "POST", "/live/frame", EXAMPLE.read_bytes(), headers)[0] == 200
    # Photos and answers are of high entropy: any long piece of them gives them away.
    annotated = re.search(r"base64,([A-Za-z0-9+/=]+)", answer)[1]
    secret = [photo[1000:1100], annotated[500:600].encode(), b"aria-valuenow='", Path(path).parent.name.encode()]
    secret += [word.encode() for word in (session, event, token, '"consensus"')]
    guesses = {hashlib.sha256(photo).hexdigest(), hashlib.md5(photo).hexdigest(), "holiday.png", "0", "photo.png"}
    names = sorted(guesses) + [f"{Path(path).parent.parent}/{guess}/photo.png" for guess in sorted(guesses)]
    routes = list(page.app.routes)
    routes += [inner for route in routes for inner in getattr(getattr(route, "original_router", None), "routes", [])]
    assert {"/gradio_api/queue/data", "/gradio_api/deep_link", "/session/report.csv"} <= {
        getattr(route, "path", None) for route in routes
    }
    tried = 0
    for route in routes:
        pattern = getattr(route, "path", "")
        for name in names if "{" in pattern else names[:1]:
            address = quote(re.sub(r"\{[^}]*\}", lambda _: name, pattern), safe="/=")
            address += f"?session_hash={quote(name)}&upload_id={quote(name)}&event_id={quote(name)}"
            for method in getattr(route, "methods", None) or ():
                body = {"session_hash": name, "event_id": name, "fn_index": 1, "data": [{"path": name, **META}]}
                sent = json.dumps(body).encode() if method == "POST" else None
                with contextlib.suppress(TimeoutError):
                    _, data = request(page, method, address, sent, JSON | {"X-Session": name}, seconds=0.5)
                    assert not [word for word in secret if word in data], (method, address)
                tried += 1
    assert tried > 200
    # And the owner still reads what is theirs.
    assert b"event: complete" in request(page, "GET", f"/gradio_api/call/analyze/{event}")[1]
    assert request(page, "GET", "/gradio_api/file=" + quote(path))[1] == photo


def test_an_uploaded_file_is_no_page_of_this_server(page):
    connection = http.client.HTTPConnection(urlsplit(page.local_url).netloc, timeout=20)
    for name in ("x.html", "x.svg", "x.js"):
        connection.request("GET", "/gradio_api/file=" + quote(send(page, b"<script>alert(1)</script>", name)))
        answer = connection.getresponse()
        assert answer.read() and answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == "sandbox"


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


def test_a_body_that_trickles_is_given_up(page, monkeypatch):
    monkeypatch.setattr(guard, "GRACE_SECONDS", 1)
    host = urlsplit(page.local_url)
    for path in ("upload", "call/analyze"):
        with socket.create_connection((host.hostname, host.port), timeout=20) as client:
            head = f"POST /gradio_api/{path} HTTP/1.1\r\nHost: page\r\nContent-Length: 1000\r\n"
            client.sendall((head + "Content-Type: multipart/form-data; boundary=x\r\n\r\n").encode())
            answer, started = b"", time.monotonic()
            client.settimeout(0.1)
            while b"took too long" not in answer:
                assert time.monotonic() < started + 15
                client.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    answer += client.recv(4096)
            assert answer.startswith(b"HTTP/1.1 408")


def test_bodies_that_stop_half_way_keep_nobody_out(page, monkeypatch):
    """Those that have hardly begun take no place; of the others the one that has been silent longest makes room."""
    monkeypatch.setattr(guard, "MAX_ARRIVING", 2)
    large = b'--x\r\nContent-Disposition: form-data; name="files"; filename="p"\r\n\r\n' + bytes(200_000)
    large += b"\r\n--x--\r\n"
    with contextlib.ExitStack() as opened:
        for path in ("upload", "queue/join", "cancel"):
            opened.enter_context(begin(page, path, 1000))
        assert b"process_completed" in ask_as_page(page, send(page, b"small"), "passing")
        silent, going = (opened.enter_context(begin(page, "upload", len(large), large[:100_000])) for _ in range(2))
        time.sleep(0.3)
        going.sendall(large[100_000:150_000])
        time.sleep(0.3)
        assert send(page, bytes(200_000))
        assert silent.recv(4096).startswith(b"HTTP/1.1 503")
        going.sendall(large[150_000:])
        assert going.recv(4096).startswith(b"HTTP/1.1 200")
        # Nor do they by their size.
        monkeypatch.setattr(guard, "MAX_HELD_BYTES", 250_000)
        silent = opened.enter_context(begin(page, "upload", len(large), large[:100_000]))
        time.sleep(0.3)
        assert send(page, bytes(200_000))
        assert silent.recv(4096).startswith(b"HTTP/1.1 503")


@pytest.mark.parametrize("path", ["session/start", "gradio_api/queue/join"])
def test_a_request_of_two_lengths_hides_no_other(page, path):
    host = urlsplit(page.local_url)
    with socket.create_connection((host.hostname, host.port), timeout=20) as client:
        head = (
            f"POST /{path} HTTP/1.1\r\nHost: page\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        client.sendall(head.encode() + b"GET /health HTTP/1.1\r\nHost: page\r\n\r\n")
        answer = b""
        while part := client.recv(4096):
            answer += part
        assert answer.startswith(b"HTTP/1.1 400") and answer.count(b"HTTP/1.1") == 1 and b"either a length" in answer


def test_a_head_that_trickles_is_given_up(page, monkeypatch):
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 1)
    host = urlsplit(page.local_url)
    with socket.create_connection((host.hostname, host.port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-")
        started = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() < started + 15:
                client.sendall(b"x")
                time.sleep(0.1)


@pytest.mark.parametrize("language, says", [("en", "The photo was not found"), ("tr", "Fotoğraf sunucuda bulunamadı")])
def test_a_photo_that_is_gone_is_said_in_the_language_of_the_page(page, photo, language, says):
    path = send(page, photo)
    PhotoInput.photos.read(path, once=True)
    answer = ask_as_page(page, path, "session", language)
    assert says in json.loads(answer.decode().split("data: ")[-2])["output"]["error"]


def test_whoever_finds_no_room_is_told_so(page, photo, monkeypatch):
    path = send(page, photo)
    monkeypatch.setattr(guard, "MAX_WAITING", 0)
    body = json.dumps({"data": [{"path": path, **META}]}).encode()
    status, answer = request(page, "POST", "/gradio_api/call/analyze", body, JSON)
    assert status == 503 and "busy: 0 photos are waiting" in json.loads(answer)["detail"]
    # The page that asks is told in its own language, whatever the browser's is.
    for accepted, address, says in (
        ("en", f"{page.local_url}?lang=tr", "meşgul: 0 fotoğraf bekliyor"),
        ("tr", f"{page.local_url}?lang=en&__theme=dark", "busy: 0 photos are waiting"),
        ("tr", page.local_url, "meşgul: 0 fotoğraf bekliyor"),
        ("en", "http://[", "busy: 0 photos are waiting"),
    ):
        headers = {**JSON, "Accept-Language": accepted, "Referer": address}
        for path in ("call/analyze", "queue/join"):
            status, answer = request(page, "POST", f"/gradio_api/{path}", body, headers)
            assert status == 503 and says in json.loads(answer)["detail"], address
    monkeypatch.setattr(guard, "MAX_ARRIVING", 0)
    status, answer = request(page, "POST", "/gradio_api/upload", bytes(guard.MAX_BODY_BYTES + 1), BOUNDARY)
    assert status == 503 and b"photos are arriving" in answer
    monkeypatch.undo()
    monkeypatch.setattr(photos, "MAX_HELD_BYTES", len(photo))
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="p"\r\n\r\n'
    status, answer = request(page, "POST", "/gradio_api/upload", head + photo + b"x\r\n--x--\r\n", BOUNDARY)
    assert status == 503 and b"as many photos as it can" in answer


def test_the_page_shows_its_place_and_says_when_it_is_full(page, browser, monkeypatch):
    """While two photos are held on the way to the network, which are all that are worked on at a time."""
    held = threading.Event()
    analyze = FaceAnalyzer.analyze

    def hold(*arguments):
        held.wait(300)
        return analyze(*arguments)

    monkeypatch.setattr(FaceAnalyzer, "analyze", hold)
    tabs = [browser.new_page() for _ in range(5)]
    try:
        for place, tab in enumerate(tabs):
            tab.goto(page.local_url + "?lang=tr" * (place == 4))
            tab.wait_for_selector("input[type=file]", state="attached")
        for place, tab in enumerate(tabs[:4]):
            tab.set_input_files("input[type=file]", EXAMPLE)
            shown = "processing" if place < 2 else f"queue: {place - 1}/{place - 1}"
            expect(tab.get_by_text(shown).filter(visible=True).first).to_be_visible(timeout=30_000)
            told = tab.get_by_text(f"you are number {place - 1} in the queue")
            expect(told).to_have_count(int(place >= 2))
        monkeypatch.setattr(guard, "MAX_WAITING", 2)
        late = tabs[4]
        late.set_input_files("input[type=file]", EXAMPLE)
        busy = late.get_by_text("Sayfa meşgul: 2 fotoğraf bekliyor. Bir dakika sonra yeniden deneyin.")
        expect(busy.filter(visible=True).first).to_be_visible(timeout=30_000)
        assert late.get_by_text("Please try again").count() == 0
        held.set()
        for tab in tabs[:4]:
            expect(tab.locator(".ifade-face")).to_have_count(1, timeout=60_000)
    finally:
        held.set()
        for tab in tabs:
            tab.close()


def test_a_call_that_is_refused_changes_nothing(page, photo, monkeypatch):
    shown, session = send(page, photo), "refused"
    assert b"ifade-face" in ask_as_page(page, shown, session)
    monkeypatch.setattr(photos, "UNUSED_SECONDS", 0.5)
    other = send(page, photo)
    assert join(page, session, other, function=9999)[0] >= 400
    assert PhotoInput.photos.get(shown) == photo
    wait_until(lambda: PhotoInput.photos.get(other) is None)


def test_a_photo_whose_turn_is_still_to_come_is_safe_from_newer_ones(page, photo, monkeypatch):
    """While two are held on the way to the network."""
    held = threading.Event()
    analyze = FaceAnalyzer.analyze
    monkeypatch.setattr(FaceAnalyzer, "analyze", lambda *arguments: held.wait(60) and analyze(*arguments))
    try:
        for session in ("first", "second"):
            assert join(page, session, send(page, photo))[0] == 200
        waiting, left = send(page, photo), send(page, photo)
        event = ask_as_program(page, waiting)
        monkeypatch.setattr(photos, "ABANDONED_SECONDS", 0)
        monkeypatch.setattr(photos, "MAX_PHOTOS", 4)
        assert send(page, photo)
        assert PhotoInput.photos.get(waiting) == photo and PhotoInput.photos.get(left) is None
    finally:
        held.set()
    assert b"event: complete" in request(page, "GET", f"/gradio_api/call/analyze/{event}")[1]


def test_the_store_is_bounded(monkeypatch):
    monkeypatch.setattr(photos, "MAX_HELD_BYTES", 100)
    monkeypatch.setattr(photos, "MAX_PHOTOS", 3)
    store = PhotoStore()
    waiting, read = store.put(bytes(40)), store.put(bytes(40))
    assert store.put(bytes(40)) is None  # those who wait keep their place
    store.read(read, once=False)
    third = store.put(bytes(60))
    assert third and store.get(read) is None and store.get(waiting) == bytes(40)
    assert store.held_bytes == 100
    store.read(third, once=True)
    assert store.held_bytes == 40 and store.put(b"a") and store.put(b"b") and store.put(b"c") is None
    assert len(store) == 3


def test_photos_that_nobody_asks_about_make_room_after_a_while(monkeypatch):
    """Before those that a page shows."""
    monkeypatch.setattr(photos, "MAX_PHOTOS", 3)
    store = PhotoStore()
    shown, first, second = (store.put(b"photo") for _ in range(3))
    store.read(shown, once=False)
    monkeypatch.setattr(photos, "ABANDONED_SECONDS", 0)
    time.sleep(0.01)
    assert store.put(b"new", waiting={first}) and store.get(second) is None
    assert store.get(shown) and store.get(first)


def test_a_photo_stays_while_its_page_comes_back_and_goes_when_it_does_not(monkeypatch):
    """Other sessions, and their leaving, do nothing to it."""
    monkeypatch.setattr(photos, "LEFT_SECONDS", 0.2)
    store = PhotoStore()
    returned, gone = store.put(b"returned"), store.put(b"gone")
    store.keep_only("returned", returned)
    store.keep_only("gone", gone)
    store.leave("returned")
    store.leave("returned", left=False)
    store.leave("other")
    store.keep_only("other", None)
    store.sweep()
    assert store.get(returned) and store.get(gone)
    store.leave("gone")
    store.sweep()
    assert store.get(gone)
    time.sleep(0.3)
    store.sweep()
    assert store.get(returned) == b"returned" and store.get(gone) is None
    monkeypatch.setattr(photos, "IDLE_SECONDS", 0.2)
    store.keep_only("returned", returned)
    time.sleep(0.3)
    store.sweep()
    assert store.get(returned) is None and store.held_bytes == 0


def test_the_heartbeat_that_is_taken_up_again_keeps_the_photo(page, photo, monkeypatch):
    monkeypatch.setattr(photos, "LEFT_SECONDS", 2)
    path, host = send(page, photo), urlsplit(page.local_url)
    assert b"ifade-face" in ask_as_page(page, path, "beating")
    request(page, "GET", "/gradio_api/heartbeat/beating", seconds=0.5)  # and goes away
    with socket.create_connection((host.hostname, host.port)) as heartbeat:
        heartbeat.sendall(b"GET /gradio_api/heartbeat/beating HTTP/1.1\r\nHost: page\r\n\r\n")
        assert b"ALIVE" in heartbeat.recv(4096) + heartbeat.recv(4096)
        time.sleep(3.5)
        assert PhotoInput.photos.get(path) == photo


def test_a_session_is_bounded():
    """One that is as full as it can be: 20,000 stretches of time of 800 people, and all rows of the table."""
    import numpy as np
    import tracemalloc
    from dataclasses import replace

    from inference.images import load_image
    from inference.stream import Stream
    from inference.tables import MAX_ROWS, STORED
    from webui.sessions import SessionStore

    analyzer = FaceAnalyzer()
    session = SessionStore(lambda: Stream(analyzer)).start()
    (face,) = session.stream.add(load_image(EXAMPLE), 0.0).people
    tracemalloc.start()
    try:
        for number in range(1100):
            people = [replace(face, id=number % 50 * 16 + place) for place in range(20)]
            session.timeline.add(number / 2, people)
        session.rows.add(np.zeros((MAX_ROWS + 10_000, len(STORED))))
        assert tracemalloc.get_traced_memory()[0] < 40 * 2**20
    finally:
        tracemalloc.stop()
