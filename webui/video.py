"""The Video tab: a file is sent, read at a steady rate, and reported on like a camera's session.

The file lies in a temporary file without a name while it is worked on, and nowhere afterwards. What was found is in a
session of `webui.sessions`, and the routes of `webui.session_routes` give its curve and report and delete it.
"""

import asyncio
import contextlib
import functools
import io
import logging
import math
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inference.image_checks import ImageError, find_format
from inference.processors import usable_processors
from inference.stream import Stream
from inference.tables import moment_rows
from inference.tracker import TrackedFace
from inference.video import RATE, VideoError, VideoFrame, VideoReader
from webui.http import Refusal, guarded, json_response, wants_age_gender
from webui.language import request_language
from webui.limits import RATES
from webui.periodic import periodically
from webui.session_routes import SessionServer
from webui.sessions import Session
from webui.shares import FairPool, Place, Shares
from webui.texts import PageError
from webui.visitors import visitor

PREFIX = "/video"

Followed = Generator[tuple[VideoFrame, list[TrackedFace]], None, None]


class VideoJob:
    """What becomes of one video.

    Attributes:
        place: what it takes up of the server.
        state: "sending", "waiting", "reading", then "done", or "stopped" when somebody or something ended it early.
        reader: from the moment at which the file was received; `followed` are the people of what is left of it.
        work: its next turn.
        age_gender: whether age and gender are estimated too.
        stopping: set it to end the work at the next step of the decoder.
        error: where something went wrong here, for the visitor.
    """

    def __init__(self, visitor: str, age_gender: bool):
        self.place = Place(visitor, None, time.monotonic())
        self.state = "sending"
        self.age_gender = age_gender
        self.reader: VideoReader | None = None
        self.followed: Followed | None = None
        self.work: Future | None = None
        self.stopping = threading.Event()
        self.error: PageError | None = None


class VideoServer:
    """The routes that videos are sent to.

    Args:
        sessions: whose sessions the videos belong to.
        new_stream: makes that of a video, in place of the one with which its session began.
    """

    def __init__(self, sessions: SessionServer, new_stream: Callable[[], Stream]):
        self._sessions, self._new_stream, self._limits = sessions, new_stream, sessions.store.limits
        self._jobs: dict[VideoJob, Session] = {}
        self._closed = False
        limits = self._limits
        self._shares = Shares(limits.videos, "videos_of_others", patience=limits.silent_seconds / 3)
        self._pool = FairPool(limits.video_workers, "video")

    def routes(self) -> list[Route]:
        """For Starlette or FastAPI, with `lifespan`."""
        handlers = [("POST", "analyze", self.analyze), ("GET", "progress", self.progress), ("POST", "stop", self.stop)]
        return [Route(f"{PREFIX}/{name}", guarded(handler), methods=[method]) for method, name, handler in handlers]

    @contextlib.asynccontextmanager
    async def lifespan(self, app):
        """While the server runs, work whose session has ended is ended too; at its end all is."""

        def sweep() -> None:
            for job, session in list(self._jobs.items()):
                if not self._sessions.store.holds(session):
                    self._end(job)

        async with periodically(self._limits.sweep_seconds, sweep):
            yield
        self.close()
        self._pool.shutdown()

    def close(self) -> None:
        """End all work and refuse what is being sent."""
        self._closed = True
        for job in list(self._jobs):
            self._end(job)

    def _end(self, job: VideoJob) -> None:
        """End work: at the decoder's next step, or at once where it waits for its turn."""
        job.stopping.set()
        if job.work is not None and job.work.cancel():
            self._finish(job, "stopped")

    def _give_up(self, job: VideoJob) -> None:
        """Another visitor, who has less, gets the place."""
        job.error = PageError("video_made_room")
        self._end(job)

    def _finish(self, job: VideoJob, state: str) -> None:
        job.stopping.set()  # where a frame is read ahead
        if job.reader is not None:
            job.reader.close()
        if job.followed is not None:
            job.followed.close()
        session = self._jobs.pop(job, None)
        if session is not None:
            session.timeline.finished = True  # before anybody hears that the report can be fetched
        self._shares.leave(job.place)
        job.state = state

    def _is_over(self, session: Session, job: VideoJob) -> bool:
        """Whether nobody wants the rest of the work."""
        return job.stopping.is_set() or not self._sessions.store.holds(session)

    async def analyze(self, request: Request) -> Response:
        """A video file as the body, with the frames a second to analyse in X-Rate: starts the work, and answers like
        `progress`. With X-Age-Gender 1 also the apparent age and gender of everybody. A session takes one video."""
        session, rate = self._sessions.of(request), _read_rate(request)
        if session.video is not None:
            raise Refusal(409, "session_has_video")
        if int(request.headers.get("content-length") or 0) > self._limits.video_bytes:
            raise self._too_large()
        job = VideoJob(visitor(request), wants_age_gender(request))
        job.place.give_up = functools.partial(self._give_up, job)
        self._shares.take(job.place)
        session.video = job
        session.live_on()
        self._jobs[job] = session
        file = None
        try:
            file = await asyncio.to_thread(tempfile.TemporaryFile)
            await self._receive(request, file, job)
            job.place.heard = math.inf
            start = file.read(4096)
            file.seek(0)
            should_stop = functools.partial(self._is_over, session, job)
            job.reader = await asyncio.to_thread(
                VideoReader, file, rate, max_pixels=self._limits.video_pixels, should_stop=should_stop
            )
            if (job.reader.duration or 0) > 60 * self._limits.video_minutes:
                job.reader.close()
                raise Refusal(422, "video_too_long", minutes=self._limits.video_minutes)
            session.stream = self._new_stream()
            job.followed = session.stream.followed(job.reader, job.age_gender, ahead=usable_processors() > 1)
            job.state = "waiting"
            job.work = self._pool.submit(job.place.visitor, self._work, session, job, job.reader, job.followed)
        except VideoError as error:
            raise Refusal(422, "photo_in_video" if _is_picture(start) else error) from None
        except OSError:  # the disk is full, say
            logging.getLogger(__name__).exception("a video could not be stored")
            raise Refusal(507, "no_room_for_video") from None
        finally:
            if job.state == "sending":
                self._jobs.pop(job, None)
                self._shares.leave(job.place)
                session.video = None
                if file is not None:
                    with contextlib.suppress(OSError):  # what it holds back finds no room either
                        file.close()
        return json_response(self._progress(job))

    async def probe(self, video: bytes) -> None:
        """Read the first picture of a video when it is its turn; raises where there is none."""

        def read() -> None:
            with VideoReader(io.BytesIO(video)) as reader:
                next(iter(reader))

        await asyncio.wrap_future(self._pool.submit("", read))

    async def _receive(self, request: Request, file: BinaryIO, job: VideoJob) -> None:
        limits, stream = self._limits, request.stream()
        size = 0
        begun = kept = time.monotonic()
        while True:
            taken = time.monotonic() - begun
            if taken > 60 * limits.sending_minutes:
                raise Refusal(408, "upload_long", minutes=limits.sending_minutes)
            if size < (taken - limits.silent_seconds) * limits.slowest_video:
                raise Refusal(408, "upload_slow")
            try:
                part = await asyncio.wait_for(anext(stream, None), limits.silent_seconds)
            except TimeoutError:
                raise Refusal(408, "upload_still") from None
            if part is None:
                break
            if self._closed:
                raise Refusal(503, "closing")
            if job.stopping.is_set():
                raise Refusal(503, "video_made_room")
            job.place.heard = time.monotonic()
            size += len(part)
            if size > limits.video_bytes:
                raise self._too_large()
            await asyncio.to_thread(file.write, part)
            if time.monotonic() > kept + limits.keep_seconds:
                kept = time.monotonic()
                self._sessions.of(request)
        file.seek(0)

    def _too_large(self) -> Refusal:
        return Refusal(413, "too_large", megabytes=self._limits.video_bytes // 2**20)

    def _work(self, session: Session, job: VideoJob, reader: VideoReader, followed: Followed) -> None:
        """Work on a video until it is over or the turn of another visitor's."""
        until, job.state = time.monotonic() + self._limits.turn_seconds, "reading"
        try:
            while time.monotonic() < until:
                found = None if self._is_over(session, job) else next(followed, None)
                if session.stream.lost:
                    job.error = PageError("frames_lost", count=session.stream.lost)
                if found is None or self._is_over(session, job):
                    return self._finish(job, "done" if found is None and reader.finished else "stopped")
                frame, people = found
                if frame.seconds > 60 * self._limits.video_minutes:
                    job.error = PageError("video_cut", minutes=self._limits.video_minutes)
                    return self._finish(job, "done")
                with session.lock:
                    moment = session.stream.moment(frame.seconds, people)
                    session.rows.add(moment_rows(moment))
                    session.seconds = moment.seconds
            job.work = self._pool.submit(job.place.visitor, self._work, session, job, reader, followed, next=True)
        except Exception:
            logging.getLogger(__name__).exception("a video failed")
            job.error = PageError("video_failed")
            self._finish(job, "stopped")

    async def progress(self, request: Request) -> Response:
        """`state` (see VideoJob), `position` and `duration` in seconds, the `size` of the pictures in pixels, `frames`
        analysed, `incomplete` and `error` (sentences or None), and how many videos are `ahead` of this one."""
        session = self._sessions.of(request)
        if session.video is None:
            raise Refusal(404, "no_video")
        language = request_language(request.headers)
        return json_response(self._progress(session.video, language) | {"frames": session.timeline.frames})

    async def stop(self, request: Request) -> Response:
        """End the work; what was read is kept."""
        job = self._sessions.of(request).video
        if job is not None:
            self._end(job)
        return json_response({})

    def _progress(self, job: VideoJob, language: str = "en") -> dict:
        reader, ended = job.reader, job.state in ("done", "stopped")
        incomplete = reader.incomplete if reader and ended else None
        # A visitor's own are worked on one after the other; others' take turns with it.
        own = [other for other in list(self._jobs) if other.place.visitor == job.place.visitor]
        waiting = [other for other in own if other.state in ("waiting", "reading")]
        return {
            "state": job.state,
            "position": reader.position if reader else 0,
            "duration": reader.duration if reader else None,
            "size": [reader.width, reader.height] if reader else None,
            "incomplete": incomplete and incomplete.sentence(language),
            "error": job.error and job.error.sentence(language),
            "ahead": waiting.index(job) if job.state == "waiting" and job in waiting else 0,
        }


def _is_picture(start: bytes) -> bool:
    """Whether a file that is no video begins like what the Photo tab reads; a GIF may be a video."""
    try:
        return find_format(start) != "GIF"
    except ImageError:
        return False


def _read_rate(request: Request) -> float:
    try:
        rate = float(request.headers.get("x-rate", RATE))
    except ValueError:
        rate = 0
    if rate not in RATES:
        raise Refusal(422, "frame_rates", rates=", ".join(map(str, RATES)))
    return rate
