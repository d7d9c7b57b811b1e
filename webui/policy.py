"""What browsers are told about every answer: to keep none, to guess no type, and what a page may load and who may show it."""

from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = ("/static/", "/assets/", "/svelte/")
"""Gradio's files, which are the same for everybody."""
FRAMES = "'self' https://huggingface.co https://*.hf.space"
"""Who may show the page within its own: a Space is seen so."""
ISOLATION = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""A page that has to do with no other site may share memory between threads, which makes the analysis in the browser faster."""


def content_policy(scripts: Iterable[str] = ()) -> str:
    """A Content-Security-Policy: everything comes from the page's own server, and nothing goes anywhere else.

    Args:
        scripts: sources of scripts besides the page's own files.
    """
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("script-src 'self'", *scripts)),
            "style-src 'self' 'unsafe-inline'",  # Gradio's components write styles
            "img-src 'self' data: blob:",
            "media-src 'self' blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {FRAMES}",
        )
    )


class PolicyMiddleware:
    """ASGI middleware that tells browsers that, where an answer does not say it otherwise."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
                headers.setdefault("Content-Security-Policy", content_policy())
                for name, value in ISOLATION.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith(STATIC):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, tell)
