"""Photo components that leave no file behind, and whose every picture goes through `inference.images.load_image`."""

import base64
import binascii
import cv2
import gradio as gr
import numpy as np
from gradio.components.image import Base64ImageData
from gradio.data_classes import ImageData
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse
from pathlib import Path

from inference.images import MAX_BYTES
from webui.photos import PhotoStore
from webui.texts import PageError, text

NOT_FETCHED = text("en", "not_fetched")
UNUSABLE = text("en", "photo_unusable")


class PhotoInput(gr.Image):
    """gr.Image for upload, camera and clipboard that passes the undecoded bytes of the file (or None) to its handler.

    gr.Image itself would decode pictures of any size, read any path of the server that a request names, and fetch and store
    what lies under an address.

    Attributes:
        photos: where uploaded photos are. Of the class, because Gradio makes new components of its own accord.
        once: whether a photo is forgotten when it was read.
    """

    is_template = True  # the browser shows it as gr.Image
    photos = PhotoStore()
    once = False

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        return None if url_or_file_path is None else str(url_or_file_path)

    def preprocess(self, payload: ImageData | None) -> bytes | None:
        if payload is None:
            return None
        try:
            if payload.url and payload.url.startswith("data:"):
                return _decode_data_url(payload.url)
            if not payload.path and is_http_url_like(payload.url):
                raise PageError("not_fetched")
            data = self.photos.read(payload.path or "", self.once)
            return data if data is not None else _read_example(payload.path, Path(self.GRADIO_CACHE))
        except PageError as error:
            raise gr.Error(str(error), print_exception=False) from error


def refuse_addresses(inputs: list) -> None:
    """Refuse files that Gradio would download before a component sees them, of any size and from anywhere.

    Raises:
        gr.Error: there is such a file somewhere in the data of a call.
    """

    def refuse(file: dict) -> None:
        if is_http_url_like(file["path"]):
            raise gr.Error(NOT_FETCHED, print_exception=False)

    traverse(inputs, refuse, is_file_obj_with_meta)


def _decode_data_url(url: str) -> bytes:
    header, _, data = url.partition(",")
    if len(data) > MAX_BYTES * 4 / 3 + 4:
        raise PageError("photo_too_large", megabytes=MAX_BYTES // 2**20)
    if not header.endswith(";base64"):
        raise PageError("data_url_encoding")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise PageError("data_url_damaged") from None


def _read_example(name: str | None, folder: Path) -> bytes:
    """The bytes of an example, which Gradio puts into its folder; a path outside is refused."""
    try:
        path = Path(name or "").resolve()
        found = bool(name) and path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError):  # too long, or with a zero in it
        found = False
    if not found:
        raise PageError("photo_gone")
    with open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)


class SentPhoto(PhotoInput):
    """A photo of a program, which asks about it once."""

    is_template = True
    once = True

    def api_info(self) -> dict:
        return super().api_info() | {
            "additional_description": 'A file of your disk, by handle_file("photo.jpg") in Python. ' + NOT_FETCHED
        }

    def example_payload(self) -> dict:
        return {"path": "ifade_example.jpg", "meta": {"_type": "gradio.FileData"}}


class PhotoOutput(gr.Image):
    """gr.Image for an RGB uint8 array, which is sent as JPEG within the answer; gr.Image itself would write a file."""

    is_template = True

    def postprocess(self, value: np.ndarray | None) -> Base64ImageData | None:
        if value is None:
            return None
        data = cv2.imencode(".jpg", cv2.cvtColor(value, cv2.COLOR_RGB2BGR))[1].tobytes()
        return Base64ImageData(url="data:image/jpeg;base64," + base64.b64encode(data).decode())
