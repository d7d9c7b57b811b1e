"""The Live tab: a camera in the browser that sends its next frame when the answer to the last has come.

The frames do not pass through Gradio's queue, which writes what it carries to disk: the page's script posts each to a route
of its own and gets the answer as JSON. What is kept is in `webui.sessions`, in memory.
"""

import asyncio
import contextlib
import functools
import gradio as gr
import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from typing import TypeVar

from inference.detector import DetectorError
from inference.images import ImageError, load_image
from inference.report import figure_png, frame_values
from inference.satisfaction import BASELINE_SECONDS, FORMULA, NEUTRAL_ZONE, VALENCE, Reading
from inference.session import usable_processors
from inference.tracker import TrackedFace
from inference.types import ADULT, AGE_COVERAGE, EMOTIONS, GENDER_SURE, GENDERS
from webui.http import BUSY, NOT_CACHED, Refusal, guarded, json_response, read_body, read_json
from webui.language import request_language
from webui.sessions import IDLE_SECONDS, LEFT_SECONDS, SWEEP_SECONDS, Session, SessionError, SessionStore
from webui.texts import figure_words

HERE = Path(__file__).resolve().parent
PREFIX = "/live"
T = TypeVar("T")

MAX_FRAME_BYTES, MAX_FRAME_PIXELS = 2 * 2**20, 1_000_000
"""Limits of a frame; the page sends at most 640 x 640 pixels, some 40 kB."""
MAX_WAITING = 48
"""Frames that may wait for a processor. A page has one in flight, so this is the number of pages that run at once."""
REPORT_WORKERS = 2
"""Curves and reports that are made at the same time."""
MAX_REPORTS, MAX_SESSION_REPORTS = 16, 8
"""Sessions of which a curve or report may be in the making or wait for that, and how many of one session; a browser asks for
six at the same time at most."""


class LiveServer:
    """The routes that the page's script talks to, and the sessions behind them.

    All but `start` and `leave` name their session in the header X-Session; a refusal is JSON with an `error` for the
    visitor. Nothing is cached, and neither a token nor a picture is ever part of an address.

    Args:
        sessions: where the sessions are kept.
        workers: frames that are worked on at the same time; default: a processor each.
    """

    def __init__(self, sessions: SessionStore, workers: int | None = None):
        self.sessions = sessions
        self._pool = ThreadPoolExecutor(workers or usable_processors(), thread_name_prefix="live")
        self._waiting = 0
        # Threads of their own: a picture of a report takes a second, and new sessions and uploads are not to wait for it.
        self._report_pool = ThreadPoolExecutor(REPORT_WORKERS, thread_name_prefix="report")
        self._reporting = 0
        self._reports_wanted: Counter[Session] = Counter()
        self._report_turns: dict[Session, asyncio.Lock] = {}

    def routes(self) -> list[Route]:
        """For Starlette or FastAPI, with `lifespan`."""
        handlers: list[tuple[str, str, Callable]] = [
            ("POST", "start", self.start),
            ("POST", "frame", self.frame),
            ("POST", "mark", self.mark),
            ("POST", "weights", self.weights),
            ("POST", "baseline", self.baseline),
            ("GET", "curve", self.curve),
            ("GET", "report.json", self.report_json),
            ("GET", "report.csv", self.report_csv),
            ("GET", "report.png", self.report_png),
            ("POST", "leave", self.leave),
            ("POST", "delete", self.delete),
        ]
        return [Route(f"{PREFIX}/{name}", guarded(handler), methods=[method]) for method, name, handler in handlers]

    @contextlib.asynccontextmanager
    async def lifespan(self, app):
        """While the server runs, sessions whose time is over are deleted, whether or not anybody calls."""

        async def sweep() -> None:
            while True:
                await asyncio.sleep(SWEEP_SECONDS)
                self.sessions.sweep()

        task = asyncio.create_task(sweep())
        try:
            yield
        finally:
            task.cancel()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._report_pool.shutdown(wait=False, cancel_futures=True)

    async def start(self, request: Request) -> Response:
        """A new session, or, for a page that was reloaded, the old one: {resume: token}."""
        wanted = (await read_json(request)).get("resume")
        try:
            session, resumed = self.sessions.resume(wanted if isinstance(wanted, str) else None), True
        except SessionError:
            try:
                session, resumed = self.sessions.start(), False
            except SessionError as error:
                raise Refusal(503, str(error)) from None
        state = await asyncio.to_thread(_state, session)
        return json_response({"session": session.token, "resumed": resumed, **state})

    async def frame(self, request: Request) -> Response:
        """A JPEG with its time in X-Seconds (since 1970) and the camera's size in X-Camera ("640x480"): who is in it.

        With X-Age-Gender 1 also the apparent age and gender of everybody.
        """
        session = self.session(request)
        seconds, camera = _read_seconds(request), _read_camera(request)
        age_gender = wants_age_gender(request)
        if session.in_flight:
            raise Refusal(409, "The frame before this one is still being worked on.")
        session.in_flight = True
        try:
            data = await read_body(request, MAX_FRAME_BYTES)
            if self._waiting >= MAX_WAITING:
                raise Refusal(
                    503,
                    f"The page is busy: {MAX_WAITING} are before you. It goes on by itself as soon as there is room.",
                )
            self._waiting += 1
            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._pool, self._analyze, session, data, seconds, camera, age_gender)
            finally:
                self._waiting -= 1
        finally:
            session.in_flight = False

    def _analyze(
        self, session: Session, data: bytes, now: float, camera: tuple[int, int], age_gender: bool = False
    ) -> Response:
        started = time.perf_counter()
        try:
            image = load_image(data, MAX_FRAME_PIXELS)
        except ImageError as error:
            raise Refusal(422, str(error)) from None
        with _locked(session):
            if session.origin is None:
                session.origin = now
            # A clock that is set back, or two frames of the same moment, must not stop the stream.
            session.seconds = max(now - session.origin, session.seconds + 1e-3 * (session.timeline.frames > 0))
            try:
                people = session.follower.analyze(image, session.seconds, camera[0], age_gender)
            except DetectorError as error:
                raise Refusal(500, str(error)) from None
            room, readings = session.timeline.add(session.seconds, people)
            session.rows.add(frame_values(session.seconds, people, room, readings))
        session.live_on()
        answer = {
            "seconds": session.seconds,
            "people": [_person(face, readings[face.id], camera) for face in people],
            "room": _reading(room),
            "milliseconds": (time.perf_counter() - started) * 1e3,
        }
        return json_response(answer)

    async def mark(self, request: Request) -> Response:
        """{label, seconds?}: set a marker, at the last frame or at a time of the session."""
        session, wanted = self.session(request), await read_json(request)
        seconds = wanted.get("seconds")
        if seconds is not None and not _is_number(seconds, 0, 1e9):
            raise Refusal(422, "The time of a marker should be seconds from the beginning of the session.")

        def change() -> dict:
            with _locked(session):
                try:
                    set_at, label = session.timeline.mark(wanted.get("label") or "", seconds)
                except ValueError as error:
                    raise Refusal(422, str(error)) from None
            return {"seconds": set_at, "label": label}

        return json_response(await asyncio.to_thread(change))

    async def weights(self, request: Request) -> Response:
        """{weights: {emotion: weight}}: use other weights; gives the whole state anew."""
        session, wanted = self.session(request), await read_json(request)

        def change() -> dict:
            with _locked(session):
                try:
                    session.timeline.set_weights(wanted.get("weights"))
                except ValueError as error:
                    raise Refusal(422, str(error)) from None
            return _state(session)

        return json_response(await self._in_turn(session, change))

    async def baseline(self, request: Request) -> Response:
        """{on: true}: take everybody's neutral from the next seconds; {on: false}: forget it. Gives the state."""
        session, wanted = self.session(request), await read_json(request)

        def change() -> dict:
            with _locked(session):
                session.timeline.calibrate() if wanted.get("on") else session.timeline.forget_baseline()
            return _state(session)

        return json_response(await self._in_turn(session, change))

    async def curve(self, request: Request) -> Response:
        """The state: the curve of the whole session, its markers and weights."""
        session = self.session(request)
        return json_response(await self._in_turn(session, functools.partial(_state, session)))

    async def report_json(self, request: Request) -> Response:
        """`inference.satisfaction.Timeline.report`."""
        session = self.session(request)
        return json_response(await self._in_turn(session, functools.partial(_report, session)))

    async def report_csv(self, request: Request) -> Response:
        """`inference.report.FRAME_COLUMNS`, a row for each face of each frame."""
        session = self.session(request)

        def snapshot() -> Iterator[str]:
            with _locked(session):
                timeline = session.timeline
                return session.rows.csv(timeline.curves() if timeline.finished else None)

        return StreamingResponse(await self._in_turn(session, snapshot), media_type="text/csv", headers=NOT_CACHED)

    async def report_png(self, request: Request) -> Response:
        """`inference.report.figure_png`."""
        session = self.session(request)
        words = figure_words(request_language(request.headers))
        picture = await self._in_turn(session, lambda: figure_png(_report(session), words))
        return Response(picture, media_type="image/png", headers=NOT_CACHED)

    async def _in_turn(self, session: Session, work: Callable[[], T]) -> T:
        """The result of work that goes through a whole session: one at a time of a session, in the order of asking."""
        if self._reports_wanted[session] >= MAX_SESSION_REPORTS:
            raise Refusal(409, "What this page asked for before is still being made. Try again in a moment.")
        self._reports_wanted[session] += 1
        try:
            async with self._report_turns.setdefault(session, asyncio.Lock()):
                if not self.sessions.holds(session):
                    raise Refusal(404, "This session has ended.")
                if self._reporting >= MAX_REPORTS:
                    raise Refusal(503, BUSY)
                self._reporting += 1
                try:
                    return await asyncio.get_running_loop().run_in_executor(self._report_pool, work)
                finally:
                    self._reporting -= 1
        finally:
            self._reports_wanted[session] -= 1
            if not self._reports_wanted[session]:
                del self._reports_wanted[session], self._report_turns[session]

    async def leave(self, request: Request) -> Response:
        """The page is closed or reloaded: {session: token} in the body, because a beacon has no headers."""
        token = (await read_json(request)).get("session")
        self.sessions.leave(token if isinstance(token, str) else None)
        return json_response({})

    async def delete(self, request: Request) -> Response:
        """Forget the session now."""
        return json_response({"deleted": self.sessions.delete(request.headers.get("x-session"))})

    def session(self, request: Request) -> Session:
        """The session that a request names.

        Raises:
            Refusal: there is none.
        """
        try:
            return self.sessions.get(request.headers.get("x-session"))
        except SessionError as error:
            raise Refusal(404, str(error)) from None


@contextlib.contextmanager
def _locked(session: Session) -> Iterator[None]:
    if not session.lock.acquire(timeout=5):
        raise Refusal(503, BUSY)
    try:
        yield
    finally:
        session.lock.release()


def _state(session: Session) -> dict:
    with _locked(session):
        timeline = session.timeline
        return {
            "seconds": session.seconds,
            "weights": timeline.weights,
            "markers": [{"seconds": seconds, "label": label} for seconds, label in timeline.markers],
            "baseline": {str(id_): round(value, 4) for id_, value in timeline.baselines.items()},
            "baseline_until": timeline.calibrating_until,
            "curve": timeline.curve(),
        }


def _report(session: Session) -> dict:
    with _locked(session):
        return session.timeline.report() | {"rows_dropped": session.rows.dropped}


def _person(face: TrackedFace, reading: Reading, camera: tuple[int, int]) -> dict:
    """What the page draws: the box as parts of the picture's width and height, the seven smoothed probabilities."""
    x1, y1, x2, y2 = face.smoothed.detection.box
    width, height = camera
    return {
        "id": face.id,
        "box": [round(value, 4) for value in (x1 / width, y1 / height, x2 / width, y2 / height)],
        "probabilities": [round(float(value), 3) for value in face.smoothed.consensus],
        "shown": face.smoothed.shown,
        "sure": face.smoothed.sure,
        "issues": face.smoothed.issues,
        "index": _reading(reading),
        "apparent": _apparent(face),
    }


def _apparent(face: TrackedFace) -> dict | None:
    """Age and gender as in `Face.to_dict`, without the distribution."""
    # Averages stay after it was switched off; they are not to be shown then.
    if face.measured.age_distribution is None:
        return None
    names = ("age", "age_range", "age_sure", "apparent_gender", "gender_sure", "gender")
    fields = face.smoothed.to_dict()
    return {name: fields[name] for name in names}


def _reading(reading: Reading | None) -> list[float] | None:
    return None if reading is None else [round(reading.index, 4), round(reading.deviation, 4)]


def _is_number(value, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _read_seconds(request: Request) -> float:
    try:
        seconds = float(request.headers.get("x-seconds", ""))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < 1e11:  # also false for NaN
        raise Refusal(422, "X-Seconds should be the time of the frame in seconds since 1970.")
    return seconds


def wants_age_gender(request: Request) -> bool:
    """Whether X-Age-Gender is 1."""
    return request.headers.get("x-age-gender") == "1"


def _read_camera(request: Request) -> tuple[int, int]:
    size = re.fullmatch("([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", request.headers.get("x-camera", ""))
    if size is None:
        raise Refusal(422, "X-Camera should be the size of the camera's picture, 640x480 say.")
    return int(size[1]), int(size[2])


def live_tab(held: dict[str, float] | None = None) -> gr.HTML:
    """The Live tab's component; the routes of a LiveServer must be there.

    Args:
        held: of the estimator of age and gender, `webui.results.held_ages`; where it is None, they are not offered.
    """
    settings = {
        "heldAges": held,
        "baselineSeconds": BASELINE_SECONDS,
        "idleSeconds": IDLE_SECONDS,
        "leftSeconds": LEFT_SECONDS,
    }
    return scripted_html("live", settings)


def scripted_html(name: str, settings: dict) -> gr.HTML:
    """A component made of NAME.html and NAME.js, whose script knows SETTINGS and what the tabs share."""
    shared = {
        "emotions": EMOTIONS,
        "genders": GENDERS,
        "adult": ADULT,
        "genderSure": GENDER_SURE,
        "ageCoverage": AGE_COVERAGE,
        "valence": VALENCE,
        "formula": FORMULA,
        "neutralZone": NEUTRAL_ZONE,
    }
    files = ("exchange.js", "chart.js", "cards.js", "report.js", f"{name}.js")
    script = "\n".join((HERE / file).read_text("utf-8") for file in files)
    language = "const {language, t, translate, number, percent: percentOf} = window.ifade;"
    return gr.HTML(
        html_template=(HERE / f"{name}.html").read_text("utf-8"),
        js_on_load=f"{language}\nconst SETTINGS = {json.dumps(shared | settings)};\n{script}",
        apply_default_css=False,
        elem_id=f"ifade-{name}",
    )
