"""What the page's own routes have in common: bodies are read within limits, answers are JSON, refusals are one sentence."""

import asyncio
import logging
import orjson
from collections.abc import Callable, Iterable, Iterator
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from webui.language import request_language
from webui.limits import Limits
from webui.texts import translated

NOT_CACHED = {"Cache-Control": "no-store"}
BUSY = "The page is busy. Try again in a moment."


class Refusal(Exception):
    """A request is answered with a status and one sentence for the visitor."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def json_response(value: dict | list, status: int = 200) -> Response:
    """An answer that no cache keeps."""
    return Response(orjson.dumps(value), status, NOT_CACHED, "application/json")


def json_parts(values: Iterable[dict]) -> Iterator[bytes]:
    """A JSON list, value by value, so that it never is in memory as a whole."""
    yield b"["
    for number, value in enumerate(values):
        yield b"," * bool(number) + orjson.dumps(value)
    yield b"]"


def refuse(refusal: Refusal, scope: Scope) -> Response:
    """The answer to a request that is refused: JSON with a sentence in `detail` (where Gradio's clients look for it) and in
    `error`, in the language of the page that asks; of uploads the sentence alone, because Gradio's page shows all of that."""
    headers, path = Headers(scope=scope), scope["path"].rstrip("/")
    sentence, status = translated(str(refusal), request_language(headers)), refusal.status
    if path.endswith("/upload"):
        return PlainTextResponse(sentence, status, NOT_CACHED)
    if path.endswith("/join") and status == 503 and "origin" in headers:
        status = 429  # in a browser Gradio's page says "busy" in its own English words where that is 503
    return json_response({"detail": sentence, "error": sentence}, status)


def guarded(handler: Callable) -> Callable:
    """A handler whose refusals and faults are answered in one sentence, in the language of the page that asks."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            return refuse(refusal, request.scope)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:
            logging.getLogger(__name__).exception("%s failed", request.url.path)
            fault = "Something went wrong with this. It goes on with the next frame."
            return refuse(Refusal(500, fault), request.scope)

    return answer


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The body, of which no more than `limit` bytes are ever held, and which must have come within so many seconds.

    Raises:
        Refusal: it is larger or slower.
        ClientDisconnect: the client went away.
    """
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise Refusal(413, f"That is too large; at most {limit // 1024} kB are read.")
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, "The request took too long to arrive.") from None
    return b"".join(parts)


async def read_json(request: Request, limits: Limits) -> dict:
    """The body, which is a JSON object; an empty one where there is no body.

    Raises:
        Refusal: it is another thing, or larger or slower than such bodies are.
    """
    data = await read_body(request, limits.json_bytes, limits.upload_seconds)
    try:
        value = orjson.loads(data or b"{}")
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Refusal(422, "The body should be a JSON object.")
    return value


def wants_age_gender(request: Request) -> bool:
    """Whether X-Age-Gender is 1."""
    return request.headers.get("x-age-gender") == "1"
