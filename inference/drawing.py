"""Boxes and labels on a picture, and faces made unrecognisable."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from .inputs import Picture, to_rgb
from .types import Face

BOX_COLOR = (255, 200, 40)
TEXT_COLOR = (20, 20, 20)
WEIGHT = 600
PERSON_COLORS = ("#b45309", "#2563eb", "#047857", "#db2777", "#7c3aed", "#0e7490", "#dc2626", "#4d7c0f")
"""Of people by their number, from 1 and over again, on the page and in a report: white letters can be read on them, and they as
lines on white and on black."""


BLURRED_SIDE = 1.6
"""Side of what is blurred of a face, in sides of its box: the head with its hair."""
BLURRED_CELLS = 2
"""Means of so many rows and columns are all that is left of it."""


def annotate(
    image: Picture,
    faces: Sequence[Face],
    numbers: Sequence[int] | None = None,
    names: Mapping[str, str] | None = None,
) -> np.ndarray:
    """Draw a numbered box with the shown emotion, and a question mark where it is not sure, around every face.

    Lines and letters grow with the picture; a label that would leave it at the top stands inside the box.

    Args:
        image: a path, a file's bytes, a PIL image or an array, uint8 (H, W, 3) RGB; left as it is.
        faces: all of the picture.
        numbers: of the faces; default: from 1 in their order.
        names: what to call each of EMOTIONS; default: as they are.

    Returns:
        A new uint8 (H, W, 3), RGB.
    """
    scene = to_rgb(image).copy()
    height, width = scene.shape[:2]
    font = cv2.FontFace("sans")
    picture_unit = max(min(height, width) / 400, 0.4)
    for number, face in zip(numbers or range(1, len(faces) + 1), faces):
        x1, y1, x2, y2 = (round(value) for value in face.detection.box)
        unit = max(min(picture_unit, (x2 - x1) / 60), picture_unit / 2)  # small faces have smaller labels
        cv2.rectangle(scene, (x1, y1), (x2, y2), BOX_COLOR, max(round(2 * unit), 1), cv2.LINE_AA)
        text = f"{number} {names[face.shown] if names else face.shown}{'' if face.sure else '?'}"
        size = max(round(16 * unit), 12)
        text_width = cv2.getTextSize((width, height), text, (0, 0), font, size, WEIGHT)[2]
        pad = max(round(3 * unit), 2)
        left = int(np.clip(x1, 0, max(width - text_width - 2 * pad, 0)))
        top = y1 - size - 2 * pad
        top = top if top >= 0 else y1
        bottom = top + size + 2 * pad
        cv2.rectangle(scene, (left, top), (left + text_width + 2 * pad, bottom), BOX_COLOR, cv2.FILLED)
        cv2.putText(scene, text, (left + pad, bottom - pad - size // 5), TEXT_COLOR, font, size, WEIGHT)
    return scene


def blur_faces(image: Picture, faces: Sequence[Face]) -> np.ndarray:
    """Make faces so blurred that nobody is recognised, and that the detector finds no face there any more.

    Only these faces: one that was not found is not blurred. Who must be sure looks at the picture.

    Args:
        image: a path, a file's bytes, a PIL image or an array, uint8 (H, W, 3) RGB; left as it is.
        faces: all of the picture.

    Returns:
        A new uint8 (H, W, 3), RGB.
    """
    scene = to_rgb(image).copy()
    blur_boxes(scene, [face.detection.box for face in faces])
    return scene


def blur_boxes(scene: np.ndarray, boxes: Sequence[tuple[float, float, float, float]]) -> None:
    """The same of boxes xyxy in pixels, in the array itself, uint8 (H, W, 3)."""
    height, width = scene.shape[:2]
    for x1, y1, x2, y2 in boxes:
        x, y, reach = (x1 + x2) / 2, (y1 + y2) / 2, BLURRED_SIDE * max(x2 - x1, y2 - y1) / 2
        left, right = (int(np.clip(round(value), 0, width)) for value in (x - reach, x + reach))
        top, bottom = (int(np.clip(round(value), 0, height)) for value in (y - reach, y + reach))
        part = scene[top:bottom, left:right]
        if part.size:
            means = cv2.resize(part, (BLURRED_CELLS, BLURRED_CELLS), interpolation=cv2.INTER_AREA)
            part[:] = cv2.resize(means, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)


def shrink(image: np.ndarray, longest: int) -> np.ndarray:
    """The picture itself, or a copy reduced so that neither side is over `longest` pixels."""
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    size = [max(round(side * factor), 1) for side in (image.shape[1], image.shape[0])]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
