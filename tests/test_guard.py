"""Who may ask the page, by which name, and what browsers are told: against the running page, as a stranger would try it."""

import http.client
import json
import re
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from webui.address import Address, known_names
from webui.guard import Guard
from webui.policy import ISOLATION


def ask(address: str, path: str, method: str = "GET", body: bytes | None = None, **headers: str):
    """Status, headers and body of an answer; `_` in a header's name stands for `-`."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # a program
        ({"Origin": "{own}"}, 200),
        ({"Origin": "{own}", "Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "none"}, 200),
        ({"Origin": "https://example.org", "X_Forwarded_Host": "example.org"}, 200),  # by a proxy
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),  # another page of this machine
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "{own}", "Sec_Fetch_Site": "cross-site"}, 403),
        # A name of somebody else's that leads to this machine.
        ({"Origin": "http://evil.example", "Host": "evil.example", "Sec_Fetch_Site": "same-origin"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/session/start", "/gradio_api/cancel"])
def test_what_pages_of_other_sites_send_is_refused(page_address, path, headers, status):
    own = page_address.rstrip("/")
    headers = {name: value.format(own=own) for name, value in headers.items()}
    answered, _, body = ask(page_address, path, "POST", b"{}", **headers)
    assert answered == status, body
    if status == 403:
        assert json.loads(body)["code"] == "another_site"
    elif path == "/session/start":
        ask(page_address, "/session/delete", "POST", X_Session=json.loads(body)["session"])


@pytest.mark.parametrize(
    "path", ["/", "/config", "/gradio_api/info", "/gradio_api/openapi.json", "/model-card", "/health"]
)
def test_no_address_is_built_from_a_name_that_the_host_did_not_allow(page_address, path):
    evil = {name: "evil.example" for name in ("Host", "X_Forwarded_Host")} | {"X_Gradio_Server": "http://evil.example"}
    status, headers, body = ask(page_address, path, X_Forwarded_Proto="https", Referer="http://evil.example/", **evil)
    assert status == 200 and b"evil.example" not in body and "evil.example" not in str(headers)
    if path == "/config":
        assert json.loads(body)["root"] == page_address.rstrip("/")


def test_the_configuration_shows_no_path_of_the_server(page_address):
    _, _, body = ask(page_address, "/config")
    assert not re.findall(r'"(?:/|[A-Z]:\\)[\w.-]+/[^"]*"', body.decode().replace('"/gradio_api"', ""))
    assert ask(page_address, "/config?deep_link=../../../etc/passwd")[2] == body


@pytest.mark.parametrize(
    "path", ["/", "/config", "/health", "/gradio_api/info", "/theme.css", "/nothing", "/session/curve"]
)
def test_no_answer_is_kept_and_no_type_guessed(page_address, path):
    _, headers, _ = ask(page_address, path)
    assert ISOLATION.items() <= {name.title(): value for name, value in headers.items()}.items()
    assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'self' https://huggingface.co https://*.hf.space"
    assert "*" not in policy["default-src"] + policy["script-src"] and "'unsafe-inline'" not in policy["script-src"]


def test_scripts_of_the_document_bear_a_word_of_their_own(page_address):
    words = set()
    for _ in range(2):
        _, headers, body = ask(page_address, "/")
        (word,) = set(re.findall(r"'nonce-([\w-]+)'", headers["content-security-policy"]))
        scripts = re.findall(r"<script[^>]*>", body.decode())
        assert len(scripts) > 3 and all(f'nonce="{word}"' in script for script in scripts)
        words.add(word)
    assert len(words) == 2


def test_static_files_may_be_kept(page_address):
    _, _, document = ask(page_address, "/")
    asset = re.search(rb"\./(assets/[\w.-]+\.js)", document)[1].decode()
    for path in (asset, "static/page.js"):
        status, headers, _ = ask(page_address, f"/{path}")
        assert status == 200 and headers.get("cache-control") != "no-store"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["run/predict", "run/analyze", "api/predict", "call/nothing", "queue/join", "call/analyze"]
)
@pytest.mark.parametrize("body", [b"", b"{}", b'{"data": null}', b'{"data": {}, "session_hash": ""}', b"[]", b"\xff"])
def test_calls_without_usable_data_are_refused(page_address, path, body):
    status, _, answer = ask(page_address, f"/gradio_api/{path}", "POST", body, Content_Type="application/json")
    assert 400 <= status < 500 and b"Traceback" not in answer and json.loads(answer)["error"]


def test_a_name_is_known_where_the_host_allows_it():
    space = {"SPACE_HOST": "somebody-ifade.hf.space"}
    assert known_names(space) == {"somebody-ifade.hf.space"}
    assert known_names({"GRADIO_ROOT_PATH": "https://example.org:8443/faces"}) == {"example.org"}
    assert known_names({"GRADIO_ROOT_PATH": "/faces"}) == set()
    seen = {}

    async def application(scope, receive, send):
        seen.update({name.decode(): value.decode() for name, value in scope["headers"]}, client=scope["client"][0])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guard = Guard(application, [], Address([], "0.0.0.0", 7860), known_names(space), proxies=1)
    client = TestClient(guard, base_url="http://10.0.0.9:7860")
    told = {"X-Forwarded-Host": "somebody-ifade.hf.space", "X-Forwarded-Proto": "https", "X-Forwarded-For": "8.8.8.8"}
    client.get("/config", headers=told)
    assert (seen["host"], seen["x-forwarded-proto"], seen["client"]) == ("somebody-ifade.hf.space", "https", "8.8.8.8")
    seen.clear()
    client.get("/config", headers=told | {"X-Forwarded-Host": "evil.example", "Host": "evil.example"})
    assert seen["host"] == "127.0.0.1:7860"
