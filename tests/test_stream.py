"""One step of a stream: what goes in comes out as one Moment, and a frame on which the detector fails is left out."""

from pathlib import Path

import numpy as np
import pytest

from inference.age_gender import AgeGenderEstimator
from inference.analyzer import FaceAnalyzer
from inference.detector import DetectorError, FaceDetector
from inference.emotion import EmotionClassifier
from inference.images import load_image
from inference.stream import Stream

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
