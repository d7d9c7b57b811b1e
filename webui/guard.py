"""Who asks, by which name, and what strangers may ask Gradio for: what its page reads. Everything else, and all that is sent, is
for the page's own routes."""

import errno
import ipaddress
import logging
import re
from collections.abc import Sequence, Set
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.address import Address
from webui.http import Refusal, refuse
from webui.visitors import visitor_of

READ = re.compile(
    "/|/(config|theme.css|favicon.ico|manifest.json|robots.txt|pwa_icon)|/(static|assets|svelte|pwa_icon)/.+"
    "|/gradio_api/(openapi.json|app_id/?|startup-events|theme.css|login_check/?)"
)
"""Gradio has more addresses, for what this page has not."""
UNTRUSTED = {b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-gradio-server"}
"""Headers of which Gradio makes addresses."""


class Guard:
    """ASGI middleware around all routes: who asks is written down (`webui.visitors`), what pages of other sites send is refused, and
    of Gradio's own addresses only those are left that its page reads. Refusals are those of `webui.http.refuse`.

    Args:
        app: what is guarded.
        own: routes that are not Gradio's.
        address: where the page listens.
        names: by which it may be asked for besides: no other name that a request gives is ever written into an address.
        proxies: as of `webui.limits.Limits`.
    """

    def __init__(
        self, app: ASGIApp, own: Sequence[Route], address: Address, names: Set[str] = frozenset(), proxies: int = 0
    ):
        self._app, self._own, self._address, self._names, self._proxies = app, own, address, names, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read = scope["method"] in ("GET", "HEAD")
        if not read and self._is_of_another_site(scope):
            await refuse(Refusal(403, "another_site"), scope)(scope, receive, send)
            return
        scope = {**scope, "client": (visitor_of(scope, self._proxies), 0), "headers": self._true_headers(scope)}
        if any(route.matches(scope)[0] != Match.NONE for route in self._own):
            await self._app(scope, receive, send)
            return
        if not (read and READ.fullmatch(scope["path"])):
            await refuse(Refusal(404, "not_here"), scope)(scope, receive, send)
            return
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(
                scope | {"query_string": b""}, receive, answer
            )  # it would look for files that a query names
        except ClientDisconnect:
            raise
        except Exception as error:  # Gradio's, about a request that it did not expect
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            _log(scope, error)
            if not started:
                refusal = Refusal(400, "not_understood")
                await refuse(refusal, scope)(scope, receive, send)

    def _is_of_another_site(self, scope: Scope) -> bool:
        """Whether the browser says so, which a page cannot prevent. Programs say nothing of the kind."""
        headers = Headers(scope=scope)
        site, origin, host = headers.get("sec-fetch-site"), headers.get("origin"), headers.get("host", "")
        if site not in (None, "none", "same-origin"):
            return True
        if origin is None:
            return False
        if not self._proxies and _is_loopback(scope) and not self._knows(host, scope):
            return True  # a name elsewhere that was made to lead to this machine
        asking = origin.partition("://")[2] or None  # a page without an address sends "null"
        return site != "same-origin" and asking not in (host, _first(headers, "x-forwarded-host"))

    def _true_headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Those of a request, with a Host that may stand in addresses and the scheme that a trusted proxy tells."""
        headers = Headers(scope=scope)
        told, scheme = (_first(headers, f"x-forwarded-{name}") if self._proxies else "" for name in ("host", "proto"))
        known = (host for host in (told, headers.get("host", "")) if self._knows(host, scope))
        host = next(known, f"{self._address.own}:{self._address.port}")
        kept = [(name, value) for name, value in scope["headers"] if name not in UNTRUSTED]
        kept.append((b"host", host.encode("latin-1")))
        return kept + [(b"x-forwarded-proto", b"https")] * (scheme == "https")

    def _knows(self, host: str, scope: Scope) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        mine = {*self._names, self._address.name, "localhost", *(scope.get("server") or ())[:1]}
        return re.fullmatch(r"[\w.-]+(:\d+)?|\[[\da-fA-F:.]+\](:\d+)?", host) is not None and name in mine


def _is_loopback(scope: Scope) -> bool:
    try:
        return ipaddress.ip_address((scope.get("server") or ("",))[0]).is_loopback
    except ValueError:
        return False


def _first(headers: Headers, name: str) -> str:
    return headers.get(name, "").partition(",")[0].strip()


def _log(scope: Scope, error: Exception) -> None:
    """Where something failed, and nothing of what was sent: the words of an error may hold it."""
    place, line = "", 0
    trace = error.__traceback__
    while trace:
        place, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    route = re.sub(r"[=/][^/]{12,}", "/...", scope["path"])[:80]
    logging.getLogger(__name__).warning("%s %r: %s at %s:%d", scope["method"], route, type(error).__name__, place, line)
