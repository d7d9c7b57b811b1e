"""What the browser gets of the page itself: its modules, the settings that they know, and the markup of the tabs."""

import hashlib
import json
import re
import secrets
from html import escape
from pathlib import Path

import cv2
import gradio as gr
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference import images, tables, video
from inference.drawing import PERSON_COLORS, shrink
from inference.satisfaction import BASELINE_SECONDS, FORMULA, NEUTRAL_ZONE, VALENCE
from inference.types import ADULT, AGE_COVERAGE, COLUMNS_IN_CROWD, CROWD, EMOTIONS, GENDER_SURE, GENDERS, NOT_SURE
from webui.limits import Limits
from webui.policy import content_policy
from webui.texts import LANGUAGES, language_of, text, texts
from webui.video import RATES

STATIC = Path(__file__).resolve().parent / "static"
MODEL_CARD = STATIC.parent.parent / "MODEL_CARD.md"
MODULES = {f"static/{file.name}": file.read_bytes() for file in sorted(STATIC.glob("*.js"))}
"""ES modules by address relative to the page; `static/page.js` is the one that begins."""


def _page_texts(language: str) -> dict[str, str]:
    """What Gradio's components say, by key."""
    kept = {
        "sent": Limits.sent_seconds,
        "left": Limits.left_seconds,
        "idle": Limits.idle_seconds // 60,
        "card": " " + text(language, "model_card") if MODEL_CARD.is_file() else "",
    }
    return texts(language, "page_") | {"page_notice": text(language, "page_notice", **kept)}


I18N = gr.I18n(**{language: _page_texts(language) for language in LANGUAGES})
"""Gradio's components choose among these in the browser."""


EXAMPLES = [
    STATIC.parent.parent / "examples" / f"{name}.jpg"
    for name in ("astronaut", "meeting", "solvay_1927", "happy", "angry", "sad", "neutral", "cat")
]
THUMBNAIL = 144
"""Shortest side of an example's small picture, in pixels."""


def example_routes() -> list[Route]:
    """A route for each example, and one for a small picture of it."""

    def route(path: str, content: bytes) -> Route:
        headers = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Route(path, lambda request: Response(content, 200, headers, "image/jpeg"))

    routes = []
    for file in EXAMPLES:
        content = file.read_bytes()
        image = images.load_image(content)
        height, width = image.shape[:2]
        small = shrink(image, round(THUMBNAIL * max(width, height) / min(width, height)))
        encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()
        routes += [route(f"/examples/{file.name}", content), route(f"/examples/small/{file.name}", encoded)]
    return routes


def module_routes() -> list[Route]:
    """A route for each module. A browser asks each time whether it has changed, so that all are always of one version."""

    def route(path: str, content: bytes) -> Route:
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"Cache-Control": "no-cache", "ETag": tag, "X-Content-Type-Options": "nosniff"}

        def serve(request: Request) -> Response:
            # A proxy that compresses makes the tag a weak one.
            known = request.headers.get("if-none-match", "").replace("W/", "").split(", ")
            if tag in known:
                return Response(status_code=304, headers=headers)
            return Response(content, 200, headers, "text/javascript")

        return Route(f"/{path}", serve)

    return [route(path, content) for path, content in MODULES.items()]


def settings(coverage: dict[str, float] | None, limits: Limits = Limits()) -> dict:
    """The labels, limits and constants of Python that the modules use.

    Args:
        coverage: of how many people the range of years held the age, 0 to 1 by data set; where it is None, age and gender are
            not offered.
    """
    return {
        "emotions": EMOTIONS,
        "personColors": PERSON_COLORS,
        "crowd": [CROWD[column] for column in COLUMNS_IN_CROWD],
        "notSure": NOT_SURE,
        "genders": GENDERS,
        "adult": ADULT,
        "genderSure": GENDER_SURE,
        "ageCoverage": AGE_COVERAGE,
        "measuredCoverage": coverage,
        "valence": VALENCE,
        "formula": FORMULA,
        "neutralZone": NEUTRAL_ZONE,
        "baselineSeconds": BASELINE_SECONDS,
        "columns": {column.name: int(column.form[-2]) if column.form else None for column in tables.COLUMNS},
        "examples": [file.stem for file in EXAMPLES],
        "photo": {"suffixes": images.SUFFIXES, "megabytes": limits.photo_bytes // 2**20},
        "video": {
            "suffixes": video.SUFFIXES,
            "megabytes": limits.video_bytes // 2**20,
            "rates": RATES,
            "rate": video.RATE,
        },
    }


def language_links() -> gr.HTML:
    """The page's address in each language; what else is in the address stays."""
    links = " ".join(f"<a href='?lang={key}' lang='{key}'>{name}</a>" for key, name in LANGUAGES.items())
    names = " / ".join(LANGUAGES.values())
    markup = f"<ifade-languages><nav aria-label='{names}'>{links}</nav></ifade-languages>"
    return gr.HTML(markup, elem_id="ifade-languages")


def measured_coverage(metrics: dict) -> dict[str, float]:
    """Of how many people the range of years held the age, 0 to 1 by data set, where the metrics of an estimator say it."""
    return {
        dataset: figures["all"]["coverage"]
        for dataset, figures in metrics.items()
        if "coverage" in figures.get("all", {})
    }


def tab(name: str) -> gr.HTML:
    """The markup of a tab, static/NAME.html, which its module brings to life; Live and Video have static/session.html in it."""
    markup, session = ((STATIC / f"{file}.html").read_text("utf-8") for file in (name, "session"))
    markup = markup.replace("SESSION", session.replace("TAB", name))
    return gr.HTML(html_template=markup, apply_default_css=False, elem_id=f"ifade-{name}")


class DocumentMiddleware:
    """Writes the page's modules and their settings, the language with its texts among them, into the document of the page.

    They stand before Gradio's own scripts, which choose their texts by navigator.language alone: static/page.js sets that.

    Args:
        app: what answers with the document.
        settings: as of `settings`.
    """

    def __init__(self, app: ASGIApp, settings: dict):
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            return await self._app(scope, receive, send)
        request = Request(scope)
        language = language_of(request.query_params.get("lang") or request.headers.get("accept-language"))
        start: Message = {}
        document = b""

        async def change(message: Message) -> None:
            nonlocal start, document
            if message["type"] == "http.response.start":
                start = message
                return
            document += message.get("body", b"")
            if message.get("more_body"):
                return
            nonce = secrets.token_urlsafe(16)
            document = _with_modules(document, language, self._settings).replace(
                b"<script", f'<script nonce="{nonce}"'.encode()
            )
            headers = MutableHeaders(scope=start)
            headers["content-length"] = str(len(document))
            headers["content-security-policy"] = content_policy([f"'nonce-{nonce}'", "'unsafe-eval'"])
            await send(start)
            await send({"type": "http.response.body", "body": document})

        await self._app(scope, receive, change)


def _with_modules(document: bytes, language: str, settings: dict) -> bytes:
    values = json.dumps({"language": language, "texts": texts(language), **settings}).replace("<", "\\u003c")
    title, description = text(language, "page_introduction").removeprefix("# ").split("\n", 1)
    about = "".join(
        f"<meta {kind}='{name}' content='{escape(words)}'>"
        for kind, name, words in (
            ("property", "og:type", "website"),
            ("property", "og:title", title),
            ("property", "og:description", description),
            ("name", "description", description),
        )
    )
    preloads = "".join(f"<link rel='modulepreload' href='{path}'>" for path in MODULES)
    begin = (
        f"<script type='application/json' id='ifade-settings'>{values}</script>{about}{preloads}"
        "<script type='module' src='static/page.js'></script>"
    )
    # Gradio's words about itself, of which there are several, and a picture elsewhere.
    document = re.sub(rb'<meta\s+(property|name)="(og|twitter):[^>]*>', b"", document)
    document = document.replace(b'lang="en"', f'lang="{language}"'.encode(), 1)
    # Behind Gradio's <base>, to which the addresses are relative, and before its scripts.
    return re.sub(rb"<base [^>]*>", lambda base: base[0] + begin.encode(), document, count=1)
