"""What the browser gets of the page itself: its modules, the settings that they know, and the markup of the tabs."""

import gradio as gr
import hashlib
import json
import re
from pathlib import Path
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference import images, video
from inference.satisfaction import BASELINE_SECONDS, FORMULA, NEUTRAL_ZONE, VALENCE
from inference.types import ADULT, AGE_COVERAGE, EMOTIONS, GENDER_SURE, GENDERS
from webui.limits import Limits
from webui.texts import language_of, texts
from webui.video import RATES

STATIC = Path(__file__).resolve().parent / "static"
MODULES = {f"static/{file.name}": file.read_bytes() for file in sorted(STATIC.glob("*.js"))}
"""ES modules by address relative to the page; `static/page.js` is the one that begins."""


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


def settings(held: dict[str, float] | None, limits: Limits = Limits()) -> dict:
    """The labels, limits and constants of Python that the modules use.

    Args:
        held: of the estimator of age and gender, `webui.results.held_ages`; where it is None, they are not offered.
    """
    return {
        "emotions": EMOTIONS,
        "genders": GENDERS,
        "adult": ADULT,
        "genderSure": GENDER_SURE,
        "ageCoverage": AGE_COVERAGE,
        "heldAges": held,
        "valence": VALENCE,
        "formula": FORMULA,
        "neutralZone": NEUTRAL_ZONE,
        "baselineSeconds": BASELINE_SECONDS,
        "photo": {"suffixes": images.SUFFIXES, "megabytes": limits.photo_bytes // 2**20},
        "video": {
            "suffixes": video.SUFFIXES,
            "megabytes": limits.video_bytes // 2**20,
            "rates": RATES,
            "rate": video.RATE,
        },
    }


def tab(name: str) -> gr.HTML:
    """The markup of a tab, static/NAME.html, which its module brings to life."""
    markup = (STATIC / f"{name}.html").read_text("utf-8")
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
            document = _with_modules(document, language, self._settings)
            MutableHeaders(scope=start)["content-length"] = str(len(document))
            await send(start)
            await send({"type": "http.response.body", "body": document})

        await self._app(scope, receive, change)


def _with_modules(document: bytes, language: str, settings: dict) -> bytes:
    values = json.dumps({"language": language, "texts": texts(language), **settings}).replace("<", "\\u003c")
    preloads = "".join(f"<link rel='modulepreload' href='{path}'>" for path in MODULES)
    begin = (
        f"<script type='application/json' id='ifade-settings'>{values}</script>{preloads}"
        "<script type='module' src='static/page.js'></script>"
    )
    document = document.replace(b'lang="en"', f'lang="{language}"'.encode(), 1)
    # Behind Gradio's <base>, to which the addresses are relative, and before its scripts.
    return re.sub(rb"<base [^>]*>", lambda base: base[0] + begin.encode(), document, count=1)
