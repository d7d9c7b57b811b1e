"""The bodies that are on their way to the page: each within limits of size and time, and not too many large ones at once."""

import asyncio
import contextlib
import time

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.http import Refusal, refuse
from webui.limits import Limits
from webui.shares import Place, Shares
from webui.visitors import visitor


class Bodies:
    """Reads bodies, and knows of all large ones that are on their way: where there are too many, the visitor who has most gives
    up the one of which nothing has come for the longest time, so that clients that stop half-way keep nobody out."""

    def __init__(self, limits: Limits = Limits()):
        self._limits, full = limits, "large_photos_arriving"
        self._shares = Shares(limits.arriving, full, size=limits.held_bytes, too_large=full, patience=0)

    async def read(self, request: Request, limit: int, most_parts: int | None = None) -> bytes:
        """A request's body of at most `limit` bytes; of JSON also of at most `most_parts` lists, objects and values, which are
        counted as they come.

        Raises:
            Refusal: it is too large, too slow, or there are too many of them.
            ClientDisconnect: the client went away.
        """
        limits, now = self._limits, asyncio.get_running_loop().time
        begun, data, parts, place = now(), [], 0, Place(visitor(request), None)
        given_up = False
        try:
            async with asyncio.timeout(limits.grace_seconds) as deadline:

                def give_up() -> None:
                    nonlocal given_up
                    given_up = True
                    if not deadline.expired():
                        deadline.reschedule(0)

                place.give_up = give_up
                while True:
                    message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    if given_up:
                        raise TimeoutError
                    data.append(message.get("body", b""))
                    place.heard, place.size = time.monotonic(), place.size + len(data[-1])
                    if place.size > limit:
                        raise Refusal(413, "body_megabytes", megabytes=limit // 2**20 or 1)
                    if most_parts is not None:
                        parts += sum(map(data[-1].count, b"[{,"))
                        if parts > most_parts:
                            raise Refusal(422, "body_with_many_parts")
                    if place.size > limits.large_bytes:
                        self._shares.take(place)
                    if not message.get("more_body"):
                        return b"".join(data)
                    allowed = min(limits.grace_seconds + place.size / limits.slowest, limits.body_seconds)
                    deadline.reschedule(begun + allowed)
        except TimeoutError:
            raise (Refusal(503, "large_photos_arriving") if given_up else Refusal(408, "photo_slow")) from None
        finally:
            self._shares.leave(place)


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
                await tell({**message, "more_body": True})
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
