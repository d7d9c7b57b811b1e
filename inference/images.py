"""Any picture file to upright RGB: the one place where input is limited and checked."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .decoding import shared_decoders
from .image_checks import MAX_BYTES, MAX_PIXELS, MAX_SIDE, SUFFIXES, ImageError

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "SUFFIXES",
    "ImageError",
    "Photograph",
    "load_image",
    "load_photograph",
]

ENOUGH_PIXELS = 2_900_000
"""To no less is a large photograph reduced while it is decoded: one of 12 megapixels, as most cameras take, to a half of its sides."""


class Photograph:
    """A picture at the size at which it is looked at first, of which all pixels are decoded when they are needed.

    Args:
        pixels: uint8 (H, W, 3), RGB, upright.
        times: how many times its sides were reduced.
        size: width and height of the whole; default: those of the pixels.
        decode: gives the whole, uint8 (height, width, 3); needed where the pixels are not it.

    Attributes:
        pixels, times: as given.
        width, height: of the whole.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        times: int = 1,
        size: tuple[int, int] | None = None,
        decode: Callable[[], np.ndarray] | None = None,
    ):
        self.pixels, self.times = pixels, times
        self.width, self.height = size or (pixels.shape[1], pixels.shape[0])
        self._decode, self._whole = decode, pixels if times == 1 else None

    @staticmethod
    def of(picture: "np.ndarray | Photograph") -> "Photograph":
        """The photograph itself; of an array, uint8 (H, W, 3), one that is whole."""
        return picture if isinstance(picture, Photograph) else Photograph(picture)

    def whole(self) -> np.ndarray:
        """All pixels, uint8 (height, width, 3)."""
        if self._whole is None:
            assert self._decode is not None
            self._whole = self._decode()
        return self._whole

    def best(self) -> tuple[np.ndarray, int]:
        """The whole, where it was decoded already, or else the reduced one; and how many times it is reduced."""
        return (self.pixels, self.times) if self._whole is None else (self._whole, 1)


def load_image(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture, in another process, which is limited in time and memory.

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
    return shared_decoders.decode(data, max_pixels)


def load_photograph(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> Photograph:
    """A picture file at the size at which it is looked at first: a JPEG file of four times ENOUGH_PIXELS and more has a half, a fourth
    or an eighth of its sides, which takes a fraction of the time; all others are whole.

    Args:
        source, max_pixels: as for `load_image`.

    Raises:
        ImageError: as there; `Photograph.whole` may raise it too.
    """
    data = source if isinstance(source, bytes) else _read(Path(source))
    pixels, times, size = shared_decoders.decode_reduced(data, max_pixels, ENOUGH_PIXELS)
    return Photograph(pixels, times, size, lambda: shared_decoders.decode(data, max_pixels))


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
