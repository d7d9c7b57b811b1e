"""What stands between strangers and Gradio: which addresses there are, how much is read and for how long, and that nothing
of a visitor is left behind."""

import anyio
import asyncio
import contextlib
import ctypes
import errno
import gc
import gradio as gr
import logging
import mimetypes
import orjson
import re
import time
from collections.abc import Callable
from pathlib import Path
from starlette.datastructures import Headers, QueryParams
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.images import MAX_BYTES
from webui.bodies import Bodies
from webui.http import NOT_CACHED, Refusal, json_response, refuse
from webui.limits import Limits
from webui.photo_input import PhotoInput
from webui.photos import MAX_HELD_BYTES, PhotoStore

READ = re.compile(
    "/|/(config|theme.css|favicon.ico|manifest.json|robots.txt|pwa_icon)|/(static|assets|svelte|pwa_icon)/.+"
    "|/gradio_api/(info/?|openapi.json|app_id/?|upload_progress|startup-events|theme.css|login_check/?|queue/(status|data)|file=.+"
    "|heartbeat/[^/]+|call/(v2/)?analyze/[^/]+)"
)
WRITE = re.compile("/gradio_api/(queue/join|call/(v2/)?analyze|run/predict|cancel|reset|upload)/?")
"""The addresses that the page and its clients use; Gradio has more, for what this page has not."""

MAX_CALL_BYTES = 42 * 2**20
"""Of a call's JSON: a photo as a data URL takes a third more than its file."""
LIMITS = Limits()
MAX_WAITING, MAX_BODY_BYTES, SWEEP_SECONDS = LIMITS.photos_waiting, LIMITS.large_bytes, LIMITS.sweep_seconds
GRACE_SECONDS = LIMITS.grace_seconds
MAX_SESSION_CHARACTERS = 64
UNREAD_SECONDS = 60
"""How long an answer waits for the one who asked."""
MAX_UNREAD, MAX_UNREAD_EACH = 32, 8
"""Answers that may wait, of all sessions together and of one before it asks again; one takes up to 4 MB. A page reads as soon
as it has asked."""
TRIM_SECONDS = 30
"""How often memory that is free is given back to the system."""
LARGE_BLOCK = 65536
"""Blocks of at least so many bytes are the system's again as soon as they are free."""
M_MMAP_THRESHOLD = -3  # of glibc's malloc.h

PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/avif")
PHOTO_HEADERS = NOT_CACHED | {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}


class Guard:
    """ASGI middleware around Gradio's application.

    Photos that are uploaded go to a PhotoStore instead of Gradio's folder. Bodies are read here, within limits of size,
    number and time, and must be what Gradio understands, since it answers others with its own failure. Refusals are those of
    `webui.http.refuse`.

    Args:
        app: what is guarded.
        page: the page, for its queue.
        photos: where uploads are kept.
        bodies: reads what is sent to Gradio.
        own: paths of routes that are not Gradio's; they guard themselves.
    """

    def __init__(self, app: ASGIApp, page: gr.Blocks, photos: PhotoStore, bodies: Bodies, own: set[str]):
        self._app, self._page, self._photos, self._bodies, self._own = app, page, photos, bodies, own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = whole = False

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
            nonlocal started
            started = True
            if message["type"] == "http.response.body" and not message.get("more_body") and not whole:
                await tell(message | {"more_body": True})
                await _discard(hear)
                message = {"type": "http.response.body"}
            await tell(message)

        with contextlib.suppress(ClientDisconnect):
            if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
                # A proxy that goes by the other one takes a part of this body for the next request, perhaps another's.
                response = refuse(Refusal(400, "body_with_two_lengths"), scope)
                response.headers["Connection"] = "close"
                await response(scope, receive, send)
                return
            if scope["path"] in self._own:
                await self._app(scope, hear, answer)
                return
            try:
                await self._pass(scope, hear, answer)
            except Refusal as refusal:
                await refuse(refusal, scope)(scope, hear, answer)
            except ClientDisconnect:
                raise
            except Exception as error:  # Gradio's, about a request that it did not expect
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                _log(scope, error)
                if not started:
                    refusal = Refusal(400, "not_understood")
                    await refuse(refusal, scope)(scope, hear, answer)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, queue = scope["path"], self._page._queue
        if scope["method"] in ("GET", "HEAD"):
            if not READ.fullmatch(path):
                raise Refusal(404, "not_here")
            if path == "/gradio_api/upload_progress":  # the page closes this when its upload has ended
                await Response('data: {"msg": "done"}\n\n', media_type="text/event-stream")(scope, receive, send)
            elif path.startswith("/gradio_api/file=") and (response := self._photo(path.partition("=")[2])):
                await response(scope, receive, send)
            elif path.startswith("/gradio_api/heartbeat/"):
                await self._heartbeat(path.rpartition("/")[2], scope, receive, send)
            else:
                _require_answer(queue, scope)
                await self._app(scope, receive, send)
            return
        if scope["method"] != "POST" or not WRITE.fullmatch(path):
            raise Refusal(404, "not_here")
        path = path.rstrip("/")
        upload, call = path.endswith("/upload"), path.endswith(("/join", "/analyze"))
        if call and (waiting := len(queue)) >= MAX_WAITING:
            raise Refusal(503, "photos_waiting", count=waiting)
        body = await self._bodies.read(
            receive, MAX_BYTES + MAX_BODY_BYTES if upload else MAX_CALL_BYTES if call else MAX_BODY_BYTES
        )
        if upload:
            await json_response([await self._keep(Headers(scope=scope), body)])(scope, receive, send)
            return
        value = _check(body, call and "/v2/" not in path)
        if call and (session := value.get("session_hash")):
            _bound_unread(queue, session)
            if path.endswith("/join") and self._is_of_page(value.get("fn_index")):
                # Each call of a page names the photo that it shows now.
                send = _when_accepted(send, lambda: self._photos.keep_only(session, _first_path(value["data"])))
        if call and len(body) > MAX_BODY_BYTES:
            waiting = sum(int(event.request.headers["content-length"]) for event in queue.event_ids_to_events.values())
            if waiting + len(body) > MAX_HELD_BYTES:
                raise Refusal(503, "large_photos_waiting")
        # What was read is JSON, whatever the request says of it.
        kept = [
            pair
            for pair in scope["headers"]
            if pair[0] not in (b"content-type", b"content-length", b"transfer-encoding")
        ]
        told = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def read_again() -> Message:
            return next(messages, None) or await receive()

        await self._app(scope | {"headers": kept + told}, read_again, send)

    def _is_of_page(self, number: object) -> bool:
        """Whether a function is the page's: programs, which call the other one, ask about many photos in one session."""
        function = self._page.fns.get(number) if isinstance(number, int) else None
        first = function.inputs[0] if function and function.inputs else None
        return isinstance(first, PhotoInput) and not first.once

    def _photo(self, path: str) -> Response | None:
        """The picture that the page shows of what was uploaded; None where the path is no photo's."""
        data = self._photos.get(path)
        if data is None:
            return None
        kind = mimetypes.guess_type(path)[0]
        return Response(data, 200, PHOTO_HEADERS, kind if kind in PHOTO_TYPES else "application/octet-stream")

    async def _heartbeat(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        """The connection that a page holds while it is open."""
        self._photos.leave(session, left=False)
        try:
            await self._app(scope, receive, send)
        finally:
            self._photos.leave(session)

    async def _keep(self, headers: Headers, body: bytes) -> str:
        """Put the file of an upload into the store; its path there."""

        async def stream():
            yield body

        if not headers.get("content-type", "").startswith("multipart/form-data"):
            raise Refusal(400, "upload_not_a_form")
        parser = MultiPartParser(headers, stream(), max_files=1, max_fields=8)
        parser.spool_max_size = len(body) + 1  # never on disk
        try:
            form = await parser.parse()
        except (MultiPartException, LookupError, ValueError):
            raise Refusal(400, "upload_without_file") from None
        file = form.get("files")
        if file is None or isinstance(file, str):
            raise Refusal(400, "upload_without_file")
        data, suffix = await file.read(), Path(file.filename or "").suffix
        await form.close()
        if len(data) > MAX_BYTES:
            raise Refusal(413, "photo_too_large", megabytes=MAX_BYTES // 2**20)
        suffix = suffix if re.fullmatch(r"\.\w{1,5}", suffix, re.ASCII) else ""
        waiting = {_first_path(event.data.data) for event in self._page._queue.event_ids_to_events.values()}
        path = self._photos.put(data, suffix, waiting)
        if path is None:
            raise Refusal(503, "photos_held")
        return path


def _check(body: bytes, call: bool) -> dict:
    """A body as what Gradio takes: a JSON object, and for a call one with a list `data`.

    Raises:
        Refusal: it is another thing.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal(422, "body_not_json") from None
    if not isinstance(value, dict):
        raise Refusal(422, "body_not_object")
    session = value.get("session_hash")
    if session is not None and not (isinstance(session, str) and len(session) <= MAX_SESSION_CHARACTERS):
        raise Refusal(422, "session_hash_too_long", most=MAX_SESSION_CHARACTERS)
    if call and not isinstance(value.get("data"), list):
        raise Refusal(422, "body_without_data")
    return value


def _require_answer(queue, scope: Scope) -> None:
    """Whether somebody asked for what is to be read."""
    path = scope["path"]
    if path.endswith("/queue/data"):
        # Read as Gradio reads it, which takes the last of several.
        session = QueryParams(scope["query_string"]).get("session_hash")
        known = session in queue.pending_messages_per_session
    elif "/call/" in path:
        event = path.rpartition("/")[2]
        known = any(event in events for events in list(queue.pending_event_ids_session.values()))
    else:
        return
    if not known:
        raise Refusal(404, "no_such_answer")


def _bound_unread(queue, session: str) -> None:
    """Before a session asks again: whether it reads its answers. Where all sessions together leave too many, those that leave
    most lose theirs, and of these first who asked longest ago.

    Raises:
        Refusal: it leaves too many.
    """
    messages, asked = queue.pending_messages_per_session, queue.pending_event_ids_session
    working = queue.event_ids_to_events
    unread = {
        name: sum(event not in working for event in asked.get(name, ()))
        for name, left in messages.items()
        # A call that names no session gets one for itself, with one answer, which is small.
        if not left.empty() and asked.get(name) != {name}
    }
    if (count := unread.get(session, 0)) >= MAX_UNREAD_EACH:
        raise Refusal(429, "answers_unread", count=count)
    while sum(unread.values()) > MAX_UNREAD:
        name = max(unread, key=unread.get)
        del unread[name]
        while not messages[name].empty():
            messages[name].get_nowait()
        asked[name].intersection_update(working)
        if not asked[name]:
            del messages[name], asked[name]
    if session in messages:
        messages.move_to_end(session)


def _first_path(data: list) -> str | None:
    """The path of the photo that a call's data begin with."""
    path = data[0].get("path") if data and isinstance(data[0], dict) else None
    return path if isinstance(path, str) else None


def _when_accepted(send: Send, act: Callable[[], None]) -> Send:
    """A `send` that does something before it says that a request was accepted."""

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            act()
        await send(message)

    return tell


async def _discard(receive: Receive) -> None:
    """Let the rest of a body pass: a connection that is closed while its client sends takes the answer with it."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                size += len(message["body"])
                if size > MAX_CALL_BYTES:
                    break


def _log(scope: Scope, error: Exception) -> None:
    """Where something failed, and nothing of what was sent: the words of an error may hold it."""
    place, line = "", 0
    trace = error.__traceback__
    while trace:
        place, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    route = re.sub(r"[=/][^/]{12,}", "/...", scope["path"])[:80]
    logging.getLogger(__name__).warning("%s %r: %s at %s:%d", scope["method"], route, type(error).__name__, place, line)


@contextlib.asynccontextmanager
async def tidy(page: gr.Blocks, photos: PhotoStore):
    """While the server runs, forget photos whose time is over, and what Gradio keeps of calls that have ended.

    Gradio holds answers that nobody fetches, and the last values of every session, until thousands of others have come.
    """
    ended: dict[str, float] = {}
    trimmed = time.monotonic()
    gc.collect()
    gc.freeze()  # What is there now stays, and need not be looked through again and again.

    async def sweep() -> None:
        nonlocal trimmed
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            photos.sweep()
            _forget_calls(page, ended)
            if time.monotonic() - trimmed > TRIM_SECONDS:
                await anyio.to_thread.run_sync(_return_memory)  # which also ends the threads that have long been idle
                trimmed = time.monotonic()

    task = asyncio.create_task(sweep())
    try:
        yield
    finally:
        task.cancel()
        gc.unfreeze()


def return_large_blocks() -> None:
    """Tell glibc to take blocks from LARGE_BLOCK on from the system and to give them back; call it before all else.

    By itself glibc raises that bound up to 32 MB when such blocks are freed. Photos then lie in the heaps of all threads
    between small blocks that stay, and the holes that they leave are neither filled nor returned.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


def _return_memory() -> None:
    """Give memory back to the system: what connections and errors that have ended hold in circles, which Python looks for
    where much is made anew and not where nobody asks any more, and what glibc keeps where many threads have worked."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _forget_calls(page: gr.Blocks, ended: dict[str, float]) -> None:
    """Forget the values of sessions that have no call at the moment, and the answers of those that have had none for
    UNREAD_SECONDS; `ended` is when this first saw each without one."""
    queue, states, now = page._queue, page.app.state_holder, time.monotonic()
    busy = {event.session_hash for event in queue.event_ids_to_events.values()}
    for store in (states.session_data, states.time_last_used):
        for session in list(store):
            if session not in busy:
                store.pop(session, None)
    stores = queue.pending_messages_per_session, queue.pending_event_ids_session
    idle = {session for store in stores for session in list(store)} - busy
    for session in list(ended):
        if session not in idle:
            del ended[session]
    for session in idle:
        if now - ended.setdefault(session, now) > UNREAD_SECONDS:
            for store in stores:
                store.pop(session, None)
