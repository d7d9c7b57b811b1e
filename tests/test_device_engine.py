"""What the page's modules find and say on the viewer's own device, against inference/ on the same pictures."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from export.conformance import write_pictures
from inference.model_files import MODELS
from webui.client import STATIC

ADDRESS = "http://device.test/"
BOX, CROP, PROBABILITY, AGE = 1.0, 1.0, 0.005, 0.3
"""The largest difference of a box in pixels, of a crop in grey values on average, of a probability, and of an age in years."""
ANGLE = 0.5
"""In degrees."""
ANSWERS = """async () => {
    const runtime = await import("/static/vendor/onnxruntime.js");
    const packed = (await fetch("/static/vendor/onnxruntime.wasm.gz")).body;
    runtime.env.wasm.wasmBinary = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
    runtime.env.wasm.numThreads = 1;
    return JSON.stringify(await (await import("/tests/device_engine.mjs")).answers(runtime));
}"""


@pytest.fixture(scope="module")
def both(browser, tmp_path_factory) -> tuple[dict, dict]:
    """The vectors, and what Chromium answers to them."""
    vectors = tmp_path_factory.mktemp("vectors")
    write_pictures(vectors)
    folders = {"static": STATIC, "models": MODELS, "tests": Path(__file__).parent, "vectors": vectors}

    def serve(route) -> None:
        top, _, name = route.request.url.removeprefix(ADDRESS).partition("/")
        if name:
            types = {".js": "text/javascript", ".mjs": "text/javascript"}
            route.fulfill(path=folders[top] / name, content_type=types.get(Path(name).suffix))
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    page = browser.new_page()
    page.route(f"{ADDRESS}**", serve)
    page.goto(ADDRESS)
    answers = json.loads(page.evaluate(ANSWERS))
    page.close()
    return json.loads((vectors / "pictures.json").read_text()), answers


def test_the_same_faces_are_found_at_the_same_places(both):
    told, found = ({one["file"]: one["detections"] for one in side["pictures"]} for side in both)
    assert {name: len(faces) for name, faces in found.items()} == {name: len(faces) for name, faces in told.items()}
    assert len(told["meeting.png"]) == len(told["lying.png"]) > 3 and len(told["crowd.png"]) > 25
    assert len(told["before_cat.png"]) == 1
    assert told["nothing.png"] == told["cat.png"] == []
    assert {face["search"] for faces in told.values() for face in faces} == {"yunet"}
    for name, faces in told.items():
        for face, other in zip(faces, found[name]):
            assert np.abs(np.subtract(face["box"], other["box"])).max() <= BOX, name
            for point, same in (
                ("left_eye", "leftEye"),
                ("right_eye", "rightEye"),
                ("nose", "nose"),
                ("mouth", "mouth"),
            ):
                assert np.abs(np.subtract(face[point], other[same])).max() <= BOX, (name, point)
            assert abs(face["score"] - other["score"]) <= PROBABILITY, name


def test_crops_are_the_same(both):
    def crops(side: dict, key: str) -> list[np.ndarray]:
        coded = [crop for picture in side["pictures"] for crop in picture[key]]
        return [np.frombuffer(base64.b64decode(crop), np.uint8).astype(int) for crop in coded]

    for key in ("crops", "portraits"):
        told, cut = (crops(side, key) for side in both)
        assert len(told) == len(cut) > 40
        assert max(np.abs(crop - other).mean() for crop, other in zip(told, cut)) <= CROP


def test_answers_are_the_same_by_the_same_names(both):
    told, said = ([face for one in side["pictures"] for face in one["faces"]] for side in both)
    assert len(told) == len(said)
    for face, other in zip(told, said):
        compare_faces(face, other)


def compare_faces(face: dict, other: dict) -> None:
    assert face.keys() == other.keys()
    for key in ("probabilities", "consensus", "crowd", "gender"):
        if key in face:
            assert face[key].keys() == other[key].keys()
            largest = max(abs(face[key][name] - other[key][name]) for name in face[key])
            assert largest <= PROBABILITY, key
    if "age" in face:
        assert abs(face["age"] - other["age"]) <= AGE
        assert np.abs(np.subtract(face["age_distribution"], other["age_distribution"])).max() <= PROBABILITY
    if "quality" in face:
        quality, same = dict(face["quality"]), dict(other["quality"])
        assert quality.keys() == same.keys()
        assert quality.pop("issues") == same.pop("issues")
        for name, value in quality.items():
            assert (value is None) == (same[name] is None)
            close = ANGLE if name in ("yaw", "pitch", "roll") else 0.02 * max(value, 1)
            assert value is None or abs(value - same[name]) <= close, name


def test_the_same_people_are_followed_in_a_stream(both):
    told, seen = (side["frames"] for side in both)
    ids = [[person["id"] for person in frame["people"]] for frame in told]
    assert [[person["id"] for person in frame["people"]] for frame in seen] == ids
    assert ids[0] != ids[-1] and len(ids[0]) > 1 and len(ids[-1]) == 1
    for frame, other in zip(told, seen):
        for person, same in zip(frame["people"], other["people"]):
            for kind in ("measured", "smoothed"):
                compare_faces(*(without_place(one[kind]) for one in (person, same)))
                boxes = [one[kind]["detection"]["box"] for one in (person, same)]
                assert np.abs(np.subtract(*boxes)).max() <= BOX, (frame["file"], kind)


def without_place(face: dict) -> dict:
    return {name: value for name, value in face.items() if name != "detection"}
