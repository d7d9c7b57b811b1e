"""How well a face can be judged: where it looks, how large, sharp and whole it is, and what comes of it."""

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.quality import CANVAS, Kind, answer, figures, relief, rotation, sample, turned
from inference import quality
from inference.analyzer import FaceAnalyzer
from inference.images import load_image
from inference.satisfaction import Reading
from inference.stream import Moment
from inference.tables import columns, moment_rows
from inference.tracker import FaceTracker
from inference.types import ISSUES, Detection, Face

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return load_image(ROOT / "examples" / "astronaut.jpg")


def projected(head: np.ndarray, yaw: float, pitch: float, roll: float = 0.0, scale: float = 40.0) -> Detection:
    """The detection of a head's points (4, 3) seen from afar, rolled clockwise."""
    across, up, _ = scale * rotation(yaw, pitch) @ head.T
    cos, sin = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    x, y = 200 + cos * across + sin * up, 150 + sin * across - cos * up
    points = list(zip(x.tolist(), y.tolist()))
    return Detection((150.0, 100.0, 250.0, 200.0), 0.9, *points)


# Where a face looks


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (35, 0, 0), (-35, 0, 0), (0, 25, 0), (0, -25, 0), (50, 20, -30), (-20, -15, 170)]
)
def test_the_angles_of_a_known_head_are_found(angles):
    assert quality.pose(projected(quality.FACE, *angles)) == pytest.approx(angles, abs=1e-6)


def test_the_angles_do_not_depend_on_size_and_place():
    near, far = (projected(quality.FACE, 25, -10, 5, scale) for scale in (300.0, 3.0))
    assert quality.pose(near) == pytest.approx(quality.pose(far.moved(1000, -70)), abs=1e-6)


def test_without_a_nose_only_the_roll_is_known():
    yaw, pitch, roll = quality.pose(replace(projected(quality.FACE, 30, 10, 20), nose=None))
    assert yaw is None and pitch is None and 10 < roll < 30


@pytest.mark.parametrize("yaw", [-40, -20, 0, 20, 40])
def test_the_yaw_of_a_drawn_head_is_found_to_12_degrees(analyzer, astronaut, yaw):
    (straight,) = analyzer.detector.detect(astronaut)
    (found,) = analyzer.detector.detect(turned(astronaut, straight, yaw, 0))
    assert abs(quality.pose(found)[0] - yaw) < 12


@pytest.mark.parametrize("pitch", [-25, 25])
def test_the_pitch_of_a_drawn_head_is_found_to_15_degrees(analyzer, astronaut, pitch):
    (straight,) = analyzer.detector.detect(astronaut)
    (found,) = analyzer.detector.detect(turned(astronaut, straight, 0, pitch))
    assert abs(quality.pose(found)[1] - pitch) < 15


def test_a_face_that_is_drawn_straight_is_where_it_was(astronaut):
    """The drawing itself: the eyes, at a known depth, come to lie where the rotation takes them."""
    marked = np.zeros_like(astronaut)
    detection = Detection((172, 72, 273, 173), 0.9, (204.0, 102.0), (247.0, 102.0), (225.0, 128.0), (225.0, 149.0))
    cv2.circle(marked, (204, 102), 2, (255, 255, 255), -1)
    for yaw in (0, 30):
        drawn = turned(marked, detection, yaw, 0)[..., 0].astype(float)
        drawn[drawn < 150] = 0
        seen = (drawn.sum(axis=0) * (np.arange(CANVAS) + 0.5)).sum() / drawn.sum()
        depth = float(relief(np.array(-3.15), np.array(2.6)))
        across = -3.15 * math.cos(math.radians(yaw)) + depth * math.sin(math.radians(yaw))
        assert seen == pytest.approx(CANVAS / 2 + 12 * across, abs=2)


# How large, sharp, lit and whole it is


@pytest.fixture(scope="module")
def crop(analyzer, astronaut) -> np.ndarray:
    (face,) = analyzer.analyze(astronaut).faces
    return face.crop


def test_a_blurred_face_is_less_sharp_whatever_its_light(crop):
    sharp = quality.sharpness_of(crop)
    blurred = [quality.sharpness_of(cv2.GaussianBlur(crop, (0, 0), sigma)) for sigma in (1, 2, 3)]
    assert sharp > 0.85 > blurred[0] > blurred[1] > blurred[2]
    assert quality.sharpness_of((crop * 0.4 + 30).astype(np.uint8)) == pytest.approx(sharp, rel=0.12)


def test_an_enlarged_face_is_as_blurred_as_one_that_was_small(crop):
    small = cv2.resize(crop, (16, 16), interpolation=cv2.INTER_AREA)
    assert quality.sharpness_of(cv2.resize(small, (48, 48), interpolation=cv2.INTER_LINEAR)) < 0.65


def straight(x: float, y: float, side: float) -> Detection:
    """A face that looks straight ahead, the middle of its box at (x, y)."""
    eye, eyes, mouth = 0.19 * side, y - 0.11 * side, y + 0.3 * side
    half = side / 2
    box = (x - half, y - half, x + half, y + half)
    return Detection(box, 0.9, (x - eye, eyes), (x + eye, eyes), (x, y + 0.1 * side), (x, mouth))


def test_the_part_beyond_the_edge_is_told():
    whole, half, gone = (quality.part_outside(straight(x, 100, 80), (200, 200, 3)) for x in (100, 0, -100))
    assert (whole, gone) == (0, 1) and half == pytest.approx(0.5, abs=0.05)


def test_light_is_measured():
    grey = np.full((48, 48), 100, np.uint8)
    grey[:, 24:] = 255
    cues = quality.measure(straight(100, 100, 80), grey, (200, 200, 3))
    assert cues.overexposed == 0.5 and cues.brightness == pytest.approx(177.5) and cues.contrast == pytest.approx(77.5)
    assert cues.side == 80 and cues.outside == 0


# What comes of it


def test_the_calibration_speaks_of_known_issues():
    assert set(quality.CALIBRATION["weights"]) == set(ISSUES) and min(quality.CALIBRATION["weights"].values()) >= 0
    assert set(quality.CALIBRATION["limits"]) <= set(ISSUES) and min(quality.CALIBRATION["limits"].values()) > 0


def test_a_large_sharp_frontal_face_keeps_its_answer(analyzer, astronaut):
    (face,) = analyzer.analyze(astronaut).faces
    raw = analyzer.classifier.predict(face.crop[None])
    assert face.quality.certainty == 1 and face.issues == ()
    assert np.array_equal(face.probabilities, raw["probabilities"][0]) and np.array_equal(face.crowd, raw["crowd"][0])


def test_a_small_face_is_found_and_called_too_small(analyzer, astronaut):
    scene = np.full((480, 640, 3), 128, np.uint8)
    small = cv2.resize(astronaut, (76, 76), interpolation=cv2.INTER_AREA)  # a face of 15 pixels
    scene[200:276, 300:376] = small
    (face,) = analyzer.analyze(scene).faces
    raw = analyzer.classifier.predict(face.crop[None])["probabilities"][0]
    assert "too_small" in face.issues and face.quality.certainty < 0.9
    assert face.probabilities.max() < raw.max() and face.probabilities.argmax() == raw.argmax()
    entry = face.to_dict()["quality"]
    assert "too_small" in entry["issues"] and 12 < entry["side"] < 20
    assert json.loads(json.dumps(entry)) == entry


def test_tempering_multiplies_the_logits():
    given = np.array([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2]], np.float32)
    even, half, same = quality.tempered(given, np.array([0, 0.5, 1], np.float32))
    assert (
        even == pytest.approx([0.5, 0.5]) and half == pytest.approx([2 / 3, 1 / 3]) and np.array_equal(same, given[2])
    )


def face_with(issues: tuple[str, ...], sure: bool) -> Face:
    top = 0.9 if sure else 0.3
    probabilities = np.full(7, (1 - top) / 6, np.float32)
    probabilities[3] = top
    crop = np.full((48, 48), 90, np.uint8)
    cues = replace(quality.measure(straight(100, 100, 80), crop, (200, 200, 3)), issues=issues)
    return Face(straight(100, 100, 80), crop, probabilities, quality=cues)


def test_the_issues_go_with_the_person_and_into_the_table():
    face = face_with(("blurred", "cut_off"), sure=True)
    (person,) = FaceTracker().update([face], 1.0)
    assert person.smoothed.issues == ("blurred", "cut_off")
    reading = Reading(0.1, 0.2)
    table = columns(moment_rows(Moment(1.0, [person], reading, {person.id: reading})).astype(np.float32))
    assert (table["issues"], table["sure"], table["happy"]) == (["blurred cut_off"], [True], [0.9])


def test_the_sure_answers_to_small_faces_are_right_as_often_as_they_say(fer2013, analyzer):
    faces = fer2013.split("PublicTest")
    faces = faces.select(np.random.default_rng(1).permutation(len(faces))[:300])
    said = sample(answer(Kind("small", "12 px", side=12), faces.images, analyzer), faces.labels)
    weights = np.array([quality.CALIBRATION["weights"][issue] for issue in ISSUES])

    def excess(weights: np.ndarray) -> float:
        """How many standard errors what they say lies above how many are right."""
        row, count = figures(said, weights), len(said.labels)
        spread = math.sqrt(row["right"] * (1 - row["right"]) / (row["sure"] * count))
        return (row["says"] - row["right"]) / spread

    assert len(said.labels) > 150
    assert excess(weights) < 2 < excess(np.zeros(len(ISSUES)))
