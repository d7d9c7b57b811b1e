"""How a notebook shows what was found in a picture."""

import base64
from html import escape

import cv2

from .drawing import annotate, shrink
from .types import EMOTIONS, Analysis, Face

LONGEST = 640
"""The longer side of the picture in pixels."""
QUALITY = 85
"""The JPEG quality of the picture."""


def analysis_html(result: Analysis) -> str:
    """The picture with numbered boxes, and beside it seven bars for each face.

    It stands by itself: the picture is inside, nothing is loaded and no script is run. Without a picture, or where its file is
    not there any more, the faces stand alone.
    """
    cards = "".join(_card(number, face) for number, face in enumerate(result.faces, 1)) or "no face found"
    return f'<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">{_picture(result)}{cards}</div>'


def _picture(result: Analysis) -> str:
    if result.picture is None:
        return ""
    try:
        image = result.picture()
    except (OSError, ValueError) as error:  # an ImageError is a ValueError
        return f"<p>{escape(str(error))}</p>"
    scene = cv2.cvtColor(shrink(annotate(image, result.faces), LONGEST), cv2.COLOR_RGB2BGR)
    data = base64.b64encode(cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()).decode()
    words = escape(repr(result))  # quotes too
    return f'<img src="data:image/jpeg;base64,{data}" alt="{words}" style="max-width:100%">'


def _card(number: int, face: Face) -> str:
    rows = "".join(
        f'<tr><td>{escape(emotion)}</td><td style="width:8em">'
        f'<div style="width:{value:.1%};height:.7em;background:#e0a800"></div></td><td>{value:.0%}</td></tr>'
        for emotion, value in zip(EMOTIONS, face.consensus.tolist())
    )
    return f"<div><b>{number}</b> {escape(face.words)}<table>{rows}</table></div>"
