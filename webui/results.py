"""The answers as HTML: a summary line and a card with seven bars for each face."""

import base64
import cv2
import numpy as np
from html import escape

from inference.types import EMOTIONS, Analysis, Face

NO_FACE = (
    "No face was found. Faces should be turned to the camera and not covered; try a larger, sharper or brighter photo."
)


def summary(result: Analysis) -> str:
    """What was found, which provider ran and how long it took."""
    count = len(result.faces)
    found = (
        f"<strong>{count} face{'s' if count > 1 else ''} found.</strong>" if count else f"<strong>{NO_FACE}</strong>"
    )
    return message(
        f"{found} <span class='ifade-timing'>Detection {result.detection_milliseconds:.0f} ms, classification "
        f"{result.classification_milliseconds:.0f} ms with {escape(result.provider)}; photo of {result.width} x "
        f"{result.height} pixels.</span>"
    )


def message(html: str) -> str:
    """A line that screen readers announce; `html` must be escaped already."""
    return f"<p class='ifade-message' role='status'>{html}</p>"


def face_cards(faces: list[Face]) -> str:
    """One card a face, numbered as in the annotated photo."""
    return f"<div class='ifade-faces'>{''.join(_card(number, face) for number, face in enumerate(faces, 1))}</div>"


def _card(number: int, face: Face) -> str:
    bars = "".join(_bar(label, float(p), label == face.emotion) for label, p in zip(EMOTIONS, face.probabilities))
    return (
        f"<section class='ifade-face' aria-label='Face {number}: {face.emotion}'>"
        f"<figure><img src='{_data_url(face.crop)}' alt='Face {number} as the network saw it: grey, "
        f"{face.crop.shape[1]} by {face.crop.shape[0]} pixels'><figcaption>Face {number}</figcaption></figure>"
        f"<div class='ifade-bars'>{bars}</div></section>"
    )


def _bar(label: str, probability: float, leading: bool) -> str:
    percent = f"{probability:.1%}"
    return (
        f"<div class='ifade-bar{' ifade-leading' if leading else ''}' role='meter' aria-label='{label}' "
        f"aria-valuemin='0' aria-valuemax='100' aria-valuenow='{probability * 100:.1f}' aria-valuetext='{percent}'>"
        f"<span class='ifade-label'>{label}</span>"
        f"<span class='ifade-track'><span style='width:{probability * 100:.2f}%'></span></span>"
        f"<span class='ifade-percent'>{percent}</span></div>"
    )


def _data_url(crop: np.ndarray) -> str:
    encoded = cv2.imencode(".png", crop)[1].tobytes()
    return "data:image/png;base64," + base64.b64encode(encoded).decode()
