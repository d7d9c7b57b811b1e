"""What strangers may ask Gradio for: what its page reads. Everything else, and all that is sent, is for the page's own routes."""

import errno
import logging
import re
from collections.abc import Sequence
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.http import Refusal, refuse

READ = re.compile(
    "/|/(config|theme.css|favicon.ico|manifest.json|robots.txt|pwa_icon)|/(static|assets|svelte|pwa_icon)/.+"
    "|/gradio_api/(openapi.json|app_id/?|startup-events|theme.css|login_check/?)"
)
"""Gradio has more addresses, for what this page has not."""


class Guard:
    """ASGI middleware around Gradio's application. Refusals are those of `webui.http.refuse`.

    Args:
        app: what is guarded.
        own: routes that are not Gradio's; they guard themselves.
    """

    def __init__(self, app: ASGIApp, own: Sequence[Route]):
        self._app, self._own = app, own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or any(route.matches(scope)[0] != Match.NONE for route in self._own):
            await self._app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD") or not READ.fullmatch(scope["path"]):
            await refuse(Refusal(404, "not_here"), scope)(scope, receive, send)
            return
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            raise
        except Exception as error:  # Gradio's, about a request that it did not expect
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            _log(scope, error)
            if not started:
                refusal = Refusal(400, "not_understood")
                await refuse(refusal, scope)(scope, receive, send)


def _log(scope: Scope, error: Exception) -> None:
    """Where something failed, and nothing of what was sent: the words of an error may hold it."""
    place, line = "", 0
    trace = error.__traceback__
    while trace:
        place, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    route = re.sub(r"[=/][^/]{12,}", "/...", scope["path"])[:80]
    logging.getLogger(__name__).warning("%s %r: %s at %s:%d", scope["method"], route, type(error).__name__, place, line)
