"""The check of what is no human face: right answers on photographs, animals and pictures that only look like faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.detector import FaceDetector, as_near
from inference.face_check import COMPANY, MIN_SCORE, FaceCheck
from inference.images import load_image
from inference.search import FaceSearch

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def kept():
    """A function that gives the probabilities of a picture's candidates from MIN_SCORE on, the highest first."""
    search = FaceSearch(cuda=False)
    check = FaceCheck(search, cuda=False)
    with_looks = FaceDetector()

    def answer(image: np.ndarray) -> list[float]:
        candidates = search.search(image)
        looks = with_looks.look_again(image, [*map(as_near, candidates)])
        found = check.probabilities(image, candidates, looks)
        assert found.shape == (len(candidates),) and ((found >= 0) & (found <= 1)).all()
        return sorted((value for value in found.tolist() if value >= MIN_SCORE), reverse=True)

    yield answer
    with_looks.close()


def test_an_astronaut_is_a_face_and_a_cat_is_none(kept):
    assert len(kept(load_image(ROOT / "examples" / "astronaut.jpg"))) == 1
    assert kept(load_image(ROOT / "examples" / "cat.jpg")) == []


@pytest.mark.parametrize("size", [512, 256, 128])
def test_a_face_stays_one_when_its_picture_is_small_dark_blurred_or_grey(kept, size):
    image = load_image(ROOT / "examples" / "astronaut.jpg")
    factor = size / max(image.shape)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    for view in (small, (small * 0.4).astype(np.uint8), cv2.GaussianBlur(small, (3, 3), 0), grey):
        assert len(kept(view)) == 1


@pytest.mark.parametrize("size", [512, 300])
def test_a_face_between_a_fur_cap_and_a_beard_is_a_face(kept, size):
    image = load_image(ROOT / "examples" / "astronaut.jpg").copy()
    fur = cv2.resize(load_image(ROOT / "examples" / "cat.jpg")[60:160, 120:220], (206, 206))
    image[:90, 120:326] = fur[:90]
    image[146:249, 120:326] = fur[:103]
    assert len(kept(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))) == 1


def test_a_framed_crop_keeps_its_middle_and_some_of_its_edges():
    from training.face_check import framed  # takes seconds

    rng = np.random.default_rng(0)
    crops, others = np.full((200, 48, 48, 3), 100, np.uint8), rng.integers(0, 256, (200, 48, 48, 3), np.uint8)
    result = framed(crops, others, rng)
    assert result.shape == crops.shape and result.dtype == np.uint8
    assert (np.abs(result[:, 19:24, 18:30].astype(int) - 100) <= 5).all()
    for edge in (result[:, 0], result[:, -1], result[:, :, 0], result[:, :, -1]):
        kept = (np.abs(edge.astype(int) - 100) <= 1).all(axis=(1, 2)).mean()
        assert 0.1 < kept < 0.6


def test_no_candidates_have_no_probabilities():
    search = FaceSearch(cuda=False)
    assert FaceCheck(search, cuda=False).probabilities(np.zeros((64, 64, 3), np.uint8), [], []).shape == (0,)


def test_a_drawn_smiley_and_the_back_of_a_head_are_no_faces(kept):
    smiley = np.full((400, 400, 3), 255, np.uint8)
    cv2.circle(smiley, (200, 200), 120, (255, 210, 60), -1, cv2.LINE_AA)
    for x in (160, 240):
        cv2.circle(smiley, (x, 170), 14, (40, 30, 20), -1, cv2.LINE_AA)
    cv2.ellipse(smiley, (200, 215), (65, 55), 0, 15, 165, (40, 30, 20), 8, cv2.LINE_AA)
    assert kept(smiley) == []
    back = load_image(ROOT / "examples" / "astronaut.jpg").copy()
    hair = np.random.default_rng(0).normal(0, 12, back.shape)
    hair = cv2.blur(hair, (1, 25)) * 4 + (120, 85, 55)
    mask = np.zeros(back.shape[:2], np.uint8)
    cv2.ellipse(mask, (224, 125), (75, 95), 0, 0, 360, 255, -1)
    back[mask > 0] = hair.clip(0, 255).astype(np.uint8)[mask > 0]
    assert kept(back) == []


def test_many_candidates_are_answered_as_each_alone():
    search, image = FaceSearch(cuda=False), load_image(ROOT / "examples" / "astronaut.jpg")
    check, places = FaceCheck(search, cuda=False), search.search(image)[:1] * 70
    together = check.probabilities(image, places, [None] * 70)
    (alone,) = check.probabilities(image, places[:1], [None])
    odds = alone / (1 - alone) * (1 + 69 * alone) ** COMPANY  # the others speak for each
    assert np.allclose(together, odds / (1 + odds), atol=1e-3)
    assert np.allclose(check.probabilities(image, places[:1], [None], known=69 * alone), together[0], atol=1e-3)
