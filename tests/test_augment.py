"""Distorted faces stay faces: inside the stated ranges, and the same for the same random state."""

import numpy as np
import pytest

from training.augment import Augmentation, augment

SIDE, COUNT = 48, 400
ALL = Augmentation(flip=True, stretch=0.1, shift=0.1)


def dots(x: float, y: float) -> np.ndarray:
    """Dark faces with one soft bright dot around (x, y)."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    dot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    return np.repeat(dot.astype(np.uint8)[None], COUNT, axis=0)


def centroids(images: np.ndarray) -> np.ndarray:
    """(x, y) of the brightness of each image: float (N, 2)."""
    weights = images / images.sum(axis=(1, 2), keepdims=True)
    positions = np.arange(SIDE)
    return np.stack([(weights.sum(axis=1) * positions).sum(axis=1), (weights.sum(axis=2) * positions).sum(axis=1)], 1)


@pytest.fixture
def faces(synthetic) -> np.ndarray:
    return synthetic.images[10:90]


def test_form(faces):
    before = faces.copy()
    result = augment(faces, ALL, np.random.default_rng(0))
    assert result.shape == faces.shape and result.dtype == np.uint8
    np.testing.assert_array_equal(faces, before)
    assert not np.shares_memory(result, faces)
    assert augment(faces[:0], ALL, np.random.default_rng(0)).shape == (0, SIDE, SIDE)


def test_no_ranges_change_nothing(faces):
    np.testing.assert_array_equal(augment(faces, Augmentation(), np.random.default_rng(0)), faces)


@pytest.mark.parametrize("one_range", [{"flip": True}, {"stretch": 0.1}, {"shift": 0.1}])
def test_same_state_same_faces(faces, one_range):
    """All randomness comes from the generator that is given, and each distortion from its next numbers."""
    one, same, other = (augment(faces, Augmentation(**one_range), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any(axis=(1, 2)).mean() > 0.3


def test_every_draw_is_new(faces):
    """Neither two epochs nor two faces share their distortion."""
    rng = np.random.default_rng(0)
    twice = [augment(np.repeat(faces[:1], 20, axis=0), ALL, rng) for _ in range(2)]
    assert len(np.unique(np.concatenate(twice), axis=0)) == 40


def test_flip_mirrors_exactly_half(faces):
    faces = np.concatenate([faces] * 5)
    result = augment(faces, Augmentation(flip=True), np.random.default_rng(0))
    same, mirrored = (result == faces).all(axis=(1, 2)), (result == faces[:, :, ::-1]).all(axis=(1, 2))
    assert (same ^ mirrored).all()
    assert 0.4 < mirrored.mean() < 0.6


def test_shift_stays_in_range():
    moves = centroids(augment(dots(23, 24), Augmentation(shift=0.1), np.random.default_rng(0))) - [23, 24]
    limit = 0.1 * SIDE
    assert np.abs(moves).max() < limit + 0.1
    for axis in (0, 1):  # uniform over the whole range, both ways, x and y independently
        assert moves[:, axis].min() < -0.9 * limit and moves[:, axis].max() > 0.9 * limit
        assert moves[:, axis].std() == pytest.approx(limit / 3**0.5, rel=0.1)
    assert abs(np.corrcoef(moves.T)[0, 1]) < 0.2


def test_stretch_stays_in_range():
    """About the centre of the face, width and height independently."""
    center = (SIDE - 1) / 2
    result = augment(dots(center + 12, center - 12), Augmentation(stretch=0.2), np.random.default_rng(0))
    factors = (centroids(result) - center) / [12, -12]
    assert 0.79 < factors.min() < 0.82 and 1.18 < factors.max() < 1.21
    assert factors.mean(axis=0) == pytest.approx([1, 1], abs=0.03)
    assert abs(np.corrcoef(factors.T)[0, 1]) < 0.2


def test_center_stays_when_stretched_and_flipped():
    center = (SIDE - 1) / 2
    result = augment(dots(center, center), Augmentation(flip=True, stretch=0.2), np.random.default_rng(0))
    assert np.abs(centroids(result) - center).max() < 0.1


def test_border_is_repeated():
    """No black edges: a uniform face stays uniform wherever it moves."""
    bright = np.full((COUNT, SIDE, SIDE), 200, np.uint8)
    result = augment(bright, Augmentation(flip=True, stretch=0.3, shift=0.3), np.random.default_rng(0))
    np.testing.assert_array_equal(result, bright)
