"""Who is who: identities and smoothing on synthetic motion whose truth is known.

    python -m benchmarks.tracking [--faces DIR] [--seeds N] [--json FILE] [--readme]

People are discs of a face's size that walk, stop, cross, hide and leave in a picture of 1280x720. What the detector would
say is made from the truth: jitter and misses as measured for FaceDetector on moving faces (see below), a false face now and
then, nothing of a face that is covered by more than half. FaceTracker and a tracker by intersection over union alone, which
remembers people as long, get the same detections.

The looks are synthetic too: smooth random patterns that have a part in common, as all faces have, change slowly, as heads
turn, and carry noise. Their correlations are worse than what was measured on FairFace's faces (the same face moved through
a picture: 0.97 in the median, 0.78 for the worst hundredth; two people: 0.08 in the median, 0.63 for the most alike
hundredth). With --faces DIR the first pictures of a folder, framed as in FairFace with a margin of a quarter, take the
place of the patterns.
"""

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.readme import write_section
from benchmarks.speed import processor
from inference.images import SUFFIXES, load_image
from inference.tracker import FaceTracker
from inference.types import AGES, Detection, Face

RATES = (5, 10, 20, 30, 60)
WIDTH, HEIGHT = 1280, 720
SECONDS = 20.0

# Measured on 60 FairFace faces of 110 to 180 px at 12 places each of a 640x480 frame, JPEG and noise included:
CENTER_JITTER, SIZE_JITTER, EYE_JITTER = 0.010, 0.017, 0.009
"""Standard deviations in sides of the face."""
MISSES = 0.05
"""Part of the frames in which a face is not found; for the usual face it is below 0.01, for a few it is half of them."""
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


def to_and_fro(center: float, reach: float, y: float, speed: float, phase: float) -> Callable[[float], tuple[float, float]]:
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
    return lambda seconds: (x + reach * math.sin(1.3 * seconds + phase), y + reach / 2 * math.cos(1.7 * seconds + phase))


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
        path = to_and_fro(640, rng.uniform(250, 600), rng.uniform(200, 500), side * rng.uniform(0.5, 2), rng.uniform(0, 1))
        people.append(Walker(path, side))
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
        Walker(sway(320 + 320 * number, 360, rng.uniform(5, 30), rng.uniform(0, 6)), rng.uniform(80, 140), hidden=hides(rng))
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
    left, right = rng.normal(0, EYE_JITTER * side, (2, 2)) + ((x - side / 4, y - side / 6), (x + side / 4, y - side / 6))
    x, y = (x, y) + rng.normal(0, CENTER_JITTER * side, 2)
    box = (max(x - width / 2, 0), max(y - height / 2, 0), min(x + width / 2, WIDTH), min(y + height / 2, HEIGHT))
    return Detection(tuple(map(float, box)), 0.9, tuple(map(float, left)), tuple(map(float, right)))


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
        there = [(index, *person.path(seconds), person.side) for index, person in enumerate(people) if person.visible(seconds)]
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
        self.longest_gap, self.people, self.numbers = longest_gap, {}, itertools.count(1)

    def ids(self, faces: list[Face], seconds: float) -> list[int]:
        """An id for each face."""
        self.people = {key: value for key, value in self.people.items() if seconds - value[1] <= self.longest_gap}
        pairs = sorted(
            ((overlap(face.detection.box, box), row, key) for row, face in enumerate(faces) for key, (box, _) in self.people.items()),
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
    """One run of both trackers: for each, how often a person got an id that somebody else had (`switches`) or a fresh one
    (`lost`), true people, ids that true people got, and ids in all."""
    people = scenario(np.random.default_rng(seed))
    tracker, plain = FaceTracker(), OverlapTracker()
    ways = {
        "FaceTracker": lambda faces, seconds: [face.id for face in tracker.update(faces, seconds)],
        "overlap alone": plain.ids,
    }
    last = {way: {} for way in ways}
    owners = {way: {} for way in ways}
    counts = {way: {"switches": 0, "lost": 0} for way in ways}
    for seconds, faces, truth in frames(people, rate, seed, pictures):
        for way, ids_of in ways.items():
            ids = ids_of(faces, seconds)
            for person, number in zip(truth, ids):
                if person >= 0 and last[way].get(person, number) != number:
                    counts[way]["switches" if number in owners[way] else "lost"] += 1
                elif person >= 0 and person not in last[way] and number in owners[way]:
                    counts[way]["switches"] += 1  # somebody new was taken for somebody else
                if person >= 0:
                    last[way][person] = number
            for person, number in zip(truth, ids):
                owners[way].setdefault(number, person)
    for way in ways:
        counts[way]["people"] = len(last[way])
        counts[way]["ids"] = len(owners[way])
        counts[way]["false"] = sum(owner < 0 for owner in owners[way].values())
    return counts


if __name__ == "__main__":
    import sys
    seeds=int(sys.argv[1])
    for name,sc in SCENARIOS.items():
        for rate in RATES:
            tot={}
            for seed in range(seeds):
                for way,c in follow(sc,rate,seed,None).items():
                    for k,v in c.items(): tot.setdefault(way,{}).setdefault(k,0); tot[way][k]+=v
            print(name,rate,tot,flush=True)
