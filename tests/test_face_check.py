"""The check of what is no human face: right answers on photographs, animals and pictures that only look like faces."""

import cv2
import numpy as np
import os
import pytest
from pathlib import Path

from inference.detector import FaceDetector
from inference.face_check import MIN_SCORE, FaceCheck
from inference.images import load_image
from inference.search import FaceSearch

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def kept():
    """A function that gives the probabilities of a picture's candidates from MIN_SCORE on, the highest first."""
    search = FaceSearch(cuda=False)
    check = FaceCheck(search, cuda=False)
    with_looks = FaceDetector("short_range")

    def answer(image: np.ndarray) -> list[float]:
        candidates = search.search(image)
        looks = [with_looks.look_again(image, candidate) for candidate in candidates]
        found = check.probabilities(image, candidates, looks)
        assert found.shape == (len(candidates),) and ((found >= 0) & (found <= 1)).all()
        return sorted((value for value in found.tolist() if value >= MIN_SCORE), reverse=True)

    yield answer
    with_looks.close()


@pytest.fixture(scope="module")
def photos() -> Path:
    folder = os.environ.get("PHOTOS_DIR")
    if not folder:
        pytest.skip("set PHOTOS_DIR to the folder of the photographs")
    return Path(folder)


def test_an_astronaut_is_a_face_and_a_cat_is_none(kept):
    assert len(kept(load_image(ROOT / "examples" / "astronaut.jpg"))) == 1
    assert kept(load_image(ROOT / "examples" / "cat.jpg")) == []


@pytest.mark.parametrize("size", [512, 256, 128, 64])
def test_a_face_stays_one_when_its_picture_is_small_dark_blurred_or_grey(kept, size):
    image = load_image(ROOT / "examples" / "astronaut.jpg")
    factor = size / max(image.shape)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    for view in (small, (small * 0.4).astype(np.uint8), cv2.GaussianBlur(small, (3, 3), 0), grey):
        assert len(kept(view)) == 1


def test_no_candidates_have_no_probabilities():
    search = FaceSearch(cuda=False)
    assert FaceCheck(search, cuda=False).probabilities(np.zeros((64, 64, 3), np.uint8), [], []).shape == (0,)
