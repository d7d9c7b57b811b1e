"""Bad crops and pictures of faces, on which it is measured what a network of age and gender still tells."""

from collections.abc import Callable

import cv2
import numpy as np

from inference.alignment import AGE_GENDER_FRAMING, align_face, crop_geometry
from training.age_gender.data import Portraits, to_detection
from training.augment import add_grain, add_noise, bleach, blur, compress, scratch, shrink, without_color

SMALL_FACE = 32
"""Side in pixels to which a face is shrunk in `training.age_gender.evaluate.disturbed`."""

SEED = 0
"""The seed by which faces and strengths are drawn, so that every network is measured on the same."""


def _shifted(values: np.ndarray, part: float, angle: float) -> np.ndarray:
    side = max(values[2] - values[0], values[3] - values[1])
    return values + part * side * np.tile([np.cos(angle), np.sin(angle)], 4)


def _turned(values: np.ndarray, degrees: float) -> np.ndarray:
    """The eyes turned about the point between them, as a detector misplaces them; the crop turns with them."""
    eyes = values[4:].reshape(2, 2)
    middle, half = eyes.mean(axis=0), (eyes[1] - eyes[0]) / 2
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    half = np.array([cos * half[0] - sin * half[1], sin * half[0] + cos * half[1]])
    return np.concatenate([values[:4], middle - half, middle + half])


def _scaled(values: np.ndarray, factor: float) -> np.ndarray:
    center = np.tile([(values[0] + values[2]) / 2, (values[1] + values[3]) / 2], 4)
    return center + (values - center) * factor


def _scanned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A scan of a brown print: soft, faded, grainy, scratched, compressed."""
    soft = blur(bleach(without_color(image, 0.7), 0.25), 0.008 * image.shape[0])
    return compress(scratch(add_noise(add_grain(soft, 8, rng), 3, rng), 4, rng), 60)


def _shrunk(image: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture in which the side of the crop is SMALL_FACE pixels; it is enlarged again where it is cut out."""
    factor = min(SMALL_FACE / crop_geometry(to_detection(values), **AGE_GENDER_FRAMING)[1], 1.0)
    size = [max(round(side * factor), 1) for side in (image.shape[1], image.shape[0])]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), values * factor


DISTURBANCES: dict[str, Callable] = {
    "box shifted by 10 %": lambda image, values, rng: (image, _shifted(values, 0.1, rng.uniform(0, 2 * np.pi))),
    "box smaller by 15 %": lambda image, values, rng: (image, _scaled(values, 0.85)),
    "box larger by 15 %": lambda image, values, rng: (image, _scaled(values, 1.15)),
    "blurred, 1.5 % of the side": lambda image, values, rng: (blur(image, 0.015 * image.shape[0]), values),
    "darkened to 40 %": lambda image, values, rng: ((image * 0.4).astype(np.uint8), values),
    f"face of {SMALL_FACE} pixels": lambda image, values, rng: _shrunk(image, values),
}
"""By name, a function of picture, detection's values and random generator, to the picture and values that are cut out instead."""

ALBUM: dict[str, Callable] = {
    "box shifted by 2 %": lambda image, values, rng: (image, _shifted(values, 0.02, rng.uniform(0, 2 * np.pi))),
    "framed tight, 25 %": lambda image, values, rng: (image, _scaled(values, 0.75)),
    "framed wide, 25 %": lambda image, values, rng: (image, _scaled(values, 1.25)),
    "turned by 12 degrees": lambda image, values, rng: (image, _turned(values, 12 * rng.choice((-1, 1)))),
    "grey": lambda image, values, rng: (without_color(image), values),
    "faded and yellow": lambda image, values, rng: (bleach(image, 0.5), values),
    "grainy": lambda image, values, rng: (add_grain(image, 14, rng), values),
    "scanned": lambda image, values, rng: (_scanned(image, rng), values),
    "JPEG of quality 20": lambda image, values, rng: (compress(image, 20), values),
    "half the pixels": lambda image, values, rng: (shrink(image, 0.5), values),
}
"""What photographs of private albums have, old ones not least, in the form of DISTURBANCES."""


def some_found(faces: Portraits, count: int) -> Portraits:
    """So many at most of those that the detector found; the same at every call."""
    found = np.random.default_rng(SEED).permutation(np.flatnonzero(faces.found))
    return faces.select(np.sort(found[:count]))


def disturbed_crops(pictures: list[np.ndarray], detections: np.ndarray, disturb: Callable, size: int) -> np.ndarray:
    """The faces uint8 (N, size, size, 3) that one of DISTURBANCES or ALBUM makes of pictures and detections (N, 8)."""
    rng = np.random.default_rng(SEED)
    crops = []
    for image, values in zip(pictures, detections):
        picture, moved = disturb(image, values, rng)
        crops.append(align_face(picture, to_detection(moved), size, **AGE_GENDER_FRAMING))
    return np.stack(crops)
