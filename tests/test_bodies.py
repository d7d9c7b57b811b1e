"""Bodies that are slow, too large or too many, on a server of the page's kind without Gradio, within small limits."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from benchmarks.screenshot import free_port
from inference.analyzer import FaceAnalyzer
from webui.api import Api
from webui.bodies import Bodies, BodyMiddleware
from webui.connections import bound_connections
from webui.limits import Limits
from webui.photo import PhotoServer

PHOTO = (Path(__file__).resolve().parent.parent / "examples" / "astronaut.jpg").read_bytes()
LARGE = bytes(200_000)
FORM = b'--x\r\nContent-Disposition: form-data; name="files"; filename="p"\r\n\r\n%b\r\n--x--\r\n'
PATHS = ("analyze", "gradio_api/upload", "gradio_api/call/analyze")


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


@pytest.fixture
def gate(analyzer, monkeypatch) -> Iterator[threading.Event]:
    """While it is not set, photos are held on the way to the network."""
    gate, analyze = threading.Event(), analyzer.analyze
    gate.set()
    monkeypatch.setattr(analyzer, "analyze", lambda *arguments: gate.wait(60) and analyze(*arguments))
    yield gate
    gate.set()


@pytest.fixture
def serve(analyzer) -> Iterator:
    """A function that serves photos and calls within limits, and gives the port."""
    with contextlib.ExitStack() as running:

        def begin(**small: float) -> int:
            limits = Limits(**small)
            bodies = Bodies(limits)
            photos = PhotoServer(analyzer, bodies, limits)
            app = Starlette(
                routes=photos.routes() + Api(photos, bodies, limits).routes(),
                middleware=[Middleware(BodyMiddleware, limits=limits)],
            )
            server = uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning", lifespan="off"))
            thread = threading.Thread(target=server.run)
            thread.start()
            running.callback(thread.join)
            running.callback(setattr, server, "force_exit", True)
            running.callback(setattr, server, "should_exit", True)
            while not server.started:
                time.sleep(0.02)
            bound_connections(server, limits)
            return server.config.port

        yield begin


def start(port: int, path: str, length: int, body: bytes = b"", headers: str = "") -> socket.socket:
    """A connection with a request that has got so far."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = f"POST /{path} HTTP/1.1\r\nHost: page\r\nContent-Length: {length}\r\n{headers}"
    kind = "" if path == "analyze" else "Content-Type: multipart/form-data; boundary=x\r\n"
    client.sendall((head + kind + "\r\n").encode() + body)
    return client


def post(port: int, path: str, body: bytes, headers: str = "") -> tuple[int, str]:
    """Status and body of the answer."""
    with start(port, path, len(body), body, headers + "Connection: close\r\n") as client:
        head, _, answer = b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")
    return int(head.split()[1]), answer.decode()


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_trickles_is_given_up(serve, path):
    port, answer, started = serve(grace_seconds=1), b"", time.monotonic()
    with start(port, path, 1000) as client:
        client.settimeout(0.1)
        while b"took too long" not in answer:
            assert time.monotonic() < started + 15
            client.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                answer += client.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "path, body, said", [("analyze", LARGE, 422), ("gradio_api/upload", FORM % LARGE, 200)], ids=["photo", "upload"]
)
def test_bodies_that_stop_half_way_keep_nobody_out(serve, path, body, said):
    """Those that have hardly begun take no place; of the others the one that has been silent longest makes room, whether they
    are too many or too large."""
    for limits in ({"arriving": 2}, {"held_bytes": 500_000}):
        port = serve(**limits)
        with contextlib.ExitStack() as opened:
            for other in PATHS:
                opened.enter_context(start(port, other, 1000))
            assert post(port, "analyze", PHOTO)[0] == 200
            silent, going = (opened.enter_context(start(port, path, len(body), body[:150_000])) for _ in range(2))
            time.sleep(0.3)
            going.sendall(body[150_000:160_000])
            time.sleep(0.3)
            third = opened.enter_context(start(port, path, len(body), body))
            assert silent.recv(4096).startswith(b"HTTP/1.1 503")
            assert third.recv(4096).startswith(b"HTTP/1.1 %d" % said)
            going.sendall(body[160_000:])
            assert going.recv(4096).startswith(b"HTTP/1.1 %d" % said)


@pytest.mark.parametrize("path", PATHS)
def test_a_request_of_two_lengths_hides_no_other(serve, path):
    with socket.create_connection(("127.0.0.1", serve()), timeout=20) as client:
        head = f"POST /{path} HTTP/1.1\r\nHost: page\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.sendall(head.encode() + b"0\r\n\r\nGET /health HTTP/1.1\r\nHost: page\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400") and answer.count(b"HTTP/1.1") == 1 and b"either a length" in answer


@pytest.mark.parametrize("path", ["analyze", "gradio_api/upload"])
@pytest.mark.parametrize("language, says", [("en", "at most"), ("tr", "en çok")])
def test_a_body_that_is_too_large_is_answered_although_it_is_still_being_sent(serve, path, language, says):
    port = serve(photo_bytes=100_000)
    status, answer = post(port, path, FORM % bytes(8 * 2**20), f"Accept-Language: {language}\r\n")
    assert status == 413 and says in json.loads(answer)["error"]


def test_whoever_finds_no_room_is_told_so_in_the_language_of_the_page(serve, gate):
    """Whatever the browser's is."""
    port = serve(photos_waiting=0, photo_workers=1)
    gate.clear()
    with start(port, "analyze", len(PHOTO), PHOTO) as working:
        time.sleep(0.3)  # it is not to wait any more
        for accepted, address, says in (
            ("en", "http://page/?lang=tr", "meşgul: 0 fotoğraf bekliyor"),
            ("tr", "http://page/?lang=en&__theme=dark", "busy: 0 photos are waiting"),
            ("tr", "http://page/", "meşgul: 0 fotoğraf bekliyor"),
            ("en", "http://[", "busy: 0 photos are waiting"),
        ):
            headers = f"Accept-Language: {accepted}\r\nReferer: {address}\r\n"
            for path, body in (
                ("analyze", PHOTO),
                ("gradio_api/call/analyze", b'{"data": [{"url": "data:;base64,AAAA"}]}'),
            ):
                status, answer = post(port, path, body, headers)
                assert status == 503 and says in json.loads(answer)["error"], address
                assert json.loads(answer)["detail"] == json.loads(answer)["error"]
        gate.set()
        assert working.recv(4096).startswith(b"HTTP/1.1 200")
    port = serve(arriving=0)
    for path in PATHS:
        status, answer = post(port, path, LARGE)
        assert status == 503 and "photos are arriving" in answer
