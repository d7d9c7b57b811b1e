"""The crop: one way to cut a face out of a picture, for training, evaluation and serving alike."""

import math
from typing import TypedDict

import cv2
import numpy as np

from .types import Detection


class Framing(TypedDict):
    """What `crop_geometry` is told of a crop."""

    side_by_eyes: float
    side_by_box: float
    eye_line: float


# Medians of where FER-2013's own frame lies around a detection, measured by `python -m benchmarks.alignment`; with them
# crops of PublicTest faces are classified as well as the original faces. The optimum is flat: neighbouring rules differ
# by less than a standard error.
SIDE_BY_EYES = 2.63
"""Side of the crop in distances between the eyes."""
SIDE_BY_BOX = 1.16
"""Side of the crop in sides of the detector's box. The larger of the two sides is taken: eyes of a face in profile are
close together, and a box at the edge of the picture is cut off."""
EYE_LINE = 0.396
"""Height of the eye line in the crop, from the top, in sides."""
AGE_GENDER_FRAMING: Framing = {"side_by_eyes": 2.5, "side_by_box": 1.08, "eye_line": 0.31}
"""The crop for age and gender as arguments of `align_face`: what FairFace's and UTKFace's own pictures show of a face, so
that in training hardly anything lies beyond their edge. `python -m training.age_gender.data` prints how much does."""
LARGEST_WARP = 384
"""Side in pixels of the largest picture that is made on the way to a crop."""
FOURTH = 4
"""So many times the pixels of what is turned a picture may have to be given a fourth channel for that."""
MARGIN = 2
"""Pixels around a square that its edges are interpolated from."""


def crop_geometry(
    detection: Detection,
    side_by_eyes: float = SIDE_BY_EYES,
    side_by_box: float = SIDE_BY_BOX,
    eye_line: float = EYE_LINE,
) -> tuple[tuple[float, float], float, float]:
    """Where the crop of a face lies.

    Args:
        detection: where the face is.
        side_by_eyes, side_by_box, eye_line: see the constants of the same name.

    Returns:
        Its centre (x, y) and its side in pixels of the picture, and the roll of the face in radians (positive where the
        eye on the right of the picture is the lower one).
    """
    (left_x, left_y), (right_x, right_y) = detection.left_eye, detection.right_eye
    x1, y1, x2, y2 = detection.box
    eyes, box = math.hypot(right_x - left_x, right_y - left_y), max(x2 - x1, y2 - y1)
    side = max(side_by_eyes * eyes, side_by_box * box, 1.0)
    roll = math.atan2(right_y - left_y, right_x - left_x)
    down = (0.5 - eye_line) * side
    center = ((left_x + right_x) / 2 - down * math.sin(roll), (left_y + right_y) / 2 + down * math.cos(roll))
    return center, side, roll


def align_face(
    image: np.ndarray, detection: Detection, size: int = 48, *, grey: bool = False, **framing: float
) -> np.ndarray:
    """Cut out one face upright, framed as in FER-2013 unless said otherwise; beyond the picture's edge the border pixels
    repeat.

    Args:
        image: uint8 (H, W, 3) RGB or (H, W) grey.
        detection: where the face is.
        size: side of the crop in pixels.
        grey: of RGB, as OpenCV weighs the colors.
        framing: side_by_eyes, side_by_box and eye_line of `crop_geometry`.

    Returns:
        uint8 (size, size, 3) or (size, size).
    """
    return cut_square(image, *crop_geometry(detection, **framing), size, grey=grey)[0]


def cut_square(
    image: np.ndarray,
    center: tuple[float, float],
    side: float,
    roll: float,
    size: int,
    border: int = cv2.BORDER_REPLICATE,
    grey: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a square out of a picture, turned and scaled.

    Squares larger than the result are averaged down, not sampled, so that large faces are as smooth as FER-2013's.

    Args:
        image: uint8 (H, W, 3) or (H, W).
        center: of the square, (x, y) in pixels of the picture.
        side: of the square, in pixels of the picture.
        roll: of the square, in radians, clockwise as seen.
        size: side of the result in pixels.
        border: what lies beyond the picture's edge, a cv2.BORDER_ constant.
        grey: of RGB, as OpenCV weighs the colors.

    Returns:
        uint8 (size, size, 3) or (size, size), and the matrix (2, 3) that takes a point of the picture there.
    """
    factor = max(min(math.ceil(side / size), LARGEST_WARP // size), 1)
    cos, sin = math.cos(roll) * size / side, math.sin(roll) * size / side
    matrix = np.array(
        [
            [cos, sin, size / 2 - cos * center[0] - sin * center[1]],
            [-sin, cos, size / 2 + sin * center[0] - cos * center[1]],
        ]
    )
    # Points count from the picture's corner, OpenCV's from the middle of the first pixel.
    warp = matrix * factor
    warp[:, 2] += warp[:, :2].sum(axis=1) / 2 - 0.5
    # Of a large picture no more is touched than the square needs.
    reach = side / 2 * (abs(math.cos(roll)) + abs(math.sin(roll))) + MARGIN
    (left, right), (top, bottom) = (
        [min(max(end, 0), length - 1) for end in (math.floor(middle - reach), math.ceil(middle + reach))]
        for middle, length in zip(center, image.shape[1::-1])
    )
    image = image[top : bottom + 1, left : right + 1]
    warp[:, 2] += warp[:, 0] * left + warp[:, 1] * top
    # OpenCV turns four channels in less than half the time of three, with the same values.
    fourth = image.ndim == 3 and not grey and FOURTH * (size * factor) ** 2 > image.shape[0] * image.shape[1]
    if grey:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    elif fourth:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    crop = cv2.warpAffine(image, warp, (size * factor, size * factor), flags=cv2.INTER_LINEAR, borderMode=border)
    if factor > 1:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(crop, cv2.COLOR_RGBA2RGB) if fourth else crop, matrix
