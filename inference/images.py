"""Any picture file to upright RGB: the one place where input is limited and checked."""

import logging
import numpy as np
import warnings
from io import BytesIO
from pathlib import Path
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_BYTES = 30 * 2**20
MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")

Image.init()  # registers every format; by itself Pillow knows a few until one is missing


class ImageError(ValueError):
    """A picture cannot be used; the message says why and what to do, in words for the person who sent it."""


def load_image(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture.

    The first frame of an animation or of a multi-page file is used, transparency is laid on white, 16-bit grey is
    reduced to its upper 8 bits, and the EXIF orientation is applied.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: larger pictures are refused before they are decoded.

    Returns:
        uint8 (H, W, 3), RGB, contiguous.

    Raises:
        ImageError: the file is missing, empty, over 30 MB or `max_pixels`, damaged, or of no known format.
    """
    data = source if isinstance(source, bytes) else _read(Path(source))
    if not data:
        raise ImageError("The file is empty. Choose a photo in JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF format.")
    if len(data) > MAX_BYTES:
        raise ImageError(f"The file has {len(data) / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are read.")
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and of odd metadata; the limit below is ours.
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise ImageError(
                        f"The picture has {width:,} x {height:,} pixels; at most {max_pixels / 10**6:g} megapixels are "
                        "read. Make it smaller and try again."
                    )
                return _to_rgb(image)
    except ImageError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise ImageError(
            "This is not a picture that can be read, whatever its name says. Choose a photo in JPEG, PNG, WebP, GIF, "
            "BMP, TIFF or AVIF format."
        ) from None
    except Exception:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        logging.getLogger(__name__).debug("undecodable picture", exc_info=True)
        raise ImageError("The picture is damaged or cut off. Save or download it again.") from None


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file.") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}).") from None


def _to_rgb(image: Image.Image) -> np.ndarray:
    image.seek(0)
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_uint8(np.asarray(image)))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.ascontiguousarray(image if image.mode == "RGB" else image.convert("RGB"))


def _to_uint8(grey: np.ndarray) -> np.ndarray:
    """Grey of 16 or 32 bits or floating point to 8 bits."""
    if grey.dtype == np.uint16:
        return (grey >> 8).astype(np.uint8)
    grey = np.nan_to_num(grey.astype(np.float64), posinf=0, neginf=0)
    top = next((limit for limit in (1, 255, 65535) if grey.max() <= limit), grey.max())
    return np.clip(grey / top * 255, 0, 255).astype(np.uint8)
