"""The running page's API, as programs use it and as they misuse it."""

import ast
import base64
import contextlib
import http.client
import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from benchmarks.screenshot import free_port, page_process
from inference.images import MAX_BYTES
from inference.types import CROWD, EMOTIONS, GENDERS
from webui.limits import Limits

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(scope="module")
def client(page_address) -> Client:
    return Client(page_address, verbose=False)


def call_raw(address: str, *data) -> tuple[str, object]:
    """The last event of a call with a hand-made body: ("complete" or "error", data)."""
    body = json.dumps({"data": data}).encode()
    request = urllib.request.Request(f"{address}gradio_api/call/analyze", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            event = json.load(answer)["event_id"]
    except urllib.error.HTTPError as error:
        return "error", error.read().decode()
    with urllib.request.urlopen(f"{address}gradio_api/call/analyze/{event}", timeout=60) as answer:
        lines = answer.read().decode().strip().splitlines()
    name = [line for line in lines if line.startswith("event: ")][-1].removeprefix("event: ")
    return name, json.loads([line for line in lines if line.startswith("data: ")][-1].removeprefix("data: "))


def test_the_only_endpoint_is_analyze(client):
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert list(endpoints["named_endpoints"]) == ["/analyze"] and not endpoints["unnamed_endpoints"]


def test_analyze(client):
    result = client.predict(handle_file(EXAMPLES / "astronaut.jpg"), api_name="/analyze")
    assert set(result) >= {"width", "height", "faces", "provider", "milliseconds"}
    (face,) = result["faces"]
    x1, y1, x2, y2 = face["box"]
    assert 150 < x1 < 223 < x2 < 300 and 50 < y1 < 120 < y2 < 200
    assert face["emotion"] == "happy" and set(face["probabilities"]) == set(EMOTIONS)
    assert face["shown"] == "happy" and face["sure"] is True and set(face["consensus"]) == set(EMOTIONS)
    assert abs(sum(face["consensus"].values()) - 1) < 1e-3 and set(face.get("crowd", CROWD)) == set(CROWD)
    assert abs(sum(face["probabilities"].values()) - 1) < 1e-3 and 0.5 < face["score"] <= 1
    assert client.predict(handle_file(EXAMPLES / "cat.jpg"), api_name="/analyze")["faces"] == []


def snippets(address: str, **headers: str) -> dict[str, str]:
    request = urllib.request.Request(f"{address}gradio_api/info", headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["named_endpoints"]["/analyze"]["code_snippets"]


def run_snippet(arguments: list[str], folder: Path) -> str:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_code_of_use_via_api_runs_as_it_stands(page_address, tmp_path):
    code = snippets(page_address)
    printed = run_snippet([sys.executable, "-c", code["python"]], tmp_path).splitlines()[-1]
    (face,) = ast.literal_eval(printed)["faces"]
    assert face["shown"] == "happy" and 150 < face["box"][0] < 223 and "age" not in face
    if not (shutil.which("bash") and shutil.which("curl")):
        pytest.skip("no bash or no curl to run the other code with")
    data = run_snippet(["bash", "-c", code["bash"]], tmp_path).partition("event: complete\ndata: ")[2]
    assert json.loads(data)[0]["faces"] == [face]
    assert '"shown": "happy"' in run_snippet(["bash", "-c", code["cli"]], tmp_path)


def test_use_via_api_shows_that_code_and_names_of_parameters(page_address, browser):
    with contextlib.closing(browser.new_page(locale="tr")) as page:
        page.goto(page_address)
        page.locator("footer button, footer a").first.click()
        page.locator(".snippet").first.wait_for(timeout=60_000)
        page.get_by_text("urlretrieve").first.wait_for(timeout=60_000)
        text = page.locator("[class*=api-docs]").first.inner_text()
    assert "[object Object]" not in text and "raw.githubusercontent" not in text
    for line in filter(str.strip, snippets(page_address)["python"].splitlines()):
        assert line.strip() in text
    assert "age_gender" in text and "Nothing is fetched from other addresses" in text


def test_the_code_names_the_address_by_which_the_page_is_seen():
    space = {"SPACE_ID": "somebody/ifade", "SPACE_HOST": "somebody-ifade.hf.space"}
    proxied = {"X-Forwarded-Host": "somebody-ifade.hf.space", "X-Forwarded-Proto": "https"}
    with page_process(free_port(), space) as (address, _):
        for _ in range(2):
            assert 'Client("https://somebody-ifade.hf.space")' in snippets(address, **proxied)["python"]
            assert f'Client("{address.rstrip("/")}")' in snippets(address)["python"]


def test_a_photo_is_analysed_with_curl_in_one_line(page_address, client):
    if not shutil.which("curl"):
        pytest.skip("no curl to run")
    file = EXAMPLES / "astronaut.jpg"
    line = f"curl -s --data-binary @{file} {page_address}analyze"
    answer = json.loads(subprocess.run(line.split(), capture_output=True, check=True).stdout)
    expected = client.predict(handle_file(file), api_name="/analyze")
    assert {name: value for name, value in answer.items() if "milliseconds" not in name} == {
        name: value for name, value in expected.items() if "milliseconds" not in name
    }


def test_age_and_gender_only_where_asked_for(client):
    photo = handle_file(EXAMPLES / "astronaut.jpg")
    (plain,) = client.predict(photo, api_name="/analyze")["faces"]
    (asked,) = client.predict(photo, True, api_name="/analyze")["faces"]
    assert not {"age", "gender", "apparent_gender"} & set(plain)
    first, last = asked["age_range"]
    assert 0 <= first <= asked["age"] <= last <= 100 and set(asked["gender"]) == set(GENDERS)
    assert abs(sum(asked["age_distribution"]) - 1) < 1e-3 and abs(sum(asked["gender"].values()) - 1) < 1e-3
    assert asked["probabilities"] == plain["probabilities"]


def test_data_url(page_address):
    data = base64.b64encode((EXAMPLES / "astronaut.jpg").read_bytes()).decode()
    event, (result,) = call_raw(page_address, {"url": f"data:image/jpeg;base64,{data}"})
    assert event == "complete" and len(result["faces"]) == 1


def test_a_file_that_is_no_photo_gets_one_sentence(client, tmp_path):
    fake = tmp_path / "photo.jpg"
    fake.write_text("text, whatever the name says")
    with pytest.raises(AppError, match="not a photo"):
        client.predict(handle_file(fake), api_name="/analyze")
    fake.write_bytes((EXAMPLES / "astronaut.jpg").read_bytes()[:9000])
    with pytest.raises(AppError, match="damaged"):
        client.predict(handle_file(fake), api_name="/analyze")


META = {"meta": {"_type": "gradio.FileData"}}
NESTED = {"path": "photo.jpg"}
for _ in range(300):
    NESTED = {"path": "photo.jpg", "url": NESTED}


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (None, "No photo was sent"),
        ({"url": "data:image/png,abc"}, "not base64"),
        ({"url": "data:image/png;base64,%%%"}, "not valid base64"),
        ({"url": "data:image/png;base64,"}, "empty"),
        ({"url": "http://127.0.0.1:9/photo.jpg"}, "Send the file itself"),
        ({"path": "http://127.0.0.1:9/photo.jpg", **META}, "Send the file itself"),
        ({"path": "file:///etc/passwd", **META}, "Upload it again"),
        ({"url": "file:///etc/passwd"}, "Upload it again"),
        ({"path": ""}, "Upload it again"),
        ({"path": None}, "Upload it again"),
        ({"path": "a\0b"}, "Upload it again"),
        ({"path": "a\0b", **META}, "Upload it again"),
        ({"path": "a" * 100_000}, "Upload it again"),
        ({"path": "a" * 100_000, **META}, "Upload it again"),
        ({"path": "/dev/zero"}, "Upload it again"),
        ({"path": 7}, "cannot be used"),
        ({"path": ["photo.jpg"]}, "cannot be used"),
        ({"path": {"path": "/etc/passwd", **META}}, "cannot be used"),
        ({"url": 7}, "cannot be used"),
        ({"url": "data:image/png;base64,AAAA", "size": "large"}, "not a photo"),
        ({"path": "/etc/passwd", "is_stream": True, **META}, "Upload it again"),
        (NESTED, "cannot be used"),
        ("text", "cannot be used"),
        (7, "cannot be used"),
        (True, "cannot be used"),
        ([1, 2], "cannot be used"),
        ([{"path": "/etc/passwd", **META}], "cannot be used"),
    ],
)
def test_odd_bodies_get_one_sentence(page_address, payload, says):
    event, data = call_raw(page_address, payload)
    assert event == "error" and says in data["error"]
    assert "Traceback" not in str(data) and "root" not in str(data) and "passwd" not in str(data)


@pytest.mark.parametrize("payload", ["\ud800", float("nan")])
def test_what_is_not_valid_json_is_refused(page_address, payload):
    event, text = call_raw(page_address, payload)
    assert event == "error" and json.loads(text)["detail"] == "The body is not valid JSON."


def test_the_second_value_cannot_name_a_file_either(page_address):
    photo = {"url": "data:image/png;base64,"}
    for second in ({"path": "http://127.0.0.1:9/", **META}, {"path": "/etc/passwd", **META}, ["yes", {}], "yes"):
        event, data = call_raw(page_address, photo, second)
        assert event == "error" and data["error"] == "age_gender should be true or false."
    assert call_raw(page_address, photo, True, 1, 2)[1]["error"].startswith("The file is empty")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"{", b"[]", b"{}", b'{"data": null}', b'{"data": "text"}', b"\xff\xfe", b"[" * 10**6),
        b'{"data": [' + b"[" * 10**6 + b"]" * 10**6 + b"]}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_bodies_that_are_no_call_are_refused(page_address, body):
    request = urllib.request.Request(
        f"{page_address}gradio_api/call/analyze", body, {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    assert refused.value.code in (400, 422) and b"Traceback" not in refused.value.read()


def png_url(image: Image.Image) -> dict:
    file = io.BytesIO()
    image.save(file, "PNG")
    return {"url": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()}


def test_pictures_that_are_too_large_are_refused_and_the_page_goes_on(page_address):
    event, data = call_raw(page_address, png_url(Image.new("1", (12_000, 12_000))))
    assert event == "error" and "12,000 x 12,000 pixels; at most 50 megapixels" in data["error"]
    event, (result,) = call_raw(page_address, png_url(Image.new("RGB", (64, 64))))
    assert event == "complete" and result["faces"] == []


@pytest.mark.parametrize("size", [(1, 1), (30_000, 1), (1, 30_000), (30_000, 1500), (7, 30_000)])
def test_pictures_of_any_shape_are_analysed(page_address, size):
    event, (result,) = call_raw(page_address, png_url(Image.new("L", size, 90)))
    assert event == "complete" and (result["width"], result["height"]) == size


def upload(address: str, content: bytes, name: str = "photo.png", chunked: bool = False) -> tuple[int, str]:
    """Status and text of a hand-made upload; the name as it stands in the header."""
    head = (
        f'--cut\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
    )
    body = head.encode() + content + b"\r\n--cut--\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", int(address.rstrip("/").rpartition(":")[2]), timeout=120)
    with contextlib.closing(connection):
        parts = (body[place : place + 2**20] for place in range(0, len(body), 2**20)) if chunked else body
        headers = {"Content-Type": "multipart/form-data; boundary=cut"}
        try:
            connection.request("POST", "/gradio_api/upload", parts, headers, encode_chunked=chunked)
        except (BrokenPipeError, ConnectionResetError):  # the server need not take what it refuses
            pass
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize("chunked", [False, True])
def test_uploads_over_the_limit_are_refused(page_address, chunked):
    status, text = upload(page_address, bytes(MAX_BYTES + 2**20), chunked=chunked)
    assert status == 413 and "at most 30 MB are read" in text


@pytest.mark.parametrize(
    "name", ["${alert(1)}.png", "<script>alert(1)</script>.png", "..%2f..%2fphoto.png", "../../up.png"]
)
def test_names_of_files_are_only_names(page_address, name):
    content = (EXAMPLES / "cat.jpg").read_bytes()
    status, text = upload(page_address, content, name)
    assert status == 200
    (path,) = json.loads(text)
    assert "<" not in path and "$" not in path and ".." not in Path(path).parts
    event, (result,) = call_raw(page_address, {"path": path, "orig_name": name, **META})
    assert event == "complete" and result["faces"] == [] and "alert" not in str(result)


def test_a_path_is_only_a_name(page_address):
    """Of the very photo that was sent, whatever else there is on the disk."""
    (path,) = json.loads(upload(page_address, (EXAMPLES / "cat.jpg").read_bytes(), "detour.png")[1])
    assert "/" not in path and not Path(path).exists()
    for wanted in (
        f"./{path}",
        f"{path}/",
        f"x/../{path}",
        str(EXAMPLES / "astronaut.jpg"),
        os.path.relpath(EXAMPLES / "cat.jpg"),
    ):
        for meta in ({}, META):
            event, data = call_raw(page_address, {"path": wanted, **meta})
            assert event == "error" and "Upload it again" in data["error"], wanted
    assert call_raw(page_address, {"path": path})[0] == "complete"


@pytest.fixture
def other_server(monkeypatch):
    """The address of a server whose requests are noted in a list, and the list; Gradio takes it for a public one."""
    noted = []

    class Noting(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            noted.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write((EXAMPLES / "cat.jpg").read_bytes())

        do_HEAD = do_GET

    async def public(host: str) -> str:
        return host

    monkeypatch.setattr("safehttpx.async_validate_url", public)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Noting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/photo.jpg", noted
        server.shutdown()


@pytest.fixture(scope="module")
def page_here(tmp_path_factory):
    """The address of the page, served by this process."""
    import app
    from inference.analyzer import FaceAnalyzer
    from webui.server import build_sessions, build_video_server, launch

    sessions = build_sessions(Limits(photo_bytes=10 * 2**20))
    video, options = build_video_server(sessions), {"prevent_thread_lock": True, "quiet": True}
    page = launch(app.build_page(), FaceAnalyzer(), sessions, video, **options)
    yield page.local_url
    page.close()


def test_nothing_is_fetched_from_elsewhere(page_here, other_server):
    address, noted = other_server
    file = {"path": address, **META}
    for data in (
        [file],
        [{"url": address}],
        [{"path": "", "url": address}],
        [None, file],
        [{**file, "is_stream": True}],
    ):
        event, answer = call_raw(page_here, *data)
        assert event == "error" and answer["error"], data
    for mark in "=/":
        for wanted in (address, address.replace("http", "%68ttp")):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{page_here}gradio_api/file{mark}{wanted}", timeout=20)
            assert refused.value.code in (403, 404)
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{page_here}gradio_api/proxy={address}", timeout=20)
    assert noted == []


def test_data_urls_keep_to_a_lower_limit(page_here):
    event, data = call_raw(page_here, {"url": "data:image/png;base64," + "A" * (19 * 2**20)})
    assert (
        event == "error"
        and data["error"] == "The photo is too large; at most 10 MB are read. Make it smaller and try again."
    )


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_files_of_the_server_are_not_read(page_address, meta):
    event, data = call_raw(page_address, {"path": str(EXAMPLES / "astronaut.jpg"), **meta})
    assert event == "error"
    event, data = call_raw(page_address, {"path": "/etc/passwd", **meta})
    assert event == "error" and "root" not in str(data)


def test_a_data_url_over_the_limit_is_refused(page_address):
    event, data = call_raw(page_address, {"url": "data:image/png;base64," + "A" * (41 * 2**20)})
    assert (
        event == "error"
        and data["error"] == "The photo is too large; at most 30 MB are read. Make it smaller and try again."
    )
