"""The health of the running page, and its end while it works."""

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from benchmarks.screenshot import free_port, page_process
from clips import write_face_clip
from webui.lifetime import FAILED, Lifetime
from webui.limits import Limits
from webui.texts import text

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
PHOTO = (EXAMPLES / "astronaut.jpg").read_bytes()


def fetch(address: str, data: bytes | None = None, headers: dict | None = None) -> tuple[int, bytes]:
    """Status and body of a GET, or with data of a POST."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data, headers or {}), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


# Health


def test_health_of_the_page(page_address):
    status, body = fetch(f"{page_address}health")
    answer = json.loads(body)
    assert status == 200 and answer["status"] == "ok" and answer["provider"].endswith("ExecutionProvider")
    assert set(answer) == {"status", "model", "provider", "sessions"} and answer["sessions"] >= 0 and answer["model"]


def test_health_is_told_while_the_page_is_busy(page_address):
    url = f"data:image/jpeg;base64,{base64.b64encode(PHOTO).decode()}"
    body = json.dumps({"data": [{"url": url}]}).encode()
    headers = {"Content-Type": "application/json"}
    events = [
        json.loads(fetch(f"{page_address}gradio_api/call/analyze", body, headers)[1])["event_id"] for _ in range(8)
    ]
    with ThreadPoolExecutor(8) as threads:
        results = [threads.submit(fetch, f"{page_address}gradio_api/call/analyze/{event}") for event in events]
        asked = time.monotonic()
        assert fetch(f"{page_address}health")[0] == 200
        assert not all(result.done() for result in results)  # it did not wait for them
        assert time.monotonic() - asked < 5
        assert all(b"event: complete" in result.result()[1] for result in results)


@pytest.fixture
def served():
    """A function that serves the health of a page with one probe, which is made all the time."""
    limits, clients = Limits(probe_seconds=0.01, fresh_seconds=0.01, stale_seconds=0.01, answer_seconds=0.5), []

    def serve(probe) -> TestClient:
        lifetime = Lifetime([partial(asyncio.to_thread, probe)], lambda: {"provider": "here"}, limits)
        client = TestClient(Starlette(routes=lifetime.routes(), lifespan=lifetime.lifespan))
        client.__enter__()
        clients.append(client)
        return client

    yield serve
    for client in clients:
        client.__exit__(None, None, None)


def wait_for(client: TestClient, status: str) -> dict:
    deadline = time.monotonic() + 20
    while True:
        answer = client.get("/health")
        assert (answer.status_code == 200) == (answer.json()["status"] == "ok")
        if answer.json()["status"] == status:
            return answer.json()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_health_tells_what_is_stuck(served):
    go_on = threading.Event()
    client = served(lambda: go_on.wait(60))
    assert "what visitors ask for was not answered for" in wait_for(client, "stuck")["reason"]
    go_on.set()
    assert wait_for(client, "ok") == {"status": "ok", "provider": "here"}


def test_health_tells_what_fails(served):
    failing = [True]

    def probe() -> None:
        if failing:
            raise RuntimeError("with words that are nobody's business")

    client = served(probe)
    assert wait_for(client, "failing")["reason"] == "RuntimeError when a part of the page was tried"
    failing.clear()
    wait_for(client, "ok")


UNWELL = """
import sys, threading, time
from types import SimpleNamespace
from webui.lifetime import Lifetime
from webui.limits import Limits

serving = threading.Thread(target=time.sleep, args=(60,), daemon=True)
if sys.argv[1] == "stuck":
    serving.start()
page = SimpleNamespace(server=SimpleNamespace(thread=serving))
Lifetime([], dict, Limits(unwell_seconds=1)).end_when_told(page, print)
"""


@pytest.mark.parametrize(
    ("part", "says"), [("stuck", "it has not been well for 2 seconds"), ("gone", "its server has ended")]
)
def test_a_page_that_cannot_be_well_again_ends_with_a_status(part, says):
    """By which a host starts it anew."""
    ended = subprocess.run([sys.executable, "-c", UNWELL, part], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert ended.returncode == FAILED != 0 and says in ended.stderr


def test_a_full_disk_is_told(caplog):
    lifetime = Lifetime([], dict)

    async def full(scope, receive, send):
        raise OSError(28, os.strerror(28))

    client = TestClient(lifetime.gate(full))
    answer = client.post("/gradio_api/upload")
    assert answer.status_code == 507 and answer.json()["error"] == text("en", "disk_full")
    answer = client.post("/gradio_api/run/predict", headers={"Accept-Language": "tr"})
    assert answer.status_code == 507 and answer.json()["error"].startswith("Sunucunun diski dolu.")
    answer = client.post(
        "/gradio_api/upload", headers={"Accept-Language": "en", "Referer": "https://here/ifade/?lang=tr"}
    )
    assert answer.json()["error"].startswith("Sunucunun diski dolu.")
    assert "No space left" in caplog.text


# The end


class Page:
    """`python app.py` with temporary folders of its own, to be ended."""

    def __init__(self, folder: Path):
        self.folder, self.temporary = folder, folder / "tmp"
        self.temporary.mkdir()
        self._log = open(folder / "log", "w+b")
        environment = {"TMPDIR": str(self.temporary), "PYTHONUNBUFFERED": "1"}
        self._running = page_process(free_port(), environment, folder=folder, log=self._log)
        self.address, self.process = self._running.__enter__()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self._running.__exit__(None, None, None)
        self._log.close()

    def session(self) -> dict:
        return {"X-Session": json.loads(fetch(f"{self.address}session/start", b"{}")[1])["session"]}

    def ended(self, seconds: float) -> tuple[int, str]:
        """The exit status and all that was printed."""
        status = self.process.wait(seconds)
        self._log.seek(0)
        return status, self._log.read().decode()

    def files(self) -> set[Path]:
        return {path for path in self.temporary.rglob("*") if path.is_file()}

    def children(self) -> list[str]:
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
        return found.stdout.split()


@pytest.fixture
def page(tmp_path):
    page = Page(tmp_path)
    yield page
    page.close()


def send_slowly(address: str, headers: dict, content: bytes, started: threading.Event) -> tuple[int, dict]:
    """Send a video of which a little goes every 50 ms for a minute; the answer, which may come before the end."""
    host, port = address.removeprefix("http://").strip("/").split(":")
    lines = [
        "POST /video/analyze HTTP/1.1",
        f"Host: {host}:{port}",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        connection.settimeout(0.05)
        answer, step = b"", len(content) // 1200
        for start in range(0, len(content), step):
            try:
                connection.sendall(content[start : start + step])
                started.set()
                answer += connection.recv(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if b"\r\n\r\n" in answer and answer.endswith(b"}"):
                break
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_sigterm_in_the_middle_of_work(page, tmp_path):
    """A photo, a frame of a camera and the upload of a video are under way; each gets an answer, and then all is gone."""
    clip = write_face_clip(tmp_path / "clip.mp4", [number / 25 for number in range(50)]).read_bytes()
    url = f"data:image/jpeg;base64,{base64.b64encode(PHOTO).decode()}"
    body, json_type = json.dumps({"data": [{"url": url}]}).encode(), {"Content-Type": "application/json"}
    frame_headers = page.session() | {"X-Seconds": "1000", "X-Camera": "512x512"}
    before = page.files()
    video_headers, started = page.session() | {"X-Rate": "10"}, threading.Event()
    with ThreadPoolExecutor(8) as threads:
        upload = threads.submit(send_slowly, page.address, video_headers, clip, started)
        assert started.wait(30)
        event = json.loads(fetch(f"{page.address}gradio_api/call/analyze", body, json_type)[1])["event_id"]
        photo = threads.submit(fetch, f"{page.address}gradio_api/call/analyze/{event}")
        frame = threads.submit(fetch, f"{page.address}live/frame", PHOTO, frame_headers)
        time.sleep(0.1)  # they are on their way; both take longer where processors are busy
        told = time.monotonic()
        page.process.send_signal(signal.SIGTERM)
        status, answer = upload.result(timeout=30)
        assert status == 503 and answer["error"] == text("en", "closing")
        assert photo.result(timeout=30)[0] == 200 and b"event: complete" in photo.result()[1]
        status, answer = frame.result(timeout=30)
        assert (status == 200 and len(json.loads(answer)["people"]) == 1) or json.loads(answer)["error"] == text(
            "en", "closing"
        )
        status, output = page.ended(12)
    assert status == 0 and time.monotonic() - told < 12
    assert "Traceback" not in output and "rror" not in output and "Ending" in output
    assert page.files() <= before  # Gradio keeps copies of the examples
    assert page.children() == []


def test_new_work_is_refused_while_the_rest_is_finished(page):
    """Posts without an end keep the page from ending at once, so that one can look."""
    host, port = page.address.removeprefix("http://").strip("/").split(":")
    headers = page.session()
    with socket.create_connection((host, int(port))) as unfinished:
        unfinished.sendall(b"POST /session/mark HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n")
        unfinished.sendall(f"X-Session: {headers['X-Session']}\r\n\r\n{{".encode())
        time.sleep(0.3)
        told = time.monotonic()
        page.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 5
        while fetch(f"{page.address}health")[0] != 503:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert json.loads(fetch(f"{page.address}health")[1])["status"] == "ending"
        status, answer = fetch(f"{page.address}session/start", b"{}")
        assert status == 503 and json.loads(answer)["error"] == text("en", "closing")
        in_turkish = {"Accept-Language": "en", "Referer": f"{page.address}?lang=tr"}
        status, answer = fetch(f"{page.address}gradio_api/queue/join", b"{}", in_turkish)
        assert status == 503 and json.loads(answer)["detail"] == text("tr", "closing")
        assert fetch(f"{page.address}session/report.json", headers=headers)[0] == 200  # what was found may be fetched
        assert json.loads(fetch(f"{page.address}session/delete", b"", headers)[1]) == {"deleted": True}
        status, output = page.ended(15)
    assert status == 0 and time.monotonic() - told < 12 and "Traceback" not in output


def test_a_second_signal_ends_the_page_at_once(page):
    host, port = page.address.removeprefix("http://").strip("/").split(":")
    with socket.create_connection((host, int(port))) as unfinished:
        unfinished.sendall(b"POST /session/start HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{")
        time.sleep(0.3)
        page.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert page.process.poll() is None
        page.process.send_signal(signal.SIGTERM)
        assert page.ended(3)[0] == -signal.SIGTERM
