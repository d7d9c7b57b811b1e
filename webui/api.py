"""What `gradio_client` and the code of "Use via API" ask for, answered here instead of by Gradio.

Gradio would write what is uploaded to disk, under an address that the content tells, keep answers that nobody fetches, and
pass all calls through one queue. Programs notice no difference: a photo is uploaded, or sent within a call as a data URL; a
call gets a number, under which its answer is fetched, once. The protocol is the one that Gradio calls sse_v3.
"""

import asyncio
import base64
import binascii
import contextlib
import logging
import secrets
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from functools import partial

import orjson
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from webui.bodies import Bodies
from webui.http import NOT_CACHED, Refusal, guarded, json_response, read_json
from webui.language import request_language
from webui.limits import Limits
from webui.periodic import periodically
from webui.photo import PhotoServer
from webui.shares import Place, Shares
from webui.texts import PageError
from webui.visitors import visitor

HEARTBEAT_SECONDS = 15
"""How often a client that waits hears something, so that no proxy cuts the connection."""
PARSED_BYTES = 2**20
"""Of a form without a pause."""


@dataclass(eq=False)
class _Call:
    """A photo that was asked about.

    Attributes:
        place: of its answer, which nobody has fetched yet; what is heard of it is that it is there.
    """

    session: str
    language: str
    work: asyncio.Future[dict]
    place: Place

    def output(self) -> tuple[bool, dict]:
        """Whether the photo was analysed, and what Gradio's clients expect then."""
        if self.work.cancelled():
            return False, {"error": PageError("no_such_answer").sentence(self.language)}
        if (error := self.work.exception()) is None:
            return True, {"data": [self.work.result()]}
        problem = error.problem if isinstance(error, Refusal) else PageError("photo_failed")
        return False, {"error": problem.sentence(self.language)}


class Api:
    """The routes of Gradio's protocol.

    Photos that were uploaded, and answers, are in memory alone, each under a secret, bounded, and for a stated time.

    Args:
        photos: works on them.
        bodies: reads what is sent.
    """

    def __init__(self, photos: PhotoServer, bodies: Bodies, limits: Limits = Limits()):
        self._photos, self._bodies, self._limits = photos, bodies, limits
        self._sent: dict[str, tuple[Place, bytes]] = {}  # by path
        self._sent_shares = Shares(
            limits.sent_photos,
            "photos_held",
            size=limits.held_bytes,
            too_large="photos_held",
            patience=limits.abandoned_seconds,
        )
        self._calls: dict[str, _Call] = {}  # by number
        self._unread_shares = Shares(limits.unread_answers, "answers_unread", patience=0)

    def routes(self) -> list[Route]:
        """For Starlette or FastAPI, with `lifespan`."""
        handlers = [
            ("POST", "upload", self.upload),
            ("POST", "queue/join", self.join),
            ("GET", "queue/data", self.data),
            ("POST", "call/analyze", self.call),
            ("POST", "call/v2/analyze", self.call_by_name),
            ("GET", "call/analyze/{event}", self.answer),
            ("GET", "call/v2/analyze/{event}", self.answer),
            ("POST", "cancel", self.cancel),
            ("POST", "reset", self.cancel),
        ]
        return [Route(f"/gradio_api/{path}", guarded(handler), methods=[method]) for method, path, handler in handlers]

    @contextlib.asynccontextmanager
    async def lifespan(self, app):
        """While the server runs, photos that nobody asks about and answers that nobody fetches are forgotten."""

        async with periodically(self._limits.sweep_seconds, self._sweep):
            yield

    def _sweep(self) -> None:
        now = time.monotonic()
        for path, (place, _) in list(self._sent.items()):
            if now - place.heard > self._limits.sent_seconds:
                self._take(path)
        for event, call in list(self._calls.items()):
            if now - call.place.heard > self._limits.unread_seconds:
                self._forget(event)

    async def upload(self, request: Request) -> Response:
        """A form with one file named `files`: a list with the path to send in a call."""
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Refusal(400, "upload_not_a_form")
        body = await self._bodies.read(request, self._limits.photo_bytes + self._limits.large_bytes)

        async def stream() -> AsyncGenerator[bytes, None]:
            for place in range(0, len(body), PARSED_BYTES):
                yield body[place : place + PARSED_BYTES]
                await asyncio.sleep(0)  # others are not to wait for all of it

        parser = MultiPartParser(request.headers, stream(), max_files=1, max_fields=8)
        parser.spool_max_size = len(body) + 1  # never on disk
        try:
            form = await parser.parse()
        except (MultiPartException, LookupError, ValueError):
            raise Refusal(400, "upload_without_file") from None
        file = form.get("files")
        if file is None or isinstance(file, str):
            raise Refusal(400, "upload_without_file")
        data = await file.read()
        await form.close()
        if len(data) > self._limits.photo_bytes:
            raise Refusal(413, "photo_too_large", megabytes=self._limits.photo_bytes // 2**20)
        return json_response([self._keep(visitor(request), data)])

    def _keep(self, who: str, data: bytes) -> str:
        """The path of a photo that was sent."""
        path = secrets.token_urlsafe(24)
        place = Place(who, partial(self._take, path), time.monotonic(), len(data))
        self._sent_shares.take(place)
        self._sent[path] = place, data
        return path

    def _take(self, path: str) -> bytes | None:
        """A photo that was sent, which is forgotten here then."""
        place, data = self._sent.pop(path, (None, None))
        if place is not None:
            self._sent_shares.leave(place)
        return data

    async def join(self, request: Request) -> Response:
        """{data: [photo, age_gender?], session_hash}: the number of the call, whose answer `data` tells that session."""
        value = await self._read(request)
        session = value.get("session_hash")
        if not (isinstance(session, str) and 0 < len(session) <= self._limits.session_characters):
            raise Refusal(400, "session_hash_too_long", most=self._limits.session_characters)
        unread = sum(call.session == session and call.work.done() for call in self._calls.values())
        if unread >= self._limits.unread_each:
            raise Refusal(429, "answers_unread", count=unread)
        return await self._begin(request, _arguments(value), session)

    async def call(self, request: Request) -> Response:
        """{data: [photo, age_gender?]}: the number of the call, for `answer`."""
        return await self._begin(request, _arguments(await self._read(request)))

    async def call_by_name(self, request: Request) -> Response:
        """{photo, age_gender?}: the same."""
        value = await self._read(request)
        return await self._begin(request, [value.get("photo"), value.get("age_gender")])

    async def _read(self, request: Request) -> dict:
        """The JSON object of a request, which may hold a photo, and hardly more."""
        body = await self._bodies.read(request, self._limits.call_bytes, self._limits.call_items)
        try:
            value = await asyncio.to_thread(orjson.loads, body)
        except orjson.JSONDecodeError:
            raise Refusal(422, "body_not_json") from None
        if not isinstance(value, dict):
            raise Refusal(422, "body_not_object")
        return value

    async def _begin(self, request: Request, arguments: list, session: str | None = None) -> Response:
        """Begin to work on a photo; what is wrong with it becomes the answer."""
        photo, age_gender = (*arguments, None, None)[:2]
        who, event = visitor(request), uuid.uuid4().hex
        try:
            if not isinstance(age_gender, bool | int | None):
                raise Refusal(422, "age_gender_unclear")
            work = await self._submit(who, photo, bool(age_gender))
        except Refusal as refusal:
            if refusal.status == 503:
                raise
            work = asyncio.get_running_loop().create_future()
            work.set_exception(refusal)
        call = _Call(
            session or event, request_language(request.headers), work, Place(who, partial(self._forget, event))
        )
        self._calls[event] = call
        work.add_done_callback(partial(self._end, event))
        return json_response({"event_id": event})

    def _end(self, event: str, work: asyncio.Future[dict]) -> None:
        """The answer to a call is there, or it was given up."""
        error = None if work.cancelled() else work.exception()
        if error is not None and not isinstance(error, Refusal):
            logging.getLogger(__name__).error("a photo failed", exc_info=error)
        if call := self._calls.get(event):
            call.place.heard = time.monotonic()
            self._unread_shares.take(call.place)

    def _forget(self, event: str) -> None:
        if call := self._calls.pop(event, None):
            self._unread_shares.leave(call.place)

    async def _submit(self, who: str, value: object, age_gender: bool) -> asyncio.Future[dict]:
        """Begin to work on the photo that a call names, which is forgotten here then.

        Raises:
            Refusal: it names none, or not in one of the two ways, or there is no room.
        """
        if value is None:
            raise Refusal(422, "no_photo_sent")
        if not isinstance(value, dict):
            raise Refusal(422, "photo_unusable")
        path, url = value.get("path"), value.get("url")
        if any(isinstance(word, str) and word.startswith(("http://", "https://")) for word in (path, path or url)):
            raise Refusal(422, "not_fetched")
        if isinstance(url, str) and url.startswith("data:"):
            data = await asyncio.to_thread(_decode, url, self._limits.photo_bytes)
            return self._photos.submit(who, data, age_gender=age_gender)
        if not all(isinstance(word, str | None) for word in (path, url)):
            raise Refusal(422, "photo_unusable")
        if path not in self._sent:
            raise Refusal(404, "photo_gone")
        work = self._photos.submit(who, self._sent[path][1], age_gender=age_gender)
        self._take(path)
        return work

    async def data(self, request: Request) -> Response:
        """?session_hash=...: the answers to all calls of a session, as they come."""
        session = request.query_params.get("session_hash", "")
        if not any(call.session == session for call in self._calls.values()):
            raise Refusal(404, "no_such_answer")

        async def stream() -> AsyncIterator[bytes]:
            async for event, call in self._answers(session):
                yield b"data: " + orjson.dumps(_message(event, call)) + b"\n\n"
            yield b'data: {"msg":"close_stream"}\n\n'

        return _events(stream())

    async def answer(self, request: Request) -> Response:
        """The answer to one call that names no session."""
        number = request.path_params["event"]
        if number not in self._calls:
            raise Refusal(404, "no_such_answer")

        async def stream() -> AsyncIterator[bytes]:
            async for _, call in self._answers(number):
                if call is None:
                    yield b"event: heartbeat\ndata: null\n\n"
                    continue
                done, output = call.output()
                name, value = ("complete", output["data"]) if done else ("error", output)
                yield b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(value))

        return _events(stream())

    async def _answers(self, session: str) -> AsyncIterator[tuple[str, _Call | None]]:
        """Number and call of each answer of a session, which is forgotten then; None for the call now and then meanwhile.
        Where its client goes away, the calls that are left are given up."""
        waiting: dict[str, _Call] = {}
        try:
            while waiting := {event: call for event, call in self._calls.items() if call.session == session}:
                works = [call.work for call in waiting.values()]
                await asyncio.wait(works, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                ended = {event: call for event, call in waiting.items() if call.work.done()}
                for event, call in ended.items():
                    self._forget(event)
                    yield event, call
                if not ended:
                    yield "", None
        except (asyncio.CancelledError, GeneratorExit):
            for event, call in waiting.items():
                call.work.cancel()
                self._forget(event)
            raise

    async def cancel(self, request: Request) -> Response:
        """{event_id}: give a call up."""
        number = (await read_json(request, self._limits)).get("event_id")
        if isinstance(number, str) and (call := self._calls.get(number)):
            call.work.cancel()
        return json_response({"success": True})


def _arguments(value: dict) -> list:
    if not isinstance(value.get("data"), list):
        raise Refusal(422, "body_without_data")
    return value["data"]


def _decode(url: str, limit: int) -> bytes:
    header, _, data = url.partition(",")
    if len(data) > limit * 4 / 3 + 4:
        raise Refusal(413, "photo_too_large", megabytes=limit // 2**20)
    if not header.endswith(";base64"):
        raise Refusal(422, "data_url_encoding")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(422, "data_url_damaged") from None


def _message(event: str, call: _Call | None) -> dict:
    if call is None:
        return {"msg": "heartbeat"}
    done, output = call.output()
    return {"msg": "process_completed", "event_id": event, "output": output, "success": done}


def _events(stream: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(stream, media_type="text/event-stream", headers=NOT_CACHED)
