"""Distorted faces stay faces: inside the stated ranges, and the same for the same random state."""

import numpy as np
import pytest

from training.augment import (
    Augmentation,
    add_grain,
    add_noise,
    augment,
    bleach,
    blur,
    compress,
    fade,
    light_from_a_side,
    pixelate,
    scratch,
    shrink,
    tone,
    without_color,
)

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


@pytest.mark.parametrize(
    "one_range",
    [
        {"flip": True},
        {"stretch": 0.1},
        {"scale": (0.8, 1.2)},
        {"shift": 0.1},
        {"rotation": 12},
        {"brightness": 30},
        {"contrast": 0.3},
        {"degraded": 0.5},
        {"erased": 0.5},
    ],
)
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


def test_scale_stays_in_range():
    """Width and height together."""
    center = (SIDE - 1) / 2
    result = augment(dots(center + 12, center - 12), Augmentation(scale=(0.7, 1.3)), np.random.default_rng(0))
    factors = (centroids(result) - center) / [12, -12]
    assert 0.69 < factors.min() < 0.73 and 1.27 < factors.max() < 1.31
    assert factors[:, 0] == pytest.approx(factors[:, 1], abs=0.02)


def test_rotation_stays_in_range():
    """About the centre, both ways."""
    center = (SIDE - 1) / 2
    moved = centroids(augment(dots(center + 15, center), Augmentation(rotation=12), np.random.default_rng(0))) - center
    angles = np.degrees(np.arctan2(moved[:, 1], moved[:, 0]))
    assert -12.2 < angles.min() < -11 and 11 < angles.max() < 12.2
    assert np.hypot(*moved.T) == pytest.approx(15, abs=0.3)


def test_light_stays_in_range():
    flat = np.full((COUNT, SIDE, SIDE), 100, np.uint8)
    brighter = augment(flat, Augmentation(brightness=30), np.random.default_rng(0))[:, 0, 0].astype(int) - 100
    assert -30 <= brighter.min() < -27 and 27 < brighter.max() <= 30
    flat[:] = 227  # 99.5 above mid-grey
    contrast = (augment(flat, Augmentation(contrast=0.2), np.random.default_rng(0))[:, 0, 0] - 127.5) / 99.5
    assert 0.79 < contrast.min() < 0.82 and 1.18 < contrast.max() < 1.21


def test_light_does_not_wrap_around(faces):
    result = augment(faces, Augmentation(brightness=200), np.random.default_rng(0)).astype(int)
    differences = np.sign(result - faces.astype(int)).reshape(len(faces), -1)
    assert ((differences >= 0).all(axis=1) | (differences <= 0).all(axis=1)).all()


def test_degraded_is_the_part_of_the_faces_for_each_of_the_four():
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (COUNT, SIDE, SIDE), np.uint8)
    changed = (augment(faces, Augmentation(degraded=0.2), np.random.default_rng(1)) != faces).any(axis=(1, 2)).mean()
    assert changed == pytest.approx(1 - 0.8**4, abs=0.07)


def test_blur_and_shrink_take_detail_away():
    checkers = (np.indices((SIDE, SIDE)).sum(axis=0) % 2 * 200).astype(np.uint8)
    assert blur(checkers, 1.0).std() < 10 and blur(checkers, 0.4).std() > blur(checkers, 0.8).std()
    assert shrink(checkers, 0.5).std() < 1 and shrink(checkers, 1.0).tolist() == checkers.tolist()
    assert shrink(checkers, 0.001).shape == checkers.shape


def test_noise_has_its_standard_deviation():
    grey = np.full((200, 200), 127, np.uint8)
    noisy = add_noise(grey, 10, np.random.default_rng(0)).astype(float)
    assert noisy.std() == pytest.approx(10, rel=0.03) and noisy.mean() == pytest.approx(127, abs=0.3)
    assert add_noise(np.full((9, 9), 255, np.uint8), 20, np.random.default_rng(0)).min() > 150  # clipped, not wrapped


def test_compression_is_the_worse_the_lower_its_quality(faces):
    errors = [
        np.mean([np.abs(compress(face, quality).astype(int) - face).mean() for face in faces[:20]])
        for quality in (90, 50, 10)
    ]
    assert errors[0] < errors[1] < errors[2]


def test_erased_is_one_rectangle_of_half_of_the_faces():
    flat = np.full((COUNT, SIDE, SIDE), 100, np.uint8)
    result = augment(flat, Augmentation(erased=0.5), np.random.default_rng(0)) != 100
    assert result.any(axis=(1, 2)).mean() == pytest.approx(0.5, abs=0.07)
    for mask in result[result.any(axis=(1, 2))]:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert 6 <= height <= 22 and 6 <= width <= 22
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.9


def test_strange_is_the_part_of_the_faces_for_each_of_the_four():
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (COUNT, SIDE, SIDE), np.uint8)
    changed = (augment(faces, Augmentation(strange=0.2), np.random.default_rng(1)) != faces).any(axis=(1, 2)).mean()
    assert changed == pytest.approx(1 - 0.8**4, abs=0.07)


def test_pixelation_leaves_squares_of_their_mean():
    face = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
    squares = pixelate(face, 0.25).reshape(12, 4, 12, 4).transpose(0, 2, 1, 3).reshape(12, 12, 16)
    assert (squares == squares[:, :, :1]).all()
    means = face.reshape(12, 4, 12, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(squares[:, :, 0], means, atol=0.51)


def test_a_faint_face_keeps_its_mean_and_has_few_grey_values(faces):
    for face in faces[:5]:
        faint = fade(face, 0.05)
        assert len(np.unique(faint)) <= 255 * 0.05 + 2
        assert faint.mean() == pytest.approx(face.mean(), abs=0.5)
        np.testing.assert_allclose(faint, face.mean() + 0.05 * (face - face.mean()), atol=0.51)


def test_a_tone_curve_keeps_black_and_white_and_the_order():
    greys = np.arange(256, dtype=np.uint8)
    for gamma, middle in ((0.5, 181), (1, 128), (2, 64)):
        curve = tone(greys, gamma).astype(int)
        assert (curve[0], curve[128], curve[255]) == (0, middle, 255) and (np.diff(curve) >= 0).all()


def test_light_falls_in_the_direction():
    grey = np.full((SIDE, SIDE), 200, np.uint8)
    right = light_from_a_side(grey, 0.5, 0.0)
    assert right[:, 0].tolist() == [200] * SIDE and right[:, -1].tolist() == [100] * SIDE
    np.testing.assert_array_equal(light_from_a_side(grey, 0.5, np.pi / 2), right.T)


def test_another_side_is_the_same_view(faces):
    """Teacher and student see the same distortions at two sizes."""
    augmentation = Augmentation(flip=True, shift=0.1, rotation=12, degraded=0.2, erased=0.2)
    full = augment(faces, augmentation, np.random.default_rng(0))
    small = augment(faces, augmentation, np.random.default_rng(0), side=24)
    assert small.shape == (len(faces), 24, 24) and small.dtype == np.uint8
    halved = full.reshape(len(faces), 24, 2, 24, 2).mean(axis=(2, 4))
    assert np.abs(halved - small).max() <= 1


class TestColor:
    def test_a_grey_face_in_color_is_distorted_like_a_grey_one(self, faces):
        """Every distortion that is not of the color does the same to each channel."""
        ranges = Augmentation(
            flip=True, stretch=0.1, scale=(0.8, 1.2), shift=0.1, rotation=12, brightness=30, contrast=0.3
        )
        grey = augment(faces, ranges, np.random.default_rng(3))
        color = augment(np.repeat(faces[..., None], 3, axis=3), ranges, np.random.default_rng(3))
        assert color.shape == (*faces.shape, 3)
        for channel in range(3):
            np.testing.assert_array_equal(color[..., channel], grey)

    def test_degraded_and_erased(self, faces):
        color = np.stack([faces, faces // 2, 255 - faces], axis=3)
        result = augment(color, Augmentation(degraded=1.0, erased=1.0), np.random.default_rng(0), side=40)
        assert result.shape == (len(faces), 40, 40, 3) and result.dtype == np.uint8
        # The channels are still those of the face: the third is the first's negative, except where noise is.
        correlation = np.corrcoef(result[..., 0].ravel(), result[..., 2].ravel())[0, 1]
        assert correlation < -0.6

    def test_saturation_keeps_the_grey_and_tint_changes_it(self, faces):
        grey = np.repeat(faces[..., None], 3, axis=3)
        saturated = augment(grey, Augmentation(saturation=0.5), np.random.default_rng(0))
        assert np.abs(saturated.astype(int) - grey).max() <= 1
        tinted = augment(grey, Augmentation(tint=0.1), np.random.default_rng(0)).astype(float)
        gains = tinted.sum(axis=(1, 2)) / np.maximum(grey.sum(axis=(1, 2), dtype=float), 1)
        assert gains.min() > 0.85 and gains.max() < 1.11 and gains.std(axis=0).min() > 0.03
        assert np.abs(np.diff(gains, axis=1)).max() > 0.05

    def test_saturation_spreads_and_brings_together(self):
        red = np.tile(np.array([200, 60, 60], np.uint8), (COUNT, 8, 8, 1))
        result = augment(red, Augmentation(saturation=0.5), np.random.default_rng(0))[:, 4, 4].astype(int)
        spread = (result[:, 0] - result[:, 1]) / 140
        assert 0.49 < spread.min() < 0.6 and 1.4 < spread.max() < 1.51
        brightness = result @ np.array([0.299, 0.587, 0.114])
        assert np.abs(brightness - brightness.mean()).max() < 1.5


class TestOldPhotographs:
    colors = np.random.default_rng(3).integers(0, 256, (100, 100, 3), np.uint8)

    def test_without_color(self):
        grey = without_color(self.colors)
        assert np.ptp(grey, axis=2).max() == 0 and grey.std() > 30
        brown = without_color(self.colors, 1.0).reshape(-1, 3).mean(axis=0)
        assert brown[0] > brown[1] + 10 > brown[2] + 20

    def test_bleached(self):
        """Black becomes as light as it is said, and white no darker than the paper."""
        black, white = bleach(np.zeros((1, 1, 3), np.uint8), 0.5), bleach(np.full((1, 1, 3), 255, np.uint8), 0.5)
        assert black.ravel().tolist() == [122, 114, 98] and (white > 220).all() and white[0, 0, 2] < white[0, 0, 0]
        np.testing.assert_array_equal(bleach(self.colors, 0.0), self.colors)

    def test_grain_spreads_over_pixels(self):
        """Of the stated deviation and the same in all colors; neighbours have much in common, unlike those of a sensor's noise."""
        flat = np.full((300, 300, 3), 128, np.uint8)
        grain = add_grain(flat, 10, np.random.default_rng(0)).astype(float)[..., 0] - 128
        noise = add_noise(flat, 10, np.random.default_rng(0)).astype(float)[..., 0] - 128
        assert grain.std() == pytest.approx(10, rel=0.05)
        together = [np.corrcoef(each[:, 1:].ravel(), each[:, :-1].ravel())[0, 1] for each in (grain, noise)]
        assert together[0] > 0.8 and abs(together[1]) < 0.05
        assert np.ptp(add_grain(flat, 10, np.random.default_rng(0)), axis=2).max() == 0

    def test_scratches_leave_most_of_it(self):
        flat = np.full((100, 100, 3), 128, np.uint8)
        changed = (scratch(flat, 5, np.random.default_rng(0)) != flat).any(axis=2).mean()
        assert 0 < changed < 0.1 and (flat == 128).all()

    def test_as_many_faces_as_stated(self):
        faces = np.repeat(self.colors[None, :48, :48], 400, axis=0)
        result = augment(faces, Augmentation(grey=0.25), np.random.default_rng(0))
        changed = (result != faces).any(axis=(1, 2, 3))
        colorless = np.ptp(result.astype(int), axis=3).max(axis=(1, 2)) == 0
        assert changed.mean() == pytest.approx(0.25, abs=0.06)
        assert colorless.mean() == pytest.approx(0.125, abs=0.05) and (changed | ~colorless).all()
        for range_ in ({"bleached": (0.3, 0.5)}, {"grain": (10, 20)}, {"scratches": (2, 6)}):
            off = {"bleached": (0, 0), "grain": (0, 0), "scratches": (0, 0)}
            result = augment(faces, Augmentation(old=0.25, **off | range_), np.random.default_rng(0))
            assert (result != faces).any(axis=(1, 2, 3)).mean() == pytest.approx(0.25, abs=0.06), range_

    def test_scanned_faces_have_many_faults_at_once(self):
        """Of so many faces as stated half get each fault, and a quarter two at once: far more than meet by chance."""
        faces = np.repeat(self.colors[None, :48, :48], 800, axis=0)
        with_all = {"bleached": (0.5, 0.5), "grain": (20, 20)}

        def result(**ranges) -> np.ndarray:
            return augment(faces, Augmentation(scanned=0.3, **with_all | ranges), np.random.default_rng(0))

        every = result()
        assert (every != faces).any(axis=(1, 2, 3)).mean() == pytest.approx(0.3, abs=0.05)
        bleached, grained = (
            (result(**{fault: (0, 0)}) != every).any(axis=(1, 2, 3)) for fault in ("bleached", "grain")
        )
        assert bleached.mean() == pytest.approx(0.15, abs=0.04) and grained.mean() == pytest.approx(0.15, abs=0.04)
        assert (bleached & grained).mean() > 2 * bleached.mean() * grained.mean()
