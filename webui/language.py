"""How the page comes in the visitor's language: the one that its address asks for (?lang=tr), or else the browser's."""

import gradio as gr
import json
from collections.abc import Mapping
from pathlib import Path
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from urllib.parse import parse_qs, urlsplit

from webui.texts import LANGUAGES, language_of, texts

SCRIPT = (Path(__file__).resolve().parent / "language.js").read_text("utf-8")

SET_LINKS = """for (const link of element.querySelectorAll("a")) {
  const address = new URL(location);
  address.searchParams.set("lang", link.lang);
  link.href = address;
  if (link.lang === ifade.language) link.setAttribute("aria-current", "true");
}"""


def request_language(headers: Mapping[str, str]) -> str:
    """The language of the page that sent a request: the one that its address, which browsers send as Referer, asks for, or
    else that of Accept-Language. What no page sent has the latter alone."""
    try:
        asked = parse_qs(urlsplit(headers.get("referer", "")).query).get("lang", [""])[-1]
    except ValueError:  # no address
        asked = ""
    return language_of(asked or headers.get("accept-language"))


class LanguageMiddleware:
    """Writes the language, its texts and the script that hands them out into the document of the page.

    Gradio chooses its own texts in the browser by navigator.language alone, so that has to be set before its scripts run.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

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
            document = _in_language(document, language)
            MutableHeaders(scope=start)["content-length"] = str(len(document))
            await send(start)
            await send({"type": "http.response.body", "body": document})

        await self._app(scope, receive, change)


def _in_language(document: bytes, language: str) -> bytes:
    values = f"const LANGUAGE = {json.dumps(language)}, TEXTS = {json.dumps(texts(language))};"
    script = f"<head><script>{values}\n{SCRIPT}</script>"
    document = document.replace(b'lang="en"', f'lang="{language}"'.encode(), 1)
    return document.replace(b"<head>", script.encode(), 1)


def language_links() -> gr.HTML:
    """The page's address in each language; what else is in the address stays."""
    links = " ".join(f"<a href='?lang={key}' lang='{key}'>{name}</a>" for key, name in LANGUAGES.items())
    names = " / ".join(LANGUAGES.values())
    return gr.HTML(f"<nav aria-label='{names}'>{links}</nav>", js_on_load=SET_LINKS, elem_id="ifade-languages")
