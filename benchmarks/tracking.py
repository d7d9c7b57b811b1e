"""Who is who: identities and smoothing on synthetic motion whose truth is known.

    python -m benchmarks.tracking [--faces DIR] [--seeds N] [--json FILE] [--docs]

People walk, stop, cross, hide and leave in a picture of 1280x720. What the detector would say is made from the truth:
jitter and misses as measured for FaceDetector on moving faces (see the constants), a false face now and then, nothing
of a face that is covered by more than half. FaceTracker gets the same detections as a tracker by intersection over
union alone that remembers people for as long.

The looks are synthetic too: smooth random patterns that have a part in common, as all faces have, change slowly, as
heads turn, and carry noise; a face that covers another is seen in its crop. They are less true to themselves than
FairFace's faces are when moved through a picture, whose correlations were 0.97 in the median and 0.78 for the worst
hundredth, and 0.08 and 0.63 for two people. With --faces DIR, the first pictures of a folder, framed as in FairFace
with a margin of a quarter, take the place of the patterns.
"""

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.results import write_result
from benchmarks.speed import processor
from inference.images import SUFFIXES, load_image
from inference.tracker import FaceTracker
from inference.types import AGES, Detection, Face

RATES = (5, 10, 20, 30, 60)
WIDTH, HEIGHT = 1280, 720
SECONDS = 20.0
FIRST_SEED = 100
"""FaceTracker's constants were chosen on runs with the seeds 0 to 3, so others are reported."""
SHORT = 1.0
"""Seconds out of sight that a tracker should bridge."""

# Measured on 60 FairFace faces of 110 to 180 px at 12 places each of a 640x480 frame, JPEG and noise included:
CENTER_JITTER, SIZE_JITTER, EYE_JITTER = 0.010, 0.017, 0.009
"""Standard deviations in sides of the face."""
MISSES = 0.05
"""Part of the frames in which a face is not found. It was 0.08, mostly because a few faces were hardly ever found."""
FALSE = 0.005
"""False faces in a frame: none in the 720 frames measured, so that this is more."""
COVERED = 0.5
"""Part of a face that must be covered by nearer ones for it not to be found."""

CROP = 48
COMMON, DRIFT, GRAIN = 0.55, 0.35, 0.25
"""Standard deviations of what the patterns share, of what changes and of the noise, in those of a pattern."""
DRIFT_SECONDS = 1.5


@dataclass
class Walker:
    """Somebody of whom everything is known.

    Attributes:
        path: (x, y) of the face's middle in pixels at a time in seconds.
        side: of the face, in pixels; the larger is the nearer.
        start, end: seconds of the first and the last frame in the picture.
        hidden: spans of seconds behind something that is no face.
    """

    path: Callable[[float], tuple[float, float]]
    side: float
    start: float = 0.0
    end: float = math.inf
    hidden: tuple[tuple[float, float], ...] = ()

    def visible(self, seconds: float) -> bool:
        """Whether the face is in the picture and behind nothing but, possibly, other faces."""
        if not self.start <= seconds <= self.end or any(start <= seconds < end for start, end in self.hidden):
            return False
        x, y = self.path(seconds)
        return 0 < x < WIDTH and 0 < y < HEIGHT


def line(x: float, y: float, speed: float, start: float = 0.0) -> Callable[[float], tuple[float, float]]:
    """To the right from (x, y) at `start`, at `speed` in pixels per second."""
    return lambda seconds: (x + speed * (seconds - start), y)


def to_and_fro(
    center: float, reach: float, y: float, speed: float, phase: float
) -> Callable[[float], tuple[float, float]]:
    """Along a line and back at constant speed, which is turned round within a quarter of a second."""
    period = 4 * reach / speed

    def path(seconds: float) -> tuple[float, float]:
        # The triangle wave averaged over a quarter of a second.
        times = seconds + np.linspace(-0.125, 0.125, 9)
        wave = np.abs(((times / period + phase) % 1) * 4 - 2) - 1
        return center + reach * float(wave.mean()), y

    return path


def sway(x: float, y: float, reach: float, phase: float) -> Callable[[float], tuple[float, float]]:
    """Somebody who stands or sits: a slow ellipse."""
    return lambda seconds: (
        x + reach * math.sin(1.3 * seconds + phase),
        y + reach / 2 * math.cos(1.7 * seconds + phase),
    )


def crossings(rng: np.random.Generator) -> list[Walker]:
    """Two people walk to and fro at 0.7 to 2 faces a second and cover each other when they meet."""
    side = rng.uniform(90, 140)
    return [
        Walker(
            to_and_fro(640, 350, 360 + rng.uniform(-0.1, 0.1) * side, side * rng.uniform(0.7, 2), rng.uniform(0, 1)),
            side * (1 + 0.12 * number),
        )
        for number in range(2)
    ]


def crowd(rng: np.random.Generator) -> list[Walker]:
    """Eight people walk to and fro at several depths."""
    people = []
    for _ in range(8):
        side = rng.uniform(50, 110)
        path = to_and_fro(
            640, rng.uniform(250, 600), rng.uniform(200, 500), side * rng.uniform(0.5, 2), rng.uniform(0, 1)
        )
        people.append(Walker(path, side))
    return people


def bounce(rng: np.random.Generator) -> list[Walker]:
    """Three faces cross the picture at 1 to 2.5 faces a second and turn back at its edge at once."""

    def path(start: np.ndarray, speed: np.ndarray, low: np.ndarray, high: np.ndarray) -> Callable:
        def at(seconds: float) -> tuple[float, float]:
            around = np.mod(start + speed * seconds - low, 2 * (high - low))
            x, y = low + np.minimum(around, 2 * (high - low) - around)
            return float(x), float(y)

        return at

    people = []
    for _ in range(3):
        side, direction = rng.uniform(70, 120), rng.uniform(0, 2 * math.pi)
        low, high = np.array((side, side)), np.array((WIDTH - side, HEIGHT - side))
        speed = side * rng.uniform(1, 2.5) * np.array((math.cos(direction), math.sin(direction)))
        people.append(Walker(path(rng.uniform(low, high), speed, low, high), side))
    return people


def seated(rng: np.random.Generator) -> list[Walker]:
    """Ten people sit close together in two rows."""
    return [
        Walker(sway(160 + 230 * (number % 5), 260 + 180 * (number // 5), rng.uniform(5, 25), rng.uniform(0, 6)), 110)
        for number in range(10)
    ]


def hides(rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """Out of sight about every three seconds, for 0.2 to 1 second."""
    starts = np.arange(1.5, SECONDS - 2, 3) + rng.uniform(0, 1, len(np.arange(1.5, SECONDS - 2, 3)))
    return tuple((start, start + rng.uniform(0.2, 1.0)) for start in starts)


def hidden_standing(rng: np.random.Generator) -> list[Walker]:
    """Three people stand; each is out of sight now and then for up to a second."""
    return [
        Walker(
            sway(320 + 320 * number, 360, rng.uniform(5, 30), rng.uniform(0, 6)),
            rng.uniform(80, 140),
            hidden=hides(rng),
        )
        for number in range(3)
    ]


def hidden_walking(rng: np.random.Generator) -> list[Walker]:
    """Three people walk to and fro, which some do while they are out of sight, for up to a second."""
    people = []
    for number in range(3):
        side = rng.uniform(80, 120)
        path = to_and_fro(640, 450, 180 + 180 * number, side * rng.uniform(0.7, 1.5), rng.uniform(0, 1))
        people.append(Walker(path, side, hidden=hides(rng)))
    return people


def passers_by(rng: np.random.Generator) -> list[Walker]:
    """Somebody new enters about every second and a half, walks through and never comes back; two sit."""
    people = [Walker(sway(400 + 480 * number, 420, 10, rng.uniform(0, 6)), 150) for number in range(2)]
    for number in range(12):
        side, start = rng.uniform(70, 130), number * 1.5 + rng.uniform(0, 1)
        speed = side * rng.uniform(1.0, 2.5) * rng.choice((-1, 1))
        path = line(1 if speed > 0 else WIDTH - 1, rng.uniform(250, 500), speed, start)
        people.append(Walker(path, side, start))
    return people


SCENARIOS = {
    "two cross": crossings,
    "eight walk": crowd,
    "three bounce": bounce,
    "ten sit": seated,
    "hidden, standing": hidden_standing,
    "hidden, walking": hidden_walking,
    "enter and leave": passers_by,
}


class Looks:
    """The crops of people: patterns, or grey pictures (N, CROP, CROP) where there are some."""

    def __init__(self, rng: np.random.Generator, pictures: np.ndarray | None):
        self.rng, self.pictures = rng, None if pictures is None else rng.permutation(pictures)
        self.common = self.pattern()
        self.own: dict[int, np.ndarray] = {}
        self.drift: dict[int, tuple[float, np.ndarray]] = {}

    def pattern(self) -> np.ndarray:
        """A smooth random pattern (CROP, CROP) of mean 0 and standard deviation 1."""
        field = cv2.GaussianBlur(self.rng.normal(size=(CROP, CROP)), (0, 0), CROP / 12)
        return (field - field.mean()) / field.std()

    def crop(self, person: int, seconds: float) -> np.ndarray:
        """float (CROP, CROP), about 0 to 255."""
        if person not in self.own:
            if self.pictures is None:
                self.own[person] = 128 + 35 * (COMMON * self.common + self.pattern())
            else:
                self.own[person] = self.pictures[person % len(self.pictures)].astype(float)
            self.drift[person] = (seconds, self.pattern())
        last, drift = self.drift[person]
        keep = math.exp((last - seconds) / DRIFT_SECONDS)
        drift = keep * drift + math.sqrt(max(1 - keep**2, 0)) * self.pattern()
        self.drift[person] = (seconds, drift)
        return self.own[person] + 35 * (DRIFT * drift + GRAIN * self.rng.normal(size=(CROP, CROP)))


def detection(x: float, y: float, side: float, rng: np.random.Generator) -> Detection:
    """What the detector says of a face: jitter in its middle, its sides and its eyes."""
    width, height = side * (1 + SIZE_JITTER * rng.normal(size=2))
    left, right = rng.normal(0, EYE_JITTER * side, (2, 2)) + (
        (x - side / 4, y - side / 6),
        (x + side / 4, y - side / 6),
    )
    x, y = (x, y) + rng.normal(0, CENTER_JITTER * side, 2)
    box = (max(x - width / 2, 0), max(y - height / 2, 0), min(x + width / 2, WIDTH), min(y + height / 2, HEIGHT))
    x1, y1, x2, y2 = map(float, box)
    (left_x, left_y), (right_x, right_y) = np.asarray((left, right)).tolist()
    return Detection((x1, y1, x2, y2), 0.9, (left_x, left_y), (right_x, right_y))


def face_of(place: Detection, crop: np.ndarray, probabilities: np.ndarray | None = None) -> Face:
    """A face that says nothing of itself, unless it is told."""
    even = np.full(7, 1 / 7, np.float32) if probabilities is None else probabilities
    return Face(place, np.clip(crop, 0, 255).astype(np.uint8), even, np.full(8, 1 / 8, np.float32))


def frames(people: list[Walker], rate: float, seed: int, pictures: np.ndarray | None) -> Iterator:
    """Frame by frame: seconds, faces, and for each face the number of its person, -1 for a false one."""
    rng = np.random.default_rng(seed)
    looks = Looks(rng, pictures)
    for number in range(round(SECONDS * rate)):
        # The camera's clock: frames are a little early or late.
        seconds = (number + rng.uniform(-0.1, 0.1)) / rate
        there = [
            (index, *person.path(seconds), person.side)
            for index, person in enumerate(people)
            if person.visible(seconds)
        ]
        found = []
        for index, x, y, side in there:
            crop = looks.crop(index, seconds)
            covered = 0.0
            for other, other_x, other_y, other_side in there:
                if other_side > side:
                    reach = (side + other_side) / 2
                    width, height = (min(max(reach - gap, 0), side) for gap in (abs(x - other_x), abs(y - other_y)))
                    share = width * height / side**2
                    covered += share
                    if share > 0:  # the other's face is in the crop
                        columns = round(CROP * width / side)
                        part = slice(CROP - columns, CROP) if other_x > x else slice(0, columns)
                        crop[:, part] = looks.own.get(other, crop)[:, part]
            if covered < COVERED and rng.random() > MISSES:
                found.append((index, face_of(detection(x, y, side, rng), crop)))
        if rng.random() < FALSE:
            place = detection(rng.uniform(50, WIDTH - 50), rng.uniform(50, HEIGHT - 50), rng.uniform(40, 120), rng)
            found.append((-1, face_of(place, 128 + 35 * looks.pattern())))
        yield seconds, [face for _, face in found], [index for index, _ in found]


class OverlapTracker:
    """The plain way, for comparison: a face is who overlapped it most in their last frames, by at least 0.3."""

    def __init__(self, longest_gap: float = 2.0):
        self.longest_gap, self.numbers = longest_gap, itertools.count(1)
        self.people: dict[int, tuple] = {}

    def ids(self, faces: list[Face], seconds: float) -> list[int]:
        """An id for each face."""
        self.people = {key: value for key, value in self.people.items() if seconds - value[1] <= self.longest_gap}
        pairs = sorted(
            (
                (overlap(face.detection.box, box), row, key)
                for row, face in enumerate(faces)
                for key, (box, _) in self.people.items()
            ),
            reverse=True,
        )
        ids: dict[int, int] = {}
        for share, row, key in pairs:
            if share >= 0.3 and row not in ids and key not in ids.values():
                ids[row] = key
        for row, face in enumerate(faces):
            key = ids.setdefault(row, 0) or next(self.numbers)
            ids[row] = key
            self.people[key] = (face.detection.box, seconds)
        return [ids[row] for row in range(len(faces))]


def overlap(first: tuple, second: tuple) -> float:
    """Intersection over union of two boxes."""
    width = max(min(first[2], second[2]) - max(first[0], second[0]), 0)
    height = max(min(first[3], second[3]) - max(first[1], second[1]), 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return width * height / (areas - width * height)


def follow(scenario: Callable, rate: float, seed: int, pictures: np.ndarray | None) -> dict[str, dict[str, int]]:
    """One run of FaceTracker and of overlap alone. For each: how often somebody got an id that another had had
    (`switches`) or a fresh one (`lost`) after at most SHORT seconds out of sight, either after longer (`late`), the
    people, the ids they got, and the ids of false faces."""
    people = scenario(np.random.default_rng(seed))
    tracker, plain = FaceTracker(), OverlapTracker()
    ways = {
        "FaceTracker": lambda faces, seconds: [face.id for face in tracker.update(faces, seconds)],
        "overlap": plain.ids,
    }
    result = {way: {"switches": 0, "lost": 0, "late": 0} for way in ways}
    last: dict[str, dict] = {way: {} for way in ways}
    owners: dict[str, dict] = {way: {} for way in ways}
    seen: dict[int, float] = {}
    for seconds, faces, truth in frames(people, rate, seed, pictures):
        for way, ids_of in ways.items():
            ids = ids_of(faces, seconds)
            for person, number in zip(truth, ids):
                if person >= 0 and last[way].get(person, 0) != number:
                    new, taken = person not in last[way], number in owners[way]
                    if not new and seconds - seen[person] > SHORT + 1 / rate:
                        result[way]["late"] += 1
                    elif taken:
                        result[way]["switches"] += 1
                    elif not new:
                        result[way]["lost"] += 1
                    last[way][person] = number
            for person, number in zip(truth, ids):
                owners[way].setdefault(number, person)
        seen.update((person, seconds) for person in truth if person >= 0)
    for way in ways:
        false = sum(owner < 0 for owner in owners[way].values())
        result[way] |= {"people": len(last[way]), "ids": len(owners[way]) - false, "false": false}
    return result


def identities(seeds: int, pictures: np.ndarray | None) -> dict:
    """Sums over the seeds by scenario, tracker and frame rate."""
    table: dict = {}
    for (name, scenario), rate, seed in itertools.product(
        SCENARIOS.items(), RATES, range(FIRST_SEED, FIRST_SEED + seeds)
    ):
        for way, counts in follow(scenario, rate, seed, pictures).items():
            cell = table.setdefault(name, {}).setdefault(way, {}).setdefault(str(rate), dict.fromkeys(counts, 0))
            for key, value in counts.items():
                cell[key] += value
    return table


def smoothing(rate: float, seeds: int) -> dict[str, float]:
    """A face of 120 px stands for 2 s, moves to the right at one side per second for 3 s and stands again. From 3 s on
    it is happy, before it was neutral.

    Returns:
        Jitter of the middle and the width while it stands, measured and smoothed (standard deviations in sides); how
        far the smoothed middle lags behind the true one at constant speed, and at most after the start, in milliseconds
        (mean of the seeds); the milliseconds after which the smoothed probability has made 63% and 90% of its step.
    """
    side, crop = 120.0, 128 + 35 * Looks(np.random.default_rng(0), None).pattern()
    neutral, happy = (np.eye(7, dtype=np.float32)[index] for index in (6, 3))
    times = np.arange(round(6 * rate)) / rate
    truth = 300 + side * np.clip(times - 2, 0, 3)
    measured, smoothed, answers = (np.zeros((seeds, len(times), width)) for width in (2, 2, 1))
    for seed in range(seeds):
        rng, tracker = np.random.default_rng(seed), FaceTracker()
        for index, (seconds, x) in enumerate(zip(times, truth)):
            face = face_of(detection(x, 360, side, rng), crop, happy if seconds >= 3 else neutral)
            (tracked,) = tracker.update([face], seconds)
            for rows, (x1, _, x2, _) in (
                (measured, tracked.measured.detection.box),
                (smoothed, tracked.smoothed.detection.box),
            ):
                rows[seed, index] = ((x1 + x2) / 2 - x) / side, (x2 - x1) / side
            answers[seed, index] = tracked.smoothed.probabilities[3]
    still, start, moving = ((times >= low) & (times < high) for low, high in ((1, 2), (2, 3), (3, 5)))
    step, since = (
        answers[0, :, 0],
        times - 3 + 1 / rate,
    )  # it may have changed just after the last frame that was neutral
    return {
        "jitter_measured": float(measured[:, still, 0].std()),
        "jitter_smoothed": float(smoothed[:, still, 0].std()),
        "width_measured": float(measured[:, still, 1].std()),
        "width_smoothed": float(smoothed[:, still, 1].std()),
        "lag_ms": float(-smoothed[:, moving, 0].mean() * 1e3),
        "start_lag_ms": float(-smoothed[:, start, 0].mean(axis=0).min() * 1e3),
        "step_63_ms": float(since[(step > 0.63).argmax()] * 1e3),
        "step_90_ms": float(since[(step > 0.90).argmax()] * 1e3),
    }


def update_milliseconds(count: int) -> float:
    """Median wall time of an update with that many faces that say everything of themselves."""
    rng, tracker, taken = np.random.default_rng(0), FaceTracker(), []
    looks = Looks(rng, None)
    age, gender = np.full(AGES, 1 / AGES, np.float32), np.full(2, 0.5, np.float32)
    crops = [looks.crop(number, 0) for number in range(count)]
    for index in range(300):
        faces = [
            replace(face_of(detection(130 * number + index, 100, 100, rng), crop), age_distribution=age, gender=gender)
            for number, crop in enumerate(crops)
        ]
        started = time.perf_counter()
        tracker.update(faces, index / 30)
        taken.append(time.perf_counter() - started)
    return float(np.median(taken[10:]) * 1e3)


def to_markdown(result: dict) -> str:
    """The page in docs/results."""
    looks = "pictures of faces" if result["real_faces"] else "synthetic patterns"
    rates = " | ".join(f"{rate} fps" for rate in RATES)
    lines = [
        f"Synthetic motion of {result['seconds']:.0f} s with known truth, {result['seeds']} runs a cell. The detections "
        f"are jittered by {CENTER_JITTER:.1%} of the face and {SIZE_JITTER:.1%} in size, lack {MISSES:.0%} of the faces and "
        f"hold {FALSE:.1%} false ones a frame; the looks are {looks} whose correlation a second later is "
        f"{result['looks']['same']:.2f}, and {result['looks']['other']:.2f} between two people (medians). "
        '"overlap" is a tracker by intersection over union alone. A cell gives identity '
        "switches / people lost, who got a fresh id, of those who were out of sight for at most a second; "
        '"later" counts both after a longer time. The constants were chosen on other runs of the same scenes.',
        "",
        f"| scene | tracker | {rates} | later | people | their ids | ids of false faces |",
        "|---" * (len(RATES) + 6) + "|",
    ]
    for name, ways in result["identities"].items():
        for way, cells in ways.items():
            total = {key: sum(cell[key] for cell in cells.values()) for key in ("late", "people", "ids", "false")}
            errors = [f"{cells[str(rate)]['switches']} / {cells[str(rate)]['lost']}" for rate in RATES]
            lines.append(f"| {name} | {way} | {' | '.join(errors)} | {' | '.join(map(str, total.values()))} |")
    lines += [
        "",
        f"| smoothing | {rates} |",
        "|---" * (len(RATES) + 1) + "|",
    ]
    rows = {
        "middle of a still face trembles by, % of its side": ("jitter_measured", "jitter_smoothed", 100, 2),
        "its width trembles by, % of its side": ("width_measured", "width_smoothed", 100, 2),
        "lag at one side a second, ms": ("lag_ms", None, 1, 0),
        "largest lag after the start of the movement, ms": ("start_lag_ms", None, 1, 0),
        "63% of a change of the emotion is shown after, ms": ("step_63_ms", None, 1, 0),
        "90% of it after, ms": ("step_90_ms", None, 1, 0),
    }
    for name, (before, after, factor, digits) in rows.items():
        cells = []
        for rate in RATES:
            values = [result["smoothing"][str(rate)][key] * factor for key in (before, after) if key]
            # The sum makes -0 a 0.
            cells.append(" → ".join(f"{round(value, digits) + 0.0:.{digits}f}" for value in values))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    times = ", ".join(f"{value:.2f} ms with {count}" for count, value in result["update_milliseconds"].items())
    lines += [
        "",
        f"An update takes {times} faces (medians, {result['processor']}). Written by "
        "`python -m benchmarks.tracking --docs`.",
    ]
    return "\n".join(lines)


def likeness(pictures: np.ndarray | None) -> dict[str, float]:
    """Median correlation of a crop with the same person's a second later, and with another's."""
    looks = Looks(np.random.default_rng(0), pictures)
    crops = [[looks.crop(person, seconds).ravel() for person in range(20)] for seconds in (0.0, 1.0)]
    table = np.corrcoef(np.array(crops[0]), np.array(crops[1]))[:20, 20:]
    same = np.eye(20, dtype=bool)
    return {"same": float(np.median(table[same])), "other": float(np.median(table[~same]))}


def load_faces(folder: Path, count: int = 60) -> np.ndarray:
    """The first pictures of a folder as crops: uint8 (N, CROP, CROP)."""
    files = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES)[:count]
    crops = []
    for image in map(load_image, files):
        edge = image.shape[0] // 6  # the margin of a quarter of the face
        grey = cv2.cvtColor(image[edge:-edge, edge:-edge], cv2.COLOR_RGB2GRAY)
        crops.append(cv2.resize(grey, (CROP, CROP), interpolation=cv2.INTER_AREA))
    return np.array(crops)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracking", description="Who is who in a stream.")
    parser.add_argument("--faces", type=Path, metavar="DIR", help="pictures with one face each, instead of patterns")
    parser.add_argument("--seeds", type=int, default=4, help="runs a cell")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--docs", action="store_true", help="write docs/results/tracking.md")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = load_faces(args.faces) if args.faces else None
    result = {
        "processor": processor(),
        "seconds": SECONDS,
        "seeds": args.seeds,
        "real_faces": args.faces is not None,
        "update_milliseconds": {str(count): update_milliseconds(count) for count in (1, 6, 20)},
        "smoothing": {str(rate): smoothing(rate, 20) for rate in RATES},
        "looks": likeness(pictures),
        "identities": identities(args.seeds, pictures),
    }
    print(to_markdown(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    if args.docs:
        write_result("tracking", "Who is who in a stream", to_markdown(result), result)


if __name__ == "__main__":
    main()
