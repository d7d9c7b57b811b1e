"""The satisfaction index: its formula, its uncertainty, its curve and its report, on made-up faces with known truth."""

import json
import math
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from inference import satisfaction
from inference.report import figure_png
from inference.satisfaction import (
    NOT_SURE_KEY,
    PRIOR,
    VALENCE,
    WANDER,
    Level,
    Reading,
    Timeline,
    TimelineError,
    combine,
    from_baseline,
    mean_difference,
    smooth,
    valence,
)
from inference.tracker import TrackedFace
from inference.types import EMOTIONS, Detection, Face

WEIGHTS = np.array(list(VALENCE.values()))


def sure_of(emotion: str, probability: float = 0.94) -> np.ndarray:
    distribution = np.full(7, (1 - probability) / 6)
    distribution[EMOTIONS.index(emotion)] = probability
    return distribution


DOUBTFUL = np.full(7, 1 / 7)
MIXED = (sure_of("happy") + sure_of("sad")) / 2


def person(distribution, id_=1, box=(100.0, 50.0, 180.0, 130.0)) -> TrackedFace:
    face = Face(Detection(box, 0.9, (120, 80), (160, 80)), np.zeros((48, 48), np.uint8), np.asarray(distribution))
    return TrackedFace(id=id_, measured=face, smoothed=face, seconds=0.0)


def watch(timeline: Timeline, distribution, seconds: float, start: float = 0.0, rate: float = 20.0, id_: int = 1):
    """Show one face for a while; the last reading of the room."""
    room = None
    for number in range(round(seconds * rate)):
        room, _ = timeline.add(start + number / rate, [person(distribution, id_)])
    return room


# The formula


def test_valence_is_the_mean_of_the_weights():
    mean, variance = valence(sure_of("happy", 1.0), WEIGHTS)
    assert mean == pytest.approx(VALENCE["happy"]) and variance == pytest.approx(0, abs=1e-12)
    mean, variance = valence(np.array([0.5, 0, 0, 0.5, 0, 0, 0]), WEIGHTS)
    assert mean == pytest.approx((VALENCE["angry"] + VALENCE["happy"]) / 2)
    assert variance == pytest.approx(((VALENCE["happy"] - VALENCE["angry"]) / 2) ** 2)


def test_the_weights_order_the_emotions_as_their_source_does():
    assert list(VALENCE) == list(EMOTIONS) and VALENCE["neutral"] == 0
    assert (
        VALENCE["happy"] > VALENCE["surprise"] > 0 > max(VALENCE[name] for name in ("angry", "disgust", "fear", "sad"))
    )


@pytest.mark.parametrize(
    "weights",
    [
        None,
        {},
        {**VALENCE, "contempt": 0.0},
        {**VALENCE, "happy": 1.01},
        {**VALENCE, "happy": math.nan},
        {**VALENCE, "happy": "0.5"},
        {**VALENCE, "happy": True},
    ],
)
def test_wrong_weights_are_refused_and_change_nothing(weights):
    timeline = Timeline()
    with pytest.raises(ValueError, match="weight"):
        timeline.set_weights(weights)
    assert timeline.weights == VALENCE


# Over time


def test_a_clear_face_is_followed_within_a_second_and_a_doubtful_one_more_slowly():
    timeline = Timeline()
    watch(timeline, sure_of("happy"), 5)
    clear = watch(timeline, sure_of("sad"), 1, start=5)
    assert clear.index < -0.3
    timeline = Timeline()
    happy = watch(timeline, sure_of("happy"), 5)
    doubtful = watch(timeline, MIXED, 1, start=5)
    target, _ = valence(MIXED, WEIGHTS)
    moved = (happy.index - doubtful.index) / (happy.index - target)
    sad, _ = valence(sure_of("sad"), WEIGHTS)
    assert 0.2 < moved < 0.75 * (happy.index - clear.index) / (happy.index - sad)


def test_the_band_is_wider_for_doubtful_faces_and_narrows_with_time():
    clear, doubtful = (watch(Timeline(), distribution, 5) for distribution in (sure_of("happy"), MIXED))
    assert 0 < clear.deviation < 0.75 * doubtful.deviation < doubtful.deviation < math.sqrt(PRIOR)
    first = watch(Timeline(), sure_of("happy"), 0.05)
    assert first.deviation > 1.5 * clear.deviation


@pytest.mark.parametrize("distribution", [sure_of("happy"), MIXED])
def test_the_frame_rate_does_not_matter(distribution):
    readings = [watch(Timeline(), distribution, 2, rate=rate) for rate in (5, 10, 20, 60)]
    indices = [reading.index for reading in readings]
    deviations = [reading.deviation for reading in readings]
    assert np.ptp(indices) < 0.05 and np.ptp(deviations) < 0.15 * max(deviations)


def test_a_person_who_was_away_is_known_less():
    timeline = Timeline()
    before = watch(timeline, sure_of("happy"), 5)
    timeline.add(30.0, [])
    after, _ = timeline.add(30.05, [person(DOUBTFUL)])
    assert after.deviation > 1.5 * before.deviation


def test_nobody_has_no_reading_and_time_runs_forwards():
    timeline = Timeline()
    assert timeline.add(3.0, []) == (None, {})
    assert timeline.add(3.0, [person(DOUBTFUL)])[0] is not None  # two frames of one moment
    for wrong in (2.9, math.nan, math.inf):
        with pytest.raises(ValueError, match="time"):
            timeline.add(wrong, [])
    assert timeline.frames == 2


def test_probabilities_are_calibrated_so_the_variance_is_that_of_the_truth(fer2013):
    """On real faces: the squared error of the valence against the label's is, in the mean, about what the network says.

    Of every third face, of whose mean the standard error is a fifteenth.
    """
    from inference.emotion import EmotionClassifier

    public = fer2013.split("PublicTest")
    public = public.select(np.arange(0, len(public), 3))
    classifier = EmotionClassifier("emotion_int8.onnx", threads=1)
    answers = classifier.predict(public.images)["probabilities"].astype(np.float64)
    means = answers @ WEIGHTS
    errors = (WEIGHTS[public.labels] - means) ** 2
    variances = answers @ WEIGHTS**2 - means**2
    assert 0.75 < errors.mean() / variances.mean() < 1.1


# The room


@pytest.fixture(params=range(25))
def rng(request) -> np.random.Generator:
    return np.random.default_rng((35, request.param))


def random_faces(rng, number: int) -> np.ndarray:
    """(number, 7), clear and doubtful ones."""
    return rng.dirichlet(np.full(7, 10 ** rng.uniform(-1, 1)), number)


def random_times(rng, count: int) -> np.ndarray:
    return rng.uniform(0, 50) + np.cumsum(rng.choice([0.02, 0.05, 0.1, 0.7], count) * rng.uniform(0.5, 1.5, count))


def show(timeline: Timeline, seconds: float, faces: dict[int, np.ndarray]):
    return timeline.add(seconds, [person(distribution, id_) for id_, distribution in faces.items()])


def test_the_room_is_the_plain_mean_of_the_people_in_view(rng):
    """Who come and go; its band is that of a mean of independent errors."""
    timeline = Timeline()
    for number, seconds in enumerate(random_times(rng, 60)):
        if number == 20:
            timeline.calibrate()
        here = [id_ for id_ in range(1, 6) if rng.random() < 0.7]
        room, readings = show(timeline, seconds, dict(zip(here, random_faces(rng, len(here)))))
        assert list(readings) == here and (room is None) == (not here)
        if here:
            indices, deviations = np.array([[each.index, each.deviation] for each in readings.values()]).T
            assert room.index == pytest.approx(indices.mean())
            assert room.deviation == pytest.approx(math.sqrt((deviations**2).sum()) / len(here))
            assert indices.min() - 1e-12 <= room.index <= indices.max() + 1e-12
    for finished in (False, True):
        timeline.finished = finished
        for point in timeline.curve(int(rng.integers(3, 60))):
            indices = [index for index, _ in point["people"].values()]
            assert min(indices) - 1e-4 <= point["room"][0] <= max(indices) + 1e-4


def test_no_errors_of_many_people_cancel_more_than_independent_ones():
    room = combine([Reading(0.8, 0.1), Reading(-0.8, 0.3)])
    assert (room.index, room.deviation) == (0, pytest.approx(math.sqrt(0.01 + 0.09) / 2))
    assert combine([]) is None and combine([Reading(0.3, 0.2)]) == Reading(0.3, 0.2)


def test_people_who_do_not_change_are_level_and_so_is_the_room(rng):
    """From the first frame on, with frames at any times, before and after a baseline, and looking back."""
    timeline, faces = Timeline(), dict(enumerate(random_faces(rng, 4), 1))
    rooms = [show(timeline, seconds, faces)[0].index for seconds in random_times(rng, 50)]
    true = [valence(distribution, WEIGHTS)[0] for distribution in faces.values()]
    assert rooms == pytest.approx([np.mean(true)] * len(rooms))
    timeline.finished = True
    assert [point["room"][0] for point in timeline.curve()] == pytest.approx(
        [np.mean(true)] * len(timeline.curve()), abs=1e-4
    )
    timeline.calibrate()
    now = timeline.calibrating_until - satisfaction.BASELINE_SECONDS
    rooms = [show(timeline, now + 0.1 * number, faces)[0].index for number in range(1, 100)]
    assert rooms == pytest.approx([0] * len(rooms), abs=1e-9) or max(map(abs, true)) > 0.9


def test_the_room_never_rises_when_one_person_falls_and_the_others_stay(rng):
    as_it_was, fallen = Timeline(), Timeline()
    if rng.random() < 0.7:
        as_it_was.calibrate(), fallen.calibrate()
    times = random_times(rng, 100) - 45  # the baseline is taken in some of them
    for seconds in times:
        faces = dict(enumerate(random_faces(rng, 4), 1))
        show(as_it_was, seconds, faces), show(fallen, seconds, faces)
    falls = faces | {2: faces[2] * [1, 1, 1, 0, 1, 0, 1] + np.eye(7)[4] * (faces[2][3] + faces[2][5])}
    before, people_before = show(as_it_was, times[-1] + 0.05, faces)
    after, people_after = show(fallen, times[-1] + 0.05, falls)
    assert people_after[2].index < people_before[2].index
    assert [people_after[id_] for id_ in (1, 3, 4)] == [people_before[id_] for id_ in (1, 3, 4)]
    fall = people_before[2].index - people_after[2].index
    assert before.index - after.index == pytest.approx(fall / 4)


def test_a_baseline_moves_those_who_are_in_view_and_nobody_else(rng):
    """Each by `from_baseline` with the mean of what was shown in those seconds; whoever is away keeps the zero from before."""
    plain, based = Timeline(), Timeline()
    based.calibrate()
    shown: dict[int, list] = {1: [], 2: [], 3: []}
    expected: dict[int, float] = {}
    for number in range(200):
        seconds = 0.1 * number
        if number == 100:
            based.calibrate()
            shown, earlier = {1: [], 2: [], 3: []}, expected
        faces = dict(zip((1, 2, 3), random_faces(rng, 3 if number < 90 else 2)))
        _, without = show(plain, seconds, faces)
        _, readings = show(based, seconds, faces)
        if seconds <= based.calibrating_until:
            for id_, distribution in faces.items():
                shown[id_].append((valence(distribution, WEIGHTS)[0], 0.1 if number else 0.05))
            taken = {
                id_: sum(z * dt for z, dt in each) / sum(dt for _, dt in each) for id_, each in shown.items() if each
            }
            expected = taken if number < 100 else earlier | taken
        assert based.baselines == pytest.approx({id_: np.clip(value, -0.9, 0.9) for id_, value in expected.items()})
        for id_, reading in readings.items():
            assert reading == from_baseline(without[id_], based.baselines.get(id_))
    assert plain.baselines == {} and len(based.baselines) == 3


def test_the_room_is_calm_while_people_tremble_about_their_baseline():
    """Where one half of the scale is stretched nine times and the other not; no step of the room is larger than a person's."""
    rng = np.random.default_rng(35)
    timeline, weights = Timeline({**dict.fromkeys(EMOTIONS, 0.0), "happy": 1.0, "sad": -1.0}), np.array([0.1, 0.9])
    timeline.calibrate()
    rooms, people = [], []
    for number in range(1500):
        faces = {}
        for id_ in range(1, 5):
            part = np.clip(weights[id_ % 2] + rng.normal(0, 0.01), 0, 1)
            faces[id_] = part * np.eye(7)[3] + (1 - part) * np.eye(7)[4]
        room, readings = show(timeline, number / 20, faces)
        rooms.append((room.index, room.deviation))
        people.append([(reading.index, reading.deviation) for reading in readings.values()])
    steps, own_steps = np.abs(np.diff(rooms, axis=0)), np.abs(np.diff(people, axis=0))
    assert set(np.sign(list(timeline.baselines.values()))) == {-1, 1} and len(rooms) == 1500
    assert (steps[:, 0] <= own_steps[..., 0].mean(axis=1) + 1e-12).all()
    assert own_steps[200:].max() < 0.1 and steps[200:].max() < 0.05


def test_the_room_of_a_stretch_is_the_mean_of_its_moments():
    """Somebody who is hidden in some of its frames counts in the others alone."""
    timeline, faces, rooms = Timeline(), {1: sure_of("happy"), 2: sure_of("sad")}, []
    for number in range(40):
        room, _ = show(timeline, number / 10, faces if number % 5 else {1: faces[1]})
        rooms.append(room.index)
    for point, first in zip(timeline.curve(), range(0, 40, 5)):
        lengths = [0.05 if number == 0 else 0.1 for number in range(first, first + 5)]
        assert point["room"][0] == pytest.approx(np.average(rooms[first : first + 5], weights=lengths), abs=1e-4)
    assert timeline.curve(1)[0]["room"][0] == pytest.approx(np.average(rooms, weights=[0.05] + [0.1] * 39), abs=1e-4)


# Looking back

HAPPY_OR_SAD = {**dict.fromkeys(EMOTIONS, 0.0), "happy": 1.0, "sad": -1.0}


def crossing(seconds: np.ndarray, index: np.ndarray) -> float:
    """When a line that rises goes through 0."""
    after = int(np.argmax(index > 0))
    part = -index[after - 1] / (index[after] - index[after - 1])
    return seconds[after - 1] + part * (seconds[after] - seconds[after - 1])


def test_a_step_is_in_the_middle_of_the_finished_curve_where_the_filter_lags(rng):
    """Frames at any times, and a pause before and after."""
    times = np.cumsum(rng.uniform(0.02, 0.2, 200))
    step = rng.uniform(8, 12)
    times = times[(np.abs(times - step + 4) > 1) & (np.abs(times - step - 5) > 1.5)]
    timeline, filtered = Timeline(HAPPY_OR_SAD), []
    for seconds in times:
        emotion = "happy" if seconds > step else "sad"
        filtered.append(show(timeline, seconds, {1: sure_of(emotion, 0.6)})[1][1].index)
    assert crossing(times, np.array(filtered)) - step > 0.3
    seconds, index, _ = timeline.curves()[1]
    assert crossing(seconds, index) - step > 0.3
    timeline.finished = True
    seconds, index, _ = timeline.curves()[1]
    assert crossing(seconds, index) == pytest.approx(step, abs=0.15)
    points = timeline.curve()
    values = np.array([point["people"]["1"][0] for point in points])
    assert crossing(np.array([point["seconds"] for point in points]), values) == pytest.approx(step, abs=0.15)
    # It is as far from the end before as from the beginning after.
    before, after = (np.interp(step + away, seconds, index) for away in (-1, 1))
    assert before == pytest.approx(-after, abs=0.15)


def test_looking_back_gives_the_posterior_of_the_whole_model(rng):
    """Against the normal equations of the same model, all observations at once."""
    times, faces = random_times(rng, 40), random_faces(rng, 40)
    level, estimates = Level(), []
    precision, target = np.zeros((40, 40)), np.zeros(40)
    for number, (seconds, distribution) in enumerate(zip(times, faces)):
        level.update(seconds, distribution, WEIGHTS, 0.1)
        estimates.append((seconds, level.mean, level.variance))
        observed, spread = valence(distribution, WEIGHTS)
        known = 0.5 / (spread + satisfaction.NOISE)
        precision[number, number] += known
        target[number] = known * observed
        if number:
            pair = slice(number - 1, number + 1)
            precision[pair, pair] += np.array([[1, -1], [-1, 1]]) / (WANDER * (seconds - times[number - 1]))
    covariance = np.linalg.inv(precision)
    assert [mean for _, mean, _ in smooth(estimates)] == pytest.approx(covariance @ target)
    assert [variance for *_, variance in smooth(estimates)] == pytest.approx(np.diag(covariance))


# Weights, baseline and markers


def test_other_weights_hold_for_the_whole_session():
    timeline, other = Timeline(), Timeline({**VALENCE, "happy": -1.0})
    for each in (timeline, other):
        watch(each, sure_of("happy"), 4)
    assert timeline.report()["room"]["mean"] > 0.5
    timeline.set_weights(other.weights)
    assert timeline.report()["room"] == other.report()["room"]
    assert timeline.report()["room"]["mean"] < -0.5
    # The next frame goes on from there.
    a, b = (each.add(4.0, [person(sure_of("happy"))])[0].index for each in (timeline, other))
    assert a == pytest.approx(b, abs=0.03) and a < -0.5


def test_the_baseline_becomes_zero_for_each_person():
    timeline = Timeline()
    sad_looking, other = (sure_of("sad") + sure_of("neutral")) / 2, sure_of("neutral")
    timeline.add(0.0, [person(sad_looking, 1), person(other, 2)])
    until = timeline.calibrate()
    assert until == pytest.approx(satisfaction.BASELINE_SECONDS)
    for number in range(1, 160):
        _, readings = timeline.add(number / 20, [person(sad_looking, 1), person(other, 2)])
    assert readings[1].index == pytest.approx(0, abs=0.03) and readings[2].index == pytest.approx(0, abs=0.03)
    assert timeline.baselines[1] < -0.25 and abs(timeline.baselines[2]) < 0.05
    # What comes after the seconds asked for does not change it.
    before = dict(timeline.baselines)
    for number in range(160, 200):
        _, readings = timeline.add(number / 20, [person(sure_of("happy"), 1)])
    assert timeline.baselines == before and 0.6 < readings[1].index < 1
    assert [each["baseline"] for each in timeline.report()["people"]] == [round(value, 4) for value in before.values()]
    timeline.forget_baseline()
    assert timeline.baselines == {} and timeline.report()["people"][0]["lowest"]["index"] < -0.2


@pytest.mark.parametrize("baseline", [-0.9, -0.3, 0.0, 0.4, 0.9])
def test_a_baseline_keeps_the_ends_and_the_order(baseline):
    indices = np.linspace(-1, 1, 41)
    seen = [from_baseline(Reading(index, 0.1), baseline).index for index in indices]
    assert seen[0] == pytest.approx(-1) and seen[-1] == pytest.approx(1) and np.all(np.diff(seen) > 0)
    assert from_baseline(Reading(baseline, 0.1), baseline).index == pytest.approx(0)


def test_markers_stand_on_the_curve():
    timeline = Timeline()
    watch(timeline, sure_of("happy"), 3)
    watch(timeline, sure_of("sad"), 3, start=3)
    timeline.mark("price   shown\n", 2.5)
    timeline.mark("x" * 500)
    timeline.mark("<b>start</b>", 0.5)
    labels = [marker.label for marker in timeline.markers]
    assert labels == ["<b>start</b>", "price shown", "x" * satisfaction.MAX_LABEL]
    markers = timeline.report()["markers"]
    assert [marker["seconds"] for marker in markers] == [0.5, 2.5, 5.95]
    assert markers[1]["room"][0] > 0.3 > -0.2 > markers[2]["room"][0]
    with pytest.raises(ValueError, match="label"):
        timeline.mark("  ")


def test_markers_are_labelled_afterwards_and_taken_away():
    timeline = Timeline()
    first, second = timeline.mark("first", 2.0), timeline.mark("second", 1.0)
    assert timeline.relabel(first.id, " price  shown ").label == "price shown"
    assert [(marker.id, marker.label) for marker in timeline.markers] == [
        (second.id, "second"),
        (first.id, "price shown"),
    ]
    timeline.unmark(second.id)
    # A number is never given twice, so that what comes late names nothing else.
    assert timeline.mark("third", 0.0).id not in (first.id, second.id) and len(timeline.markers) == 2
    for change in (lambda: timeline.relabel(second.id, "x"), lambda: timeline.unmark(second.id)):
        with pytest.raises(TimelineError, match="no such marker"):
            change()
    with pytest.raises(TimelineError, match="label"):
        timeline.relabel(first.id, " ")


def wandering(rng, correlation: float, count: int, runs: int) -> np.ndarray:
    """Stationary series of variance 1 whose neighbours are correlated: (runs, count)."""
    series = np.empty((runs, count))
    series[:, 0] = rng.normal(size=runs)
    for place in range(1, count):
        fresh = math.sqrt(1 - correlation**2) * rng.normal(size=runs)
        series[:, place] = correlation * series[:, place - 1] + fresh
    return series


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8, 0.9])
def test_the_deviation_of_a_difference_is_right_whatever_the_correlation(rng, correlation):
    """Where nothing changes, the difference lies within one deviation about two times of three, as a normal one does; the
    deviation of independent values would be right for the first series alone."""
    series = wandering(rng, correlation, 40, 1500)
    differences, deviations = np.array([mean_difference(one[:20], one[20:]) for one in series]).T
    assert np.abs(differences).mean() < 1
    inside = np.mean(np.abs(differences) < deviations)
    assert 0.62 < inside < 0.76
    naive = np.sqrt(series[:, :20].var(axis=1, ddof=1) / 20 + series[:, 20:].var(axis=1, ddof=1) / 20)
    assert np.mean(np.abs(differences) < naive) < 0.5 or correlation < 0.6


def test_the_report_tells_what_changes_at_a_marker(rng):
    timeline = Timeline()
    for number in range(400):
        happy = 0.7 * (number >= 200) + 0.1 * rng.random()
        timeline.add(number / 10, [person(happy * sure_of("happy", 1.0) + (1 - happy) * sure_of("neutral", 1.0))])
    for seconds in (3.0, 20.0, 25.0, 30.0, 39.5):
        timeline.mark("at", seconds)
    early, change, near, calm, late = timeline.report()["markers"]
    assert change["difference"][0] == pytest.approx(0.7 * VALENCE["happy"], abs=0.02)
    assert change["difference"][0] == pytest.approx(change["after"]["mean"] - change["before"]["mean"], abs=2e-4)
    assert 0 < change["difference"][1] < 0.03 and abs(calm["difference"][0]) < 3 * calm["difference"][1]
    # Ten seconds, or as far as the session or the next marker.
    lengths = [
        [marker[side] and marker[side]["seconds"] for side in ("before", "after")] for marker in (early, change, near)
    ]
    assert np.abs(np.array(lengths) - [[3, 10], [10, 5], [5, 5]]).max() < 0.6
    assert late["before"] is late["after"] is late["difference"] is None


def test_the_report_tells_what_changes_at_a_marker_for_each_person():
    """One begins to smile, one stays as they are, one leaves too early to be compared."""
    rng, timeline = np.random.default_rng(0), Timeline()
    for number in range(400):
        smiles = [0.7 * (number >= 200) + 0.1 * rng.random(), 0.1 * rng.random()]
        people = [
            person(smile * sure_of("happy", 1.0) + (1 - smile) * sure_of("neutral", 1.0), id_)
            for id_, smile in enumerate(smiles, 1)
        ]
        timeline.add(number / 10, people + [person(sure_of("sad"), 3)] * (number < 205))
    timeline.mark("at", 20.0)
    (marker,) = timeline.report()["markers"]
    assert list(marker["people"]) == ["1", "2"]
    smiling, calm = marker["people"].values()
    assert smiling["difference"][0] == pytest.approx(0.7 * VALENCE["happy"], abs=0.02)
    assert smiling["difference"][0] > 10 * smiling["difference"][1]
    assert abs(calm["difference"][0]) < 3 * calm["difference"][1] and calm["before"]["seconds"] == pytest.approx(
        10, abs=0.6
    )


def test_the_curve_has_the_emotions_of_everybody_and_of_the_room():
    timeline = Timeline()
    for number in range(80):
        people = [person(sure_of("happy"), 1), *([person(sure_of("sad"), 2)] if number < 40 else [])]
        timeline.add(number / 20, people)
    first, *_, last = timeline.curve()
    assert first["emotions"]["1"] == pytest.approx(sure_of("happy"), abs=1e-3)
    assert first["emotions"]["room"] == pytest.approx(MIXED, abs=1e-3)
    assert last["emotions"].keys() == {"room", "1"} and last["emotions"]["room"] == last["emotions"]["1"]


def test_a_baseline_is_taken_from_seconds_that_were_seen():
    timeline = Timeline()
    watch(timeline, sure_of("sad"), 6)
    watch(timeline, sure_of("happy"), 10, start=6)
    timeline.add(20.0, [])
    timeline.finished = True
    assert timeline.calibrate(0.0) == satisfaction.BASELINE_SECONDS
    assert timeline.baselines == {1: pytest.approx(valence(sure_of("sad"), WEIGHTS)[0], abs=1e-3)}
    first, *_, last = timeline.curve()
    assert first["room"][0] == pytest.approx(0, abs=0.05) and last["room"][0] > 0.8
    timeline.calibrate(9.0)
    assert timeline.curve()[-1]["room"][0] == pytest.approx(0, abs=0.05)
    with pytest.raises(TimelineError, match="Nobody is in view"):
        timeline.calibrate(17.0)


def test_too_many_markers_are_refused(monkeypatch):
    monkeypatch.setattr(satisfaction, "MAX_MARKERS", 2)
    timeline = Timeline()
    timeline.mark("a"), timeline.mark("b")
    with pytest.raises(ValueError, match="At most 2"):
        timeline.mark("c")


# The report


def test_the_highest_is_the_first_of_those_that_are_told_alike():
    timeline, growing = Timeline(), np.zeros(7)
    growing[EMOTIONS.index("happy")], growing[EMOTIONS.index("sad")] = 1e-9, -1e-9
    for number in range(40):
        timeline.add(number / 20, [person(np.full(7, 1 / 7) + number * growing)])
    room = timeline.report()["room"]
    assert room["highest"] == room["lowest"] and room["highest"]["seconds"] < 0.5


def test_the_report_of_a_known_session():
    timeline = Timeline()
    watch(timeline, sure_of("neutral"), 10)
    watch(timeline, sure_of("happy"), 20, start=10)
    watch(timeline, sure_of("sad"), 10, start=30)
    report = json.loads(json.dumps(timeline.report()))
    room, (one,) = report["room"], report["people"]
    assert (one["from"], one["to"], one["frames"], report["frames"]) == (0, 39.95, 800, 800)
    assert one["seconds"] == pytest.approx(40, abs=0.1)
    assert (room["neutral"], room["positive"], room["negative"]) == pytest.approx((0.25, 0.5, 0.25), abs=0.04)
    assert room["positive"] + room["neutral"] + room["negative"] == pytest.approx(1)
    true_mean = sum(valence(sure_of(name), WEIGHTS)[0] * part for name, part in (("happy", 0.5), ("sad", 0.25)))
    assert room["mean"] == pytest.approx(true_mean, abs=0.05)
    assert 12 < room["highest"]["seconds"] <= 30.5 and room["highest"]["index"] == pytest.approx(0.75, abs=0.05)
    assert room["lowest"]["seconds"] > 34 and room["end"] == room["lowest"]["index"] == pytest.approx(-0.6, abs=0.05)
    for name, seconds in {"neutral": 10, "happy": 20, "sad": 10, "fear": 0, NOT_SURE_KEY: 0}.items():
        assert room["dwell"][name] == one["dwell"][name] == pytest.approx(seconds, abs=0.1)
    assert {key: value for key, value in room.items()} == {key: one[key] for key in room}  # there is nobody else
    assert report["weights"] == VALENCE and report["formula"]


def test_doubtful_time_is_not_put_down_to_an_emotion():
    timeline = Timeline()
    watch(timeline, DOUBTFUL, 2)
    dwell = timeline.report()["room"]["dwell"]
    assert dwell.pop(NOT_SURE_KEY) == pytest.approx(2, abs=0.1) and set(dwell.values()) == {0}


def test_pauses_belong_to_nobody():
    timeline = Timeline()
    watch(timeline, sure_of("happy"), 2)
    watch(timeline, sure_of("happy"), 2, start=100)
    report = timeline.report()
    assert report["people"][0]["seconds"] == pytest.approx(4 + satisfaction.LONGEST_STEP, abs=0.2)
    assert max(point["seconds"] for point in report["curve"]) > 100
    assert not [point for point in report["curve"] if 3 < point["seconds"] < 99]


def test_an_empty_session_has_a_report():
    report = Timeline().report()
    assert report["room"]["mean"] is None and report["people"] == report["curve"] == report["markers"] == []
    assert Image.open(BytesIO(figure_png(report))).size == (1500, 1000)


def test_hours_of_crowds_stay_within_their_bounds(monkeypatch):
    """More people and more time than there is room for: the room's figures stay right, those seen briefly are dropped."""
    monkeypatch.setattr(satisfaction, "MAX_BINS", 200)
    monkeypatch.setattr(satisfaction, "MAX_PEOPLE", 20)
    timeline = Timeline()
    for number in range(8000):
        people = [person(sure_of("happy"), 1)]
        if number % 40 < 2:
            people.append(person(sure_of("sad"), 2 + number // 40))
        timeline.add(number / 4, people)
    report = timeline.report()
    assert len(report["people"]) <= 20 and report["people_forgotten"] == 201 - 20
    assert timeline._used <= 200
    assert report["people"][0]["id"] == 1 and report["people"][0]["seconds"] == pytest.approx(2000, rel=0.01)
    assert report["room"]["mean"] == pytest.approx(0.74, abs=0.05)
    assert len(timeline.curve(50)) <= 50


def test_hours_are_kept_in_one_piece():
    """The memory of many small objects, scattered among others, does not return to the system."""
    timeline, people = Timeline(), [person(MIXED, id_) for id_ in range(1, 4)]
    for number in range(3600):
        timeline.add(number / 2, people)
        if number == 100:
            begun = sys.getallocatedblocks()
    assert sys.getallocatedblocks() - begun < 500
    assert len(timeline.curve()) == 600


# The picture


def test_the_picture_shows_the_curve_and_survives_any_label():
    timeline = Timeline()
    watch(timeline, sure_of("happy"), 4)
    timeline.mark(r"$\frac{ <b> % {x} _^", 2)
    with_curve = np.asarray(Image.open(BytesIO(figure_png(timeline.report()))).convert("RGB"))
    empty = np.asarray(Image.open(BytesIO(figure_png(Timeline().report()))).convert("RGB"))
    assert with_curve.shape == (1000, 1500, 3)
    assert (with_curve[50:550] != empty[50:550]).any(axis=2).mean() > 0.01
