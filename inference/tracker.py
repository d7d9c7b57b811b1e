"""The same people from frame to frame: ids that stay, and answers averaged over time."""

import cv2
import itertools
import math
import numpy as np
from dataclasses import dataclass, replace

from inference.types import Detection, Face

# The filter. Detections vary by 1% of the face's width when it moves (`python -m benchmarks.tracking` states the source).
NOISE = 0.012
"""Standard deviation of a measured centre, size or eye, in sides of the face."""
PIXEL_NOISE = 0.3
"""The same in pixels, added for small faces."""
CALM = 0.002
"""Power density of the acceleration of a face that moves as before, in sides squared per second cubed."""
RESTLESS = 20.0
"""The same, at most, for a face whose last frame is not where a calm one would be."""
FIRST_SPEED = 1.5
"""Standard deviation of the speed of a new face, in sides per second."""
SURPRISE = 2.0
"""Ratio of squared innovation to its expectation from which a face is taken to have changed its movement."""
SIZE_HORIZON = 0.2
"""Seconds for which a change of size is believed to go on; the movement of the centre is believed to go on."""

# The match: natural logarithms of how much likelier a face is the person followed than a newcomer.
REACH, REACH_PER_SECOND = 0.15, 0.8
"""Standard deviation of the distance from where a person was expected: in sides, and in sides per second unseen."""
SIZE_SPREAD, SIZE_SPREAD_PER_SECOND = 0.12, 0.25
"""The same for the logarithm of the size."""
LOOKS_SLOPE, LOOKS_MIDDLE, LOOKS_MOST = 9.0, 0.52, 4.0
"""The correlation of two crops speaks for the same person by slope x (correlation - middle), at most by `most`."""
NEWCOMER = 7.5
"""How much likelier a face at the expected place is the person followed, before its looks are seen."""
YOUNG = 1.0
"""What a person followed only shortly yields to one followed longer: a false face to a true one."""
THUMBNAIL = 16
"""Side in pixels of the faces that are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFace:
    """A face of one frame and who it is.

    Attributes:
        id: from 1, in the order of appearance; never given again by the same tracker.
        measured: this frame's face, as it came from the networks.
        smoothed: the same person's face averaged over time: box and eyes (which may reach a little beyond the picture),
            `probabilities`, `crowd`, `age_distribution` and `gender`; score, crop and activation are this frame's. A
            distribution that this frame lacks is the average of the earlier ones, or None where there was none yet.
        seconds: for how long this person has been followed, 0 in the first frame.
    """

    id: int
    measured: Face
    smoothed: Face
    seconds: float


class FaceTracker:
    """Gives the faces of a stream ids and averages what is said of them; for one stream, used by one thread at a time.

    Movement: each person has a Kalman filter of constant velocity on the centre, the size and the eyes, in units of the
    face's side, so that it works alike at all resolutions. Its acceleration noise is small until a frame contradicts it,
    so that a still face does not tremble and a moving one does not lag.

    Match: faces and people are paired so that the sum of the log likelihood ratios against "somebody new" is largest
    (Kuhn 1955, doi:10.1002/nav.3800020109). They count the distance from the expected place, the ratio of the sizes and
    the correlation of the aligned crops, which tells who is who after a crossing; the longer somebody was out of sight,
    the less the place counts.

    Averages: exponential in time, with the weight 1 - exp(-dt / time constant), and a plain mean at first. They do not
    depend on the frame rate.

    Every face comes back with an id, so a false one uses up a number, but it is forgotten after `young_gap` seconds and
    yields to true ones before.

    Args:
        emotion_seconds: time constant of the average of `probabilities` and `crowd`. 0.3 s calms the network's frame-to-frame
            noise and is shorter than most expressions, 0.5 s and more (Ekman 2003, Emotions Revealed).
        person_seconds: time constant for `age_distribution` and `gender`, which do not change: long.
        looks_seconds: time constant of the appearance by which people are recognised.
        longest_gap: seconds out of sight after which somebody is forgotten, and gets a new id when coming back.
        young_gap: the same for those who were followed for less than `young_seconds`.
        young_seconds: see there.

    Raises:
        ValueError: a time constant or limit is not above 0.
    """

    def __init__(
        self,
        emotion_seconds: float = 0.3,
        person_seconds: float = 2.5,
        looks_seconds: float = 1.0,
        longest_gap: float = 2.0,
        young_gap: float = 0.5,
        young_seconds: float = 0.3,
    ):
        limits = (emotion_seconds, person_seconds, looks_seconds, longest_gap, young_gap, young_seconds)
        if not all(0 < value < math.inf for value in limits):
            raise ValueError(f"time constants and limits must be above 0 seconds, not {limits}")
        self.time_constants = {
            "probabilities": emotion_seconds,
            "crowd": emotion_seconds,
            "age_distribution": person_seconds,
            "gender": person_seconds,
        }
        self.looks_seconds = looks_seconds
        self.longest_gap, self.young_gap, self.young_seconds = longest_gap, young_gap, young_seconds
        self._people: list[_Person] = []
        self._ids = itertools.count(1)
        self._now = -math.inf

    def predict(self, seconds: float) -> list[tuple[int, Detection]]:
        """Where everybody should be at a time, by id; nothing changes.

        Args:
            seconds: on the clock of `update`; a time before the last update means that of the last update.

        Returns:
            Those who will not have been forgotten by then, in the order of their ids. Boxes may lie outside the picture.

        Raises:
            ValueError: the time is not finite.
        """
        seconds = max(_finite(seconds), self._now)
        return [(person.id, person.at(seconds)) for person in self._people if self._remembered(person, seconds)]

    def update(self, faces: list[Face], seconds: float) -> list[TrackedFace]:
        """Follow everybody to the next frame.

        Args:
            faces: all faces of the frame, at most one for each person.
            seconds: the frame's own time; any origin. A time not after the last one counts as the last one, as when
                frames overtake each other on a network, but one that is more than `longest_gap` earlier means that the
                clock was set anew: everybody is forgotten, as after a pause of that length.

        Returns:
            One for each face, in the same order.

        Raises:
            ValueError: the time is not finite; nothing has changed then.
        """
        if _finite(seconds) < self._now - self.longest_gap:
            self._people = []
            self._now = seconds
        now = self._now = max(seconds, self._now)
        self._people = [person for person in self._people if self._remembered(person, now)]
        if not faces:
            return []
        places = np.array([_place(face.detection) for face in faces])
        looks = np.array([_looks(face.crop) for face in faces])
        matched = self._match(places, looks, now)
        alone = _alone(places)
        tracked = []
        for number, face in enumerate(faces):
            person = matched[number]
            if person is None:
                person = _Person(next(self._ids), now, face.detection.score, places[number])
                self._people.append(person)
            else:
                person.move(places[number], face.detection.score, now)
            # A crop in which another face is seen too would teach the wrong looks.
            if alone[number] or person.looks.mean is None:
                person.looks.add(looks[number], now, self.looks_seconds)
            tracked.append(TrackedFace(person.id, face, self._smooth(person, face, now), now - person.born))
        return tracked

    def _remembered(self, person: "_Person", now: float) -> bool:
        young = person.seen - person.born < self.young_seconds
        # A frame that comes exactly at the limit still counts, whatever the rounding.
        return now - person.seen <= (self.young_gap if young else self.longest_gap) + 1e-6

    def _match(self, places: np.ndarray, looks: np.ndarray, now: float) -> list["_Person | None"]:
        """Who each face is; None for newcomers."""
        matched: list[_Person | None] = [None] * len(places)
        people = self._people
        if not people:
            return matched
        expected = np.array([person.expected(now) for person in people])
        elapsed = np.array([now - person.seen for person in people])
        unsure = np.array([person.variance(now) for person in people])
        young = np.array([person.seen - person.born < self.young_seconds for person in people])
        known = np.array([person.looks.mean for person in people])
        sides = np.sqrt(expected[:, 2] * expected[:, 3])
        spread = (REACH + REACH_PER_SECOND * elapsed) ** 2 + unsure
        distance = ((places[:, None, :2] - expected[None, :, :2]) ** 2).sum(axis=2) / sides**2
        growth = np.log(np.sqrt(places[:, 2] * places[:, 3])[:, None] / sides)
        growth /= SIZE_SPREAD + SIZE_SPREAD_PER_SECOND * elapsed
        known /= np.sqrt((known**2).sum(axis=1, keepdims=True)) + 1e-9
        alike = np.clip(LOOKS_SLOPE * (looks @ known.T - LOOKS_MIDDLE), -LOOKS_MOST, LOOKS_MOST)
        ratio = NEWCOMER - YOUNG * young - np.log(spread / REACH**2) - distance / spread / 2 - growth**2 / 2 + alike
        for number, index in assign(ratio):
            matched[number] = people[index]
        return matched

    def _smooth(self, person: "_Person", face: Face, now: float) -> Face:
        averages = {}
        for name, seconds in self.time_constants.items():
            value = getattr(face, name)
            average = person.averages.get(name)
            if value is not None:
                if average is None:
                    average = person.averages[name] = _Average()
                average.add(value, now, seconds)
            averages[name] = None if average is None else average.mean.astype(np.float32)
        return replace(face, detection=person.at(now), **averages)


class _Average:
    """An exponential average over time that is the plain mean of the values at first."""

    __slots__ = ("mean", "time", "mass")

    def __init__(self):
        self.mean, self.time, self.mass = None, 0.0, None

    def add(self, value: np.ndarray, time: float, seconds: float) -> None:
        """A value counts for the time since the last one; the first, before which nothing is known, for as much as the
        second."""
        if self.mean is None:
            self.mean, self.time = value.astype(np.float64), time
            return
        keep = math.exp((self.time - time) / seconds)
        weight = 1 - keep
        if weight > 0:
            self.mass = (weight if self.mass is None else self.mass) * keep + weight
            self.mean = self.mean + (value - self.mean) * (weight / self.mass)
            self.time = time


class _Person:
    """Somebody who is followed: a Kalman filter and averages.

    The state is that of the last frame in which the person was seen: eight coordinates (see _place) and their speeds, in
    pixels and pixels per second. All coordinates have the same noise, so one 2x2 covariance (of place and speed, in
    units of the face's side) serves all of them.
    """

    __slots__ = ("id", "born", "seen", "score", "place", "speed", "covariance", "looks", "averages")

    def __init__(self, number: int, now: float, score: float, place: np.ndarray):
        self.id, self.born, self.seen, self.score = number, now, now, score
        self.place, self.speed = place, np.zeros(len(place))
        self.covariance = (_noise(place), 0.0, FIRST_SPEED**2)
        self.looks, self.averages = _Average(), {}

    def expected(self, now: float) -> np.ndarray:
        """The coordinates at a time, (8,)."""
        elapsed = now - self.seen
        place = self.place + self.speed * min(elapsed, SIZE_HORIZON)
        if elapsed > SIZE_HORIZON:
            place[:2] += self.speed[:2] * (elapsed - SIZE_HORIZON)
        place[2:4] = np.maximum(place[2:4], self.place[2:4] / 2)
        return place

    def variance(self, now: float) -> float:
        """Of a coordinate at that time, in squared sides, if the movement does not change."""
        elapsed = now - self.seen
        place, both, speed = self.covariance
        return place + 2 * elapsed * both + elapsed**2 * speed + CALM * elapsed**3 / 3

    def at(self, now: float) -> Detection:
        """The expected detection at a time."""
        return _detection(self.expected(now), self.score)

    def move(self, measured: np.ndarray, score: float, now: float) -> None:
        """Correct the movement by a frame."""
        elapsed = now - self.seen
        expected = self.expected(now)
        innovation = measured - expected
        noise = _noise(expected)
        predicted = self.variance(now)
        found = float(innovation @ innovation) / len(innovation) / (expected[2] * expected[3])
        acceleration = CALM
        if elapsed > 0 and found > SURPRISE * (predicted + noise):
            acceleration += min((found - predicted - noise) * 3 / elapsed**3, RESTLESS)
        _, both, speed = self.covariance
        predicted += (acceleration - CALM) * elapsed**3 / 3
        both += elapsed * speed + acceleration * elapsed**2 / 2
        speed += acceleration * elapsed
        gain, speed_gain = predicted / (predicted + noise), both / (predicted + noise)
        self.place = expected + gain * innovation
        self.speed = self.speed + speed_gain * innovation
        self.covariance = ((1 - gain) * predicted, (1 - gain) * both, speed - speed_gain * both)
        self.seen, self.score = now, score


def assign(ratio: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of a row and a column so that the sum of their ratios is largest; pairs that are not above 0 stay apart.

    Args:
        ratio: float (rows, columns).

    Returns:
        Pairs of indices, by row.
    """
    wanted = ratio > 0
    rows, columns = wanted.sum(axis=1), wanted.sum(axis=0)
    pairs, hard = [], []
    for row in np.flatnonzero(rows):
        column = int(wanted[row].argmax())
        if rows[row] == 1 and columns[column] == 1:
            pairs.append((int(row), column))
        else:
            hard.append(int(row))
    if hard:
        contested = np.flatnonzero(wanted[hard].any(axis=0))
        costs = np.minimum(-ratio[np.ix_(hard, contested)], 0)
        # A row may stay alone at no cost: a column of its own.
        costs = np.hstack([costs, np.zeros((len(hard), len(hard)))])
        for row, column in enumerate(_hungarian(costs.tolist())):
            if column < len(contested) and wanted[hard[row], contested[column]]:
                pairs.append((hard[row], int(contested[column])))
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


def _alone(places: np.ndarray) -> np.ndarray:
    """Which faces (N, 8) touch no other face of the frame: bool (N,)."""
    apart = np.abs(places[:, None, :2] - places[None, :, :2])
    touch = (apart < (places[:, None, 2:4] + places[None, :, 2:4]) / 2).all(axis=2)
    return touch.sum(axis=1) == 1


def _place(detection: Detection) -> tuple[float, ...]:
    """Centre x and y, width, height, and both eyes as seen from the centre, in pixels."""
    x1, y1, x2, y2 = detection.box
    (left_x, left_y), (right_x, right_y) = detection.left_eye, detection.right_eye
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return x, y, max(x2 - x1, 1.0), max(y2 - y1, 1.0), left_x - x, left_y - y, right_x - x, right_y - y


def _detection(place: np.ndarray, score: float) -> Detection:
    x, y, width, height, left_x, left_y, right_x, right_y = place.tolist()
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Detection(box, score, (x + left_x, y + left_y), (x + right_x, y + right_y))


def _noise(place: np.ndarray) -> float:
    """Variance of a measured coordinate in squared sides of the face."""
    return NOISE**2 + PIXEL_NOISE**2 / float(place[2] * place[3])


def _looks(crop: np.ndarray) -> np.ndarray:
    """A crop (S, S) small, without its brightness and contrast: float32 (THUMBNAIL squared,) of length 1, so that the
    product of two is their correlation."""
    small = cv2.resize(crop, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    return small / (math.sqrt(float(small @ small)) + 1e-6)


def _finite(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise ValueError(f"a frame's time must be a finite number of seconds, not {seconds}")
    return seconds
