"""One step of a stream: what goes in comes out as one Moment, and a frame on which the detector fails is left out."""

import threading
from pathlib import Path

import numpy as np
import pytest

from inference.age_gender import AgeGenderEstimator
from inference.analyzer import FaceAnalyzer
from inference.blazeface import DetectorError
from inference.detector import FaceDetector
from inference.emotion import EmotionClassifier
from inference.images import load_image
from inference.stream import Stream
from inference.video import VideoFrame

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    estimator = AgeGenderEstimator(threads=1)
    return FaceAnalyzer(FaceDetector(threads=1), EmotionClassifier("emotion_int8.onnx", threads=1), estimator)


@pytest.fixture
def stream(analyzer) -> Stream:
    return Stream(analyzer)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return load_image(EXAMPLES / "astronaut.jpg")


def test_a_moment_is_what_follower_and_timeline_say_of_a_frame(stream, portrait):
    moments = [stream.add(portrait, number / 10, age_gender=number == 1) for number in range(3)]
    assert [moment.seconds for moment in moments] == [0.0, 0.1, 0.2]
    assert [moment.ids for moment in moments] == [[1]] * 3
    (person,) = moments[-1].people
    assert moments[-1].faces == [person.smoothed]
    assert moments[-1].room == moments[-1].readings[1] and moments[-1].room.index > 0.5
    assert [moment.people[0].measured.age is not None for moment in moments] == [False, True, False]
    report = stream.report()
    assert (report["frames"], report["frames_lost"], report["to"]) == (3, 0, 0.2)
    assert report["people"][0]["id"] == 1 and report["room"]["end"] == pytest.approx(moments[-1].room.index, abs=0.05)


def test_a_frame_without_anybody_is_a_moment_too(stream):
    moment = stream.add(np.full((240, 320, 3), 127, np.uint8), 1.0)
    assert (moment.people, moment.faces, moment.ids, moment.room, moment.readings) == ([], [], [], None, {})
    assert stream.report()["frames"] == 1


def test_places_are_told_in_pixels_of_the_camera(stream, portrait):
    (small,) = stream.add(portrait, 0.0, width=2 * portrait.shape[1]).people
    (same,) = stream.add(portrait, 1.0, width=portrait.shape[1]).people
    assert np.array(small.measured.detection.box) == pytest.approx(2 * np.array(same.measured.detection.box), rel=0.05)


def test_a_frame_on_which_the_detector_fails_is_counted_and_left_out(stream, portrait, monkeypatch):
    stream.add(portrait, 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(stream.follower, "analyze", fail)
        for seconds in (0.1, 0.2):
            with pytest.raises(DetectorError, match="face detector failed"):
                stream.add(portrait, seconds)
    assert stream.add(portrait, 0.3).ids == [1]
    report = stream.report()
    assert (report["frames"], report["frames_lost"]) == (2, 2) and report["people"][0]["frames"] == 2


def fail(*_):
    raise DetectorError("detector_failed")


def two_people(portrait: np.ndarray) -> list[VideoFrame]:
    """Of whom one moves and one comes later."""
    frames = []
    for number in range(12):
        scene = np.full((300, 760, 3), 90, np.uint8)
        scene[:, 4 * number : 4 * number + 300] = portrait[:300, 80:380]
        if number > 3:
            scene[:, 450:750] = portrait[:300, 80:380]
        frames.append(VideoFrame(scene, number / 10))
    return frames


def told(moment):
    return [
        moment.seconds,
        moment.room,
        dict(moment.readings),
        [
            (person.id, person.seconds, face.detection, face.probabilities.tolist(), face.crowd.tolist(), face.age)
            for person in moment.people
            for face in (person.measured, person.smoothed)
        ],
    ]


@pytest.mark.parametrize("ahead", [False, True])
def test_the_moments_of_a_video_are_the_very_same_as_one_by_one(analyzer, portrait, ahead):
    frames, alone = two_people(portrait), Stream(analyzer)
    expected = [told(alone.add(frame.image, frame.seconds, age_gender=True)) for frame in frames]
    stream = Stream(analyzer)
    found = list(stream.moments(iter(frames), age_gender=True, ahead=ahead))
    assert [frame for frame, _ in found] == frames and [told(moment) for _, moment in found] == expected
    assert stream.report() == alone.report() and len(stream.report()["people"]) == 2


def test_the_next_frame_is_followed_while_one_is_classified(analyzer, portrait, monkeypatch):
    frames, stream = two_people(portrait)[:2], Stream(analyzer)
    find, found_next = stream.follower.find, threading.Event()

    def tells(image, seconds, **given):
        found = find(image, seconds, **given)
        if seconds:
            found_next.set()
        return found

    class Waiting:
        def answer(self, cuts):
            assert found_next.wait(60)
            return analyzer.answer(cuts)

        def __getattr__(self, name):
            return getattr(analyzer, name)

    monkeypatch.setattr(stream.follower, "find", tells)
    stream.follower.analyzer = Waiting()
    assert [moment.ids for _, moment in stream.moments(frames, ahead=True)] == [[1], [1]]


def test_only_ahead_other_threads_are_used(analyzer, portrait):
    before = threading.active_count()
    for _ in Stream(analyzer).moments(two_people(portrait)[:3]):
        assert threading.active_count() == before


@pytest.mark.parametrize("ahead", [False, True])
def test_of_a_video_the_frames_are_left_out_on_which_the_detector_fails(analyzer, portrait, ahead, monkeypatch):
    stream, frames = Stream(analyzer), two_people(portrait)
    find = stream.follower.find

    def fails_at_times(image, seconds, **given):
        return fail() if seconds in (0.0, 0.3, 1.1) else find(image, seconds, **given)

    monkeypatch.setattr(stream.follower, "find", fails_at_times)
    kept = [frame for frame, _ in stream.moments(frames, ahead=ahead)]
    assert kept == [frames[number] for number in (1, 2, 4, 5, 6, 7, 8, 9, 10)]
    assert (stream.lost, stream.report()["frames"]) == (3, 9)


def test_who_wants_no_more_moments_leaves_no_thread_at_work(analyzer, portrait):
    before, moments = threading.active_count(), Stream(analyzer).moments(two_people(portrait), ahead=True)
    next(moments)
    assert threading.active_count() > before
    moments.close()
    assert threading.active_count() == before
