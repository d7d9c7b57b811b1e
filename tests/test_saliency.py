"""The heat map over a face."""

import cv2
import numpy as np
import pytest

from inference.saliency import FAINT, SCALE, heat_map
from inference.types import EMOTIONS

HAPPY = EMOTIONS.index("happy")


@pytest.fixture
def crop() -> np.ndarray:
    """A face of 48 pixels, as far as a heat map cares."""
    return cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8), (0, 0), 2)


def grey(crop: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.resize(crop, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)


def activation(*cells, value: float = 5.0, emotion: int = HAPPY) -> np.ndarray:
    """(6, 6, 7) that is 0 but for one emotion in some cells (row, column)."""
    maps = np.zeros((6, 6, 7), np.float32)
    for cell in cells:
        maps[(*cell, emotion)] = value
    return maps


def tint(picture: np.ndarray) -> np.ndarray:
    """How far each pixel is from grey, (H, W)."""
    return np.ptp(picture.astype(int), axis=2)


def test_a_hot_cell_is_warm_and_the_rest_stays_grey(crop):
    picture = heat_map(crop, activation((1, 4)), HAPPY)
    assert picture.shape == (SCALE * 48, SCALE * 48, 3) and picture.dtype == np.uint8
    side = SCALE * 48 // 6
    cell = picture[side : 2 * side, 4 * side : 5 * side]
    assert tint(cell).min() > 30 and cell[..., 0].mean() > cell[..., 2].mean() + 60
    # Cubic interpolation reaches two cells, no further.
    for far in (np.s_[4 * side :], np.s_[:, : 2 * side]):
        assert np.array_equal(picture[far], grey(crop)[far])
    strongest = np.unravel_index(tint(cv2.blur(picture, (9, 9))).argmax(), picture.shape[:2])
    assert np.abs(np.array(strongest) - (1.5 * side, 4.5 * side)).max() < side / 2


def test_the_stronger_place_is_tinted_more():
    maps = activation((1, 1)) + activation((4, 4), value=2.0)
    picture = heat_map(np.full((48, 48), 120, np.uint8), maps, HAPPY)
    centers = [round((cell + 0.5) * SCALE * 8) for cell in (1, 4)]
    strong, weak = (tint(picture)[center, center] for center in centers)
    assert strong > weak > 0


def test_the_face_shows_through():
    half_dark = np.repeat(np.uint8([0, 255]), 24)[:, None].repeat(48, axis=1)
    picture = heat_map(half_dark, activation((2, 2), (3, 2)), HAPPY).astype(int)
    column = round(2.5 * SCALE * 8)
    above, below = picture[round(2.5 * SCALE * 8), column], picture[round(3.5 * SCALE * 8), column]  # alike in strength
    assert (below - above > 40).all()


@pytest.mark.parametrize(
    "maps",
    [
        np.zeros((6, 6, 7)),
        np.full((6, 6, 7), 0.1),  # whose mean over the classes differs from it in the last bit
        activation((2, 2), value=-5.0),  # speaks against it
        activation(*np.ndindex(6, 6)),  # speaks for it, but nowhere in particular
        activation((2, 2), value=FAINT / 2),
        activation((2, 2), emotion=HAPPY + 1),  # speaks for another
    ],
)
def test_a_map_that_points_nowhere_leaves_the_face_grey(crop, maps):
    assert np.array_equal(heat_map(crop, maps.astype(np.float32), HAPPY), grey(crop))


def test_what_speaks_for_every_class_alike_does_not_count(crop):
    everywhere = np.random.default_rng(1).normal(0, 10, (6, 6, 1)).astype(np.float32)
    alone = heat_map(crop, activation((1, 4)), HAPPY).astype(int)
    assert np.abs(heat_map(crop, activation((1, 4)) + everywhere, HAPPY) - alone).max() <= 1


def test_its_arguments_are_left_alone(crop):
    maps = activation((1, 4), (3, 3))
    before = crop.copy(), maps.copy()
    heat_map(crop, maps, HAPPY)
    assert np.array_equal(crop, before[0]) and np.array_equal(maps, before[1])
