"""The bodies that are on their way to the page: each within limits of size and time, and not too many large ones at once."""

import asyncio
import contextlib
from dataclasses import dataclass
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.http import Refusal, refuse
from webui.limits import Limits


@dataclass(eq=False)
class _Arrival:
    """A body on its way."""

    heard: float
    size: int = 0
    limit: asyncio.Timeout | None = None


class Bodies:
    """Reads bodies, and knows of all that are on their way."""

    def __init__(self, limits: Limits = Limits()):
        self._limits = limits
        self._arriving: set[_Arrival] = set()

    async def read(self, receive: Receive, limit: int) -> bytes:
        """A request's body of at most `limit` bytes.

        Raises:
            Refusal: it is too large, too slow, or there are too many of them and others have been heard of since.
            ClientDisconnect: the client went away.
        """
        limits, now = self._limits, asyncio.get_running_loop().time
        begun, parts = now(), []
        arrival = _Arrival(begun)
        self._arriving.add(arrival)
        try:
            async with asyncio.timeout(limits.grace_seconds) as arrival.limit:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    parts.append(message.get("body", b""))
                    arrival.heard, arrival.size = now(), arrival.size + len(parts[-1])
                    if arrival.size > limit:
                        raise Refusal(413, "body_megabytes", megabytes=limit // 2**20 or 1)
                    self._bound()
                    if arrival not in self._arriving:
                        raise TimeoutError
                    if not message.get("more_body"):
                        return b"".join(parts)
                    arrival.limit.reschedule(begun + limits.grace_seconds + arrival.size / limits.slowest)
        except TimeoutError:
            if arrival not in self._arriving:
                raise Refusal(503, "large_photos_arriving") from None
            raise Refusal(408, "photo_slow") from None
        finally:
            self._arriving.discard(arrival)

    def _bound(self) -> None:
        """Give up bodies where there are too many large ones: first those of which nothing has come for the longest time, so
        that clients that stop half-way keep nobody out."""
        limits = self._limits
        large = [arrival for arrival in self._arriving if arrival.size > limits.large_bytes]
        large.sort(key=lambda arrival: arrival.heard, reverse=True)
        while len(large) > limits.arriving or sum(arrival.size for arrival in large) > limits.held_bytes:
            silent = large.pop()
            self._arriving.discard(silent)
            if not silent.limit.expired():
                silent.limit.reschedule(0)


class BodyMiddleware:
    """ASGI middleware that keeps a body within its request: none has two lengths, and an answer that comes before a body has
    come whole waits for the rest of it, since a connection that is closed while its client sends takes the answer with it."""

    def __init__(self, app: ASGIApp, limits: Limits = Limits()):
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        whole = False

        async def hear() -> Message:
            nonlocal whole
            message = await receive()
            whole = not message.get("more_body")
            return message

        async def tell(message: Message) -> None:
            try:
                await send(message)
            except Exception as error:  # the client has broken the protocol, so it cannot be answered
                raise ClientDisconnect from error

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body") and not whole:
                await tell(message | {"more_body": True})
                await self._discard(hear)
                message = {"type": "http.response.body"}
            await tell(message)

        with contextlib.suppress(ClientDisconnect):
            if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
                # A proxy that goes by the other one takes a part of this body for the next request, perhaps another's.
                response = refuse(Refusal(400, "body_with_two_lengths"), scope)
                response.headers["Connection"] = "close"
                await response(scope, receive, send)
                return
            await self._app(scope, hear, answer)

    async def _discard(self, receive: Receive) -> None:
        """Let the rest of a body pass, within limits."""
        size = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.grace_seconds):
                while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                    size += len(message["body"])
                    if size > self._limits.call_bytes:
                        break
