"""The crop: one way to cut a face out of a picture, for training, evaluation and serving alike."""

import cv2
import math
import numpy as np

from inference.types import Detection

SIDE_BY_EYES = 2.67
"""Side of the crop in distances between the eyes; see benchmarks/alignment.py for the measurement."""
EYE_LINE = 0.365
"""Height of the eye line in the crop, from the top, in sides."""
SMALLEST_SIDE_BY_BOX = 0.8
"""The side is at least this part of the detector's box: eyes of a face in profile are close together."""


def crop_geometry(detection: Detection) -> tuple[tuple[float, float], float, float]:
    """Where the crop of a face lies: its centre (x, y) and its side in pixels of the picture, and the roll of the face
    in radians (positive where the eye on the right of the picture is the lower one)."""
    (left_x, left_y), (right_x, right_y) = detection.left_eye, detection.right_eye
    x1, _, x2, _ = detection.box
    side = max(
        SIDE_BY_EYES * math.hypot(right_x - left_x, right_y - left_y), SMALLEST_SIDE_BY_BOX * (x2 - x1), 1.0
    )
    roll = math.atan2(right_y - left_y, right_x - left_x)
    down = (0.5 - EYE_LINE) * side
    center = ((left_x + right_x) / 2 - down * math.sin(roll), (left_y + right_y) / 2 + down * math.cos(roll))
    return center, side, roll


def align_face(image: np.ndarray, detection: Detection, size: int = 48) -> np.ndarray:
    """Cut out one face upright and framed as in FER-2013.

    The picture is turned so that the eyes are level; beyond its edge the border pixels repeat. Faces larger than the
    crop are averaged down, not sampled, so that they are as smooth as FER-2013's.

    Args:
        image: uint8 (H, W, 3) RGB or (H, W) grey.
        detection: where the face is.
        size: side of the crop in pixels.

    Returns:
        uint8 (size, size, 3) or (size, size).
    """
    center, side, roll = crop_geometry(detection)
    factor = min(max(math.ceil(side / size), 1), 16)
    scale = size * factor / side
    cos, sin = math.cos(roll) * scale, math.sin(roll) * scale
    middle = (size * factor - 1) / 2
    matrix = np.array(
        [
            [cos, sin, middle - cos * center[0] - sin * center[1]],
            [-sin, cos, middle + sin * center[0] - cos * center[1]],
        ]
    )
    crop = cv2.warpAffine(
        image, matrix, (size * factor, size * factor), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return crop if factor == 1 else cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
