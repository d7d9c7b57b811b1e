"""The bytes of a picture file to upright RGB, in the process that is limited for it: see `inference.decoding`."""

import logging
import warnings
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import (  # noqa: F401, which registers them
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageChops,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.JpegImagePlugin import JpegImageFile
from pillow_heif import register_heif_opener

from .image_checks import ImageError, check_size, find_format
from .image_color import ColorSignal, by_signal, convert, read_signal
from .jpeg import jpeg_end
from .tiff_pages import find_picture

register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
# By itself Pillow refuses pictures with long texts, as programs that make pictures write them.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 2**27

for (order, light, *kind), modes in list(TiffImagePlugin.OPEN_INFO.items()):
    if light == 1 and modes[0] in (
        "I",
        "F",
        "I;16",
        "I;16B",
    ):  # with white as 0 Pillow knows some of these; see _to_grey
        TiffImagePlugin.OPEN_INFO.setdefault((order, 0, *kind), modes)  # type: ignore[arg-type]

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation."""
_LYING = (5, 6, 7, 8)
"""The orientations in which width and height change places."""
_REDUCTIONS = (8, 4, 2)
"""How many times libjpeg can reduce the sides of a picture while it decodes it."""

_TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")
_MISSING = 128
"""Grey of what libjpeg did not find in a file."""
_FILLER = bytes(range(254, 0, -1)) * 16
"""Stands in for missing data of a JPEG picture, for which libjpeg takes zeros; behind a complete one it is skipped."""


class Decoded(NamedTuple):
    """A picture of mode RGB, how many times its sides were reduced, and the width and height of the whole, which may be a little
    less than so many times as much."""

    image: Image.Image
    times: int
    size: tuple[int, int]


def decode_image(
    data: bytes,
    max_pixels: int,
    opened: Callable[[int], None] = lambda pixels: None,
    orientation: int | None = None,
    enough: int | None = None,
) -> Decoded:
    """What `inference.images.load_image` gives of the content of a file.

    Args:
        max_pixels: larger pictures are refused before they are decoded.
        opened: is told how many pixels there are to decode.
        orientation: of EXIF, 1 to 8; one that is given goes before the file's own.
        enough: so many pixels are; a JPEG picture is reduced to no less by its decoder, which takes a fraction of the time.

    Raises:
        ImageError: it cannot be decoded.
    """
    format = find_format(data)
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and of odd metadata; the limits here are ours.
            warnings.simplefilter("ignore")
            if format == "TIFF":
                page = find_picture(data)
                if find_format(page.data) != format:
                    return decode_image(page.data, max_pixels, opened, page.orientation, enough)
                data, orientation = page.data, page.orientation
            with _open(data, format) as image:
                check_size(*image.size, max_pixels)
                opened(image.width * image.height)
                size, signal = image.size, read_signal(image, data)
                times = _reduce(image, enough) if enough and isinstance(image, JpegImageFile) else 1
                image.load()
                if format == "JPEG":
                    _check_rows(image, data, times)
                orientation = orientation or _orientation(image)
                upright = _turn(_to_rgb(image, data, signal), orientation)
                return Decoded(upright, times, size[::-1] if orientation in _LYING else size)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError("picture_memory") from None
    except Image.DecompressionBombError:
        raise ImageError("photo_megapixels", megapixels=max_pixels / 10**6) from None
    except Exception:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        logging.getLogger(__name__).debug("undecodable picture", exc_info=True)
        raise ImageError("photo_damaged") from None


def _open(data: bytes, format: str) -> Image.Image:
    if format == "JPEG":  # by its own class: a list of further pictures, which may be odd, does not matter
        return JpegImageFile(BytesIO(data + b"\xff\xd9"))  # an end, in case that it lacks its own
    return Image.open(BytesIO(data), formats=[format])


def _reduce(image: JpegImageFile, enough: int) -> int:
    """Have a JPEG picture decoded to so many pixels or more; gives how many times its sides are reduced."""
    for times in _REDUCTIONS:
        if image.width * image.height >= enough * times**2:
            image.draft(None, (image.width // times, image.height // times))
            return times
    return 1


def _check_rows(image: Image.Image, data: bytes, times: int) -> None:
    """Refuse a JPEG picture of which the end is missing, with an end marker or without: libjpeg leaves that grey, silently."""
    end = jpeg_end(data)
    if end is not None:
        corner = np.ravel(image.getpixel((image.width - 1, image.height - 1)))
        if np.abs(corner - _MISSING).max() <= 1 and not _is_whole(image, data[:end], times):
            raise ValueError("picture rows are missing")
        return
    # Zeros may be room that was never written, or belong to the picture, the last of which need them all.
    data = data.rstrip(b"\xff")  # half an end marker
    bare = data[: len(data.rstrip(b"\0")) + 4]
    if not (
        _is_whole(image, bare, times)
        or bare != data
        and _is_whole(image, data, times)
        and not _is_whole(image, data[:-8], times)
    ):
        raise ValueError("picture rows are missing")


def _is_whole(image: Image.Image, data: bytes, times: int) -> bool:
    """Whether this part of a JPEG file holds all of the picture, which was reduced: what follows in place of more does not change it
    then."""
    with JpegImageFile(BytesIO(data + _FILLER + b"\xff\xd9")) as filled:
        if times > 1:
            filled.draft(None, (filled.width // times, filled.height // times))
        return ImageChops.difference(image, filled).getbbox() is None


def _to_rgb(image: Image.Image, data: bytes, signal: ColorSignal | None) -> Image.Image:
    """Mode RGB, sRGB, on white."""
    transparency, alpha = image.info.get("transparency"), None
    if image.mode.startswith("I") or image.mode == "F":
        grey = _to_grey(image)
        if isinstance(transparency, int):
            alpha = Image.fromarray(np.where(grey == transparency, 0, 255).astype(np.uint8))
        if signal and signal.profile is None:
            parts = (grey[top : top + 256] for top in range(0, len(grey), 256))  # to take no more room than it must
            image = Image.fromarray(np.concatenate([by_signal(np.dstack([band] * 3), signal) for band in parts]))
        else:
            image = convert(Image.fromarray((grey >> 8).astype(np.uint8) if grey.dtype == np.uint16 else grey), signal)
    elif bands := _sixteen_bit_bands(image, data) if transparency or signal and signal.profile is None else None:
        alpha = image.getchannel("A") if image.mode == "RGBA" else Image.new("L", image.size, 255)
        image = convert(image.convert("RGB"), signal if signal and signal.profile else None)
        for top, band in bands:
            if transparency:
                alpha.paste(Image.fromarray(np.where((band == transparency).all(2), 0, 255).astype(np.uint8)), (0, top))
            if signal and signal.profile is None:
                image.paste(Image.fromarray(by_signal(band, signal)), (0, top))
    else:
        if image.mode in _TRANSPARENT or transparency is not None:
            colorless = image.mode in ("1", "L", "LA", "La")
            unset = image.format == "BMP" or image.format == "TIFF" and 338 not in image.tag_v2  # type: ignore[attr-defined]
            image = image.convert("LA" if colorless else "RGBA")
            alpha, image = image.getchannel("A"), image.convert("L" if colorless else "RGB")
            if unset and alpha.getextrema() == (0, 0):  # a fourth byte that was never meant to be seen through
                alpha = None
        image = convert(image, signal)
    if alpha:
        background = Image.new("RGB", image.size, "white")
        background.paste(image, mask=alpha)
        image = background
    return image


def _sixteen_bit_bands(image: Image.Image, data: bytes) -> Iterator[tuple[int, np.ndarray]] | None:
    """Rows with their number, uint16 (H, W, 3), of a PNG picture of 16 bits a color, of which Pillow decodes 8; else None."""
    if image.format != "PNG" or (data[24], data[25]) not in ((16, 2), (16, 6)):
        return None

    def bands() -> Iterator[tuple[int, np.ndarray]]:
        with _open(data, "PNG") as lower:
            # In the other order of bytes what Pillow takes for the upper 8 bits are the lower ones.
            tiles = lower.tile  # type: ignore[attr-defined]
            lower.tile = [tile._replace(args=tile.args.replace(";16B", ";16L")) for tile in tiles]  # type: ignore[attr-defined]
            lower.load()
            for top in range(0, image.height, 256):
                box = (0, top, image.width, min(top + 256, image.height))
                upper, rest = (np.asarray(part.crop(box))[..., :3].astype(np.uint16) for part in (image, lower))
                yield top, upper << 8 | rest

    return bands()


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 also where the decoder has turned the picture already, and where EXIF is damaged."""
    if image.format == "HEIF":
        return 1
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        logging.getLogger(__name__).debug("unreadable EXIF", exc_info=True)
        return 1


def _to_grey(image: Image.Image) -> np.ndarray:
    """Grey of 16 or 32 bits or floating point: uint16 (H, W) of 16 bits, else uint8 (H, W)."""
    tags = getattr(image, "tag_v2", {})
    bits, white_is_zero = tags.get(258, (16,))[0], image.format == "TIFF" and tags.get(262, 0) == 0
    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.uint16) << (16 - bits)
        return ~grey if white_is_zero else grey

    signed = tags.get(339, (2,))[0] == 2

    def bands() -> Iterator[np.ndarray]:  # as one array, and in double precision, it would take several times the room
        for top in range(0, image.height, 256):
            band = np.asarray(image.crop((0, top, image.width, min(top + 256, image.height))))
            if image.mode == "I" and not signed:  # Pillow has no mode for these
                band = band.view(np.uint32)
            yield np.nan_to_num(band.astype(np.float32), posinf=0, neginf=0)

    largest = max(band.max() for band in bands())
    if image.mode == "I" and signed and bits == 16:
        white = 2**15 - 1
    else:
        # Sharpening leaves numbers beyond white, and linear light has brighter lamps than that.
        beyond = {1: 16, 255: 1.25 * 255, 65535: 1.25 * 65535} if image.mode == "F" else {1: 1, 255: 255, 65535: 65535}
        white = next((white for white, most in beyond.items() if largest <= most), largest)
    grey = np.concatenate([np.clip(band / white * 255, 0, 255).astype(np.uint8) for band in bands()])
    return ~grey if white_is_zero else grey
