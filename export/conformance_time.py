"""What inference's tracker and timeline say of made-up people: vectors for programs in other languages that follow them.

    python -m export.conformance_time DIR

writes DIR/time.json, an object of

`constants`: of `inference.constants`.
`crops`: grey faces (48, 48) that faces name by their place, as base64 of their bytes.
`tracks`: scenes of people who move, by name. A scene is a list of frames: `seconds`, `doubted`, the `faces` that `FaceTracker.update` is
given and the `people` that it gives back, whose `smoothed` are what it averaged, and, from before it, `expected` by `predict` as id
and box.
`assignments`: `ratios` that `tracker.assign` is given and the `pairs` that it gives back.
`curves`: sessions, by name. A session is a list of steps: the name of what is done with a Timeline and its arguments under `do`, and
`gives`, what that gave. A frame's people are `id`, `measured` and `smoothed`, where a face is named by its place in `faces`.
`faces`: what those said.
"""

import argparse
import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from inference.constants import constants
from inference.satisfaction import MAX_MARKERS, VALENCE, Reading, Timeline, TimelineError
from inference.stream import Moment
from inference.tables import FrameTable, csv_lines, moment_rows
from inference.tracker import FaceTracker, TrackedFace, assign
from inference.types import AGES, CROWD, EMOTIONS, GENDERS, Detection, Face, Quality

CROP_SIDE, SIDE = 48, 100.0
VIEWS = 3
"""Crops of a person, who never looks twice the same."""


def write_time(folder: Path) -> Path:
    """Write the vectors; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "time.json"
    file.write_text(json.dumps(vectors(), allow_nan=False))
    return file


def vectors() -> dict[str, Any]:
    """All of them, as JSON types."""
    crops = [crop for person in range(PEOPLE) for crop in _crops(person)]
    said = said_faces()
    return {
        "constants": constants(),
        "crops": [base64.b64encode(crop.tobytes()).decode() for crop in crops],
        "tracks": {name: list(_track(crops, scene())) for name, scene in SCENES.items()},
        "assignments": list(_assignments()),
        "faces": [_face_entry(face) for face in said],
        "curves": {name: list(_session(said, steps())) for name, steps in SESSIONS.items()},
    }


# Tracks

PEOPLE = 8
Scene = Iterable[tuple[float, bool, list[tuple[int, Face]]]]
"""Frames: seconds, whether they are doubted, and faces with the place of their crop."""


def _crops(person: int) -> Iterator[np.ndarray]:
    """A pattern of its own for each person, with noise."""
    rng = np.random.default_rng(person)
    pattern = np.kron(rng.integers(40, 216, (8, 8)), np.ones((6, 6)))
    for _ in range(VIEWS):
        yield np.clip(pattern + rng.normal(0, 12, pattern.shape), 0, 255).astype(np.uint8)


def _face(rng: np.random.Generator, x: float, y: float, side: float = SIDE, **said: Any) -> Face:
    """A face there, trembling as a detector's does; its crop is put in later."""
    x, y, half = (
        x + rng.normal(0, 0.012 * side),
        y + rng.normal(0, 0.012 * side),
        side / 2 + rng.normal(0, 0.006 * side),
    )
    left, right = ((x + turn * side / 4 + rng.normal(0, 0.009 * side), y - side / 6) for turn in (-1, 1))
    detection = Detection((x - half, y - half, x + half, y + half), float(rng.uniform(0.5, 1)), left, right)
    return Face(detection, np.zeros((CROP_SIDE, CROP_SIDE), np.uint8), _distribution(rng, len(EMOTIONS)), **said)


def _distribution(rng: np.random.Generator, length: int) -> np.ndarray:
    values = rng.dirichlet(np.full(length, 0.3)).astype(np.float32)
    return values / values.sum()


def _scene(
    rate: float,
    seconds: float,
    people: int,
    where: Callable[[int, float], tuple[float, ...]],
    hidden: Callable[[int, float], bool] = lambda person, now: False,
    looks: Callable[[int], int] = lambda person: person,
    start: float = 0.0,
) -> Scene:
    """People who are where `where` says, x, y and perhaps side, unless hidden, and look like the person that `looks` says."""
    rng = np.random.default_rng(people)
    for index in range(round(rate * seconds)):
        now = index / rate
        there = [person for person in range(people) if not hidden(person, now)]
        faces = [
            (VIEWS * looks(person) + int(rng.integers(VIEWS)), _face(rng, *where(person, now))) for person in there
        ]
        yield start + now, False, faces


def _crossing(same: bool) -> Scene:
    """Two who pass each other twice, the one behind hidden meanwhile."""

    def where(person: int, now: float) -> tuple[float, float]:
        return 500 + (1, -1)[person] * 300 * np.cos(np.pi * now / 3), 200

    def hidden(person: int, now: float) -> bool:
        return person == 1 and abs(where(0, now)[0] - where(1, now)[0]) < SIDE / 2

    return _scene(10, 7, 2, where, hidden, (lambda person: 0) if same else (lambda person: person))


def _coming_back() -> Scene:
    """Three in a row, hidden for a second, for longer than a gap, and swapping places out of sight."""

    def where(person: int, now: float) -> tuple[float, float]:
        places = (0, 1, 2) if now < 7 else (1, 0, 2)
        return 200 + 300 * places[person], 200

    def hidden(person: int, now: float) -> bool:
        return 1 <= now < 2 and person == 0 or 3 <= now < 5.5 and person == 2 or 6.5 <= now < 7.5 and person < 2

    return _scene(8, 9, 3, where, hidden)


def _crowd() -> Scene:
    """Eight who walk about on each other, growing and shrinking, at a rate that is no whole number of milliseconds."""

    def where(person: int, now: float) -> tuple[float, float, float]:
        angle = now * (0.5 + 0.2 * person) + person
        return 600 + 220 * np.cos(angle), 400 + 200 * np.sin(1.3 * angle), 90 + 40 * np.sin(now + person)

    return _scene(7, 6, PEOPLE, where, lambda person, now: int(3 * now + person) % 7 == 0)


def _lost_frames() -> Scene:
    """Frames that come late, twice at one time, before the one before, or after a clock was set back; false faces; doubt."""
    rng = np.random.default_rng(5)
    times = [0.0, 0.1, 0.1, 0.2, 0.15, 0.3, 1.2, 1.3, 1.9, 3.31, 3.4, 3.5]
    times += [1.0, 1.1, 1.2, 3.2, 3.3, 3.4, 3.5, 3.6, 3.7, 5.7, 5.8]
    for number, seconds in enumerate(times):
        faces = [(VIEWS * 1, _face(rng, 300 + 20 * number, 200)), (VIEWS * 2 + 1, _face(rng, 700, 210, 80))]
        if number % 4 == 1:
            faces.insert(0, (VIEWS * 5, _face(rng, 345 + 20 * number, 215, 90)))  # a false one, on the first
        if number in (5, 8):
            faces.append((VIEWS * 6, _face(rng, 1000, 300)))  # one that was seen too briefly to be remembered
        if number in (7, 18):
            faces = []
        if number >= 19:
            faces = [(VIEWS * 3 + number % VIEWS, face) for _, face in faces]  # others at the same places
        yield seconds, number in (14, 19), faces


def _said_now_and_then() -> Scene:
    """One person of whom the crowd, age and gender are told from time to time."""
    rng = np.random.default_rng(6)
    for number in range(30):
        said: dict[str, Any] = {}
        if number > 3:
            said["crowd"] = _distribution(rng, len(CROWD))
        if 8 <= number < 12 or number >= 20:
            said |= {"age_distribution": _distribution(rng, AGES), "gender": _distribution(rng, len(GENDERS))}
        yield 0.07 * number, False, [(VIEWS * 4, _face(rng, 300, 200, **said))]


def _walking_away() -> Scene:
    """One who is out of sight twice while getting small so fast that the size expected then would be less than nothing, and longer
    than is remembered by less than counts, and by more."""
    rng = np.random.default_rng(7)
    times = [0.1 * index for index in range(5)]
    times += [0.7, 0.8, 0.9, 1.2, 1.3, 3.3000005, 3.4, 5.400002]
    for seconds in times:
        side = max(300 - 500 * seconds, 40) if seconds < 0.75 else max(300 - 500 * (seconds - 0.75), 40)
        yield seconds, False, [(VIEWS * 6, _face(rng, 300 + 100 * seconds, 200, side))]


def _placed_by_two() -> Scene:
    """One who walks, and is placed now by one model, now by the other, which sees everything a little further down."""
    rng = np.random.default_rng(8)
    for number, seconds in enumerate((0.0, 0.01, 0.12, 0.16, 0.2, 0.24, 0.25, 0.5, 0.53, 0.56, 0.6)):
        face = _face(rng, 200 + 60 * seconds, 200)
        if number % 4 in (1, 2):
            face = _with(face, detection=replace(face.detection.moved(0, 0.07 * SIDE), placed_at=160))
        yield seconds, False, [(VIEWS * 6, face)]


SCENES: dict[str, Callable[[], Scene]] = {
    "two who cross": lambda: _crossing(False),
    "two who look alike cross": lambda: _crossing(True),
    "three who leave and come back": _coming_back,
    "a crowd": _crowd,
    "frames that are lost": _lost_frames,
    "one who walks away": _walking_away,
    "what is said now and then": _said_now_and_then,
    "one whom two models place": _placed_by_two,
}


def _track(crops: list[np.ndarray], scene: Scene) -> Iterator[dict]:
    tracker = FaceTracker()
    for seconds, doubted, found in scene:
        faces = [_with(face, crop=crops[place]) for place, face in found]
        expected = [[id_, *detection.box] for id_, detection in tracker.predict(seconds)]
        yield {
            "seconds": seconds,
            "doubted": doubted,
            "faces": [_face_entry(face) | {"crop": place} for place, face in found],
            "expected": expected,
            "people": [_tracked_entry(person) for person in tracker.update(faces, seconds, doubted)],
        }


def _with(face: Face, **changes: Any) -> Face:
    names = ("detection", "crop", "probabilities", "crowd", "activation", "age_distribution", "gender", "quality")
    return Face(**{name: getattr(face, name) for name in names} | changes)


def _face_entry(face: Face) -> dict:
    """What a face is made of, to the last digit; its crop is elsewhere."""
    averaged = ("probabilities", "crowd", "age_distribution", "gender")
    distributions = {name: value for name in averaged if (value := getattr(face, name)) is not None}
    return {
        "detection": asdict(face.detection),
        **{name: np.asarray(value, np.float64).tolist() for name, value in distributions.items()},
        "quality": None if face.quality is None else asdict(face.quality),
    }


def _tracked_entry(person: TrackedFace) -> dict:
    return {"id": person.id, "seconds": person.seconds, "smoothed": _face_entry(person.smoothed)}


def _assignments() -> Iterator[dict]:
    """Of all sizes, with many rivals and with few, and with ratios that are equal."""
    rng = np.random.default_rng(8)
    for number in range(60):
        ratios = rng.normal(number % 3 - 1, 1, rng.integers(1, 9, 2))
        ratios = np.round(ratios, number % 2) if number % 4 else ratios
        yield {"ratios": ratios.tolist(), "pairs": assign(ratios.tolist())}


# Curves

Steps = Iterable[tuple]
"""What is done: a name and arguments. A frame is ("add", seconds, {id: (place of the measured face, of the smoothed)})."""


def said_faces() -> list[Face]:
    """Faces: of one clear answer, of doubtful ones, with and without a crowd, age, gender and quality."""
    rng = np.random.default_rng(9)
    faces = []
    for number in range(60):
        said: dict[str, Any] = {}
        if number >= 30:
            said["crowd"] = _distribution(rng, len(CROWD))
        if number % 3 == 0:
            issues = ("too_small", "cut_off")[: number % 4]
            yaw, pitch = (12.34, None) if number % 2 else (None, -3.25)
            said["quality"] = Quality(90.0, yaw, pitch, 3.0, 1.0, 90.0, 30.0, 0.0, 0.0, issues, 0.9)
        if number % 5 == 0:
            ages, (first, width) = np.zeros(AGES, np.float32), rng.integers((5, 3), (60, 40))
            ages[first : first + width] = _distribution(rng, width)
            said |= {"age_distribution": ages, "gender": _distribution(rng, len(GENDERS))}
        faces.append(_face(rng, *rng.uniform(100, 900, 2), **said))
    return faces


def _walk(rng: np.random.Generator, seconds: float, rate: float, ids: Iterable[int], start: float = 0.0) -> Steps:
    """Frames of people who change what they show now and then, without a crowd."""
    shown = {id_: int(rng.integers(30)) for id_ in ids}
    for index in range(round(seconds * rate)):
        for id_ in shown:
            if rng.random() < 0.1:
                shown[id_] = int(rng.integers(30))
        yield "add", start + index / rate, {id_: (place, (place + 5) % 30) for id_, place in shown.items()}


LOOK = (("curve",), ("baselines",), ("report",), ("rows",))
"""All that is to be told."""


def _plain() -> Steps:
    """One person, then two, then nobody, then one of them after a pause, and what a finished session makes of it."""
    rng = np.random.default_rng(1)
    yield from LOOK
    yield from _walk(rng, 8, 5, (1,))
    yield from _walk(rng, 6, 5, (1, 2), 8)
    yield from LOOK
    yield from (("add", 14 + index / 5, {}) for index in range(10))
    yield from _walk(rng, 6, 5, (2,), 40)
    yield from LOOK
    yield ("finish",)
    yield from LOOK


def _of_crowds() -> Steps:
    """Faces with all answers, of age and gender from the smoothed ones alone too, in frames at uneven times, several at one time; ids
    that do not come in order."""
    rng, now = np.random.default_rng(2), 3.7
    for _ in range(120):
        now += float(rng.choice([0, 0.04, 0.1, 0.5, 3]))
        ids = rng.permutation([3, 1, 12, 7])[: rng.integers(5)].tolist()
        yield "add", now, {id_: (place := int(rng.integers(60)), 5 * place % 60) for id_ in ids}
    yield from LOOK
    yield ("finish",)
    yield from LOOK


def _marked() -> Steps:
    """Markers everywhere, weights that change, and baselines of the seconds to come and of those that were."""
    rng = np.random.default_rng(3)
    yield "mark", "  before\u2003 the  first ", None
    yield from _walk(rng, 12, 4, (1, 2))
    yield "mark", "change", None
    yield "calibrate", None
    yield from _walk(rng, 8, 4, (1, 2, 3), 12)
    yield from LOOK
    yield "mark", "x" * 100, 17.5
    yield "mark", "early", 4.25
    yield "mark", "\U0001f600" * 90, 4.25
    yield "relabel", 3, "çok güzel"
    yield "unmark", 1
    yield "set_weights", {name: round(weight / 2 - 0.1, 3) for name, weight in VALENCE.items()}
    yield "calibrate", None
    yield from _walk(rng, 12, 4, (2, 3, 4), 20)
    yield from LOOK
    yield "calibrate", 6.0
    yield from LOOK
    yield ("forget_baseline",)
    yield "calibrate", 30.0
    yield ("finish",)
    yield from LOOK
    # What is not taken.
    yield "calibrate", 500.0
    yield "mark", " \t ", None
    yield "relabel", 99, "x"
    yield "unmark", 1
    yield "set_weights", {**VALENCE, "happy": 1.5}
    yield "set_weights", {"happy": 1}
    yield from LOOK[:1]


def _hour() -> Steps:
    """An hour of people who come and go, of which so much is kept that stretches of time are joined, and then joined again."""
    for index in range(4500):
        ids = 1, 2 + index // 2000, 3 + index // 700, 40 + index // 90
        yield "add", 0.9 * index, {id_: (place := (index // 7 + id_) % 30, place) for id_ in ids}
        if index == 3000:
            yield "mark", "middle", None
            yield "calibrate", 0.9 * index - 600
            yield ("report",)
    yield "mark", "later", 1234.5
    yield ("finish",)
    yield from LOOK[:3]


def _many() -> Steps:
    """More people than are kept, each for a moment."""
    for index in range(1060):
        yield "add", 0.25 * index, {1: (3, 3), 2 + index: (index % 30, index % 30)}
    yield ("people",)
    yield ("curve",)


def _markers() -> Steps:
    """As many markers as there may be, and one more; in no order."""
    for index in range(MAX_MARKERS + 1):
        yield "mark", f"marker {index}", float(index * 37 % 100)
    yield "unmark", 250
    yield "mark", "in place of another", 50.0


SESSIONS: dict[str, Callable[[], Steps]] = {
    "plain": _plain,
    "of crowds": _of_crowds,
    "marked": _marked,
    "an hour": _hour,
    "many people": _many,
    "many markers": _markers,
}


def _session(said: list[Face], steps: Steps) -> Iterator[dict]:
    timeline, moments = Timeline(), []
    for name, *arguments in steps:
        if name == "add":
            seconds, shown = arguments
            people = [TrackedFace(id_, said[face], said[other], 0.0) for id_, (face, other) in shown.items()]
            moment = Moment(seconds, people, *timeline.add(seconds, people))
            moments.append(moment)
            told = [[id_, *places] for id_, places in shown.items()]
            known = {str(id_): _reading(reading) for id_, reading in moment.readings.items()}
            yield {"do": ["add", seconds, told], "gives": {"room": _reading(moment.room), "readings": known}}
        else:
            yield {"do": [name, *arguments], "gives": _done(timeline, moments, name, arguments)}


def _done(timeline: Timeline, moments: list[Moment], name: str, arguments: list) -> Any:
    """What a step gives, as JSON types; of one that is refused, {"error": code}."""
    try:
        match name:
            case "finish":
                timeline.finished = True
                return None
            case "baselines":
                return {str(id_): value for id_, value in timeline.baselines.items()}
            case "people":
                report = timeline.report()
                return [report["people_forgotten"], *(person["id"] for person in report["people"])]
            case "rows":
                rows = FrameTable()
                for moment in moments:
                    rows.add(moment_rows(moment))
                tables = list(rows.columns(timeline.finished_curves()))
                return {"tables": tables, "csv": "".join(csv_lines(table, decimal_comma=True) for table in tables)}
            case "mark" | "relabel":
                return asdict(getattr(timeline, name)(*arguments))
            case _:
                return getattr(timeline, name)(*arguments)
    except TimelineError as error:
        return {"error": error.code}


def _reading(reading: Reading | None) -> list[float] | None:
    return None if reading is None else [reading.index, reading.deviation]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m export.conformance_time", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    print(write_time(parser.parse_args().folder))
