"""Colors as files signal them, high dynamic range included, to sRGB: what photos and videos share."""

from collections.abc import Callable

import numpy as np

Chromaticities = tuple[tuple[float, float], ...]
"""CIE 1931 x and y of red, green, blue and white."""

_D65, _C, _E, _DCI = (0.3127, 0.329), (0.31, 0.316), (1 / 3, 1 / 3), (0.314, 0.351)
SRGB: Chromaticities = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), _D65)
ADOBE_RGB: Chromaticities = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65)
PRIMARIES: dict[int, Chromaticities] = {
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.6), (0.15, 0.06), _D65),
    6: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), _D65),
    7: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), _D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), _D65),
    10: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), _E),
    11: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), _DCI),
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), _D65),
    22: ((0.63, 0.34), (0.295, 0.605), (0.155, 0.077), _D65),
}
"""ColourPrimaries of ITU-T H.273 that are not sRGB's."""

WHITE = 203.0
"""Nits of the white of high dynamic range (ITU-R BT.2408), which is shown as the white of standard range."""

_BAND = 2**20
"""Pixels converted at once: in floating point a whole picture would take several times its room."""


def srgb_light(signal: np.ndarray) -> np.ndarray:
    """Linear light of a signal of sRGB (IEC 61966-2-1), both in 0..1."""
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def pq_light(signal: np.ndarray) -> np.ndarray:
    """Linear light of a signal of SMPTE ST 2084 (PQ) in 0..1; 1 is WHITE."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    root = signal ** (1 / m2)
    return (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) * 10_000 / WHITE


def hlg_light(signal: np.ndarray) -> np.ndarray:
    """Linear light of the scene, 0..1, of a signal of HLG (ITU-R BT.2100) in 0..1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


TRANSFERS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    4: lambda signal: signal**2.2,
    5: lambda signal: signal**2.8,
    8: lambda signal: signal,
    9: lambda signal: np.where(signal > 0, 10 ** (2 * (signal - 1)), 0),
    10: lambda signal: np.where(signal > 0, 10 ** (2.5 * (signal - 1)), 0),
    16: pq_light,
    17: lambda signal: signal**2.6 * 52.37 / 48,
    18: hlg_light,
}
"""TransferCharacteristics of ITU-T H.273 that are not shown as sRGB; those of television (1, 6, 7, 11, 12, 14, 15) are,
as in browsers and players: they are made for a display, not for the light of the scene."""


def from_cicp(image: np.ndarray, primaries: int, transfer: int, full_range: bool = True) -> np.ndarray:
    """A picture by the code points of ITU-T H.273, which video, HEIC, AVIF and PNG share, as sRGB.

    Args:
        image: uint8 or uint16 (H, W, 3), RGB.
        primaries, transfer: ColourPrimaries and TransferCharacteristics; those not known are taken for sRGB's.
        full_range: whether black and white are the least and the largest number, not 16 and 235 of 255.

    Returns:
        uint8 (H, W, 3); the very same array where there is nothing to convert.
    """
    if full_range and primaries not in PRIMARIES and transfer not in TRANSFERS and image.dtype == np.uint8:
        return image
    return to_srgb(image, PRIMARIES.get(primaries, SRGB), TRANSFERS.get(transfer, srgb_light), full_range)


def to_srgb(
    image: np.ndarray,
    chromaticities: Chromaticities,
    light: Callable[[np.ndarray], np.ndarray],
    full_range: bool = True,
) -> np.ndarray:
    """A picture of other primaries and another curve as sRGB. What is brighter than white or outside the gamut is cut off.

    Args:
        image: uint8 or uint16 (H, W, 3), RGB.
        chromaticities: of its primaries and its white, which becomes sRGB's (Bradford).
        light: linear light of a signal in 0..1; 1 is white. hlg_light is made light of a display of 1,000 nits
            (ITU-R BT.2100).
        full_range: as in from_cicp.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: no colors have such chromaticities.
    """
    import cv2  # takes as much memory as all else of a decoder's process, and few pictures need it

    top = np.iinfo(image.dtype).max
    signal = np.arange(top + 1) / top
    if not full_range:
        unit = (top + 1) // 256
        signal = np.clip((np.arange(top + 1) - 16 * unit) / (219 * unit), 0, 1)
    table = light(signal).astype(np.float32)
    source = _to_xyz(chromaticities)
    matrix = np.linalg.inv(_to_xyz(SRGB)) @ _adaptation(chromaticities[3], _D65) @ source
    result = np.empty(image.shape, np.uint8)
    step = max(_BAND // image.shape[1], 1)
    for first in range(0, len(image), step):
        linear = table[image[first : first + step]]
        if light is hlg_light:
            luminance = linear @ source[1].astype(np.float32)
            linear *= (1000 / WHITE * luminance**0.2)[..., None]
        linear = cv2.transform(linear, matrix * 65535)
        result[first : first + step] = cv2.LUT(np.clip(linear + 0.5, 0, 65535).astype(np.uint16), _SRGB_OF_LIGHT)
    return result


def _srgb_of_light() -> np.ndarray:
    """uint8 (65536,): linear light, 0 to 1 in as many steps, as sRGB."""
    light = np.arange(65536) / 65535
    return np.round(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)).astype(
        np.uint8
    )


_SRGB_OF_LIGHT = _srgb_of_light()


def _xyz(x: float, y: float) -> np.ndarray:
    if not y > 0:
        raise ValueError(f"no white has the chromaticity {x}, {y}")
    return np.array([x / y, 1, (1 - x - y) / y])


def _to_xyz(chromaticities: Chromaticities) -> np.ndarray:
    """(3, 3): RGB to CIE XYZ, the white's Y being 1 (SMPTE RP 177)."""
    columns = np.array([(x, y, 1 - x - y) for x, y in chromaticities[:3]]).T
    if abs(np.linalg.det(columns)) < 1e-4:
        raise ValueError(f"no colors have the primaries {chromaticities[:3]}")
    return columns * np.linalg.solve(columns, _xyz(*chromaticities[3]))


def _adaptation(white: tuple[float, float], target: tuple[float, float]) -> np.ndarray:
    """(3, 3): XYZ under one white to XYZ under another, by the linearized Bradford transform (ICC.1:2010, annex E)."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    scale = (bradford @ _xyz(*target)) / (bradford @ _xyz(*white))
    return np.linalg.inv(bradford) @ (scale[:, None] * bradford)
