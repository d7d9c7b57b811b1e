"""Boxes and labels on a picture."""

import cv2
import numpy as np
from collections.abc import Sequence

from inference.types import Face

BOX_COLOR = (255, 200, 40)
TEXT_COLOR = (20, 20, 20)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def annotate(image: np.ndarray, faces: list[Face], numbers: Sequence[int] | None = None) -> np.ndarray:
    """Draw a numbered box with the shown emotion, and a question mark where it is not sure, around every face.

    Lines and letters grow with the picture; a label that would leave it at the top stands inside the box.

    Args:
        image: uint8 (H, W, 3), RGB; left as it is.
        faces: all of the picture.
        numbers: of the faces; default: from 1 in their order.

    Returns:
        A new uint8 (H, W, 3), RGB.
    """
    scene = image.copy()
    height, width = scene.shape[:2]
    picture_unit = max(min(height, width) / 400, 0.4)
    for number, face in zip(numbers or range(1, len(faces) + 1), faces):
        x1, y1, x2, y2 = (round(value) for value in face.detection.box)
        unit = max(min(picture_unit, (x2 - x1) / 60), picture_unit / 2)  # small faces have smaller labels
        stroke = max(round(unit), 1)
        cv2.rectangle(scene, (x1, y1), (x2, y2), BOX_COLOR, max(round(2 * unit), 1), cv2.LINE_AA)
        text = f"{number} {face.shown}{'' if face.sure else '?'}"
        scale = max(0.5 * unit, 0.35)
        (text_width, text_height), below = cv2.getTextSize(text, FONT, scale, stroke)
        pad = max(round(3 * unit), 2)
        left = int(np.clip(x1, 0, max(width - text_width - 2 * pad, 0)))
        top = y1 - text_height - below - 2 * pad
        top = top if top >= 0 else y1
        bottom = top + text_height + below + 2 * pad
        cv2.rectangle(scene, (left, top), (left + text_width + 2 * pad, bottom), BOX_COLOR, cv2.FILLED)
        cv2.putText(scene, text, (left + pad, bottom - pad - below), FONT, scale, TEXT_COLOR, stroke, cv2.LINE_AA)
    return scene


def shrink(image: np.ndarray, longest: int) -> np.ndarray:
    """The picture itself, or a copy reduced so that neither side is over `longest` pixels."""
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    size = [max(round(side * factor), 1) for side in (image.shape[1], image.shape[0])]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
