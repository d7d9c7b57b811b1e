"""Random distortions of training faces, in NumPy and OpenCV so that they are the same under every Keras backend."""

import cv2
import numpy as np
from dataclasses import dataclass


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random distortions; each is drawn uniformly and independently for every face.

    Attributes:
        flip: mirror half of the faces left to right.
        stretch: width and height are scaled independently by 1 - stretch to 1 + stretch.
        shift: the face moves by up to this part of its side, in x and in y.
    """

    flip: bool = False
    stretch: float = 0.0
    shift: float = 0.0


def augment(images: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Distort every face once.

    Args:
        images: uint8 (N, S, S).
        augmentation: the ranges.
        rng: the source of randomness; the same state gives the same faces.

    Returns:
        A new uint8 (N, S, S) array. Pixels from outside a face repeat its border.
    """
    count, side = len(images), images.shape[-1]
    scale = rng.uniform(1 - augmentation.stretch, 1 + augmentation.stretch, (count, 2))
    shift = rng.uniform(-augmentation.shift, augmentation.shift, (count, 2)) * side
    if augmentation.flip:
        scale[rng.random(count) < 0.5, 0] *= -1
    center = (side - 1) / 2
    matrices = np.zeros((count, 2, 3))
    matrices[:, 0, 0], matrices[:, 1, 1] = scale.T
    matrices[:, :, 2] = center - scale * center + shift
    result = np.empty_like(images)
    for image, matrix, out in zip(images, matrices, result):
        cv2.warpAffine(image, matrix, (side, side), dst=out, borderMode=cv2.BORDER_REPLICATE)
    return result
