"""The answers as HTML: a summary line, and for each face a card with seven bars and the reasons for them."""

import base64
import cv2
import numpy as np
from html import escape

from inference.saliency import heat_map
from inference.types import AGE_COVERAGE, COLUMNS_IN_CROWD, CROWD, EMOTIONS, GENDER_SURE, NOT_SURE, Analysis, Face

NO_FACE = (
    "No face was found. Faces should be turned to the camera and not covered; try a larger, sharper or brighter photo."
)
TWO_ANSWERS = "Bars: mean of the network's two answers, what FER-2013's label would be and what ten people would say."
APPARENT = (
    f"Apparent age and gender are what the network takes a face for, not what the person is. The years hold the age of "
    f"{AGE_COVERAGE:.0%} of people like those it was measured on; a gender is named from {GENDER_SURE:.0%} on."
)
UNSURE = f"Not sure: no bar reaches {NOT_SURE:.0%}, so the longest one is more likely wrong than right."


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
    """One card a face, numbered as in the annotated photo, and below them what the bars mean."""
    cards = "".join(_card(number, face) for number, face in enumerate(faces, 1))
    notes = [TWO_ANSWERS] * any(face.crowd is not None for face in faces)
    notes += [UNSURE] * any(not face.sure for face in faces)
    notes += [APPARENT] * any(face.apparent for face in faces)
    note = f"<p class='ifade-note'>{' '.join(notes)}</p>" if notes else ""
    return f"<div class='ifade-faces'>{cards}</div>{note}"


def _card(number: int, face: Face) -> str:
    answer = face.shown if face.sure else "not sure"
    bars = "".join(
        _bar(label, float(p), face.sure and label == face.shown) for label, p in zip(EMOTIONS, face.consensus)
    )
    return (
        f"<section class='ifade-face' aria-label='Face {number}: {answer}'>"
        f"<figure><img src='{_data_url(face.crop, 'png')}' alt='Face {number} as the network saw it: grey, "
        f"{face.crop.shape[1]} by {face.crop.shape[0]} pixels'><figcaption>Face {number}"
        f"{'' if face.sure else '<strong>not sure</strong>'}</figcaption></figure>"
        f"<div class='ifade-bars'>{bars}</div>{_apparent(face)}{_reasons(number, face)}</section>"
    )


def _apparent(face: Face) -> str:
    return f"<p class='ifade-apparent'>{'<br>'.join(face.apparent)}</p>" if face.apparent else ""


def _bar(label: str, probability: float, leading: bool) -> str:
    percent = f"{probability:.1%}"
    return (
        f"<div class='ifade-bar{' ifade-leading' if leading else ''}' role='meter' aria-label='{label}' "
        f"aria-valuemin='0' aria-valuemax='100' aria-valuenow='{probability * 100:.1f}' aria-valuetext='{percent}'>"
        f"<span class='ifade-label'>{label}</span>"
        f"<span class='ifade-track'><span style='width:{probability * 100:.2f}%'></span></span>"
        f"<span class='ifade-percent'>{percent}</span></div>"
    )


def _reasons(number: int, face: Face) -> str:
    """What the model gives beside the probabilities, folded away."""
    parts = []
    if face.activation is not None:
        picture = _data_url(heat_map(face.crop, face.activation, EMOTIONS.index(face.shown)), "jpeg")
        parts.append(
            f"<figure><img src='{picture}' alt='Face {number} in grey, tinted where the network found what spoke for "
            f"{face.shown}'><figcaption>Warm: what spoke for «{face.shown}».</figcaption></figure>"
        )
    if face.crowd is not None:
        rows = [
            (label, f"{float(p):.1%}", f"{float(face.crowd[column]):.1%}")
            for label, p, column in zip(EMOTIONS, face.probabilities, COLUMNS_IN_CROWD)
        ]
        rows.append(("contempt", "–", f"{float(face.crowd[CROWD.index('contempt')]):.1%}"))
        cells = "".join(f"<tr><th scope='row'>{a}</th><td>{b}</td><td>{c}</td></tr>" for a, b, c in rows)
        parts.append(
            "<table><thead><tr><td></td><th scope='col'>FER-2013</th><th scope='col'>ten people</th></tr></thead>"
            f"<tbody>{cells}</tbody></table>"
        )
    return f"<details><summary>Why?</summary><div>{''.join(parts)}</div></details>" if parts else ""


def _data_url(image: np.ndarray, kind: str) -> str:
    """A grey or RGB picture as "png" or "jpeg"."""
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(f".{kind}", pixels)[1].tobytes()
    return f"data:image/{kind};base64," + base64.b64encode(encoded).decode()
