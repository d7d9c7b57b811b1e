"""What the page's own routes have in common: bodies are read within limits, answers are JSON, refusals are one sentence."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator

import orjson
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from inference.sentences import IfadeError
from webui.language import request_language
from webui.limits import Limits
from webui.texts import PageError

NOT_CACHED = {"Cache-Control": "no-store"}


class Refusal(Exception):
    """A request is answered with a status and one sentence for the visitor.

    Args:
        problem: the error whose sentence that is, or the code of a PageError.
        values: of that.
    """

    def __init__(self, status: int, problem: IfadeError | str, /, **values):
        self.status = status
        self.problem = PageError(problem, **values) if isinstance(problem, str) else problem
        super().__init__(self.problem)


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
    """The answer to a request that is refused: JSON with a sentence in `error`, and in `detail`, where Gradio's clients look for
    it, in the language of the page that asks, and its `code` and `values` for programs."""
    problem, language = refusal.problem, request_language(Headers(scope=scope))
    sentence = problem.sentence(language)
    values = {name: value if isinstance(value, int | float) else str(value) for name, value in problem.values.items()}
    return json_response(
        {"error": sentence, "detail": sentence, "code": problem.code, "values": values}, refusal.status
    )


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
            return refuse(Refusal(500, "went_wrong"), request.scope)

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
                    raise Refusal(413, "body_kilobytes", kilobytes=limit // 1024)
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, "request_slow") from None
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
        raise Refusal(422, "body_not_object")
    return value


def wants_age_gender(request: Request) -> bool:
    """Whether X-Age-Gender is 1."""
    return request.headers.get("x-age-gender") == "1"
