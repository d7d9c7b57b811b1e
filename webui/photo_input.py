"""A photo component whose every picture, however it was sent, goes through `inference.images.load_image`."""

import base64
import binascii
import gradio as gr
from gradio.data_classes import ImageData
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse
from pathlib import Path

from inference.images import MAX_BYTES, ImageError

NOT_FETCHED = "Nothing is fetched from other addresses. Send the file itself."
UNUSABLE = (
    "These data cannot be used. Upload the photo and send the path that the upload answers with, or send it as "
    '{"url": "data:image/jpeg;base64,..."}.'
)


class PhotoInput(gr.Image):
    """gr.Image for upload, camera and clipboard that passes the undecoded bytes of the file (or None) to its handler.

    gr.Image itself would decode pictures of any size, and read any path of the server that a request names.
    """

    is_template = True  # the browser shows it as gr.Image

    def preprocess(self, payload: ImageData | None) -> bytes | None:
        if payload is None:
            return None
        try:
            if payload.url and payload.url.startswith("data:"):
                return _decode_data_url(payload.url)
            if not payload.path and is_http_url_like(payload.url):
                raise ImageError(NOT_FETCHED)
            return _read_upload(payload.path, Path(self.GRADIO_CACHE))
        except ImageError as error:
            raise gr.Error(str(error), print_exception=False) from None


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
        raise ImageError(f"The picture is too large; at most {MAX_BYTES // 2**20} MB are read.")
    if not header.endswith(";base64"):
        raise ImageError("The data URL is not base64.")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise ImageError("The data URL is not valid base64.") from None


def _read_upload(name: str | None, folder: Path) -> bytes:
    """The bytes of a file that was uploaded; a path outside the upload folder is refused."""
    try:
        path = Path(name or "").resolve()
        found = bool(name) and path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError):  # too long, or with a zero in it
        found = False
    if not found:
        raise ImageError("The photo was not found on the server. Upload it again.")
    with open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)
