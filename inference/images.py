"""Any picture file to upright RGB: the one place where input is limited and checked."""

import logging
import numpy as np
import os
import stat
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from PIL import ExifTags, Image, ImageChops, TiffImagePlugin
from PIL.JpegImagePlugin import JpegImageFile
from pillow_heif import register_heif_opener

from .image_checks import (
    SUFFIXES,
    ImageError,
    check_opened,
    check_structure,
    find_format,
    gif_picture,
    jpeg_end,
    png_picture,
)
from .image_color import ColorSignal, by_signal, convert, read_signal
from .tiff_pages import find_picture

__all__ = ["MAX_BYTES", "MAX_PIXELS", "MAX_SIDE", "SUFFIXES", "ImageError", "load_image"]

MAX_BYTES = 30 * 2**20
MAX_PIXELS = 50_000_000
MAX_SIDE = 30_000
"""OpenCV turns no picture with a longer side than 32,766."""

Image.init()  # registers every format; by itself Pillow knows a few until one is missing
register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

for (order, light, *kind), modes in list(TiffImagePlugin.OPEN_INFO.items()):
    if light == 1 and modes[0] in (
        "I",
        "F",
        "I;16",
        "I;16B",
    ):  # with white as 0 Pillow knows some of these; see _to_grey
        TiffImagePlugin.OPEN_INFO.setdefault((order, 0, *kind), modes)

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

_TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")
_MISSING = 128
"""Grey of what libjpeg did not find in a file."""
_FILLER = bytes(range(254, 0, -1)) * 16
"""Stands in for missing data of a JPEG picture, for which libjpeg takes zeros; behind a complete one it is skipped."""


def load_image(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture.

    The content decides what it is, not the name. The first frame of an animation, the first page of a TIFF file and the
    main picture of a HEIC file is used; where a TIFF file begins with a preview, as those of cameras do, the full picture.
    Colors are converted to sRGB by what the file says of them: an ICC profile, the code points that videos have too, or
    primaries and gamma; high dynamic range becomes standard. Transparency is laid on white, 16-bit grey is reduced to its
    upper 8 bits, and the picture is turned as it is meant to be seen.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: larger pictures are refused before they are decoded.

    Returns:
        uint8 (H, W, 3), RGB, contiguous.

    Raises:
        ImageError: the file is missing, no regular file, empty, over 30 MB, `max_pixels` or 30,000 pixels on a side, damaged,
            made to be a burden, or of no known format.
    """
    data = source if isinstance(source, bytes) else _read(Path(source))
    if not data:
        raise ImageError("photo_empty")
    if len(data) > MAX_BYTES:
        raise ImageError("photo_bytes", megabytes=MAX_BYTES // 2**20)
    return _decode(data, max_pixels)


def _decode(data: bytes, max_pixels: int, orientation: int | None = None) -> np.ndarray:
    """Of the content of a file; an orientation that is given goes before the file's own."""
    format = find_format(data)
    check_structure(data, format)
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and of odd metadata; the limits here are ours.
            warnings.simplefilter("ignore")
            if format == "TIFF":
                page = find_picture(data)
                if find_format(page.data) != format:
                    return _decode(page.data, max_pixels, page.orientation)
                data, orientation = page.data, page.orientation
            with _open(data, format) as image:
                _check_size(image, max_pixels)
                coded = check_opened(image, data, max_pixels)
                signal = read_signal(image, data, coded)
                image.load()
                if format == "JPEG":
                    _check_rows(image, data)
                pixels = _to_rgb(image, data, signal)
                return np.ascontiguousarray(_turn(pixels, orientation or _orientation(image)))
    except ImageError:
        raise
    except (Image.DecompressionBombError, MemoryError):
        raise ImageError("photo_megapixels", megapixels=max_pixels / 10**6) from None
    except Exception:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        logging.getLogger(__name__).debug("undecodable picture", exc_info=True)
        raise ImageError("photo_damaged") from None


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for ever, and a device has no end
            raise ImageError("file_irregular", path=path)
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ImageError("file_missing", path=path) from None
    except OSError as error:
        raise ImageError("file_unreadable", path=path, reason=error.strerror) from None


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError("photo_pixels", width=width, height=height, megapixels=max_pixels / 10**6)
    if max(width, height) > MAX_SIDE:
        raise ImageError("photo_side", width=width, height=height, most=MAX_SIDE)


def _open(data: bytes, format: str) -> Image.Image:
    if format == "JPEG":  # by its own class: a list of further pictures, which may be odd, does not matter
        return JpegImageFile(BytesIO(data + b"\xff\xd9"))  # an end, in case that it lacks its own
    bare = {"PNG": png_picture, "GIF": gif_picture}.get(format)
    return Image.open(BytesIO(bare(data) if bare else data), formats=[format])


def _check_rows(image: Image.Image, data: bytes) -> None:
    """Refuse a JPEG picture of which the end is missing, with an end marker or without: libjpeg leaves that grey, silently."""
    end = jpeg_end(data)
    if end is not None:
        corner = np.ravel(image.getpixel((image.width - 1, image.height - 1)))
        if np.abs(corner - _MISSING).max() <= 1 and not _is_whole(image, data[:end]):
            raise ValueError("picture rows are missing")
        return
    # Zeros may be room that was never written, or belong to the picture, the last of which need them all.
    data = data.rstrip(b"\xff")  # half an end marker
    bare = data[: len(data.rstrip(b"\0")) + 4]
    if not (_is_whole(image, bare) or bare != data and _is_whole(image, data) and not _is_whole(image, data[:-8])):
        raise ValueError("picture rows are missing")


def _is_whole(image: Image.Image, data: bytes) -> bool:
    """Whether this part of a JPEG file holds all of the picture: what follows in place of more does not change it then."""
    with JpegImageFile(BytesIO(data + _FILLER + b"\xff\xd9")) as filled:
        return ImageChops.difference(image, filled).getbbox() is None


def _to_rgb(image: Image.Image, data: bytes, signal: ColorSignal | None) -> Image.Image:
    """Mode RGB, sRGB, on white."""
    transparency, alpha = image.info.get("transparency"), None
    if image.mode.startswith("I") or image.mode == "F":
        grey = _to_grey(image)
        if isinstance(transparency, int):
            alpha = Image.fromarray(np.where(grey == transparency, 0, 255).astype(np.uint8))
        if signal and signal.profile is None:
            bands = (grey[top : top + 256] for top in range(0, len(grey), 256))  # to take no more room than it must
            image = Image.fromarray(np.concatenate([by_signal(np.dstack([band] * 3), signal) for band in bands]))
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
            grey = image.mode in ("1", "L", "LA", "La")
            unset = image.format == "BMP" or image.format == "TIFF" and 338 not in image.tag_v2
            image = image.convert("LA" if grey else "RGBA")
            alpha, image = image.getchannel("A"), image.convert("L" if grey else "RGB")
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
            lower.tile = [tile._replace(args=tile.args.replace(";16B", ";16L")) for tile in lower.tile]
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
    except ImageError:
        raise
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
