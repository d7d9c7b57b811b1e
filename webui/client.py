"""What the browser gets of the page that Gradio serves: the front's files, and the document with its settings."""

import hashlib
import json
import re
import secrets
from html import escape
from pathlib import Path

import gradio as gr
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.model_files import MODELS
from webui.front import (
    DEVICE,
    DEVICE_MODELS,
    EXAMPLES,
    MODULES,
    STATIC,
    introduction,
    page_texts,
    tab_markup,
    thumbnail,
)
from webui.policy import content_policy
from webui.texts import LANGUAGES, language_of, texts

I18N = gr.I18n(**{language: texts(language, "page_") for language in LANGUAGES})
"""Gradio's components choose among these in the browser."""
TYPES = {".js": "text/javascript", ".gz": "application/gzip", ".onnx": "application/octet-stream"}


def tab(name: str) -> gr.HTML:
    """The markup of a tab."""
    return gr.HTML(html_template=tab_markup(name), apply_default_css=False, elem_id=f"ifade-{name}")


def example_routes() -> list[Route]:
    """A route for each example, and one for a small picture of it."""

    def route(path: str, content: bytes) -> Route:
        headers = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Route(path, lambda request: Response(content, 200, headers, "image/jpeg"))

    routes = []
    for file in EXAMPLES:
        routes.append(route(f"/examples/{file.name}", file.read_bytes()))
        routes.append(route(f"/examples/small/{file.name}", thumbnail(file)))
    return routes


def file_routes() -> list[Route]:
    """A route for each module, and for what a visitor's browser needs to analyse pictures itself. A browser asks each time
    whether a file has changed, so that all are always of one version, that of the start."""

    def route(path: str, file: Path) -> Route:
        content = file.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"Cache-Control": "no-cache", "ETag": tag, "X-Content-Type-Options": "nosniff"}
        if path.startswith("static/device/"):  # a worker has the policy of its own file
            headers["Content-Security-Policy"] = content_policy(["'wasm-unsafe-eval'"])

        def serve(request: Request) -> Response:
            # A proxy that compresses makes the tag a weak one.
            known = request.headers.get("if-none-match", "").replace("W/", "").split(", ")
            if tag in known:
                return Response(status_code=304, headers=headers)
            return Response(content, 200, headers, TYPES[file.suffix])

        return Route(f"/{path}", serve)

    front = [(f"static/{file.relative_to(STATIC).as_posix()}", file) for file in (*MODULES, *DEVICE)]
    models = [(f"models/{name}", MODELS / name) for name in DEVICE_MODELS]
    return [route(path, file) for path, file in front + models if file.is_file()]


class DocumentMiddleware:
    """Writes the page's modules and their settings, the language with its texts among them, into the document of the page.

    They stand before Gradio's own scripts, which choose their texts by navigator.language alone: static/gradio.js sets that.

    Args:
        app: what answers with the document.
        settings: as of `webui.front.settings`.
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
    values = json.dumps({"language": language, "texts": page_texts(language), **settings}).replace("<", "\\u003c")
    title, description = introduction(language)
    about = "".join(
        f"<meta {kind}='{name}' content='{escape(words)}'>"
        for kind, name, words in (
            ("property", "og:type", "website"),
            ("property", "og:title", title),
            ("property", "og:description", description),
            ("name", "description", description),
        )
    )
    preloads = "".join(f"<link rel='modulepreload' href='static/{file.name}'>" for file in MODULES)
    modules = "".join(f"<script type='module' src='static/{name}.js'></script>" for name in ("gradio", "page"))
    begin = f"<script type='application/json' id='ifade-settings'>{values}</script>{about}{preloads}{modules}"
    # Gradio's words about itself, of which there are several, and a picture elsewhere.
    document = re.sub(rb'<meta\s+(property|name)="(og|twitter):[^>]*>', b"", document)
    document = document.replace(b'lang="en"', f'lang="{language}"'.encode(), 1)
    # Behind Gradio's <base>, to which the addresses are relative, and before its scripts.
    return re.sub(rb"<base [^>]*>", lambda base: base[0] + begin.encode(), document, count=1)
