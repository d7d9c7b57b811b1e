"""How well a face can be judged: where it looks, how large, sharp and lit it is, and what that does to the answer.

Every figure comes from the face's points, its box and the crop that the emotion network saw. `python -m benchmarks.quality`
measures on faces that were made small, blurred, dark, turned and so on how much less often the answer is right, and writes
quality.json beside this file: by how much each cue takes from an answer's certainty, and from where it is named.

Whether a face wears a mask is not told: its four points look like those of a bare face.
"""

import json
import math
from pathlib import Path

import cv2
import numpy as np

from .alignment import crop_geometry
from .types import ISSUES, Detection, Quality

CALIBRATION = json.loads(Path(__file__).with_suffix(".json").read_text())
"""`weights` and `limits` by ISSUES, both in the units of `deficits`; there is no limit where answers stay right often enough."""

FACE = np.array([[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, -0.588, 0.458], [0.0, -1.072, 0.25]])
"""Where BlazeFace sees the eyes, the nose and the mouth of a head: x to the right, y up and z out of the picture, in
distances between the eyes. Fitted by least squares to 378 drawings of 35 faces of FairFace turned by known angles, as
`python -m benchmarks.quality --pose` does it with faces of FER-2013. Points of YuNet alone, which come of faces that BlazeFace does not see from near, are drawn
towards those of a frontal face; their angles come out too small."""
CENTERED = FACE - FACE.mean(axis=0)
INVERSE = np.linalg.pinv(CENTERED)

LARGE = 32.0
"""Side of a face in pixels from which a larger one is answered no better."""
SHARP = 0.85
"""The sharpness from which a sharper face is answered no better."""
FRONTAL = 10.0
"""Degrees up to which a face counts as frontal: the points do not tell smaller angles."""
FAINTEST = 0.25
"""Grey values, added where contrasts are divided: less is rounding."""
WHITE = 250
"""Grey value from which a pixel is overexposed."""
MARGIN = 1 / 6
"""What is left out on each side of the crop, in sides: background and hair."""
FACE_PART = 1 / 1.16
"""Side of the face in sides of the crop."""
SAMPLES = (np.arange(12) + 0.5) / 12 - 0.5
"""Places in a row of the face at which it is asked whether they lie in the picture, in sides of the face."""


def measure(detection: Detection, crop: np.ndarray, shape: tuple[int, ...]) -> Quality:
    """The cues of one face.

    Args:
        detection: where the face is.
        crop: uint8 (S, S), the grey face that the emotion network sees.
        shape: of the picture, (H, W, ...).
    """
    yaw, pitch, roll = pose(detection)
    x1, y1, x2, y2 = detection.box
    side, sharpness = max(x2 - x1, y2 - y1), sharpness_of(crop)
    inner = _inner(crop)
    overexposed, outside = float((inner >= WHITE).mean()), part_outside(detection, shape)
    weak = deficits(side, sharpness, overexposed, yaw, outside)
    mean, deviation = cv2.meanStdDev(inner)
    return Quality(
        side=side,
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        sharpness=sharpness,
        brightness=float(mean[0, 0]),
        contrast=float(deviation[0, 0]),
        overexposed=overexposed,
        outside=outside,
        issues=tuple(name for name in ISSUES if weak[name] >= CALIBRATION["limits"].get(name, math.inf)),
        certainty=math.exp(-sum(CALIBRATION["weights"][name] * weak[name] for name in ISSUES)),
    )


def deficits(side: float, sharpness: float, overexposed: float, yaw: float | None, outside: float) -> dict[str, float]:
    """What speaks against an answer, by ISSUES, 0 where nothing does: halvings of the side below LARGE; the sharpness that
    is missing to SHARP; the part that is overexposed; tens of degrees of yaw above FRONTAL; the part outside the picture.

    The arguments are the attributes of `Quality`.
    """
    return {
        "too_small": max(math.log2(LARGE / max(side, 1.0)), 0.0),
        "blurred": max(SHARP - sharpness, 0.0),
        "overexposed": overexposed,
        "turned_away": 0.0 if yaw is None else max(abs(yaw) - FRONTAL, 0.0) / 10,
        "cut_off": outside,
    }


def tempered(distributions: np.ndarray, certainties: np.ndarray) -> np.ndarray:
    """Distributions (N, K) with their logits multiplied by a certainty each (N,): 1 leaves one as it is, 0 makes it even."""
    weak = np.flatnonzero(certainties != 1)
    if len(weak) == 0:
        return distributions
    result = distributions.copy()
    logits = np.log(np.maximum(distributions[weak], 1e-12)) * certainties[weak, None]
    result[weak] = np.exp(logits - logits.max(axis=1, keepdims=True))
    result[weak] /= result[weak].sum(axis=1, keepdims=True)
    return result


def pose(detection: Detection) -> tuple[float | None, float | None, float]:
    """Which way a face looks, from its eyes, nose and mouth.

    The points of FACE are taken to the picture's by the best affine projection, of which the nearest rotation is taken
    (scaled orthographic pose: DeMenthon and Davis 1995, doi:10.1007/BF01450852). Ears, hats and the distance to the camera
    have no say; people's noses differ, which costs some degrees.

    Returns:
        Yaw, pitch and roll in degrees. Yaw is positive where the face turns to the right of the picture as one sees it,
        pitch where it looks up, roll where its eye on the right is the lower one. The first two are None where the nose or
        the mouth is not known; they are angles of the head, so that it rolls after it has nodded and turned.
    """
    (left_x, left_y), (right_x, right_y) = detection.left_eye, detection.right_eye
    if detection.nose is None or detection.mouth is None:
        return None, None, math.degrees(math.atan2(right_y - left_y, right_x - left_x))
    points = np.array([detection.left_eye, detection.right_eye, detection.nose, detection.mouth]) * (1.0, -1.0)
    u, _, v = np.linalg.svd((INVERSE @ (points - points.mean(axis=0))).T, full_matrices=False)
    (xx, xy, xz), (yx, yy, yz) = (u @ v).tolist()
    # The third row of the rotation: what points out of the picture.
    zx, zy, zz = xy * yz - xz * yy, xz * yx - xx * yz, xx * yy - xy * yx
    yaw, pitch, roll = math.atan2(-zx, zz), math.asin(min(max(-zy, -1.0), 1.0)), math.atan2(xy, yy)
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def sharpness_of(crop: np.ndarray) -> float:
    """How sharp a crop is: the contrast of its finest details, below one pixel of standard deviation, in that of those twice
    as coarse. Light, contrast and the size of the face in the picture have little say, only how smooth the crop is: a
    blurred face and an enlarged one are alike.

    Args:
        crop: uint8 (S, S).

    Returns:
        0 to about 2: 0.98 is the median of FER-2013's faces, 0.65 where they are blurred by one of their pixels, 0.5 by two.
    """
    face = crop.astype(np.float32)
    fine, coarse = cv2.GaussianBlur(face, (0, 0), 1), cv2.GaussianBlur(face, (0, 0), 2)
    details, (_, middle) = cv2.meanStdDev(_inner(face - fine))[1], cv2.meanStdDev(_inner(fine - coarse))
    return float(details[0, 0] / (middle[0, 0] + FAINTEST))


def part_outside(detection: Detection, shape: tuple[int, ...]) -> float:
    """The part of a face that lies beyond the edge of a picture of the given shape (H, W, ...), 0 to 1."""
    (x, y), side, roll = crop_geometry(detection)
    reach, (height, width) = 0.75 * side, shape[:2]
    if reach <= x <= width - reach and reach <= y <= height - reach:
        return 0.0
    across = SAMPLES * side * FACE_PART
    down = across[:, None]
    xs = x + math.cos(roll) * across - math.sin(roll) * down
    ys = y + math.sin(roll) * across + math.cos(roll) * down
    return float(1 - ((xs >= 0) & (xs <= width) & (ys >= 0) & (ys <= height)).mean())


def _inner(crop: np.ndarray) -> np.ndarray:
    margin = round(MARGIN * len(crop))
    return crop[margin : len(crop) - margin, margin : len(crop) - margin]
