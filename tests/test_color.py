"""Signalled colors against littlecms and the numbers of the standards."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from color_profiles import ADOBE_D50, BT2020_D50, P3_D50, SRGB_D50, gamma, rgb_profile, srgb_curve
from inference.color import ADOBE_RGB, PRIMARIES, SRGB, from_cicp, to_srgb


def by_littlecms(image: np.ndarray, profile: bytes) -> np.ndarray:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return np.asarray(ImageCms.profileToProfile(Image.fromarray(image), source, ImageCms.createProfile("sRGB")))


ALL = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), -1).reshape(-1, 18, 3)


@pytest.mark.parametrize(
    ("chromaticities", "columns"),
    [(SRGB, SRGB_D50), (PRIMARIES[12], P3_D50), (PRIMARIES[9], BT2020_D50), (ADOBE_RGB, ADOBE_D50)],
    ids=["sRGB", "P3", "BT.2020", "Adobe RGB"],
)
@pytest.mark.parametrize("light", [srgb_curve, gamma(2.2), gamma(1)], ids=["sRGB", "2.2", "linear"])
def test_primaries_and_curves_are_converted_as_littlecms_does(chromaticities, columns, light):
    expected = by_littlecms(ALL, rgb_profile(columns, light))
    difference = np.abs(to_srgb(ALL, chromaticities, light).astype(int) - expected)
    assert difference.max() <= 4 and difference.mean() < 0.5
    sixteen = to_srgb(ALL.astype(np.uint16) * 257, chromaticities, light)
    assert np.abs(sixteen.astype(int) - expected).max() <= 4


def test_another_white_becomes_white():
    for code in PRIMARIES:
        assert (from_cicp(np.full((1, 1, 3), 255, np.uint8), code, 13) >= 254).all(), code


@pytest.mark.parametrize(
    ("transfer", "signal", "light"),
    [
        (16, 0.5807, 1),  # 203 nits
        (16, 0.5081, 100 / 203),  # SMPTE ST 2084: 100 nits
        (16, 0.3578, 0.1),
        (16, 1, 1),
        (18, 0.75, 1),  # ITU-R BT.2408, table 1: 203, 26 and 1,000 nits
        (18, 0.38, 26 / 203),
        (18, 1, 1),
        (8, 0.25, 0.25),
        (4, 0.5, 0.5**2.2),
        (5, 0.5, 0.5**2.8),
        (9, 0.5, 0.1),
        (10, 0.6, 0.1),
        (17, 0.5, 0.5**2.6 * 52.37 / 48),
    ],
)
def test_greys_have_the_light_of_their_standard(transfer, signal, light):
    image = np.full((2, 2, 3), round(signal * 65535), np.uint16)
    found = from_cicp(image, 9, transfer).astype(float) / 255
    assert srgb_curve(found) == pytest.approx(light, rel=0.02)
    narrow = np.full((2, 2, 3), round((16 + 219 * signal) * 256), np.uint16)
    found = from_cicp(narrow, 9, transfer, full_range=False).astype(float) / 255
    assert srgb_curve(found) == pytest.approx(light, rel=0.02)


@pytest.mark.parametrize("transfer", [16, 18])
def test_colors_of_high_dynamic_range_come_back(transfer):
    """From sRGB to BT.2020 and a signal by the inverse formulas of ITU-R BT.2100, tables 4 and 5."""
    light = srgb_curve(ALL / 255) @ np.array(
        [[0.6274, 0.0691, 0.0164], [0.3293, 0.9195, 0.0880], [0.0433, 0.0114, 0.8956]]
    )
    if transfer == 16:
        power = (light * 203 / 10000) ** 0.1593017578125
        signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    else:
        display = light * 203 / 1000
        luminance = np.maximum(display @ (0.2627, 0.6780, 0.0593), 1e-9)[..., None]
        scene = display * luminance ** (1 / 1.2 - 1)
        logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)
    image = np.round(signal * 65535).astype(np.uint16)
    assert np.abs(from_cicp(image, 9, transfer).astype(int) - ALL).max() <= 2


def test_what_is_srgb_already_stays_the_same_array():
    for primaries, transfer in ((1, 1), (1, 13), (2, 2), (1, 6), (2, 14)):
        assert from_cicp(ALL, primaries, transfer) is ALL


def test_impossible_primaries_are_refused():
    for chromaticities in (((0.3, 0.3), (0.3, 0.3), (0.3, 0.3), SRGB[3]), (*SRGB[:3], (0.3, 0.0))):
        with pytest.raises(ValueError, match="have the primaries|has the chromaticity"):
            to_srgb(ALL, chromaticities, srgb_curve)
