"""The sessions of Live and Video, by their routes: what a session gives, what can be changed of it, and its end."""

import asyncio
import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from inference.report import figure_png
from inference.satisfaction import TimelineError
from webui.http import NOT_CACHED, Refusal, guarded, json_parts, json_response, read_json
from webui.language import request_language
from webui.periodic import periodically
from webui.sessions import Session, SessionError, SessionStore
from webui.shares import FairPool
from webui.visitors import visitor

T = TypeVar("T")


class SessionServer:
    """The routes that a session has whatever fills it, and the sessions behind them.

    All but `start` and `leave` name their session in the header X-Session; a refusal is JSON with an `error` for the
    visitor. Nothing is cached, and neither a token nor a picture is ever part of an address.

    Args:
        store: where the sessions are kept; its limits are those of the routes too.
    """

    def __init__(self, store: SessionStore):
        self.store, self._limits = store, store.limits
        # Threads of their own: a picture of a report takes a second, and new sessions and uploads are not to wait for it.
        self._pool = FairPool(self._limits.report_workers, "report", self._limits.reports)
        self._reports_wanted: Counter[Session] = Counter()
        self._report_turns: dict[Session, asyncio.Lock] = {}

    def routes(self) -> list[Route]:
        """For Starlette or FastAPI, with `lifespan`."""
        handlers: list[tuple[str, str, Callable]] = [
            ("POST", "start", self.start),
            ("POST", "mark", self.mark),
            ("POST", "unmark", self.unmark),
            ("POST", "weights", self.weights),
            ("POST", "baseline", self.baseline),
            ("GET", "curve", self.curve),
            ("GET", "report.json", self.report_json),
            ("GET", "report.csv", self.report_csv),
            ("GET", "report.png", self.report_png),
            ("GET", "frames.json", self.frames_json),
            ("POST", "leave", self.leave),
            ("POST", "delete", self.delete),
        ]
        return [Route(f"/session/{name}", guarded(handler), methods=[method]) for method, name, handler in handlers]

    @contextlib.asynccontextmanager
    async def lifespan(self, app):
        """While the server runs, sessions whose time is over are deleted, whether or not anybody calls."""

        async with periodically(self._limits.sweep_seconds, self.store.sweep):
            yield
        self._pool.shutdown()

    async def start(self, request: Request) -> Response:
        """A new session, or, for a page that was reloaded, the old one: {resume: token}."""
        wanted = (await read_json(request, self._limits)).get("resume")
        try:
            session, resumed = self.store.resume(wanted if isinstance(wanted, str) else None), True
        except SessionError:
            session, resumed = self.store.start(visitor(request)), False
        state = await asyncio.to_thread(_state, session)
        return json_response({"session": session.token, "resumed": resumed, **state})

    async def probe(self) -> None:
        """Ask for the curve of a new session as a visitor does."""
        session = Session(self.store.new_stream(), self._limits)
        await asyncio.to_thread(_state, session)
        await asyncio.wrap_future(self._pool.submit("", _state, session))

    async def mark(self, request: Request) -> Response:
        """{label, seconds?}: set a marker, at the last frame or at a time of the session; {id, label}: write something else on
        one. Gives the marker."""
        session, wanted = self.of(request), await read_json(request, self._limits)
        seconds, id_, label = wanted.get("seconds"), wanted.get("id"), wanted.get("label") or ""
        if seconds is not None and not _is_number(seconds, 0, 1e9):
            raise Refusal(422, "marker_seconds")

        def change() -> dict:
            timeline = session.timeline
            with locked(session), refused(422):
                return asdict(timeline.mark(label, seconds) if id_ is None else timeline.relabel(id_, label))

        return json_response(await asyncio.to_thread(change))

    async def unmark(self, request: Request) -> Response:
        """{id}: take a marker away."""
        session, wanted = self.of(request), await read_json(request, self._limits)

        def change() -> None:
            with locked(session), refused(422):
                session.timeline.unmark(wanted.get("id", 0))

        await asyncio.to_thread(change)
        return json_response({})

    async def weights(self, request: Request) -> Response:
        """{weights: {emotion: weight}}: use other weights; gives the whole state anew."""
        session, wanted = self.of(request), await read_json(request, self._limits)

        def change() -> dict:
            with locked(session), refused(422):
                session.timeline.set_weights(wanted.get("weights", {}))
            return _state(session)

        return json_response(await self._in_turn(session, change))

    async def baseline(self, request: Request) -> Response:
        """{on: true, seconds?}: take everybody's neutral from the next seconds, or from those after a time of the session;
        {on: false}: forget it. Gives the state."""
        session, wanted = self.of(request), await read_json(request, self._limits)
        seconds = wanted.get("seconds")
        if seconds is not None and not _is_number(seconds, 0, 1e9):
            raise Refusal(422, "baseline_seconds")

        def change() -> dict:
            with locked(session), refused(422):
                session.timeline.calibrate(seconds) if wanted.get("on") else session.timeline.forget_baseline()
            return _state(session)

        return json_response(await self._in_turn(session, change))

    async def curve(self, request: Request) -> Response:
        """The state: the curve of the whole session, its markers and weights."""
        session = self.of(request)
        return json_response(await self._in_turn(session, functools.partial(_state, session)))

    async def report_json(self, request: Request) -> Response:
        """`inference.stream.Stream.report`, and how many rows of the table were dropped."""
        session = self.of(request)
        return json_response(await self._in_turn(session, functools.partial(_report, session)))

    async def report_csv(self, request: Request) -> Response:
        """The table of `inference.tables`; with `?decimal=comma` as spreadsheets read it where that is the decimal mark."""
        session, decimal_comma = self.of(request), request.query_params.get("decimal") == "comma"

        def snapshot() -> Iterator[str]:
            with locked(session):
                return session.rows.csv(session.timeline.finished_curves(), decimal_comma)

        return StreamingResponse(await self._in_turn(session, snapshot), media_type="text/csv", headers=NOT_CACHED)

    async def frames_json(self, request: Request) -> Response:
        """The table as a list of its parts, one after the other, each an object of columns: {"seconds": [0.0, ...], ...}."""
        session = self.of(request)

        def snapshot() -> Iterator[dict[str, list]]:
            with locked(session):
                return session.rows.columns(session.timeline.finished_curves())

        parts = json_parts(await self._in_turn(session, snapshot))
        return StreamingResponse(parts, media_type="application/json", headers=NOT_CACHED)

    async def report_png(self, request: Request) -> Response:
        """`inference.report.figure_png`."""
        session = self.of(request)
        language = request_language(request.headers)
        picture = await self._in_turn(session, lambda: figure_png(_report(session), language))
        return Response(picture, media_type="image/png", headers=NOT_CACHED)

    async def _in_turn(self, session: Session, work: Callable[[], T]) -> T:
        """The result of work that goes through a whole session: one at a time of a session, in the order of asking."""
        if self._reports_wanted[session] >= self._limits.session_reports:
            raise Refusal(409, "still_being_made")
        self._reports_wanted[session] += 1
        try:
            async with self._report_turns.setdefault(session, asyncio.Lock()):
                if not self.store.holds(session):
                    raise Refusal(404, "session_ended")
                return await asyncio.wrap_future(self._pool.submit(session.place.visitor, work))
        finally:
            self._reports_wanted[session] -= 1
            if not self._reports_wanted[session]:
                del self._reports_wanted[session], self._report_turns[session]

    async def leave(self, request: Request) -> Response:
        """The page is closed or reloaded: {session: token} in the body, because a beacon has no headers."""
        token = (await read_json(request, self._limits)).get("session")
        self.store.leave(token if isinstance(token, str) else None)
        return json_response({})

    async def delete(self, request: Request) -> Response:
        """Forget the session now."""
        return json_response({"deleted": self.store.delete(request.headers.get("x-session"))})

    def of(self, request: Request) -> Session:
        """The session that a request names.

        Raises:
            Refusal: there is none.
        """
        try:
            return self.store.get(request.headers.get("x-session"))
        except SessionError as error:
            raise Refusal(404, error) from None


@contextlib.contextmanager
def locked(session: Session) -> Iterator[None]:
    if not session.lock.acquire(timeout=5):
        raise Refusal(503, "busy_moment")
    try:
        yield
    finally:
        session.lock.release()


@contextlib.contextmanager
def refused(status: int) -> Iterator[None]:
    """What a timeline does not take is answered with its own sentence."""
    try:
        yield
    except TimelineError as error:
        raise Refusal(status, error) from None


def _state(session: Session) -> dict:
    with locked(session):
        timeline = session.timeline
        return {
            "seconds": session.seconds,
            "weights": timeline.weights,
            "markers": [asdict(marker) for marker in timeline.markers],
            "baseline": {str(id_): round(value, 4) for id_, value in timeline.baselines.items()},
            "baseline_until": timeline.calibrating_until,
            "curve": timeline.curve(),
        }


def _report(session: Session) -> dict:
    with locked(session):
        return session.stream.report() | {"rows_dropped": session.rows.dropped}


def _is_number(value, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
