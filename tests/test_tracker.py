"""FaceTracker on motion whose truth is known."""

import gc
import itertools
import math
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import inference.tracker
from inference.tracker import FaceTracker, assign
from inference.types import AGES, Detection, Face

RATES = (5, 10, 20, 30, 60)
SIDE = 100.0


def looks(person: int) -> np.ndarray:
    """A pattern (48, 48) of its own for each person."""
    coarse = np.random.default_rng(person).integers(0, 256, (8, 8))
    return np.kron(coarse, np.ones((6, 6))).astype(np.uint8)


def face(x, y, person=0, side=SIDE, jitter=None, **said) -> Face:
    """A face at (x, y), trembling like the detector's where there is a generator for it."""
    box, eyes = (0.0, 0.0, 0.0), (0.0, 0.0)
    if jitter:
        box, eyes = jitter.normal(0, 0.012 * side, 3), jitter.normal(0, 0.009 * side, 2)
    x, y, half = x + box[0], y + box[1], (side + box[2]) / 2
    left, right = (x - side / 4 + eyes[0], y - side / 6), (x + side / 4 + eyes[1], y - side / 6)
    detection = Detection((x - half, y - half, x + half, y + half), 0.9, left, right)
    said = {"probabilities": np.full(7, 1 / 7, np.float32)} | said
    return Face(detection, looks(person), **said)


def test_where_another_model_places_a_face_it_has_not_moved():
    tracker, now = FaceTracker(), 0.0
    for number in range(30):
        now += 0.01 if number % 2 else 0.13
        seen = face(300, 200 + 7 * (number % 4 > 1))
        detection = replace(seen.detection, placed_at=160 if number % 4 > 1 else 0)
        tracker.update([replace(seen, detection=detection)], now)
        ((_, expected),) = tracker.predict(now + 0.2)
        assert np.abs(np.array(middle(expected)) - (300, 203.5)).max() < 6, number


def one_hot(size, index) -> np.ndarray:
    return np.eye(size, dtype=np.float32)[index]


def middle(detection: Detection) -> tuple[float, float]:
    x1, y1, x2, y2 = detection.box
    return (x1 + x2) / 2, (y1 + y2) / 2


def follow(rate, seconds, where, hidden=lambda person, time: False, people=2, same_looks=False):
    """The ids that each person got while where(person, time) -> (x, y) moved them."""
    tracker, jitter, ids = FaceTracker(), np.random.default_rng(0), [set() for _ in range(people)]
    for index in range(round(seconds * rate)):
        now = index / rate
        there = [person for person in range(people) if not hidden(person, now)]
        faces = [face(*where(person, now), 0 if same_looks else person, jitter=jitter) for person in there]
        for person, tracked in zip(there, tracker.update(faces, now)):
            ids[person].add(tracked.id)
    return ids


def apart(ids) -> bool:
    """Whether everybody kept one id, another for each."""
    return all(len(own) == 1 for own in ids) and len(set.union(*ids)) == len(ids)


# Identities


def test_faces_come_back_in_their_order_with_ids_in_the_order_of_appearance():
    tracker = FaceTracker()
    assert [tracked.id for tracked in tracker.update([face(500, 100, 1), face(100, 100, 0)], 7.0)] == [1, 2]
    faces = [face(100, 100, 0), face(300, 100, 2), face(500, 100, 1)]
    result = tracker.update(faces, 7.1)
    assert [tracked.id for tracked in result] == [2, 3, 1]
    assert [tracked.measured for tracked in result] == faces
    assert [round(tracked.seconds, 6) for tracked in result] == [0.1, 0, 0.1]
    assert all(tracked.smoothed.crop is tracked.measured.crop for tracked in result)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("speed", [0.7, 1.5, 2.5])
@pytest.mark.parametrize("same_looks", [False, True])
def test_people_who_cross_keep_their_ids(rate, speed, same_looks):
    def where(person, now):
        return 500 + (1, -1)[person] * SIDE * (speed * now - 3), 200

    def hidden(person, now):  # the one behind is seen only where more than half of it is
        return person == 1 and abs(where(0, now)[0] - where(1, now)[0]) < SIDE / 2

    assert apart(follow(rate, 6 / speed, where, hidden, same_looks=same_looks))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("speed", [0.0, 1.0, 2.0])
def test_a_second_out_of_sight_changes_nothing(rate, speed):
    def hidden(person, now):
        return any(start + 0.3 * person <= now < start + 0.3 * person + 1.0 for start in (1.0, 3.5))

    assert apart(follow(rate, 6, lambda person, now: (100 + speed * SIDE * now, 100 + 250 * person), hidden))


@pytest.mark.parametrize("rate", RATES)
def test_who_turns_round_out_of_sight_is_known_by_looks(rate):
    def where(person, now):
        return (300 + SIDE * (1 - abs(now - 2)), 200) if person == 0 else (900, 200)

    assert apart(follow(rate, 4, where, lambda person, now: person == 0 and 1.6 <= now < 2.5))


@pytest.mark.parametrize("rate", RATES)
def test_two_who_swap_places_out_of_sight_are_known_by_looks(rate):
    """Hidden together for a second; expectation alone would take each for the other."""

    def where(person, now):
        return 400 + (1.2 if (person == 0) == (now < 1.5) else 0) * SIDE, 200

    assert apart(follow(rate, 3, where, lambda person, now: 1.0 <= now < 2.0))


@pytest.mark.parametrize("rate", RATES)
def test_sudden_turns_and_starts_lose_nobody(rate):
    def where(person, now):  # two faces a second, turning back at once
        return 300 + 2 * SIDE * abs((now + 0.3 * person) % 2 - 1), 100 + 300 * person

    assert apart(follow(rate, 6, where))


def test_a_newcomer_at_the_place_of_one_who_left_is_somebody_new():
    tracker = FaceTracker()
    for index in range(30):
        (left,) = tracker.update([face(300, 200, 0)], index / 10)
    (came,) = tracker.update([face(300, 200, 1)], 4.0)
    assert left.id == 1 and came.id == 2


def test_ids_are_never_given_again():
    tracker, given = FaceTracker(), []
    for index in range(200):
        now = index * 3.0  # everybody is forgotten in between
        given += [tracked.id for tracked in tracker.update([face(100 + 200 * k, 200, k) for k in range(3)], now)]
    assert given == list(range(1, 601))


def test_a_false_face_neither_takes_an_id_away_nor_keeps_one():
    tracker = FaceTracker()
    for index in range(10):
        tracker.update([face(300, 200, 0)], index / 10)
    found = tracker.update([face(345, 210, 5), face(300, 200, 0)], 1.0)  # a second box on the same person
    assert [tracked.id for tracked in found] == [2, 1]
    for index in range(11, 25):
        (tracked,) = tracker.update([face(300, 200, 0)], index / 10)
        assert tracked.id == 1
    assert [number for number, _ in tracker.predict(2.4)] == [1]


@pytest.mark.parametrize("scale", [0.2, 1.0, 8.0])
def test_resolution_does_not_matter(scale):
    tracker, ids = FaceTracker(), [set(), set()]
    for index in range(60):
        now = index / 10
        places = [(500 + way * SIDE * (now - 3), 200) for way in (1, -1)]
        there = [0, 1] if abs(places[0][0] - places[1][0]) > SIDE / 2 else [0]
        faces = [face(*(scale * value for value in places[person]), person, SIDE * scale) for person in there]
        for person, tracked in zip(there, tracker.update(faces, now)):
            ids[person].add(tracked.id)
    assert apart(ids)


def test_twenty_faces_at_once():
    def where(person, now):
        return 150 + 180 * (person % 5) + 30 * math.sin(now + person), 150 + 180 * (person // 5)

    assert apart(follow(10, 4, where, people=20))
    tracker = FaceTracker()
    faces = [face(*where(person, 0), person) for person in range(20)]
    started = time.perf_counter()
    for index in range(50):
        tracker.update(faces, index / 30)
    assert (time.perf_counter() - started) / 50 < 0.02  # about 0.001 on a calm machine


def test_slow_streams_are_followed_too():
    """A frame a second, or every 1.9 s: less often than a false face is remembered."""
    assert apart(follow(1, 12, lambda person, now: (200 + 10 * now, 100 + 300 * person)))
    assert apart(follow(1 / 1.9, 20, lambda person, now: (200, 100 + 300 * person)))


def test_pairs_are_the_best_ones():
    random = np.random.default_rng(0)

    def best(table):
        rows, columns = table.shape
        padded = np.hstack([np.maximum(table, 0), np.zeros((rows, rows))])  # a row may stay alone
        return max(
            sum(padded[row, column] for row, column in enumerate(columns))
            for columns in itertools.permutations(range(columns + rows), rows)
        )

    for _ in range(200):
        table = random.normal(random.uniform(-0.5, 1), 1, random.integers(1, 5, 2))
        pairs = assign(table.tolist())
        rows, columns = zip(*pairs) if pairs else ((), ())
        assert len(set(rows)) == len(rows) and len(set(columns)) == len(columns)
        assert all(table[pair] > 0 for pair in pairs)
        assert sum(table[pair] for pair in pairs) == pytest.approx(best(table))
    # The pair that is best by itself costs both others.
    assert assign([[5.0, 4.0], [4.0, -1.0]]) == [(0, 1), (1, 0)]


# Movement


@pytest.mark.parametrize("rate", RATES)
def test_a_still_face_trembles_less(rate):
    tracker, jitter = FaceTracker(), np.random.default_rng(1)
    measured, smoothed = [], []
    for index in range(20 * rate):
        (tracked,) = tracker.update([face(300, 200, jitter=jitter)], index / rate)
        for rows, found in ((measured, tracked.measured.detection), (smoothed, tracked.smoothed.detection)):
            rows.append((*found.box, *found.left_eye, *found.right_eye))
    before, after = (np.std(rows[2 * rate :], axis=0).mean() for rows in (measured, smoothed))
    assert after < (0.75 if rate < 20 else 0.5) * before


@pytest.mark.parametrize("rate", RATES)
def test_a_moving_face_does_not_lag(rate):
    tracker, jitter, errors = FaceTracker(), np.random.default_rng(2), []
    for index in range(8 * rate):
        now = index / rate
        x = 300 + SIDE * max(now - 2, 0)  # from standing to one side a second
        (tracked,) = tracker.update([face(x, 200, jitter=jitter)], now)
        errors.append((now, (middle(tracked.smoothed.detection)[0] - x) / SIDE))
    late = np.mean([error for now, error in errors if now > 3])
    assert abs(late) < 0.005  # 5 ms
    assert min(error for now, error in errors if now > 2) > -0.1  # never 100 ms, jitter included


def test_box_and_eyes_grow_together():
    tracker = FaceTracker()
    for index in range(30):
        side = SIDE * 1.01**index
        (tracked,) = tracker.update([face(300, 200, side=side)], index / 30)
    found, truth = tracked.smoothed.detection, tracked.measured.detection
    assert np.abs(np.subtract(found.box, truth.box)).max() < 0.02 * side
    assert np.abs(np.subtract(found.left_eye, truth.left_eye)).max() < 0.02 * side
    assert found.score == truth.score


def test_predictions_move_on_and_change_nothing():
    tracker = FaceTracker()
    for index in range(31):
        tracker.update([face(100 + 200 * index / 30, 200, 0), face(300, 500, 1)], index / 30)
    (first, moving), (second, still) = tracker.predict(1.5)
    assert (first, second) == (1, 2)
    assert math.dist(middle(moving), (400, 200)) < 3 and math.dist(middle(still), (300, 500)) < 1
    assert moving.right_eye[0] - moving.left_eye[0] == pytest.approx(SIDE / 2, abs=1)
    assert [middle(found) for _, found in tracker.predict(0.2)] == [middle(found) for _, found in tracker.predict(1.0)]
    assert len(tracker.predict(2.9)) == 2 and tracker.predict(3.1) == []
    assert [tracked.id for tracked in tracker.update([face(300, 500, 1), face(320, 200, 0)], 1.1)] == [2, 1]
    assert FaceTracker().predict(0) == []


# Averages


def step_response(rate, name, before, after, seconds) -> np.ndarray:
    """What is shown every fifth of a second after a change at 4 s; the frame at 4 s was the last before it."""
    tracker, shown = FaceTracker(), []
    for index in range(round((4 + seconds) * rate) + 1):
        said = {name: before if index <= 4 * rate else after}
        (tracked,) = tracker.update([face(300, 200, **said)], index / rate)
        if index >= 4 * rate and index * 5 % rate == 0:
            shown.append(getattr(tracked.smoothed, name))
    return np.array(shown)


def test_averages_do_not_depend_on_the_frame_rate():
    curves = [step_response(rate, "probabilities", one_hot(7, 6), one_hot(7, 3), 2) for rate in RATES]
    expected = 1 - np.exp(-np.arange(11) / 5 / 0.3)
    for curve in curves:
        assert np.abs(curve[:, 3] - expected).max() < 0.01
        assert np.abs(curve.sum(axis=1) - 1).max() < 1e-5


def test_age_and_gender_are_averaged_for_longer():
    for name, size in (("age_distribution", AGES), ("gender", 2)):
        for rate in (5, 60):
            curve = step_response(rate, name, one_hot(size, 0), one_hot(size, 1), 2.4)
            # The mean over the first 4 s has not all of its weight yet, so that the change counts a little more.
            assert 1 - math.exp(-2.4 / 2.5) <= curve[-1, 1] < 1 - math.exp(-2.4 / 2.5) + 0.15


def test_the_first_frames_are_a_plain_mean():
    tracker = FaceTracker(emotion_seconds=100)
    for index in range(4):
        (tracked,) = tracker.update([face(300, 200, probabilities=one_hot(7, index))], index / 30)
        expected = [1 / (index + 1)] * (index + 1) + [0] * (6 - index)
        assert np.allclose(tracked.smoothed.probabilities, expected, atol=1e-3)


def test_noise_of_the_answers_is_calmed():
    tracker, random, shown = FaceTracker(), np.random.default_rng(0), []
    said = random.dirichlet(np.ones(7), 300).astype(np.float32)
    for index, probabilities in enumerate(said):
        (tracked,) = tracker.update([face(300, 200, probabilities=probabilities)], index / 30)
        shown.append(tracked.smoothed.probabilities)
    assert np.std(shown[30:], axis=0).mean() < 0.35 * said.std(axis=0).mean()


def test_missing_distributions():
    tracker = FaceTracker()
    crowd, age, gender = one_hot(8, 2), one_hot(AGES, 30), np.float32([0.2, 0.8])
    (tracked,) = tracker.update([face(300, 200)], 0.0)
    assert tracked.smoothed.crowd is tracked.smoothed.age_distribution is tracked.smoothed.gender is None
    (tracked,) = tracker.update([face(300, 200, crowd=crowd, age_distribution=age, gender=gender)], 0.1)
    (tracked,) = tracker.update([face(300, 200)], 0.2)
    for name, value in (("crowd", crowd), ("age_distribution", age), ("gender", gender)):
        assert np.allclose(getattr(tracked.smoothed, name), value) and getattr(tracked.measured, name) is None
        assert getattr(tracked.smoothed, name).dtype == np.float32
    # Of two people in a frame, one with and one without.
    result = tracker.update([face(600, 200, 1), face(300, 200, gender=np.float32([0.4, 0.6]))], 0.3)
    assert result[0].smoothed.gender is None and 0.2 < result[1].smoothed.gender[0] < 0.4


def test_answers_asked_for_now_and_then_are_averaged_alike():
    """Age in every frame and in every sixth: the same mean of the same values."""
    ages = []
    for every in (1, 6):
        tracker = FaceTracker()
        for index in range(181):
            age = one_hot(AGES, 20 if index < 90 else 40) if index % every == 0 else None
            (tracked,) = tracker.update([face(300, 200, age_distribution=age)], index / 30)
        ages.append(float(tracked.smoothed.age_distribution @ np.arange(AGES)))
    assert abs(ages[0] - ages[1]) < 1


def test_after_a_gap_old_answers_do_not_dominate():
    tracker = FaceTracker()
    for index in range(60):
        tracker.update([face(300, 200, probabilities=one_hot(7, 6))], index / 30)
    (tracked,) = tracker.update([face(300, 200, probabilities=one_hot(7, 3))], 3.0)
    assert tracked.id == 1 and tracked.smoothed.probabilities[3] > 0.9


def test_what_is_given_back_belongs_to_the_caller():
    tracker = FaceTracker()
    for index in range(3):
        (tracked,) = tracker.update([face(300, 200)], index / 30)
        assert np.allclose(tracked.smoothed.probabilities, 1 / 7)
        tracked.smoothed.probabilities[:] = 0
    assert np.allclose(tracked.measured.probabilities, 1 / 7)


# Times


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_times_that_are_no_numbers_are_refused(bad):
    tracker = FaceTracker()
    tracker.update([face(300, 200)], 1.0)
    for call in (lambda: tracker.update([face(300, 200)], bad), lambda: tracker.predict(bad)):
        with pytest.raises(ValueError, match="finite"):
            call()
    assert tracker.update([face(300, 200)], 1.1)[0].id == 1


def test_frames_that_overtake_each_other_count_as_one_time():
    tracker, latest = FaceTracker(), 0.0
    for now in (0.0, 0.0, 0.1, 0.05, 0.05, 0.1, 0.2):
        (tracked,) = tracker.update([face(300, 200)], now)
        latest = max(latest, now)
        assert tracked.seconds == latest
        assert tracked.id == 1 and np.isfinite(tracked.smoothed.detection.box).all()
        assert np.allclose(tracked.smoothed.probabilities, 1 / 7)


def test_a_pause_or_a_clock_set_anew_ends_all():
    tracker = FaceTracker()
    for now, expected in ((100.0, 1), (100.1, 1), (101.9, 1), (104.0, 2), (0.0, 3), (0.1, 3)):
        (tracked,) = tracker.update([face(300, 200, probabilities=one_hot(7, expected))], now)
        assert tracked.id == expected
        assert tracked.seconds >= 0
    assert tracked.smoothed.probabilities[3] == 1


def test_frames_without_faces_let_time_pass():
    tracker = FaceTracker()
    for index in range(5):
        tracker.update([face(300, 200)], index / 10)
    for index in range(5, 40):
        assert tracker.update([], index / 10) == []
    assert tracker.predict(4.0) == [] and tracker.update([face(300, 200)], 4.0)[0].id == 2


@pytest.mark.parametrize("name", ["emotion_seconds", "person_seconds", "looks_seconds", "longest_gap", "young_gap"])
@pytest.mark.parametrize("bad", [0, -1, math.nan])
def test_limits_must_be_above_zero(name, bad):
    with pytest.raises(ValueError, match="above 0"):
        FaceTracker(**{name: bad})


def test_memory_is_flat_over_many_frames():
    tracker, random = FaceTracker(), np.random.default_rng(0)
    crops = [looks(person) for person in range(50)]
    even = np.full(7, 1 / 7, np.float32)

    def frames(first, last):
        for index in range(first, last):
            # One who stays and one who is seen for one frame.
            x, y = random.uniform(300, 1200, 2)
            passing = Detection((x, y, x + 50, y + 50), 0.9, (x + 10, y + 10), (x + 40, y + 10))
            staying = Detection((0, 0, 100, 100), 0.9, (25, 30), (75, 30))
            faces = [Face(staying, crops[0], even), Face(passing, crops[index % 50], even)]
            tracked = tracker.update(faces, index / 10)
            assert tracked[0].id == 1
        return tracked[1].id

    def held() -> int:
        """Bytes that the tracker's own lines have allocated and not given back, whatever else the process does."""
        gc.collect()
        snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, inference.tracker.__file__)])
        return sum(trace.size for trace in snapshot.traces)

    tracemalloc.start()
    try:
        frames(0, 500)
        before = held()
        last = frames(500, 1500)
        assert last > 750  # so many came and went, of which each would take 3 kB
        assert held() - before < 66_000
    finally:
        tracemalloc.stop()
    assert len(tracker.predict(1000)) < 30
