"""The page behind a reverse proxy that serves it under a path of its own, and as a Space."""

import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from benchmarks.screenshot import free_port, page_process

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "/faces"
HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding", "keep-alive"}


def proxy(address: str) -> Starlette:
    """Passes PREFIX/path on to address/path and answers nothing else, with the headers that nginx is usually told to set."""
    client = httpx.AsyncClient(base_url=address, trust_env=False, timeout=60)

    async def forward(request: Request) -> StreamingResponse:
        headers = {name: value for name, value in request.headers.items() if name not in HOP_BY_HOP}
        headers |= {"X-Forwarded-Host": request.headers["host"], "X-Forwarded-Proto": "http"}
        url = httpx.URL(path=request.url.path.removeprefix(PREFIX), query=request.url.query.encode())
        sent = client.build_request(request.method, url, headers=headers, content=await request.body())
        answer = await client.send(sent, stream=True)
        headers = {name: value for name, value in answer.headers.items() if name not in HOP_BY_HOP}
        return StreamingResponse(
            answer.aiter_raw(), answer.status_code, headers, background=BackgroundTask(answer.aclose)
        )

    return Starlette(routes=[Route(PREFIX + "/{path:path}", forward, methods=["GET", "HEAD", "POST"])])


@pytest.fixture(scope="module")
def proxied_address():
    with page_process(free_port(), {"GRADIO_ROOT_PATH": PREFIX}) as (address, _):
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(proxy(address), port=port, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}{PREFIX}/"
        server.should_exit = server.force_exit = True
        thread.join(20)


def test_photo_and_camera_work_under_a_path(browser, proxied_address):
    context = browser.new_context(permissions=["camera"])
    page = context.new_page()
    page.set_default_timeout(30_000)
    addresses, refused = [], []
    page.on("request", lambda request: addresses.append(request.url))
    page.on("response", lambda response: refused.append(response.url) if response.status >= 400 else None)
    page.goto(proxied_address)
    page.set_input_files("#ifade-photo .ifade-photo-file", ROOT / "examples" / "astronaut.jpg")
    expect(page.locator("#ifade-photo .ifade-card")).to_have_count(1, timeout=60_000)
    annotated = page.locator("#ifade-photo .ifade-shown")
    expect(annotated).to_be_visible()
    expect(annotated).to_have_js_property("naturalWidth", 512)
    page.get_by_role("tab", name="Live").click()
    with page.expect_response(
        lambda answer: answer.url == f"{proxied_address}live/frame" and answer.ok, timeout=60_000
    ):
        page.click("#ifade-live .ifade-start")
    context.close()
    assert refused == []
    assert all(address.startswith((proxied_address, "data:", "blob:")) for address in addresses)


def test_a_space_asks_nothing_of_other_servers(browser):
    space = {"SYSTEM": "spaces", "SPACE_ID": "somebody/ifade", "SPACE_HOST": "somebody-ifade.hf.space"}
    with page_process(free_port(), space) as (address, _):
        page = browser.new_page()
        outside, local = [], (address, "data:", "blob:")
        page.on("request", lambda sent: outside.append(sent.url) if not sent.url.startswith(local) else None)
        page.goto(address)
        page.set_input_files("#ifade-photo .ifade-photo-file", ROOT / "examples" / "astronaut.jpg", timeout=60_000)
        expect(page.locator("#ifade-photo .ifade-card")).to_have_count(1, timeout=60_000)
        page.close()
    assert outside == []
