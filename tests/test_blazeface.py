"""MediaPipe's model as two runtimes run it."""

from pathlib import Path

import numpy as np
import pytest

from inference.blazeface import BATCH, INPUT_SIZE, BlazeFace, faces_of
from inference.detector import FaceDetector, as_near, look_from
from inference.images import load_image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ANCHORS = 896


@pytest.fixture(scope="module")
def crops() -> list[np.ndarray]:
    """Looks from near at many faces, upright, turned, cut off by the picture's edge, and at none."""
    search, found = FaceDetector(cuda=False), [np.zeros((INPUT_SIZE, INPUT_SIZE, 3), np.uint8)]
    for name in ("astronaut", "meeting", "solvay_1927", "cat"):
        image = load_image(EXAMPLES / f"{name}.jpg")
        found += [look_from(image, as_near(place))[0] for place in search.searcher.search(image)]
    search.close()
    found += [np.ascontiguousarray(np.rot90(crop)) for crop in found[:8]]
    found += [np.roll(crop, (-40, 52), (0, 1)) for crop in found[:8]]
    return found


@pytest.mark.parametrize("threads", [1, 3])
def test_crops_are_seen_as_mediapipe_sees_them(crops, threads):
    model = BlazeFace(threads=threads, cuda=False)
    seen = model.look_near(crops)
    expected = [model.look(crop) for crop in crops]
    model.close()
    assert [len(faces) for faces in seen] == [len(faces) for faces in expected]
    assert sum(map(len, seen)) > 30 and [] in seen and len(crops) > 3 * BATCH
    for face, other in zip(sum(seen, []), sum(expected, [])):
        assert abs(face.score - other.score) < 1e-4
        # Whole pixels of the box and sixteenths of the points may be rounded to the neighbouring one.
        assert np.abs(np.subtract(face.box, other.box)).max() <= 1
        for name in ("left_eye", "right_eye", "nose", "mouth"):
            assert np.abs(np.subtract(getattr(face, name), getattr(other, name))).max() <= 1 / 16


def test_no_crops_are_no_looks():
    model = BlazeFace(cuda=False)
    assert model.look_near([]) == []
    model.close()


def answers(*boxes: tuple[float, float, float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """What the model would answer, of boxes (x, y, width, height, score): all points in the middle of each."""
    values, scores = np.zeros((ANCHORS, 16), np.float32), np.zeros(ANCHORS, np.float32)
    for number, (x, y, width, height, score) in enumerate(boxes):
        values[number] = [x, y, width, height, *[x, y] * 6]
        scores[number] = score
    return values, scores


def test_boxes_of_one_face_are_averaged_by_their_scores():
    near, same, other = (0.5, 0.5, 0.25, 0.25, 0.9), (0.5625, 0.5, 0.25, 0.25, 0.3), (0.125, 0.125, 0.125, 0.125, 0.6)
    face, small = faces_of(*answers(same, other, near))
    assert face.score == pytest.approx(0.9) and face.nose == (66, 64)  # a quarter of the way to 72
    assert face.box == (50, 48, 82, 80)
    assert small.score == pytest.approx(0.6) and small.box == (8, 8, 24, 24)
    assert faces_of(*answers((0.5, 0.5, 0.25, 0.25, 0.29))) == []


def test_a_box_without_an_area_is_no_face():
    assert faces_of(*answers((0.5, 0.5, -0.1, 0.25, 0.9), (0.5, 0.5, 0.0, 0.0, 0.8))) == []
