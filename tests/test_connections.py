"""Connections that take up room and bring nothing, on a server of the page's kind with an application of a few lines."""

import asyncio
import contextlib
import resource
import socket
import threading
import time

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from benchmarks.screenshot import free_port
from webui.address import listen, start_server
from webui.connections import Connection, bound_connections
from webui.limits import Limits

LARGE = bytes(2**23)


async def heartbeat(request):
    async def beat():
        yield b"ALIVE"
        while not await request.is_disconnected():
            await asyncio.sleep(0.05)
            yield b"ALIVE"

    return StreamingResponse(beat())


async def length(request):
    return PlainTextResponse(f"{len(await request.body())} bytes")


@pytest.fixture
def server():
    routes = [
        Route("/", lambda request: PlainTextResponse("here")),
        Route("/large", lambda request: Response(LARGE)),
        Route("/heartbeat", heartbeat),
        Route("/length", length, methods=["POST"]),
        Route("/refuse", lambda request: Response(status_code=400, headers={"Connection": "close"}), methods=["POST"]),
    ]
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=routes), port=free_port(), log_level="warning", lifespan="off")
    )
    listening = socket.create_server(("127.0.0.1", server.config.port))  # as webui.address does
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    wait_until(lambda: server.started)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    bound_connections(server)
    yield server
    resource.setrlimit(resource.RLIMIT_NOFILE, files)
    server.should_exit = server.force_exit = True
    thread.join()


def wait_until(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def connect(server, begin: bytes = b"", window: int | None = None) -> socket.socket:
    client = socket.socket()
    client.settimeout(20)
    if window:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    client.connect(("127.0.0.1", server.config.port))
    client.sendall(begin)
    return client


def ask(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: page\r\n\r\n".encode()


def is_answered(client: socket.socket) -> bool:
    try:
        client.sendall(ask("/"))
    except ConnectionError:
        return False
    return is_heard(client, b"here")


def is_heard(client: socket.socket, words: bytes = b"ALIVE") -> bool:
    received = b""
    with contextlib.suppress(ConnectionError):
        while words not in received and (part := client.recv(4096)):
            received += part
    return words in received


def test_the_rest_of_an_answer_does_not_wait_for_a_word_that_its_head_has_come(server):
    with connect(server) as client:
        assert is_answered(client)
        (connection,) = server.server_state.connections
        tcp = connection.transport.get_extra_info("socket")
        assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def seconds_until_cut(client: socket.socket, trickle: bytes = b"") -> float:
    """How long a client that sends this ten times a second keeps its connection."""
    started = time.monotonic()
    client.settimeout(0.1)
    while time.monotonic() < started + 20:
        try:
            client.sendall(trickle)
            if client.recv(4096) == b"":
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return time.monotonic() - started


def test_who_connects_before_the_start_is_bound_too():
    address, files = listen(), resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_connection(("127.0.0.1", address.port), timeout=20) as client:
        app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("here"))])
        *_, server = start_server(address, Limits(), app)
        try:
            assert is_answered(client)
            (connection,) = server.server_state.connections
            assert isinstance(connection, Connection)
            assert connection.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        finally:
            server.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, files)


@pytest.mark.parametrize(
    ("begin", "trickle"), [(b"", b""), (b"GET / HTTP/1.1\r\nX-", b"a"), (ask("/") + b"GET /", b"a")]
)
def test_a_head_that_does_not_come_to_its_end_is_given_up(server, begin, trickle):
    """Nothing at all, a head that trickles, and one that does so after a whole request."""
    bound_connections(server, Limits(request_seconds=1))
    with connect(server, begin) as client:
        assert 0.8 < seconds_until_cut(client, trickle) < 4


def test_an_answer_may_take_as_long_as_it_needs(server):
    bound_connections(server, Limits(request_seconds=0.3))
    with connect(server, ask("/heartbeat")) as client:
        assert is_heard(client)
        time.sleep(1)
        assert is_heard(client)
    with connect(server, ask("/large"), window=2**16) as client:
        received = client.recv(100)
        time.sleep(1.5)
        while not received.endswith(LARGE):
            part = client.recv(2**20)
            assert part, len(received)
            received += part


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT")
def test_who_does_not_read_the_answer_is_cut(server):
    bound_connections(server, Limits(stuck_seconds=1))
    with connect(server, ask("/large"), window=4096):
        wait_until(lambda: server.server_state.total_requests == 1)
        assert len(server.server_state.connections) == 1
        wait_until(lambda: not server.server_state.connections)


def test_however_many_connections_there_are_others_are_answered(server):
    """The silent make room first, then the oldest heartbeats; who has just asked keeps the connection."""
    bound_connections(server, Limits(connections=20, ask_seconds=0.2))
    with contextlib.ExitStack() as opened:
        asking = [opened.enter_context(connect(server, ask("/heartbeat"))) for _ in range(5)]
        assert all(map(is_heard, asking))
        silent = [opened.enter_context(connect(server, b"GET /")) for _ in range(15)]
        time.sleep(0.4)
        for place in range(10):
            visitor = opened.enter_context(connect(server))
            assert is_answered(visitor) and is_answered(visitor)
            assert seconds_until_cut(silent[place]) < 5
            assert len(server.server_state.connections) <= 20
        assert all(map(is_heard, asking))
        beating = [opened.enter_context(connect(server, ask("/heartbeat"))) for _ in range(30)]
        with connect(server) as visitor:
            assert is_answered(visitor)
        assert len(server.server_state.connections) <= 20
        assert seconds_until_cut(asking[0]) < 5 and is_heard(beating[-1])


CHUNKED = b"POST /length HTTP/1.1\r\nHost: page\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("chunk", "count", "says"),
    [
        (b"1\r\nx\r\n", 60, b"60 bytes"),  # a small body may come so
        (b"1\r\nx\r\n", 10_000, b"HTTP/1.1 400"),
        (b"10\r\n" + bytes(16) + b"\r\n", 10_000, b"too small pieces"),
        (b"200\r\n" + bytes(512) + b"\r\n", 1000, b"512000 bytes"),
    ],
)
def test_a_body_in_crumbs_is_refused(server, chunk, count, says):
    with connect(server, CHUNKED) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(chunk * count + b"0\r\n\r\n")
        assert is_heard(client, says)
    with connect(server) as client:
        assert is_answered(client)


def test_who_holds_most_connections_at_work_makes_room(server):
    """Behind a proxy, which tells whom it asks for."""
    bound_connections(server, Limits(connections=6, proxies=1))

    def beat(visitor: str) -> bytes:
        return ask("/heartbeat")[:-2] + f"X-Forwarded-For: {visitor}\r\n\r\n".encode()

    with contextlib.ExitStack() as opened:
        polite = opened.enter_context(connect(server, beat("203.0.113.1")))
        assert is_heard(polite)
        for _ in range(12):
            assert is_heard(opened.enter_context(connect(server, beat("203.0.113.2"))))
        assert is_heard(polite)


def test_file_descriptors_are_asked_for(server):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    bound_connections(server)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, Limits.files), hard)


def test_a_request_for_a_websocket_is_a_plain_one(server):
    upgrade = (
        b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n\r\n"
    )
    with connect(server, ask("/")[:-2] + upgrade) as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["/refuse", "/large"])
def test_nonsense_after_the_answer_has_begun_ends_the_connection_quietly(server, path, caplog):
    method = "POST" if path == "/refuse" else "GET"
    head = f"{method} {path} HTTP/1.1\r\nHost: page\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with connect(server, head) as client:
        assert client.recv(12).startswith(b"HTTP/1.1 ")
        client.sendall(b"no chunk\r\n")
        with contextlib.suppress(ConnectionError):
            while client.recv(2**20):
                pass
    wait_until(lambda: not server.server_state.connections)
    assert not [record for record in caplog.records if record.exc_info]
    with connect(server) as client:
        assert is_answered(client)


@pytest.mark.parametrize("path", ["/", "/refuse", "/large"])
def test_nonsense_before_the_answer_is_refused_quietly(server, path, caplog):
    """The body comes together with the head, which is already handed on when the body turns out to be malformed."""
    head = f"POST {path} HTTP/1.1\r\nHost: page\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with connect(server, head + b"no chunk\r\n") as client:
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400") and answer.count(b"HTTP/1.1") == 1
    wait_until(lambda: not server.server_state.connections)
    time.sleep(0.2)
    assert not [record for record in caplog.records if record.exc_info]
