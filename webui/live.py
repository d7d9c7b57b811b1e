"""The Live tab: a camera in the browser that sends its next frame when the answer to the last has come.

The frames do not pass through Gradio's queue, which writes what it carries to disk: the page's script posts each to a route
of its own and gets the answer as JSON. What is kept is in `webui.sessions`, in memory.
"""

import asyncio
import contextlib
import math
import re
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inference.blazeface import DetectorError
from inference.decoding import shared_decoders
from inference.images import ImageError
from inference.processors import usable_processors
from inference.satisfaction import Reading
from inference.tables import moment_rows
from inference.tracker import TrackedFace
from webui.http import Refusal, guarded, json_response, read_body, wants_age_gender
from webui.session_routes import SessionServer, locked
from webui.sessions import Session
from webui.shares import FairPool
from webui.visitors import visitor


class LiveServer:
    """The route that the frames of cameras are sent to.

    Args:
        sessions: whose sessions the frames belong to.
        workers: frames that are worked on at the same time; default: a processor each.
    """

    def __init__(self, sessions: SessionServer, workers: int | None = None):
        self._sessions, self._limits = sessions, sessions.store.limits
        workers = workers or usable_processors()
        self._pool = FairPool(workers, "live", self._limits.frames_waiting, "frames_waiting")
        self._decoders = shared_decoders.beside(workers, self._limits.frame_seconds)

    def routes(self) -> list[Route]:
        """For Starlette or FastAPI, with `lifespan`, beside those of the sessions."""
        return [Route("/live/frame", guarded(self.frame), methods=["POST"])]

    @contextlib.asynccontextmanager
    async def lifespan(self, app):
        """At the end of the server the frames that wait are given up."""
        self._decoders.warm()
        try:
            yield
        finally:
            self._pool.shutdown()

    async def frame(self, request: Request) -> Response:
        """A JPEG with its time in X-Seconds (since 1970) and the camera's size in X-Camera ("640x480"): who is in it.

        With X-Age-Gender 1 also the apparent age and gender of everybody.
        """
        session = self._sessions.of(request)
        seconds, camera = _read_seconds(request), _read_camera(request)
        age_gender = wants_age_gender(request)
        if session.in_flight:
            raise Refusal(409, "frame_at_work")
        session.in_flight = True
        try:
            data = await read_body(request, self._limits.frame_bytes, self._limits.upload_seconds)
            work = self._pool.submit(visitor(request), self._analyze, session, data, seconds, camera, age_gender)
            return await asyncio.wrap_future(work)
        finally:
            session.in_flight = False

    async def probe(self, photo: bytes) -> None:
        """Look at a photo as at a camera's frame."""
        session = Session(self._sessions.store.new_stream(), self._limits)
        await asyncio.wrap_future(self._pool.submit("", self._analyze, session, photo, 0.0, (1, 1)))

    def _analyze(
        self, session: Session, data: bytes, now: float, camera: tuple[int, int], age_gender: bool = False
    ) -> Response:
        started = time.perf_counter()
        try:
            image = self._decoders.decode(data, self._limits.frame_pixels)
        except ImageError as error:
            raise Refusal(422, error) from None
        with locked(session):
            if session.origin is None:
                session.origin = now
            # A clock that is set back, or two frames of the same moment, must not stop the stream.
            session.seconds = max(now - session.origin, session.seconds + 1e-3 * (session.timeline.frames > 0))
            try:
                moment = session.stream.add(image, session.seconds, camera[0], age_gender)
            except DetectorError as error:
                raise Refusal(500, error) from None
            session.rows.add(moment_rows(moment))
        session.live_on()
        answer = {
            "seconds": moment.seconds,
            "people": [_person(face, moment.readings[face.id], camera) for face in moment.people],
            "room": _reading(moment.room),
            "milliseconds": (time.perf_counter() - started) * 1e3,
        }
        return json_response(answer)


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


def _read_seconds(request: Request) -> float:
    try:
        seconds = float(request.headers.get("x-seconds", ""))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < 1e11:  # also false for NaN
        raise Refusal(422, "frame_seconds")
    return seconds


def _read_camera(request: Request) -> tuple[int, int]:
    size = re.fullmatch("([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", request.headers.get("x-camera", ""))
    if size is None:
        raise Refusal(422, "frame_camera")
    return int(size[1]), int(size[2])
