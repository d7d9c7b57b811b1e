"""Whether the page is well, and how it ends: what runs is finished or refused in words, then the process goes."""

import asyncio
import contextlib
import errno
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webui.http import Refusal, json_response, refuse
from webui.limits import Limits
from webui.periodic import periodically
from webui.texts import text

ALWAYS = ("/session/leave", "/session/delete", "/video/stop")
"""Posts that begin no work."""
FAILED = 70
"""Exit status of a page that was not well; EX_SOFTWARE of sysexits.h."""


class Lifetime:
    """The health of a page and its end.

    Args:
        probes: each asks a part of the page for what it does for visitors, by the same way, and raises where that fails.
        facts: what a healthy page says of itself.
    """

    def __init__(self, probes: list[Callable[[], Awaitable]], facts: Callable[[], dict], limits: Limits = Limits()):
        self._probes, self._facts, self._limits = probes, facts, limits
        self._answering = 0
        self._check: asyncio.Task | None = None
        self._begun = self._probed = -math.inf
        self._problem: str | None = "nothing was tried yet"
        self._well = 0  # times that all went well
        self._told_to_end = threading.Event()

    def routes(self) -> list[Route]:
        """For Starlette or FastAPI, with `lifespan` and `gate`."""
        return [Route("/health", self.health)]

    @contextlib.asynccontextmanager
    async def lifespan(self, app):
        """While the server runs, the probes are made now and then."""
        async with periodically(self._limits.probe_seconds, self._probe):
            self._probe()
            yield
        if self._check is not None:
            self._check.cancel()

    def _probe(self) -> asyncio.Task:
        """What is being tried, or was a moment ago."""
        if self._check is None or (self._check.done() and time.monotonic() - self._probed > self._limits.fresh_seconds):
            self._begun, self._check = time.monotonic(), asyncio.create_task(self._try_all())
        return self._check

    async def _try_all(self) -> None:
        try:
            # One after the other: together they would need more processes than one visitor does.
            for attempt in self._probes:
                await attempt()
            self._problem, self._well = None, self._well + 1
        except Exception as error:
            logging.getLogger(__name__).exception("the page is not well")
            self._problem = f"{type(error).__name__} when a part of the page was tried"
        self._probed = time.monotonic()

    async def health(self, request: Request) -> Response:
        """200 with `status` "ok" and the facts, or 503 with a `reason`: what was found last, and that a moment ago."""
        check = self._probe()
        if time.monotonic() - self._probed > self._limits.stale_seconds:
            await asyncio.wait([check], timeout=self._limits.fresh_seconds)
        silent = 0 if check.done() else time.monotonic() - self._begun
        if self._told_to_end.is_set():
            return json_response({"status": "ending", "reason": text("en", "closing")}, 503)
        if silent > self._limits.answer_seconds:
            reason = f"what visitors ask for was not answered for {silent:.0f} seconds"
            return json_response({"status": "stuck", "reason": reason}, 503)
        if self._problem:
            return json_response({"status": "failing", "reason": self._problem}, 503)
        return json_response({"status": "ok", **self._facts()})

    def gate(self, app):
        """ASGI middleware: refuses what begins new work once the page was told to end, and answers for a full disk."""

        async def answer(scope, receive, send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)

            def refusal(status: int, code: str) -> Response:
                response = refuse(Refusal(status, code), scope)
                response.headers["Retry-After"] = "60"
                return response

            ending = self._told_to_end.is_set()
            if ending and scope["method"] not in ("GET", "HEAD") and not scope["path"].endswith(ALWAYS):
                return await refusal(503, "closing")(scope, receive, send)
            begun = False

            async def note_and_send(message) -> None:
                nonlocal begun
                begun = True
                await send(message)

            self._answering += 1
            try:
                await app(scope, receive, note_and_send)
            except OSError as error:
                if begun or error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                logging.getLogger(__name__).error("%s: %s", scope["path"], error)
                await refusal(507, "disk_full")(scope, receive, send)
            finally:
                self._answering -= 1

        return answer

    def heed_signals(self) -> None:
        """From now on SIGTERM and Ctrl-C are what `end_when_told` waits for; a second one ends the process at once."""

        def tell(*_) -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self._told_to_end.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, tell)

    def end_when_told(self, page, stop: Callable[[], None]) -> None:
        """Wait for a signal, then refuse new work, let what runs finish for `finish_seconds` and close the page.

        The process ends within `end_seconds` in any case. Where the page has not been well for `unwell_seconds`, or its server
        has gone, it ends at once, with a status by which a host starts it anew.

        Args:
            page: a gr.Blocks that was launched.
            stop: called at the beginning of the end; stops what would take longer than that.
        """
        well = unwell = 0
        while not self._told_to_end.wait(1):  # with a time, so that Ctrl-C is noticed on Windows
            # Counted, since a machine that sleeps is not unwell.
            well, unwell = self._well, unwell + 1 if self._well == well else 0
            gone = not page.server.thread.is_alive()
            if gone or unwell > self._limits.unwell_seconds:
                reason = (
                    "its server has ended" if gone else f"it has not been well for {unwell} seconds: {self._problem}"
                )
                print(f"The page ends: {reason}.", file=sys.stderr, flush=True)
                os._exit(FAILED)
        print("Ending: what runs is finished first. A second signal ends it at once.", flush=True)
        forced = threading.Timer(self._limits.end_seconds, os._exit, [0])
        forced.daemon = True
        forced.start()
        stop()
        deadline, calm = time.monotonic() + self._limits.finish_seconds, 0
        while calm < 5 and time.monotonic() < deadline:
            time.sleep(0.1)
            # A program asks for its result in a second request, after a moment in which it has none.
            calm = 0 if self._answering else calm + 1
        # What is left is cut off, which uvicorn would report at length.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        page.server.config.timeout_graceful_shutdown = 1
        page.close(verbose=False)
        if calm < 5:  # native code that still runs would crash while Python is taken down
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
