"""Connections that ask for nothing or do not read their answer are cut, so that they keep no visitor out."""

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from functools import partial

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import DEFAULT_MAX_INCOMPLETE_EVENT_SIZE, H11Protocol

from webui.limits import Limits
from webui.texts import text
from webui.visitors import visitor_of


class Crumbs(h11.Connection):
    """One that takes no body which comes in very small pieces: each of them costs as much work as a large one, and the event loop
    does nothing else while it reads what has come of them."""

    def __init__(self, limits: Limits, most: int):
        super().__init__(h11.SERVER, most)
        self._limits, self._pieces, self._size = limits, 0, 0
        self.refusal: str | None = None

    def next_event(self):
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._size = 0
        elif isinstance(event, h11.Data):
            self._pieces, self._size = self._pieces + 1, self._size + len(event.data)
            limits = self._limits
            if self._pieces > limits.crumbs and self._size < self._pieces * limits.crumb_bytes:
                self.refusal = text("en", "body_in_crumbs")
                raise h11.RemoteProtocolError(self.refusal)
        return event


class Connection(H11Protocol):
    """uvicorn's, with limits."""

    conn: Crumbs
    connections: set["Connection"]  # type: ignore[assignment]  # of one server, whose connections are all of this kind
    _limit: asyncio.TimerHandle | None = None

    def __init__(self, limits: Limits, **options):
        super().__init__(**options)
        self._limits = limits
        self.conn = Crumbs(limits, DEFAULT_MAX_INCOMPLETE_EVENT_SIZE)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        if len(self.connections) >= self._limits.connections:
            # A browser asks at once, so who has been silent for a moment goes first. Where nobody has, the oldest goes of the
            # visitor who has most: that is likely to be the slowest.
            recent = self.loop.time() - self._limits.ask_seconds
            held = Counter(other.visitor for other in self.connections)
            oldest = min(
                self.connections,
                key=lambda other: (
                    other._is_at_work() or other._since > recent,
                    -held[other.visitor] if other._is_at_work() else 0,
                    other._since,
                ),
            )
            self.connections.discard(oldest)
            oldest.transport.abort()
        super().connection_made(transport)
        tcp = transport.get_extra_info("socket")
        # An answer goes out in two parts, of which the second would wait 40 ms for a word that the first has come. asyncio sees to
        # that only where a socket names its protocol, which those that `webui.address` opens do not.
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(self._limits.stuck_seconds * 1000))
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._limit is not None:
            self._limit.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._expect_request()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(self.conn.refusal or msg)
            if self.cycle is not None and not self.cycle.response_complete:
                # The head was good and is being answered; what that says comes too late.
                self.cycle.disconnected = True
                self.cycle.message_event.set()
        else:  # the answer has begun or ended already, as where a body is refused
            self.transport.close()

    @property
    def visitor(self) -> str:
        """Of the last request; of none yet, where proxies tell whom they ask for, who asks is not known."""
        return visitor_of({**(self.scope or {"headers": [], "client": self.client})}, self._limits.proxies)

    def _is_at_work(self) -> bool:
        """Whether a request is being answered, or the end of an answer is still to be sent."""
        asked = self.cycle is not None and not self.cycle.response_complete
        return asked or self.transport.get_write_buffer_size() > 0

    def _expect_request(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._since = self.loop.time()
        self._limit = self.loop.call_later(self._limits.request_seconds, self._give_up)

    def _give_up(self) -> None:
        if not self._is_at_work():
            self.transport.abort()
        elif self.cycle.response_complete:
            self._expect_request()


def bound_connections(server: uvicorn.Server, limits: Limits = Limits()) -> None:
    """Apply the limits to a server whose configuration was loaded, to all connections that it takes from now on; websockets,
    which the page does not use, become plain requests."""
    setattr(server.config, "http_protocol_class", partial(Connection, limits))
    server.config.ws_protocol_class = None
    # What strangers send is no news, and is not to fill a disk.
    logging.getLogger("uvicorn.error").addFilter(lambda record: not record.getMessage().startswith("Invalid HTTP"))
    with contextlib.suppress(ImportError, ValueError, OSError):  # another system, or one that does not grant it
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = limits.files if hard == resource.RLIM_INFINITY else min(limits.files, hard)
        if 0 <= soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
