"""The satisfaction index: how pleasant the expressions are that people show, over time and with its uncertainty.

For one face, the index is the mean valence of its seven probabilities p (the consensus),

    z = sum(w * p),   with the variance   v = sum(w**2 * p) - z**2,

where w is the valence of each emotion. Over time, it is the estimate of a local level model, a Kalman filter for a
value that wanders (Kalman 1960, doi:10.1115/1.3662552; Durbin and Koopman 2012, chapter 2): it follows a face that is
clear within half a second and one that is doubtful more slowly, and it knows how far off it may be. Once a video has
ended, the same model looks back over it, so that its curve does not lag (`smooth`).

The room is the mean of the people in view (`combine`).
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

import numpy as np

from .sentences import IfadeError
from .tracker import TrackedFace
from .types import EMOTIONS

VALENCE = {
    "angry": -0.51,
    "disgust": -0.60,
    "fear": -0.64,
    "happy": 0.81,
    "sad": -0.63,
    "surprise": 0.40,
    "neutral": 0.0,
}
"""Pleasure of angry, disgusted, fearful, happy, sad and surprised, -1 to 1, as people rated the words: Russell and Mehrabian
1977, "Evidence for a three-factor theory of emotions", doi:10.1016/0092-6566(77)90037-X. Neutral is the zero."""

FORMULA = "index = sum of weight x probability over the seven emotions"
"""How the page and the reports print it, next to the weights."""

# The level model. Between a clear and a doubtful face lies a factor of about ten in v.
WANDER = 0.04
"""Variance that the true value gains in a second."""
NOISE = 0.01
"""Variance of an observation beside v: what the network does not know of its own errors."""
CORRELATION_SECONDS = 0.2
"""Frames closer in time show the same face again: so much time counts as one observation, however many frames it has."""
PRIOR = 0.25
"""Variance of the index of a person of whom nothing is known; no band is wider."""

LONGEST_STEP = 1.0
"""A gap between two frames that is longer, in seconds, is a pause, which belongs to nobody."""
FIRST_STEP, SHORTEST_STEP = 0.05, 1e-3
"""Seconds that a frame stands for that has none before it, or one of the same moment."""
BASELINE_SECONDS = 5.0
"""How long a face is watched when its neutral baseline is taken."""
MOST_BASELINE = 0.9
"""No baseline lies further from 0, so that there is room between it and the end of the scale."""
NEUTRAL_ZONE = 0.2
"""An index between minus this and this counts as neutral."""
BIN_SECONDS = 0.5
"""Resolution of what is kept for the report; doubled whenever MAX_BINS would be passed."""
MAX_BINS = 20_000
CURVE_POINTS = 600
"""Most points of the curve in a report."""
MAX_PEOPLE = 1000
"""Of more people, those seen most briefly are forgotten."""
MAX_MARKERS, MAX_LABEL = 500, 80
"""Most markers of a session, and characters of a marker's label."""
MARKER_SECONDS = 10.0
"""The means of so many seconds before and after a marker are compared."""
FEWEST_STRETCHES = 4
"""With fewer stretches of time on either side of a marker nothing is said of the difference."""
NOT_SURE_KEY = "not sure"


class TimelineError(IfadeError, ValueError):
    """A marker cannot be set, or weights cannot be used; the sentence says why."""


def parse_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights by emotion as they come from outside, checked.

    Raises:
        TimelineError: an emotion is missing or unknown, or a weight is not a number from -1 to 1.
    """
    if not isinstance(weights, Mapping) or set(weights) != set(EMOTIONS):
        raise TimelineError("weights_incomplete", emotions=", ".join(EMOTIONS))
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not -1 <= weight <= 1:
            raise TimelineError("weight_out_of_range", emotion=name)
    return {name: float(weights[name]) for name in EMOTIONS}


def valence(distribution: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Mean and variance of the valence under a distribution over EMOTIONS (7,) and weights (7,)."""
    mean = float(weights @ distribution)
    return mean, max(float((weights * weights) @ distribution) - mean * mean, 0.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """A value of the index.

    Attributes:
        index: -1 to 1.
        deviation: its standard deviation; the truth lies within one of it for about two thirds of the time.
    """

    index: float
    deviation: float


class Level:
    """The filter of one person: a local level model with the valence as its observation. Nothing is believed beforehand, so
    that the first observation is its first mean, and somebody who shows always the same has always the same index.

    Attributes:
        seconds: the time of the last observation.
        mean, variance: of the index, as known then.
    """

    __slots__ = ("mean", "seconds", "variance")

    def __init__(self) -> None:
        self.seconds, self.mean, self.variance = -math.inf, 0.0, math.inf

    def update(
        self, seconds: float, distribution: np.ndarray, weights: np.ndarray, length: float, frames: int = 1
    ) -> None:
        """Take an observation in.

        Args:
            seconds: its time; since the last one the value has wandered.
            distribution: (7,), the mean over the frames.
            weights: (7,).
            length: seconds that the frames stand for.
            frames: how many they are.
        """
        observed, spread = valence(distribution, weights)
        noise = (spread + NOISE) / min(frames, length / CORRELATION_SECONDS)
        gain = 1 / (1 + noise / (self.variance + WANDER * (seconds - self.seconds)))
        self.seconds = seconds
        self.mean += gain * (observed - self.mean)
        self.variance = gain * noise


def smooth(estimates: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """What a Level knew at each observation, (seconds, mean, variance), as it is known from those that came later too.

    The backward pass of Rauch, Tung and Striebel 1965, "Maximum likelihood estimates of linear dynamic systems",
    doi:10.2514/3.3166. Between two observations the expected value lies on the straight line.
    """
    smoothed = estimates[-1:]
    for seconds, mean, variance in reversed(estimates[:-1]):
        later, later_mean, later_variance = smoothed[-1]
        expected = variance + WANDER * (later - seconds)
        gain = variance / expected
        smoothed.append((seconds, mean + gain * (later_mean - mean), variance + gain**2 * (later_variance - expected)))
    return smoothed[::-1]


def from_baseline(reading: Reading, baseline: float | None) -> Reading:
    """The reading as seen from a person's own neutral: the baseline becomes 0, -1 and 1 stay where they are, and all between
    moves along two straight lines. The deviation is half of what the band from -1 to +1 deviations becomes."""
    if baseline is None:
        return reading

    def seen(index: float) -> float:
        return (index - baseline) / (1 - baseline if index >= baseline else 1 + baseline)

    ends = seen(reading.index - reading.deviation), seen(reading.index + reading.deviation)
    return Reading(seen(reading.index), (ends[1] - ends[0]) / 2)


def combine(readings: Iterable[Reading], shares: Sequence[float] | None = None) -> Reading | None:
    """The room: the plain mean of the people in view; None for nobody.

    Its deviation is that of a mean of independent errors, sqrt(sum of deviation^2) / number: what makes the network err on
    one face is taken to say nothing of the next. Whoever is not in view, be it for a moment, does not count, so the room steps
    when people come and go, by what the mean says; it moves in no other way than with the people in it.

    Args:
        readings: of the people in view.
        shares: where they were seen for different parts of a stretch of time, the part of the room that each was in it: the
            sum, over its moments, of 1 / number of people in view. The result is the mean of the room over the stretch.
    """
    readings = list(readings)
    if not readings:
        return None
    shares = [1.0] * len(readings) if shares is None else shares
    total = math.fsum(shares)
    index = math.fsum(share * reading.index for share, reading in zip(shares, readings)) / total
    variance = math.fsum((share * reading.deviation) ** 2 for share, reading in zip(shares, readings))
    return Reading(index, math.sqrt(variance) / total)


def read_off(
    curves: Mapping[int, np.ndarray], seconds: np.ndarray, people: np.ndarray, readings: np.ndarray
) -> np.ndarray:
    """What `Timeline.curves` say of the faces of frames.

    Args:
        curves: straight lines between their points, and level before the first and after the last.
        seconds: (rows,), the time of each face's frame, ascending; equal ones are of the same frame.
        people: (rows,), whose face it is.
        readings: (rows, 2), index and deviation that hold where a person has no curve.

    Returns:
        (rows, 4): index and deviation, and those of the room in that frame.
    """
    own = readings.astype(np.float64)
    for id_, (times, *values) in curves.items():
        rows = people == id_
        own[rows] = np.stack([np.interp(seconds[rows], times, value) for value in values], axis=1)
    starts = np.flatnonzero(np.diff(seconds, prepend=np.nan))
    count = np.diff(starts, append=len(seconds))
    index = np.add.reduceat(own[:, 0], starts) / count if len(starts) else own[:0, 0]
    deviation = np.sqrt(np.add.reduceat(own[:, 1] ** 2, starts)) / count if len(starts) else own[:0, 0]
    return np.column_stack([own, np.repeat(index, count), np.repeat(deviation, count)])


def mean_difference(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """By how much the mean of a series changes at a moment, and the standard deviation of that.

    A face that smiles now smiles in half a second too, so that values that follow each other count for less than independent
    ones. They are taken for a first-order autoregressive series about one mean before and another after. Its correlation is
    estimated from both sides together, freed of the bias that short series have (Marriott and Pope 1954,
    doi:10.1093/biomet/41.3-4.390) and never negative; the variance of a mean of n values is then that of one, times
    (1 + 2 sum (1 - k/n) correlation^k) / n.

    Args:
        before: (n,), evenly spaced in time, two values or more.
        after: (m,), the same.

    Returns:
        The mean after less the mean before, and its standard deviation.
    """
    sides = [np.asarray(side, np.float64) for side in (before, after)]
    rests = [side - side.mean() for side in sides]
    squares = sum(float(rest @ rest) for rest in rests)
    difference = float(sides[1].mean() - sides[0].mean())
    if squares < 1e-12:
        return difference, 0.0
    mean_length = (len(before) + len(after)) / 2
    measured = sum(float(rest[:-1] @ rest[1:]) for rest in rests) / squares
    correlation = min(max((measured + 1 / mean_length) / max(1 - 3 / mean_length, 0.1), 0.0), 0.95)
    inflations = [
        1 + 2 * sum((1 - lag / len(side)) * correlation**lag for lag in range(1, len(side))) for side in sides
    ]
    variance = squares / sum(len(side) - inflation for side, inflation in zip(sides, inflations))
    return difference, math.sqrt(variance * sum(inflation / len(side) for side, inflation in zip(sides, inflations)))


def _compared(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> dict:
    """What the report says of an index on both sides of a marker: seconds and value of each stretch of time."""
    if min(len(before), len(after)) < FEWEST_STRETCHES:
        return {"before": None, "after": None, "difference": None}
    lengths, values = zip(*(zip(*side) for side in (before, after)))
    sides = [
        {"mean": round(float(np.mean(index)), 4), "seconds": round(math.fsum(length), 3)}
        for length, index in zip(lengths, values)
    ]
    difference = [round(figure, 4) for figure in mean_difference(*map(np.array, values))]
    return {"before": sides[0], "after": sides[1], "difference": difference}


# What was seen of one person in one stretch of time. They stand in one array, because a session has many and the memory of
# many small objects does not return to the system when it ends.
_SUMS = {"frames": "i8", "length": "f8", "share": "f8", "moment": "f8", "weighted": f"{len(EMOTIONS)}f8"}
"""Frames, the seconds that they stand for, and, weighted by these, the sums of the person's part of the people in view, of
the times and of the distributions."""
_BIN = np.dtype([("stretch", "i8"), ("person", "i8"), *_SUMS.items()])
_EVERYBODY = -1
"""The number that stands in place of a person's where anybody at all was there."""
_MORE_BINS = 1024
"""The array of bins grows by so many."""


def _add(bin_: np.void, length: float, part: float, seconds: float, distribution: np.ndarray | float = 0.0) -> None:
    bin_["frames"] += 1
    bin_["length"] += length
    bin_["share"] += length * part
    bin_["moment"] += length * seconds
    bin_["weighted"] += length * distribution


@dataclass(slots=True)
class _Person:
    """What is kept of one person for the whole session."""

    first: float
    last: float
    level: Level = field(default_factory=Level)
    frames: int = 0
    seconds: float = 0.0
    dwell: dict[str, float] = field(default_factory=lambda: dict.fromkeys((*EMOTIONS, NOT_SURE_KEY), 0.0))
    baseline: np.void | None = None
    baseline_until: float | None = None  # of the taking to which it belongs


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment that somebody marked: its number, which stays, when it was, and what is written on it."""

    id: int
    seconds: float
    label: str


@dataclass(frozen=True, slots=True)
class _Part:
    """One person in one stretch of time: for how many seconds, which part of the room (see `combine`), the reading, the index
    that was observed in this stretch alone, and the mean distribution over EMOTIONS."""

    length: float
    share: float
    reading: Reading
    observed: float
    distribution: np.ndarray


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stretch of time in which somebody was in view: the mean time of its frames, for how long, and who, by id."""

    seconds: float
    length: float
    people: dict[int, _Part]

    @property
    def room(self) -> Reading:
        parts = self.people.values()
        return combine([part.reading for part in parts], [part.share for part in parts])

    @property
    def observed(self) -> float:
        """The room's index in this stretch alone, without what was known before."""
        parts = self.people.values()
        return math.fsum(part.share * part.observed for part in parts) / math.fsum(part.share for part in parts)


class Timeline:
    """The index of everybody in a stream of frames, from the first to the last, in bounded memory.

    Everything is kept as mean distributions over stretches of time, never as pictures, so that the weights can be changed
    at any time and hold for the whole session.

    Args:
        weights: valence of each emotion, -1 to 1.

    Attributes:
        weights: by emotion.
        finished: set it when no frame comes any more, and curve, curves and report look back from the end (`smooth`).
        frames: analysed so far, those without a face included.
        calibrating_until: the time at which the taking of a neutral baseline ends or ended; None where none was asked for.
        forgotten: people who are no longer counted, because there were more than MAX_PEOPLE.
        markers: in order of time.
    """

    def __init__(self, weights: Mapping[str, float] = VALENCE):
        self.finished = False
        self.frames = self.forgotten = 0
        self.markers: list[Marker] = []
        self._last_marker = 0
        self._people: dict[int, _Person] = {}
        self._bins, self._used, self._width = np.zeros(0, _BIN), 0, BIN_SECONDS
        self._stretch = -1  # the stretch of time that is being filled
        self._rows: dict[int, int] = {}  # its rows by person
        self._start: float | None = None
        self._now: float | None = None
        self.calibrating_until: float | None = None
        self.weights = parse_weights(weights)
        self._vector = np.array(list(self.weights.values()))

    def add(self, seconds: float, people: Iterable[TrackedFace]) -> tuple[Reading | None, dict[int, Reading]]:
        """Take in the faces of one frame.

        Args:
            seconds: the frame's time; at least that of the frame before.
            people: from a FaceTracker.

        Returns:
            The reading of the room, None while nobody is there, and that of each person by id.

        Raises:
            ValueError: the time runs backwards or is not finite.
        """
        if not math.isfinite(seconds) or (self._now is not None and seconds < self._now):
            raise ValueError(f"the time of a frame must not run backwards: {seconds} after {self._now}")
        step = FIRST_STEP if self._now is None else min(max(seconds - self._now, SHORTEST_STEP), LONGEST_STEP)
        self._start = seconds if self._start is None else self._start
        self._now = seconds
        self.frames += 1
        calibrating = self.calibrating_until is not None and seconds <= self.calibrating_until
        readings: dict[int, Reading] = {}
        people = list(people)
        stretch = int((seconds - self._start) / self._width)
        for face in people:
            person = self._people.get(face.id)
            if person is None:
                person = self._people[face.id] = _Person(seconds, seconds)
            distribution = face.measured.consensus.astype(np.float64)
            person.level.update(seconds, distribution, self._vector, step)
            person.last = seconds
            person.frames += 1
            person.seconds += step
            person.dwell[face.smoothed.shown if face.smoothed.sure else NOT_SURE_KEY] += step
            _add(self._bin(stretch, face.id), step, 1 / len(people), seconds, distribution)
            if calibrating:
                if person.baseline_until != self.calibrating_until:
                    person.baseline, person.baseline_until = np.zeros(1, _BIN)[0], self.calibrating_until
                _add(person.baseline, step, 1.0, seconds, distribution)
            readings[face.id] = self._reading(person, person.level.mean, person.level.variance)
        if readings:
            _add(self._bin(stretch, _EVERYBODY), step, 1.0, seconds)
            self._keep_bounds(readings)
        return combine(readings.values()), readings

    def mark(self, label: str, seconds: float | None = None) -> Marker:
        """Set a marker, at the time of the last frame or at another; returns it as it is kept.

        Raises:
            TimelineError: the label is empty, or there are MAX_MARKERS already.
        """
        label = _label(label)
        if len(self.markers) >= MAX_MARKERS:
            raise TimelineError("markers_full", most=MAX_MARKERS)
        self._last_marker += 1
        marker = Marker(self._last_marker, self._now or 0.0 if seconds is None else float(seconds), label)
        self.markers.append(marker)
        self.markers.sort(key=lambda marker: marker.seconds)
        return marker

    def relabel(self, id_: int, label: str) -> Marker:
        """Write something else on a marker; returns it as it is kept.

        Raises:
            TimelineError: the label is empty, or there is no such marker.
        """
        place = self._marker_place(id_)
        self.markers[place] = replace(self.markers[place], label=_label(label))
        return self.markers[place]

    def unmark(self, id_: int) -> None:
        """Take a marker away.

        Raises:
            TimelineError: there is no such marker.
        """
        del self.markers[self._marker_place(id_)]

    def _marker_place(self, id_: int) -> int:
        for place, marker in enumerate(self.markers):
            if marker.id == id_:
                return place
        raise TimelineError("no_such_marker")

    def set_weights(self, weights: Mapping[str, float]) -> None:
        """Use other weights, for the whole session.

        Raises:
            TimelineError: see `parse_weights`.
        """
        self.weights = parse_weights(weights)
        self._vector = np.array(list(self.weights.values()))
        self._stretches()

    def calibrate(self, start: float | None = None) -> float:
        """Take the neutral baseline of everybody in view from the next BASELINE_SECONDS; returns when it will be done.

        From the first of these seconds on, what a person shows in them is that person's 0, for the whole session. Whoever is
        not in view then keeps the zero from before.

        Args:
            start: take it from the BASELINE_SECONDS after this time instead, which have been seen already.

        Raises:
            TimelineError: nobody was in view there.
        """
        if start is None:
            self.calibrating_until = (self._now or 0.0) + BASELINE_SECONDS
            return self.calibrating_until
        end = start + max(BASELINE_SECONDS, self._width)
        bins = self._bins[: self._used]
        moments = bins["moment"] / bins["length"]
        inside = bins[(bins["person"] != _EVERYBODY) & (moments >= start) & (moments <= end)]
        if not len(inside):
            raise TimelineError("nobody_in_baseline")
        self.calibrating_until = None
        for id_ in np.unique(inside["person"]).tolist():
            person, rows = self._people[id_], inside[inside["person"] == id_]
            person.baseline, person.baseline_until = np.zeros(1, _BIN)[0], end
            for name in _SUMS:
                person.baseline[name] = rows[name].sum(axis=0)
        return end

    def forget_baseline(self) -> None:
        """Undo `calibrate`."""
        self.calibrating_until = None
        for person in self._people.values():
            person.baseline = person.baseline_until = None

    @property
    def baselines(self) -> dict[int, float]:
        """The index that counts as 0, by person, of those that have a baseline."""
        return {
            id_: baseline for id_, person in self._people.items() if (baseline := self._baseline(person)) is not None
        }

    def curve(self, points: int = CURVE_POINTS) -> list[dict]:
        """The whole session: at most `points` stretches of time as {seconds (the mean of their frames), room, people, emotions}.

        `people` are [index, deviation] by id of those who were seen in the stretch, `room` is what `combine` makes of them.
        `emotions` are the mean probabilities of EMOTIONS in the stretch, by id, and under "room" those of all together.
        Stretches in which nobody was seen are left out. That of a finished session has its two ends too, before and after which
        it is level: the first frame and the last.
        """
        stretches = self._stretches()
        size = max(1, math.ceil(len(stretches) / points))
        result: list[dict[str, Any]] = []
        for start in range(0, len(stretches), size):
            group = stretches[start : start + size]
            seen: dict[int, list[_Part]] = {}
            for stretch in group:
                for id_, part in stretch.people.items():
                    seen.setdefault(id_, []).append(part)
            people = {id_: _mean(parts) for id_, parts in seen.items()}
            shares = [math.fsum(part.share for part in parts) for parts in seen.values()]
            emotions = [_mean_distribution(parts) for parts in seen.values()]
            together = np.average(emotions, axis=0, weights=shares)
            result.append(
                {
                    "seconds": round(sum(stretch.seconds for stretch in group) / len(group), 3),
                    "room": _rounded(combine(people.values(), shares)),
                    "people": {str(id_): _rounded(reading) for id_, reading in people.items()},
                    "emotions": {
                        str(id_): distribution.round(3).tolist()
                        for id_, distribution in (("room", together), *zip(seen, emotions))
                    },
                }
            )
        if self.finished and result:
            first = min(self._people[int(id_)].first for id_ in result[0]["people"])
            last = max(self._people[int(id_)].last for id_ in result[-1]["people"])
            ends = {**result[0], "seconds": round(first, 3)}, {**result[-1], "seconds": round(last, 3)}
            result = [ends[0], *result, ends[1]]
        return result

    def curves(self) -> dict[int, np.ndarray]:
        """The curve of everybody in all detail, by id: float64 (3, stretches of time), seconds, index and deviation."""
        points: dict[int, list] = {}
        for stretch in self._stretches():
            for id_, part in stretch.people.items():
                points.setdefault(id_, []).append((stretch.seconds, part.reading.index, part.reading.deviation))
        return {id_: np.array(line).T for id_, line in points.items()}

    def finished_curves(self) -> dict[int, np.ndarray] | None:
        """The same of a finished session, by which its rows are told anew (see `read_off`); None before."""
        return self.curves() if self.finished else None

    def report(self, points: int = CURVE_POINTS) -> dict:
        """The session in figures, as JSON types.

        `room` and each of `people` have `mean`, `highest` and `lowest` ({index, seconds}), `end` (the last reading), `positive`,
        `neutral` and `negative` (parts of the time, by NEUTRAL_ZONE) and `dwell` (seconds for which each emotion led; of the
        room: of all people together). People have `id`, `from`, `to`, `seconds` too. Figures are None where nobody was seen.
        Markers have `id`, `seconds`, `label`, the `room` at that moment, and, where enough was seen on both sides, the room's
        `before` and `after` ({mean, seconds}) over MARKER_SECONDS or up to the next marker, with the `difference` of their means
        and its standard deviation (`mean_difference`), all as it was observed, before the filter; `people` has the same by id, of
        those who were seen enough.
        `smoothed` says whether the curve looks back (see `finished`).
        """
        by_person: dict[int, list[tuple[float, float, Reading]]] = {}
        room, stretches = [], self._stretches()
        for stretch in stretches:
            room.append((stretch.seconds, stretch.length, stretch.room))
            for id_, part in stretch.people.items():
                by_person.setdefault(id_, []).append((stretch.seconds, part.length, part.reading))
        everybody = dict.fromkeys((*EMOTIONS, NOT_SURE_KEY), 0.0)
        people = []
        for id_, person in self._people.items():
            for name, seconds in person.dwell.items():
                everybody[name] += seconds
            people.append(
                {
                    "id": id_,
                    "from": round(person.first, 3),
                    "to": round(person.last, 3),
                    "seconds": round(person.seconds, 3),
                    "frames": person.frames,
                    **_summary(by_person.get(id_, []), person.dwell),
                    "baseline": None if (baseline := self._baseline(person)) is None else round(baseline, 4),
                }
            )
        curve = self.curve(points)
        return {
            "formula": FORMULA,
            "weights": self.weights,
            "neutral_zone": NEUTRAL_ZONE,
            "smoothed": self.finished,
            "frames": self.frames,
            "from": None if self._start is None else round(self._start, 3),
            "to": None if self._now is None else round(self._now, 3),
            "room": _summary(room, everybody),
            "people": people,
            "people_forgotten": self.forgotten,
            "markers": [
                {
                    "id": marker.id,
                    "seconds": round(marker.seconds, 3),
                    "label": marker.label,
                    "room": _nearest(curve, marker.seconds),
                    **self._around(place, stretches),
                }
                for place, marker in enumerate(self.markers)
            ],
            "curve": curve,
        }

    def _around(self, place: int, stretches: list[_Stretch]) -> dict:
        """What the report says of the time around a marker."""
        at, span = self.markers[place].seconds, max(MARKER_SECONDS, 2 * FEWEST_STRETCHES * self._width)
        others = {marker.seconds for marker in self.markers}
        start = max((other for other in others if at - span < other < at), default=at - span)
        end = min((other for other in others if at < other < at + span), default=at + span)
        before = [stretch for stretch in stretches if start <= stretch.seconds < at]
        after = [stretch for stretch in stretches if at <= stretch.seconds < end]

        def observed(side: list[_Stretch], id_: int) -> list[tuple[float, float]]:
            parts = [stretch.people[id_] for stretch in side if id_ in stretch.people]
            return [(part.length, part.observed) for part in parts]

        room = ([(stretch.length, stretch.observed) for stretch in side] for side in (before, after))
        ids = sorted({id_ for stretch in before for id_ in stretch.people})
        people = {str(id_): _compared(observed(before, id_), observed(after, id_)) for id_ in ids}
        known = {id_: figures for id_, figures in people.items() if figures["difference"]}
        return _compared(*room) | {"people": known}

    def _reading(self, person: _Person, mean: float, variance: float) -> Reading:
        return from_baseline(Reading(mean, math.sqrt(min(variance, PRIOR))), self._baseline(person))

    def _baseline(self, person: _Person) -> float | None:
        if person.baseline is None:
            return None
        mean = float(self._vector @ person.baseline["weighted"]) / float(person.baseline["length"])
        return min(max(mean, -MOST_BASELINE), MOST_BASELINE)

    def _keep_bounds(self, present: Mapping[int, Reading]) -> None:
        """Forget whom there is no room for, and join every two neighbouring stretches of time when they are too many."""
        while len(self._people) > MAX_PEOPLE:
            others = (id_ for id_ in self._people if id_ not in present)
            gone = min(others, key=lambda id_: self._people[id_].seconds, default=None)
            if gone is None:
                break
            del self._people[gone]
            self.forgotten += 1
            bins = self._bins[: self._used]
            self._keep(bins[bins["person"] != gone])
        if self._used > MAX_BINS:
            bins = self._bins[: self._used]
            bins["stretch"] //= 2
            places, target = np.unique(bins[["stretch", "person"]], return_inverse=True)
            joined = np.zeros(len(places), _BIN)
            joined["stretch"], joined["person"] = places["stretch"], places["person"]
            for name in _SUMS:
                np.add.at(joined[name], target, bins[name])
            self._keep(joined)
            self._width *= 2

    def _keep(self, bins: np.ndarray) -> None:
        """Have these in place of the present ones."""
        self._bins, self._used, self._stretch = bins, len(bins), -1

    def _bin(self, stretch: int, person: int) -> np.void:
        """That of a person in the last stretch of time, or a new one."""
        if stretch != self._stretch:
            first = int(np.searchsorted(self._bins["stretch"][: self._used], stretch))
            people = self._bins["person"][first : self._used].tolist()
            self._stretch, self._rows = stretch, dict(zip(people, itertools.count(first)))
        row = self._rows.get(person)
        if row is None:
            if self._used == len(self._bins):
                self._bins = np.concatenate([self._bins, np.zeros(_MORE_BINS, _BIN)])
            row = self._rows[person] = self._used
            self._bins[row]["stretch"], self._bins[row]["person"] = stretch, person
            self._used += 1
        return self._bins[row]

    def _stretches(self) -> list[_Stretch]:
        """All stretches of time in which somebody was seen, by the present weights; leaves the levels at their end."""
        for person in self._people.values():
            person.level = Level()
        known: dict[int, list[tuple[float, float, float]]] = {}
        stretches: list[_Stretch] = []
        parts: dict[int, list[tuple[_Stretch, float, float, np.ndarray]]] = {}
        bins = self._bins[: self._used]
        columns = (bins[name].tolist() for name in ("stretch", "person", "frames", "length", "share", "moment"))
        for _, group in itertools.groupby(zip(*columns, bins["weighted"]), itemgetter(0)):
            rows = {id_: sums for _, id_, *sums in group}
            _, everybody, _, moment, _ = rows.pop(_EVERYBODY)
            stretch = _Stretch(moment / everybody, everybody, {})
            for id_, (frames, length, share, _, weighted) in rows.items():
                level = self._people[id_].level
                level.update(stretch.seconds, weighted / length, self._vector, length, frames)
                known.setdefault(id_, []).append((stretch.seconds, level.mean, level.variance))
                parts.setdefault(id_, []).append((stretch, length, share, weighted / length))
            if rows:
                stretches.append(stretch)
        for id_, estimates in known.items():
            estimates = smooth(estimates) if self.finished else estimates
            person = self._people[id_]
            for (stretch, length, share, distribution), (_, mean, variance) in zip(parts[id_], estimates):
                observed = self._reading(person, float(self._vector @ distribution), 0.0).index
                reading = self._reading(person, mean, variance)
                stretch.people[id_] = _Part(length, share, reading, observed, distribution)
        return stretches


def _mean(parts: list[_Part]) -> Reading:
    """Of one person over some stretches of time, whose errors are the same."""
    total = math.fsum(part.share for part in parts)
    return Reading(
        math.fsum(part.share * part.reading.index for part in parts) / total,
        math.fsum(part.share * part.reading.deviation for part in parts) / total,
    )


def _mean_distribution(parts: list[_Part]) -> np.ndarray:
    return np.average([part.distribution for part in parts], axis=0, weights=[part.share for part in parts])


def _label(label: str) -> str:
    label = " ".join(str(label).split())[:MAX_LABEL]
    if not label:
        raise TimelineError("marker_without_label")
    return label


def _rounded(reading: Reading) -> list[float]:
    return [round(reading.index, 4), round(reading.deviation, 4)]


def _summary(steps: list[tuple[float, float, Reading]], dwell: dict[str, float]) -> dict:
    """The figures of a curve given as (seconds, length, reading)."""
    total = sum(length for _, length, _ in steps)
    figures = dict.fromkeys(("mean", "highest", "lowest", "end", "positive", "neutral", "negative"))
    if total > 0:

        def part(inside) -> float:
            return round(sum(length for _, length, reading in steps if inside(reading.index)) / total, 4)

        def at(step) -> dict:
            return {"index": round(step[2].index, 4), "seconds": round(step[0], 2)}

        figures["mean"] = round(sum(length * reading.index for _, length, reading in steps) / total, 4)
        # The first of several that are told alike: how a processor rounds is no difference.
        figures["highest"] = at(max(steps, key=lambda step: round(step[2].index, 4)))
        figures["lowest"] = at(min(steps, key=lambda step: round(step[2].index, 4)))
        figures["end"] = round(steps[-1][2].index, 4)
        figures["positive"] = part(lambda index: index > NEUTRAL_ZONE)
        figures["negative"] = part(lambda index: index < -NEUTRAL_ZONE)
        figures["neutral"] = round(1 - figures["positive"] - figures["negative"], 4)
    return figures | {"dwell": {name: round(seconds, 3) for name, seconds in dwell.items()}}


def _nearest(curve: list[dict], seconds: float) -> list[float] | None:
    return min(curve, key=lambda point: abs(point["seconds"] - seconds))["room"] if curve else None
