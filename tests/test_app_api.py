"""The running page's API, as programs use it and as they misuse it."""

import base64
import json
import pytest
import time
import urllib.error
import urllib.request
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from pathlib import Path
from PIL import Image

from inference.types import CROWD, EMOTIONS, GENDERS

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(scope="module")
def client(page_address) -> Client:
    return Client(page_address, verbose=False)


def call_raw(address: str, payload) -> tuple[str, object]:
    """The last event of a call with a hand-made body: ("complete" or "error", data)."""
    body = json.dumps({"data": [payload]}).encode()
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
    with pytest.raises(AppError, match="not a picture"):
        client.predict(handle_file(fake), api_name="/analyze")
    fake.write_bytes((EXAMPLES / "astronaut.jpg").read_bytes()[:9000])
    with pytest.raises(AppError, match="damaged"):
        client.predict(handle_file(fake), api_name="/analyze")


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (None, "No photo was sent"),
        ({"url": "data:image/png,abc"}, "not base64"),
        ({"url": "data:image/png;base64,%%%"}, "not valid base64"),
        ({"url": "data:image/png;base64,"}, "empty"),
        ({"url": "http://127.0.0.1:9/photo.jpg"}, "Upload it again"),
        ({"path": ""}, "Upload it again"),
        ("text", None),
        ([1, 2], None),
        ({"path": 7}, None),
    ],
)
def test_odd_bodies_get_an_error_and_no_traceback(page_address, payload, says):
    event, data = call_raw(page_address, payload)
    assert event == "error" and "Traceback" not in str(data)
    assert says is None or says in data["error"]


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_files_of_the_server_are_not_read(page_address, meta):
    event, data = call_raw(page_address, {"path": str(EXAMPLES / "astronaut.jpg"), **meta})
    assert event == "error"
    event, data = call_raw(page_address, {"path": "/etc/passwd", **meta})
    assert event == "error" and "root" not in str(data)


def test_a_data_url_over_the_limit_is_refused(page_address):
    event, data = call_raw(page_address, {"url": "data:image/png;base64," + "A" * (41 * 2**20)})
    assert event == "error" and "Traceback" not in str(data)


def test_uploads_are_deleted_as_the_page_says(monkeypatch, tmp_path):
    import app
    from inference.analyzer import FaceAnalyzer

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setattr(app, "SWEEP_SECONDS", 1)
    monkeypatch.setattr(app, "KEPT_SECONDS", 2)
    page = app.build_page(FaceAnalyzer())
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True)
    try:
        photo = tmp_path / "visitor.png"
        Image.effect_noise((64, 64), 50).save(photo)
        Client(address, verbose=False).predict(handle_file(photo), api_name="/analyze")
        assert list((tmp_path / "uploads").rglob("visitor.png"))
        deadline = time.monotonic() + 20
        while list((tmp_path / "uploads").rglob("visitor.png")):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        page.close()
