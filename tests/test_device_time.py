"""The browser's own tracker, timeline and tables say what Python's do."""

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from export.conformance_time import SCENES, SESSIONS, said_faces, vectors
from inference.analyzer import Cut
from inference.blazeface import DetectorError
from inference.stream import Moment, Stream
from inference.tables import MAX_ROWS, STORED, FrameTable, moment_rows
from inference.tracker import TrackedFace
from webui.limits import Limits
from webui.live import _person, _reading
from webui.session_routes import _report, _state
from webui.sessions import Session

HERE = Path(__file__).resolve().parent
DEVICE = HERE.parent / "webui" / "static" / "device"
ADDRESS = "http://device.test/"
CLOSE, ROUNDED = 1e-6, 1.1e-4
"""Largest difference of a number: as it is, because what is averaged has single precision; and of one that is told with four digits
or more, of which the last may be another."""


@pytest.fixture(scope="module")
def known() -> dict:
    return json.loads(json.dumps(vectors()))


@pytest.fixture(scope="module")
def device(browser, known):
    """A function that calls one of tests/device_time.mjs in the browser."""
    page = browser.new_page()

    def serve(route) -> None:
        name = route.request.url.removeprefix(ADDRESS)
        file = (DEVICE.parent if "/" in name else HERE) / name
        if not name:
            route.fulfill(body="<!doctype html>", content_type="text/html")
        elif file.is_file():
            route.fulfill(path=file, content_type="text/javascript")
        else:  # a handler that fails leaves the page waiting for ever
            route.fulfill(status=404)

    page.route(f"{ADDRESS}**", serve)
    page.goto(ADDRESS)

    # As text, which Playwright hands over faster than values.
    script = """async ([name, given]) => {
        const runner = await import("/device_time.mjs");
        return JSON.stringify(await runner[name](...JSON.parse(given)));
    }"""

    def call(name: str, *given):
        return json.loads(page.evaluate(script, [name, json.dumps(given)]))

    given = {name: known[name] for name in ("constants", "crops", "faces")}
    page.evaluate("async (given) => (await import('/device_time.mjs')).open(given)", given)
    yield call
    page.close()


def differences(one, other, close: float, at: str = "") -> list[str]:
    """Where two values of JSON are not the same, numbers nearly."""
    pairs = None
    if isinstance(one, dict) and isinstance(other, dict) and set(one) == set(other):
        pairs = {key: (one[key], other[key]) for key in one}
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = dict(enumerate(zip(one, other)))
    if pairs is not None:
        return [line for key, pair in pairs.items() for line in differences(*pair, close, f"{at}.{key}")]
    numbers = [isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other)]
    same = abs(one - other) <= close if all(numbers) else one == other and type(one) is type(other)
    return [] if same else [f"{at}: {one!r:.200} and {other!r:.200}"]


def cells(text: str) -> list[list]:
    """A CSV with decimal commas, its numbers as such."""

    def value(cell: str) -> float | str:
        try:
            return float(cell.replace(",", "."))
        except ValueError:
            return cell

    return [[value(cell) for cell in row] for row in csv.reader(StringIO(text, newline=""), delimiter=";")]


@pytest.mark.parametrize("scene", SCENES)
def test_people_are_followed_as_by_python(device, known, scene):
    frames = known["tracks"][scene]
    expected = [{name: frame[name] for name in ("expected", "people")} for frame in frames]
    assert differences(device("track", frames), expected, CLOSE) == []


def test_faces_and_people_are_paired_as_by_python(device, known):
    found = device("assignments", known["assignments"])
    assert found == [example["pairs"] for example in known["assignments"]]
    assert sum(map(len, found)) > 100


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_is_told_as_by_python(device, known, session):
    steps = known["curves"][session]
    for step, found in zip(steps, device("play", [step["do"] for step in steps]), strict=True):
        expected = step["gives"]
        if step["do"] == ["rows"]:
            assert found["csv"].count("\r\n") == found["csv"].count("\n")
            assert differences(cells(found.pop("csv")), cells(expected.pop("csv")), ROUNDED) == []
        close = CLOSE if step["do"][0] in ("add", "baselines") else ROUNDED
        assert differences(found, expected, close) == [], step["do"]


def test_a_page_is_answered_as_by_the_server(device):
    faces, camera = said_faces(), {"width": 640, "height": 480}
    frames = [[0.1 * index, [[1, index, 5 * index % 60], [4, index + 7, 5 * index % 60]]] for index in range(50)]
    stream = Stream(SimpleNamespace())
    session = Session(stream, Limits())
    answers = []
    for seconds, shown in frames:
        people = [TrackedFace(id_, faces[face], faces[other], 0.0) for id_, face, other in shown]
        moment = Moment(seconds, people, *stream.timeline.add(seconds, people))
        session.rows.add(moment_rows(moment))
        session.seconds = seconds
        told = [_person(person, moment.readings[person.id], (640, 480)) for person in people]
        answers.append({"seconds": seconds, "people": told, "room": _reading(moment.room), "milliseconds": 1})
    stream.timeline.mark("a mark")
    stream.timeline.calibrate(0.0)
    found = device("answer", frames, camera)
    assert differences(found["frames"], answers, ROUNDED) == []
    assert differences(found["state"], _state(session), ROUNDED) == []
    assert differences(found["report"], _report(session), ROUNDED) == []
    assert differences(found["restored"], found["report"], ROUNDED) == []
    assert differences(found["table"], list(session.rows.columns()), ROUNDED) == []
    assert found["csv"][0].split("\r\n")[0] == next(session.rows.csv()).strip()
    for comma, text in zip((False, True), found["csv"]):
        expected = "".join(session.rows.csv(decimal_comma=comma))
        assert expected[0] == text[0] and len(expected) == pytest.approx(len(text), abs=9)
    assert differences(found["faces"], [face.to_dict() for face in faces], ROUNDED) == []


def test_the_oldest_rows_go_first(device):
    count = MAX_ROWS + 2
    rows = np.full((count, len(STORED)), np.nan)
    rows[:, STORED.index("seconds")] = np.arange(count)
    table = FrameTable()
    table.add(rows)
    assert device("fill", count) == [table.dropped, next(table.columns())["seconds"][0]]
    assert table.dropped > 0


def test_frames_are_taken_while_a_long_table_is_written(device):
    messages, lines = device("heeded", 6000)
    assert messages >= 10 and lines == 6001


def test_a_stream_goes_on_after_a_frame_on_which_the_detector_fails(device):
    faces = said_faces()
    frames = [
        {"seconds": seconds, "places": [30 + index, 41, 52][: 1 + index // 3], "fails": index in (4, 9)}
        for index, seconds in enumerate((0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.1, 1.7, 2.3, 2.9, 3.5, 4.1))
    ]
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)

    asked = []

    class Detector:
        def follow(self, _image, _expected, search, thorough, _turn):
            asked.append([search, thorough])
            if frame["fails"]:
                raise DetectorError("detector_failed")
            return [faces[place].detection for place in frame["places"]]

    def cut(_image, found, _age_gender):
        seen = [next(face for face in faces if face.detection == detection) for detection in found]
        return [Cut(face.detection, face.crop, face.quality, None) for face in seen]

    def answer(cuts):
        return [replace(face, detection=cut.detection) for cut in cuts for face in faces if face.crop is cut.crop]

    stream, moments = Stream(SimpleNamespace(detector=Detector(), cut=cut, answer=answer), camera=True), []
    for frame in frames:
        try:
            moment = stream.add(pixels, frame["seconds"], 48)
        except DetectorError as error:
            moments.append(error.code)
            continue
        readings = {str(id_): [reading.index, reading.deviation] for id_, reading in moment.readings.items()}
        ids = [[person.id, *person.smoothed.detection.box] for person in moment.people]
        room = [moment.room.index, moment.room.deviation]
        moments.append({"seconds": moment.seconds, "ids": ids, "room": room, "readings": readings})
    picture = {"data": pixels.ravel().tolist(), "width": 24, "height": 16}
    found = device("stream", picture, frames)
    assert differences(found, {"moments": moments, "report": stream.report(), "asked": asked}, CLOSE) == []
    assert found["report"]["frames_lost"] == 2 and found["report"]["frames"] == 10


def test_what_was_compared_is_not_always_the_same(known):
    """Vectors in which nothing happens would show nothing."""
    ids = {
        scene: {person["id"] for frame in frames for person in frame["people"]}
        for scene, frames in known["tracks"].items()
    }
    assert ids["two who cross"] == {1, 2} and len(ids["three who leave and come back"]) > 3
    assert len(ids["frames that are lost"]) > 5
    given = [step["gives"] for step in known["curves"]["marked"]]
    errors = [answer for answer in given if isinstance(answer, dict) and "error" in answer]
    assert len(errors) == 6
    many = next(step["gives"] for step in known["curves"]["many people"] if step["do"] == ["people"])
    assert many[0] > 0 and len(many) == 1001
    index = [
        step["gives"]["room"][0]
        for step in known["curves"]["plain"]
        if step["do"][0] == "add" and step["gives"]["room"]
    ]
    assert np.ptp(index) > 0.5
