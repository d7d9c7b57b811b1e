"""What a network still knows of faces that are blurred, small, noisy, compressed, badly lit or badly framed."""

from collections.abc import Callable

import cv2
import numpy as np

from training.augment import add_noise, blur, compress, fade, light_from_a_side, pixelate, shrink, tone

SEED = 0
"""The seed of the disturbances, so that every network is measured on the same."""


def reframe(image: np.ndarray, side: float = 1.0, shift: float = 0.0, roll: float = 0.0, direction: float = 0.0):
    """What a wrong crop shows of a face.

    Args:
        image: uint8 (S, S).
        side: of the crop, as a part of the right one.
        shift: of the crop, as a part of S.
        roll: by how many degrees the crop is turned.
        direction: of the shift, in radians.

    Returns:
        uint8 (S, S). What lies outside the picture repeats its border.
    """
    size = image.shape[0]
    center = (size - 1) / 2
    matrix = cv2.getRotationMatrix2D((center, center), roll, 1 / side)
    matrix[:, 2] += shift * size * np.array([np.cos(direction), np.sin(direction)]) / side
    return cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)


def _relight(image: np.ndarray, brightness: float = 0.0, contrast: float = 1.0) -> np.ndarray:
    return ((image - 127.5) * contrast + 127.5 + brightness).round().clip(0, 255).astype(np.uint8)


DISTURBANCES: tuple[tuple[str, tuple[float, ...], Callable], ...] = (
    ("shrunk to a part of the side", (0.75, 0.5, 0.35, 0.25), lambda face, x, rng: shrink(face, x)),
    ("shrunk, and enlarged by repeating pixels", (0.5, 0.35), lambda face, x, rng: pixelate(face, x)),
    ("blur, standard deviation in pixels", (0.5, 1.0, 1.5, 2.0), lambda face, x, rng: blur(face, x)),
    ("noise, standard deviation in grey values", (5, 10, 20, 30), lambda face, x, rng: add_noise(face, x, rng)),
    ("JPEG, quality", (50, 25, 10), lambda face, x, rng: compress(face, x)),
    ("brightness, grey values added", (-80, -40, 40, 80), lambda face, x, rng: _relight(face, brightness=x)),
    ("contrast, factor", (0.5, 0.25), lambda face, x, rng: _relight(face, contrast=x)),
    ("few grey values, contrast's factor", (0.1, 0.05), lambda face, x, rng: fade(face, x)),
    ("tone curve, exponent", (0.4, 2.5), lambda face, x, rng: tone(face, x)),
    (
        "light from a side, part that it falls by",
        (0.6,),
        lambda face, x, rng: light_from_a_side(face, x, rng.uniform(0, 2 * np.pi)),
    ),
    ("crop's side, factor", (0.8, 0.9, 1.1, 1.2, 1.35), lambda face, x, rng: reframe(face, side=x)),
    (
        "crop's shift, part of the side",
        (0.05, 0.1, 0.15),
        lambda face, x, rng: reframe(face, shift=x, direction=rng.uniform(0, 2 * np.pi)),
    ),
    ("crop's roll, degrees", (10, 20, 30), lambda face, x, rng: reframe(face, roll=x * rng.choice((-1, 1)))),
)
"""What is done, how strongly, and a function of face, strength and random generator that does it."""


def robustness(predict: Callable[[np.ndarray], np.ndarray], faces: np.ndarray, labels: np.ndarray) -> dict[str, dict]:
    """Accuracy under every disturbance at every strength.

    Args:
        predict: faces uint8 (N, S, S) to probabilities (N, 7).
        faces: uint8 (N, S, S).
        labels: (N,) indices into EMOTIONS.

    Returns:
        By the name of each disturbance with its strength, "blur, standard deviation in pixels: 1" say: accuracy (0 to 1), and
        lost, the accuracy on the untouched faces minus that; and of these, "undisturbed", faces and accuracy. The randomness is
        the same at every call.
    """
    untouched = (predict(faces).argmax(axis=1) == labels).mean()
    rows = {"undisturbed": {"faces": len(faces), "accuracy": round(float(untouched), 4)}}
    for name, strengths, disturb in DISTURBANCES:
        for strength in strengths:
            rng = np.random.default_rng(SEED)
            disturbed = np.stack([disturb(face, strength, rng) for face in faces])
            accuracy = float((predict(disturbed).argmax(axis=1) == labels).mean())
            rows[f"{name}: {strength:g}"] = {
                "accuracy": round(accuracy, 4),
                "lost": round(float(untouched - accuracy), 4),
            }
    return rows
