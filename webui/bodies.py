"""The large bodies that are on their way to the page: each within limits of size and time, and not too many at once."""

import asyncio
from dataclasses import dataclass
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from webui.http import Refusal
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
