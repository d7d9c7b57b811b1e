"""The same people from frame to frame: ids that stay, and answers averaged over time."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np

from .types import AGES, CROWD, EMOTIONS, GENDERS, Detection, Face

# The filter. `python -m benchmarks.tracking` measures what comes of these figures.
NOISE = 0.014
"""Standard deviation of a measured centre, size or eye, in sides of the face, as FaceDetector's on moving faces."""
PIXEL_NOISE = 0.3
"""Standard deviation of a measured centre, size or eye in pixels, which is added for small faces."""
CALM = 0.002
"""Power density of the acceleration of a face that moves on as before, in sides squared per second cubed."""
RESTLESS = 20.0
"""The largest power density, for a face that is not where it would be if it had moved on as before."""
SURPRISE = 3.0
"""Squared distance from where a face would be, in its expectation, from which it is taken to have changed its movement."""
FIRST_SPEED = 1.5
"""Standard deviation of the speed of a new face, in sides per second."""
SIZE_HORIZON = 0.2
"""Seconds for which a change of size, and of the eyes in the box, is believed to go on; the centre moves on."""

# The match: natural logarithms of how much likelier a face is somebody followed than a newcomer.
NEWCOMER = 8.0
"""The logarithm for a face at the expected place, a frame later, before its looks are seen."""
DOUBTED_NEWCOMER = 1.0
"""The logarithm for a face at the expected place where the frame may be of another scene: the looks decide."""
REACH, REACH_PER_SECOND, TURN = 0.06, 0.6, 0.5
"""Scale of the distance from the expected place, in sides: REACH + REACH_PER_SECOND t² / (t + TURN) after t seconds
unseen, because people hardly change their way at once."""
SIZE_SPREAD, SIZE_SPREAD_PER_SECOND = 0.12, 0.25
"""Scale of the change of the logarithm of the size, at once and per second unseen."""
TAIL = 3.0
"""Degrees of freedom of Student's t distribution for both: a sudden move is rare, not impossible."""
LOOKS_SLOPE, LOOKS_MIDDLE, LOOKS_MOST = 9.0, 0.52, 5.0
"""The correlation of a crop with somebody's looks speaks for it by slope x (correlation - middle), at most by `most`.
Two normal distributions would say so, of means 0.75 (the same face, turning) and 0.3 (two faces) and deviation 0.22."""
TOUCHED = 0.5
"""What the looks count where another face may be in the crop."""
THUMBNAIL = 16
"""Side in pixels of the faces that are compared."""

# What a FaceTracker takes where nothing else is said, in seconds; its documentation says why.
EMOTION_SECONDS, PERSON_SECONDS, LOOKS_SECONDS = 0.3, 2.5, 1.0
LONGEST_GAP, YOUNG_GAP = 2.0, 1.2

AVERAGED = {"probabilities": len(EMOTIONS), "crowd": len(CROWD), "age_distribution": AGES, "gender": len(GENDERS)}
"""The distributions of a Face that are averaged, and their lengths."""
LOOKS = THUMBNAIL**2
LENGTHS = (*AVERAGED.values(), LOOKS)
"""The lengths of what is averaged: the distributions, and the looks beside them."""
MEAN = np.full((LOOKS, 1), 1 / LOOKS, np.float32)
PARTS = dict(zip(AVERAGED, itertools.pairwise(itertools.accumulate(LENGTHS, initial=0))))
"""Where each distribution begins and ends in a row of averages; the looks are the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFace:
    """A face of one frame and who it is.

    Attributes:
        id: from 1, in the order of appearance; never given again by the same tracker.
        measured: this frame's face, as it came from the networks.
        smoothed: the same person's face averaged over time: box and eyes (which may reach a little beyond the picture),
            `probabilities`, `crowd`, `age_distribution` and `gender`; score, crop, activation and quality are this frame's. A
            distribution that this frame lacks is the average of the earlier ones, or None where there was none yet.
        seconds: for how long this person has been followed, 0 in the first frame.
    """

    id: int
    measured: Face
    smoothed: Face
    seconds: float


class Seen(Protocol):
    """What tells who a face is: a `Face`, or an `inference.analyzer.Cut`."""

    @property
    def detection(self) -> Detection: ...

    @property
    def crop(self) -> np.ndarray: ...


class Placed(NamedTuple):
    """A face that was matched, and has to be averaged: who it is, the frame's time, and the place averaged over time."""

    person: "_Person"
    seconds: float
    detection: Detection


class FaceTracker:
    """Gives the faces of a stream ids and averages what is said of them; for one stream. `average`
    may be called by one thread while another one calls `place` for later frames.

    Movement: each person has a Kalman filter of constant velocity on the centre, the size and the eyes, in units of the
    face's side, so that it works alike at all resolutions. Its acceleration noise is small until a frame contradicts
    it, so that a still face does not tremble and a moving one does not lag.

    Match: faces and people are paired so that the sum of the log likelihood ratios against "somebody new" is largest
    (Kuhn 1955, doi:10.1002/nav.3800020109). They count the distance from the expected place, the ratio of the sizes and
    the correlation of the aligned crops, which tells who is who after a crossing; the longer somebody was out of sight,
    the less the place counts.

    Averages: exponential in time, with the weight 1 - exp(-dt / time constant), and a plain mean at first. They do not
    depend on the frame rate.

    Every face comes back with an id, so a false one uses up a number, but it is soon forgotten.

    Args:
        emotion_seconds: time constant of the average of `probabilities` and `crowd`. 0.3 s calms the network's noise
            from frame to frame and is shorter than most expressions, 0.5 s and more (Ekman 2003, Emotions Revealed).
        person_seconds: time constant for `age_distribution` and `gender`, which do not change: long.
        looks_seconds: time constant of the appearance by which people are recognised.
        longest_gap: seconds out of sight after which somebody is forgotten, and gets a new id when coming back.
            Frames must come more often than that for anybody to be recognised.
        young_gap: the same for those who were seen in one frame and missed the next, as false faces are.

    Raises:
        ValueError: a time constant or limit is not above 0.
    """

    def __init__(
        self,
        emotion_seconds: float = EMOTION_SECONDS,
        person_seconds: float = PERSON_SECONDS,
        looks_seconds: float = LOOKS_SECONDS,
        longest_gap: float = LONGEST_GAP,
        young_gap: float = YOUNG_GAP,
    ):
        limits = (emotion_seconds, person_seconds, looks_seconds, longest_gap, young_gap)
        if not all(0 < value < math.inf for value in limits):
            raise ValueError(f"time constants and limits must be above 0 seconds, not {limits}")
        self._time_constants = np.array([emotion_seconds] * 2 + [person_seconds] * 2)
        self._looks_seconds = np.array([looks_seconds])
        self.longest_gap, self.young_gap = longest_gap, young_gap
        self._people: list[_Person] = []
        self._ids = itertools.count(1)
        self._now = -math.inf

    def predict(self, seconds: float) -> list[tuple[int, Detection]]:
        """Where everybody should be at a time, by id; nothing changes.

        Args:
            seconds: on the clock of `update`; a time before the last update means that of the last update.

        Returns:
            Those who will not have been forgotten by then, in the order of their ids. Boxes may leave the picture.

        Raises:
            ValueError: the time is not finite.
        """
        seconds = max(_finite(seconds), self._now)
        return [(person.id, person.at(seconds)) for person in self._people if self._remembered(person, seconds)]

    def forget(self) -> None:
        """Nobody is known any more: whoever is seen next gets a new id."""
        self._people = []

    def update(self, faces: list[Face], seconds: float, doubted: bool = False) -> list[TrackedFace]:
        """Follow everybody to the next frame.

        Args:
            faces: all faces of the frame, at most one for each person.
            seconds: the frame's own time; any origin. A time not after the last one counts as the last one, as when
                frames overtake each other on a network, but one that is more than `longest_gap` earlier means that the
                clock was set anew: everybody is forgotten, as after a pause of that length.
            doubted: the frame may be of another scene, so that who looks otherwise is somebody else, also at the same place.

        Returns:
            One for each face, in the same order.

        Raises:
            ValueError: the time is not finite; nothing has changed then.
        """
        return self.average(faces, self.place(faces, seconds, doubted))

    def place(self, faces: Sequence[Seen], seconds: float, doubted: bool = False) -> list[Placed]:
        """The first half of `update`, with the same arguments: who is where. Answers are not needed for it, and may come when
        later frames have been placed, as long as they come in the order of the frames."""
        if _finite(seconds) < self._now - self.longest_gap:
            self.forget()
            self._now = seconds
        now = max(seconds, self._now)
        self._people = [person for person in self._people if self._remembered(person, now)]
        self._now = now
        if not faces:
            return []
        places = [_place(face.detection) for face in faces]
        table, looks = np.array(places), _looks(faces)
        # A crop in which another face is seen too says less of a person's looks, and would teach the wrong ones.
        alone = _alone(table)
        present = alone[:, None].copy()
        people = []
        known_people = self._match(table, looks, alone, now, DOUBTED_NEWCOMER if doubted else NEWCOMER)
        for number, (person, place, face) in enumerate(zip(known_people, places, faces)):
            if person is None:
                person = _Person(next(self._ids), now, place, face.detection)
                self._people.append(person)
                present[number] = True
            else:
                person.move(place, face.detection, now)
            people.append(person)
        _average([person.looks for person in people], looks, present, now, self._looks_seconds)
        return [Placed(person, now, _detection(person.place, person)) for person in people]

    def average(self, faces: list[Face], placed: list[Placed]) -> list[TrackedFace]:
        """The other half: takes the answers into the averages of those who were placed."""
        if not faces:
            return []
        values, present = _values(faces)
        means, known = _average(
            [person.answers for person, _, _ in placed], values, present, placed[0].seconds, self._time_constants
        )
        return [
            TrackedFace(person.id, face, _smoothed(face, detection, *averages), now - person.born)
            for face, (person, now, detection), *averages in zip(faces, placed, means, known.tolist())
        ]

    def _remembered(self, person: "_Person", now: float) -> bool:
        # At a slow frame rate the next frame may come after young_gap: nobody is forgotten before missing a frame.
        limit = self.young_gap if person.young and person.seen < self._now else self.longest_gap
        return now - person.seen <= limit + 1e-6  # a frame just at the limit still counts, whatever the rounding

    def _match(
        self, places: np.ndarray, looks: np.ndarray, alone: np.ndarray, now: float, newcomer: float
    ) -> list["_Person | None"]:
        """Who each face is; None for newcomers."""
        matched: list[_Person | None] = [None] * len(places)
        if not self._people:
            return matched
        expectations = []
        for person in self._people:
            x, y, width, height, *_ = person.expected(now)
            elapsed = now - person.seen
            spread = person.variance(elapsed) + (REACH + REACH_PER_SECOND * elapsed**2 / (elapsed + TURN)) ** 2
            growth_spread = SIZE_SPREAD + SIZE_SPREAD_PER_SECOND * elapsed
            start = newcomer - math.log(spread / REACH**2)
            expectations.append((x, y, width * height, spread * width * height, growth_spread, start))
        x, y, area, spread, growth_spread, start = np.array(expectations).T
        known = np.array([person.looks.mean for person in self._people])
        alike = looks @ known.T / (np.sqrt(np.einsum("nk,nk->n", known, known)) + 1e-9)
        distance = ((places[:, :1] - x) ** 2 + (places[:, 1:2] - y) ** 2) / spread
        growth = np.log(places[:, 2:3] * places[:, 3:4] / area) / 2 / growth_spread
        looks_say = np.minimum(np.maximum(LOOKS_SLOPE * (alike - LOOKS_MIDDLE), -LOOKS_MOST), LOOKS_MOST)
        looks_say *= np.where(alone, 1, TOUCHED)[:, None]
        far = (TAIL + 2) / 2 * np.log1p(distance / TAIL) + (TAIL + 1) / 2 * np.log1p(growth**2 / TAIL)
        for row, column in assign((start - far + looks_say).tolist()):
            matched[row] = self._people[column]
        return matched


class _Averages:
    """Exponential averages in time of some values.

    Args:
        lengths: of the values.

    Attributes:
        lengths: as given.
        mean: float32 (sum of their lengths,).
        mass: float64 (number of them,), how much each of them weighs: up to 1, 0 after the first value.
        updated: float64 (number of them,), seconds of each one's last value, -inf before there is one.
    """

    __slots__ = ("lengths", "mean", "mass", "updated")

    def __init__(self, lengths: Sequence[int]):
        self.lengths, self.mean = lengths, np.zeros(sum(lengths), np.float32)
        self.mass, self.updated = np.zeros(len(lengths)), np.full(len(lengths), -math.inf)


def _average(
    averages: list[_Averages], values: np.ndarray, present: np.ndarray, now: float, time_constants: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take values (N, sum of lengths) into the averages of people; present (N, number of lengths) tells which exist.
    Returns the means, and which of them were ever there.

    A value counts for the time since the last one; the first, before which nothing is known, as much as the second.
    """
    mean = np.array([own.mean for own in averages])
    mass = np.array([own.mass for own in averages])
    updated = np.array([own.updated for own in averages])
    keep = np.exp((updated - now) / time_constants)
    weight = 1 - keep
    new_mass = np.where(mass > 0, mass, weight) * keep + weight
    share = np.where(present, weight / np.maximum(new_mass, 1e-12), 0)
    mean += (values - mean) * np.repeat(share.astype(np.float32), averages[0].lengths, axis=1)
    mass = np.where(present & (updated > -math.inf), new_mass, mass)
    updated = np.where(present, now, updated)
    for number, own in enumerate(averages):
        own.mean, own.mass, own.updated = mean[number].copy(), mass[number], updated[number]
    return mean, updated > -math.inf


class _Person:
    """Somebody who is followed.

    Attributes:
        id, born: number, and seconds of the first frame.
        seen, score, placed_at: seconds, and `Detection.score` and `placed_at`, of the last frame with this person.
        place, speed: then, in pixels and pixels per second.
        covariance: variance of a coordinate of the place, covariance with its speed, variance of the speed, in sides of
            the face and seconds. The coordinates have about the same noise, so one matrix serves all of them.
        looks, answers: the averages.
    """

    __slots__ = ("id", "born", "seen", "score", "placed_at", "place", "speed", "covariance", "looks", "answers")

    def __init__(self, number: int, now: float, place: "Place", detection: Detection):
        self.id, self.born, self.seen = number, now, now
        self.score, self.placed_at = detection.score, detection.placed_at
        self.place: Place = place
        self.speed: Place = (0.0,) * len(place)
        self.covariance = (_noise(place), 0.0, FIRST_SPEED**2)
        self.looks, self.answers = _Averages([LOOKS]), _Averages(LENGTHS[:-1])

    @property
    def young(self) -> bool:
        """Whether this may have been a false face: it was in one frame only."""
        return self.seen == self.born

    def expected(self, now: float) -> list[float]:
        """The place at a time."""
        elapsed = now - self.seen
        short = min(elapsed, SIZE_HORIZON)
        place = [value + speed * short for value, speed in zip(self.place, self.speed)]
        place[0] += self.speed[0] * (elapsed - short)
        place[1] += self.speed[1] * (elapsed - short)
        place[2] = max(place[2], self.place[2] / 2)
        place[3] = max(place[3], self.place[3] / 2)
        return place

    def variance(self, elapsed: float) -> float:
        """Of a coordinate that many seconds after the last frame, if the movement does not change."""
        place, both, speed = self.covariance
        return place + 2 * elapsed * both + elapsed**2 * speed + CALM * elapsed**3 / 3

    def at(self, now: float) -> Detection:
        """The expected detection at a time."""
        return _detection(self.expected(now), self)

    def move(self, measured: "Place", detection: Detection, now: float) -> None:
        """Correct the movement by a frame. Where something else placed the face than before, the difference is not movement:
        soon after the last frame it would make a still face fly away."""
        elapsed, expected = now - self.seen, self.expected(now)
        noise, predicted = _noise(expected), self.variance(elapsed)
        same = detection.placed_at == self.placed_at
        self.seen, self.score, self.placed_at = now, detection.score, detection.placed_at
        if not same:
            self.place, self.covariance = measured, (noise, 0.0, self.covariance[2] + CALM * elapsed)
            return
        innovation = [value - other for value, other in zip(measured, expected)]
        found = math.hypot(*innovation) ** 2 / (len(innovation) * expected[2] * expected[3])
        # As much acceleration as explains a frame that is not where a calm face would be.
        acceleration = CALM
        if elapsed > 0 and found > SURPRISE * (predicted + noise):
            added = min(found - predicted - noise, RESTLESS * elapsed**3 / 3)
            predicted += added
            acceleration += 3 * added / elapsed**3
        _, both, speed = self.covariance
        both += elapsed * speed + acceleration * elapsed**2 / 2
        speed += acceleration * elapsed
        gain, speed_gain = predicted / (predicted + noise), both / (predicted + noise)
        self.place = tuple(value + gain * change for value, change in zip(expected, innovation))
        self.speed = tuple(value + speed_gain * change for value, change in zip(self.speed, innovation))
        self.covariance = ((1 - gain) * predicted, (1 - gain) * both, speed - speed_gain * both)


def _values(faces: list[Face]) -> tuple[np.ndarray, np.ndarray]:
    """The distributions of each face, float32 (N, sum of their lengths), and which there are, bool (N, number of AVERAGED)."""
    values = np.zeros((len(faces), sum(LENGTHS[:-1])), np.float32)
    present = np.ones((len(faces), len(AVERAGED)), bool)
    for row, face in enumerate(faces):
        for part, (name, (start, stop)) in enumerate(PARTS.items()):
            value = getattr(face, name)
            if value is None:
                present[row, part] = False
            else:
                values[row, start:stop] = value
    return values, present


def _looks(faces: Sequence[Seen]) -> np.ndarray:
    """What everybody looks like, float32 (N, LOOKS)."""
    looks = np.zeros((len(faces), LOOKS), np.float32)
    for row, face in enumerate(faces):
        looks[row] = cv2.resize(face.crop, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).ravel()
    # Without brightness and contrast, of length 1: the product of two is their correlation.
    looks -= looks @ MEAN
    looks /= np.sqrt(np.einsum("nk,nk->n", looks, looks))[:, None] + 1e-6
    return looks


def _smoothed(face: Face, detection: Detection, mean: np.ndarray, known: list[bool]) -> Face:
    averages: dict[str, Any] = {
        name: mean[start:stop] if there else None for (name, (start, stop)), there in zip(PARTS.items(), known)
    }
    return Face(detection, face.crop, activation=face.activation, quality=face.quality, **averages)


def assign(ratios: list[list[float]]) -> list[tuple[int, int]]:
    """Pairs of a row and a column so that the sum of their ratios is largest; pairs that are not above 0 stay apart.

    Args:
        ratios: rows of equal length.

    Returns:
        Pairs of indices, by row.
    """
    wanted = [[column for column, ratio in enumerate(line) if ratio > 0] for line in ratios]
    rivals = Counter(column for columns in wanted for column in columns)
    pairs, contested = [], []
    for row, columns in enumerate(wanted):
        if len(columns) == 1 and rivals[columns[0]] == 1:
            pairs.append((row, columns[0]))
        elif columns:
            contested.append(row)
    if contested:
        columns = sorted({column for row in contested for column in wanted[row]})
        # A row may stay alone at no cost: a column of its own.
        alone = [0.0] * len(contested)
        costs = [[min(-ratios[row][column], 0.0) for column in columns] + alone for row in contested]
        for row, place in zip(contested, _hungarian(costs)):
            if place < len(columns) and ratios[row][columns[place]] > 0:
                pairs.append((row, columns[place]))
    return sorted(pairs)


def _hungarian(costs: list[list[float]]) -> list[int]:
    """The column of each row in the cheapest assignment; no more rows than columns. Shortest augmenting paths with
    potentials (Jonker and Volgenant 1987, doi:10.1007/BF02278710)."""
    count, width = len(costs), len(costs[0])
    row_price, column_price = [0.0] * count, [0.0] * width
    row_of = [-1] * width
    for start in range(count):
        distance, before, done = [math.inf] * width, [-1] * width, [False] * width
        row, column, reached = start, -1, []
        while True:
            best, following = math.inf, -1
            base = distance[column] if column >= 0 else 0.0
            line, price = costs[row], row_price[row]
            for other in range(width):
                if not done[other]:
                    length = base + line[other] - price - column_price[other]
                    if length < distance[other]:
                        distance[other], before[other] = length, column
                    if distance[other] < best:
                        best, following = distance[other], other
            column = following
            done[column] = True
            if row_of[column] < 0:
                break
            reached.append(column)
            row = row_of[column]
        row_price[start] += distance[column]
        for other in reached:
            row_price[row_of[other]] += distance[column] - distance[other]
            column_price[other] -= distance[column] - distance[other]
        while column >= 0:
            previous = before[column]
            row_of[column] = row_of[previous] if previous >= 0 else start
            column = previous
    result = [-1] * count
    for column, row in enumerate(row_of):
        if row >= 0:
            result[row] = column
    return result


Place = Sequence[float]
"""Centre x and y, width, height, and both eyes (x, y) as seen from the centre, in pixels."""


def _place(detection: Detection) -> Place:
    x1, y1, x2, y2 = detection.box
    (left_x, left_y), (right_x, right_y) = detection.left_eye, detection.right_eye
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return x, y, max(x2 - x1, 1.0), max(y2 - y1, 1.0), left_x - x, left_y - y, right_x - x, right_y - y


def _detection(place: Place, person: _Person) -> Detection:
    x, y, width, height, left_x, left_y, right_x, right_y = place
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    eyes = (x + left_x, y + left_y), (x + right_x, y + right_y)
    return Detection(box, person.score, *eyes, placed_at=person.placed_at)


def _alone(places: np.ndarray) -> np.ndarray:
    """Which of the boxes (N, 8) share nothing with another: bool (N,)."""
    if len(places) == 1:
        return np.ones(1, bool)
    x, y, half_width, half_height = places[:, 0], places[:, 1], places[:, 2] / 2, places[:, 3] / 2
    before = ((x - half_width)[:, None] < x + half_width) & ((y - half_height)[:, None] < y + half_height)
    return (before & before.T).sum(axis=1) == 1


def _noise(place: Place) -> float:
    """Variance of a measured coordinate in squared sides of the face."""
    return NOISE**2 + PIXEL_NOISE**2 / (place[2] * place[3])


def _finite(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise ValueError(f"a frame's time must be a finite number of seconds, not {seconds}")
    return seconds
