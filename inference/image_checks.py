"""What a picture file is, by how it begins, and how large one may be. Whether it can be read is found out by reading it, in a
process that is limited: see `inference.decoding`."""

import re

from .sentences import IfadeError

MAX_BYTES = 30 * 2**20
MAX_PIXELS = 50_000_000
MAX_SIDE = 30_000
"""OpenCV turns no picture with a longer side than 32,766."""

FORMATS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF....WEBP",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "AVIF": rb"....ftyp(?:avi[fs]|m[is]f1(?:....){0,16}?avi[fs])",
    "HEIF": rb"....ftyp(?:he[iv][csmx]|m[is]f1)",
}
"""What Pillow calls the formats that are read, and how their files begin."""
SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
    *(".heic", ".heif", ".hif"),
)

OTHERS = {
    "photo_is_svg": rb"\s*(?:<\?xml.{0,2000}?)?(?:<!--.{0,2000}?-->\s*)?(?:<!DOCTYPE svg.{0,500}?>\s*)?<svg\b",
    "photo_is_web_page": rb"\s*<(?:!doctype html|html)\b",
    "photo_is_pdf": rb"%PDF",
    "photo_is_postscript": rb"%!PS|\xc5\xd0\xd3\xc6",
    "photo_is_archive": rb"PK\x03\x04|7z\xbc\xaf|Rar!|\x1f\x8b",
    "photo_is_raw": rb"....ftypcrx |FUJIFILMCCD-RAW|II(?:RO|RS|U\0)|MMOR|FOVb|\0MRM",
    "photo_is_video": rb"....(?:ftyp|moov|mdat)|\x1a\x45\xdf\xa3|RIFF....AVI |\0\0\x01\xba|FLV",
    "photo_is_icon": rb"\0\0[\x01\x02]\0|icns",
    "photo_is_photoshop": rb"8BPS",
    "photo_is_jpeg_xl": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "photo_is_jpeg_2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
}
"""Other files that are often taken for photos: what is said of each, and how they begin."""


class ImageError(IfadeError, ValueError):
    """A picture cannot be used; the sentence says why and what to do, in words for the person who sent it."""


def find_format(data: bytes) -> str:
    """The format of a file, one of FORMATS, by its content.

    Raises:
        ImageError: it is none of them; the sentence says what it is instead, where that is known.
    """
    start = data[:4096]
    for name, beginning in FORMATS.items():
        if re.match(beginning, start, re.DOTALL):
            return name
    for code, beginning in OTHERS.items():
        if re.match(beginning, start, re.DOTALL | re.IGNORECASE):
            raise ImageError(code)
    raise ImageError("photo_unknown")


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture of too many pixels.

    Raises:
        ImageError: it has more than `max_pixels`, or more than MAX_SIDE on a side.
    """
    if width * height > max_pixels:
        raise ImageError("photo_pixels", width=width, height=height, megapixels=max_pixels / 10**6)
    if max(width, height) > MAX_SIDE:
        raise ImageError("photo_side", width=width, height=height, most=MAX_SIDE)
