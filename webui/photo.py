"""The Photo tab's route, which programs may use too: the bytes of a photo come in, what is in it goes out as JSON.

    curl --data-binary @photo.jpg https://.../analyze

A photo is in memory alone, from its arrival until it is answered.
"""

import asyncio
import base64
import contextlib
import functools
from concurrent.futures import Future

import cv2
import numpy as np
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from inference.analyzer import FaceAnalyzer
from inference.blazeface import DetectorError
from inference.decoding import shared_decoders
from inference.drawing import shrink
from inference.images import ImageError, load_photograph
from inference.saliency import heat_map
from inference.types import EMOTIONS, Face
from webui.bodies import Bodies
from webui.http import Refusal, guarded, json_response
from webui.limits import SHOWN_PIXELS, Limits
from webui.shares import FairPool
from webui.visitors import visitor


class PhotoServer:
    """The route that photos are sent to, and the threads that work on them, for one visitor after the other.

    Args:
        analyzer: shared by the threads.
        bodies: reads photos, and knows of other bodies on their way.
    """

    def __init__(self, analyzer: FaceAnalyzer, bodies: Bodies, limits: Limits = Limits()):
        self._analyzer, self._bodies, self._limits = analyzer, bodies, limits
        self._pool = FairPool(
            limits.photo_workers,
            "photo",
            limits.photo_workers + limits.photos_waiting,
            "photos_waiting",
            spare=1,
            size=limits.held_bytes,
            too_large="large_photos_waiting",
        )
        self._turns: dict[str, Future] = {}  # the photos that have a name

    def routes(self) -> list[Route]:
        """For Starlette or FastAPI, with `lifespan`."""
        return [
            Route("/analyze", guarded(self.analyze), methods=["POST"]),
            Route("/analyze/turn", guarded(self.turn), methods=["GET"]),
        ]

    @contextlib.asynccontextmanager
    async def lifespan(self, app):
        """At the end of the server what waits is given up."""
        shared_decoders.warm()
        try:
            yield
        finally:
            self._pool.shutdown()

    async def analyze(self, request: Request) -> Response:
        """A photo of any format that `inference.images.load_image` reads as the body, whatever its Content-Type says:
        `inference.types.Analysis.to_dict`.

        With ?age_gender=1 also the apparent age and gender of everybody. With ?picture=1 also `picture`, a data URL of the
        photo as JPEG, upright and at most SHOWN_PIXELS a side, which browsers show whatever its format was; boxes are in
        pixels of `width` and `height` all the same. With ?why=1 each face has also `crop` and `heat`, data URLs of the grey
        face that the network saw (PNG) and of the same, tinted where what spoke for the answer was found (JPEG; None where
        the network does not say). Where the graphics processor has failed there is `gpu_failed`, true. With ?turn=NAME, any
        name that its sender makes up, `turn` tells about it until it is answered.
        """
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise Refusal(415, "photo_in_a_form")
        data = await self._bodies.read(request, self._limits.photo_bytes)
        asked = {name: request.query_params.get(name) == "1" for name in ("age_gender", "picture", "why")}
        name = request.query_params.get("turn")
        answer = self.submit(visitor(request), data, name, **asked)
        gone = asyncio.create_task(_disconnected(request))
        del data
        try:
            await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if not answer.done():
            answer.cancel()
            raise ClientDisconnect
        return json_response(answer.result())

    async def turn(self, request: Request) -> Response:
        """How many photos are `ahead`, which have to be answered before the one of ?turn=NAME is begun: 0 while it is worked on,
        None where it has not arrived or is answered."""
        photo = self._turns.get(request.query_params.get("turn", ""))
        waiting = None if photo is None else self._pool.ahead(photo)
        return json_response({"ahead": None if photo is None else 0 if waiting is None else waiting + 1})

    async def probe(self, photo: bytes) -> None:
        """Ask for a photo's faces as a visitor does; raises where there are none."""
        assert (await self.submit("", photo, age_gender=False))["faces"]

    def submit(self, who: str, data: bytes, name: str | None = None, **asked: bool) -> asyncio.Future[dict]:
        """What `analyze` answers, as soon as it is the visitor's turn; whoever does not want it any more cancels that.

        Args:
            name: by which `turn` finds it.

        Raises:
            Refusal: too many photos wait; the future raises the others, and this too where it makes room for another visitor.
        """
        answer = self._pool.submit(who, functools.partial(self._answer, data, **asked), size=len(data))
        if name and name not in self._turns:
            self._turns[name] = answer
            answer.add_done_callback(lambda _: self._turns.pop(name))
        return asyncio.wrap_future(answer)

    def _answer(self, data: bytes, age_gender: bool, picture: bool = False, why: bool = False) -> dict:
        try:
            photo = load_photograph(data)
            result = self._analyzer.analyze(photo, age_gender)
        except ImageError as error:
            raise Refusal(422, "video_in_photo" if error.code == "photo_is_video" else error) from None
        except DetectorError as error:
            raise Refusal(500, error) from None
        answer = result.to_dict()
        if picture:
            answer["picture"] = data_url(shrink(photo.pixels, SHOWN_PIXELS), "jpeg")
        if why:
            answer["faces"] = [entry | _why(face) for entry, face in zip(answer["faces"], result.faces)]
        if self._analyzer.classifier.session.cuda_failed:
            answer["gpu_failed"] = True
        return answer


async def _disconnected(request: Request) -> None:
    """Ends when the client of a request, whose body was read, goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _why(face: Face) -> dict:
    heat = None
    if face.activation is not None:
        heat = data_url(heat_map(face.crop, face.activation, EMOTIONS.index(face.shown)), "jpeg")
    return {"crop": data_url(face.crop, "png"), "heat": heat}


def data_url(image: np.ndarray, kind: str) -> str:
    """A grey or RGB picture as "png" or "jpeg"."""
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(f".{kind}", pixels)[1].tobytes()
    return f"data:image/{kind};base64," + base64.b64encode(encoded).decode()
