"""Pictures whose faces are known, composed of photographs.

- crowds: 1 to 6 faces of 24 to 200 px, in every eighth picture up to 50 of 24 to 90 px, in 1280x886 and 1920x1080;
- groups: a photograph with a face, again and again, about 1280x886, faces of 30 to 120 px;
- portraits: one face, a quarter of the picture's shorter side up to all of it, possibly cut by the picture's edge;
- tight: the face's box alone, 300 px;
- empty: no face: the photographs without one and those with a blurred head, whole and in parts.

And pictures with one face of FER-2013, whose frame is known, and views of one photograph.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from inference.detector import FaceDetector
from inference.images import SUFFIXES, load_image

MARGIN = 1.25
"""What is cut out with the face of a photograph, from its middle, in sides of the face."""
BACKGROUND = 32
ENLARGED = (2.5, 5.0)
ROLL = 15.0
"""Faces of known frame and views of photographs are turned by up to this many degrees."""
LONGEST_SIDE = 1000
"""Photographs are reduced to this many pixels before a view of them is reduced by up to a half."""
FAIRFACE_SIDE = 2 / 3
"""Side of the face in a FairFace picture with a margin of a quarter of it all around."""

Geometry = tuple[tuple[float, float], float, float]
"""Centre (x, y), side in pixels and roll in radians of a square, as crop_geometry returns them."""


class Cutout(NamedTuple):
    """A face and what surrounds it: uint8 RGB, the face's middle and its side in pixels."""

    image: np.ndarray
    x: float
    y: float
    side: float


class Photos(NamedTuple):
    """The material: faces, photographs with one face as cutouts, without one, and with none or a blurred one."""

    cutouts: list[Cutout]
    portraits: list[Cutout]
    backgrounds: list[np.ndarray]
    empty: list[np.ndarray]


def load(photos: Path, faces: Path | None) -> Photos:
    """Read the material.

    Args:
        photos: a folder; files named noface_* hold no face, the others one, which is taken to be where the detector's
            best detection is.
        faces: a folder of pictures with one face each, framed as in FairFace with a margin of a quarter; the first 300
            are used.
    """
    images = [(file.name, load_image(file)) for file in sorted(photos.iterdir()) if file.suffix in SUFFIXES]
    backgrounds = [image for name, image in images if name.startswith("noface_")]
    result, detector = Photos([], [], backgrounds, list(backgrounds)), FaceDetector(min_score=0)
    for name, image in images:
        if name.startswith("noface_"):
            continue
        x1, y1, x2, y2 = max(detector.detect(image), key=lambda face: face.score).box
        x, y, side = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1
        left, top = max(round(x - MARGIN * side), 0), max(round(y - MARGIN * side), 0)
        headless = image.copy()
        head = headless[top : round(y + MARGIN * side), left : round(x + MARGIN * side)]
        result.portraits.append(Cutout(image, x, y, side))
        result.cutouts.append(Cutout(head.copy(), x - left, y - top, side))
        head[:] = cv2.blur(head, (2 * round(side) + 1,) * 2)
        result.empty.append(headless)
    files = sorted(file for file in faces.iterdir() if file.suffix in SUFFIXES)[:300] if faces else []
    for image in map(load_image, files):
        height, width = image.shape[:2]
        result.cutouts.append(Cutout(image, width / 2, height / 2, FAIRFACE_SIDE * width))
    return result


def fill(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture scaled and cut so that it fills width x height."""
    scale = max(width / image.shape[1], height / image.shape[0])
    size = (max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=method)[:height, :width])


def paste(scene: np.ndarray, cutout: Cutout, x: float, y: float, side: float) -> None:
    """Blend a face into a scene, in place, its middle at (x, y); what hangs over the edge is cut off."""
    scale = side / cutout.side
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    patch = cv2.resize(cutout.image, None, fx=scale, fy=scale, interpolation=method)
    height, width = patch.shape[:2]
    border = max(width // 14, 1)
    mask = np.zeros((height, width), np.float32)
    mask[border:-border, border:-border] = 1
    mask = cv2.blur(mask, (2 * border + 1, 2 * border + 1), borderType=cv2.BORDER_CONSTANT)[..., None]
    left, top = round(x - cutout.x * scale), round(y - cutout.y * scale)
    rows, columns = slice(max(-top, 0), scene.shape[0] - top), slice(max(-left, 0), scene.shape[1] - left)
    target = scene[max(top, 0) : top + height, max(left, 0) : left + width]
    target[:] = (patch * mask)[rows, columns] + target * (1 - mask)[rows, columns]


def pictures(photos: Photos, count: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """`count` pictures of each kind, always the same: kind, uint8 RGB, faces (N, 3) as x, y, side in pixels."""
    rng = np.random.default_rng(0)
    cutouts, portraits, backgrounds, empty = photos

    def pick(choices: list):
        return choices[rng.integers(len(choices))]

    for index in range(count):
        many, size = index % 8 == 7, ((1280, 886), (1920, 1080))[index // len(backgrounds) % 2]
        scene = fill(backgrounds[index % len(backgrounds)], *size)
        faces: list = []
        for _ in range(50 if many else rng.integers(1, 7)):
            side = np.exp(rng.uniform(np.log(24), np.log(90 if many else 200)))
            x, y = (rng.uniform(MARGIN * side, length - MARGIN * side) for length in size)
            if all(max(abs(x - a), abs(y - b)) > MARGIN * (side + other) for a, b, other in faces):
                paste(scene, pick(cutouts), x, y, side)
                faces.append((x, y, side))
        yield "crowds", scene, np.array(faces)
    for index in range(count):
        image, x, y, side = portraits[index % len(portraits)]
        scale = rng.uniform(30, 120) / side
        tile = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = tile.shape[:2]
        rows, columns = max(886 // height, 1), max(1280 // width, 1)
        places = np.argwhere(np.ones((rows, columns))) * (height, width) + np.array((y, x)) * scale
        yield "groups", np.tile(tile, (rows, columns, 1)), np.insert(places[:, ::-1], 2, side * scale, axis=1)
    for index in range(count):
        size = ((1280, 886), (640, 480), (600, 800))[index % 3]
        scene, side = fill(backgrounds[index % len(backgrounds)], *size), rng.uniform(0.25, 1.0) * min(size)
        x, y = (rng.uniform(side / 2, length - side / 2) for length in size)
        paste(scene, pick(cutouts), x, y, side)
        yield "portraits", scene, np.array([(x, y, side)])
    for index in range(count):
        scene = np.zeros((300, 300, 3), np.uint8)
        paste(scene, cutouts[index % len(cutouts)], 150, 150, 300)
        yield "tight", scene, np.array([(150.0, 150.0, 300.0)])
    for index in range(count):
        image, part = empty[index % len(empty)], rng.uniform(0.3, 1.0) if index >= len(empty) else 1.0
        height, width = (round(length * part) for length in image.shape[:2])
        y, x = rng.integers(image.shape[0] - height + 1), rng.integers(image.shape[1] - width + 1)
        size = ((width, height), (1280, 886), (1920, 1080), (640, 480))[index // len(empty) % 4]
        yield "empty", fill(image[y : y + height, x : x + width], *size), np.zeros((0, 3))


def random_frame(size: int, rng: np.random.Generator) -> Geometry:
    """A place for a face of size x size pixels, for `enlarge`."""
    side = size * rng.uniform(*ENLARGED)
    return tuple(1.5 * side + rng.uniform(-0.5, 0.5, 2)), side, math.radians(rng.uniform(-ROLL, ROLL))


def enlarge(face: np.ndarray, frame: Geometry, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """A grey face (S, S) laid into its frame, in the middle of a picture of three times the frame's side."""
    (x, y), side, roll = frame
    cos, sin, half = math.cos(roll) * side / len(face), math.sin(roll) * side / len(face), len(face) / 2
    matrix = np.array([[cos, -sin, x - (cos - sin) * half], [sin, cos, y - (sin + cos) * half]])
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5  # OpenCV counts from the middle of the first pixel
    return cv2.warpAffine(face, matrix, (round(3 * side),) * 2, flags=cv2.INTER_CUBIC, borderMode=border)


def on_background(face: np.ndarray, frame: Geometry) -> np.ndarray:
    """The same with a soft border on dark grey, where detectors find most faces, as RGB."""
    inner = np.zeros(face.shape, np.float32)
    inner[2:-2, 2:-2] = 1
    mask = np.clip(enlarge(cv2.blur(inner, (5, 5), borderType=cv2.BORDER_CONSTANT), frame, cv2.BORDER_CONSTANT), 0, 1)
    return cv2.cvtColor((enlarge(face, frame) * mask + BACKGROUND * (1 - mask)).astype(np.uint8), cv2.COLOR_GRAY2RGB)


def turned_views(image: np.ndarray, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """A photograph in several sizes, turned and shifted by parts of a pixel; its border repeats."""
    for _ in range(count):
        scale = min(LONGEST_SIDE / max(image.shape), 1) * rng.uniform(0.5, 1)
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = small.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-ROLL, ROLL), 1)
        matrix[:, 2] = matrix[:, 2] + rng.uniform(-0.5, 0.5, 2)
        yield cv2.warpAffine(small, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
