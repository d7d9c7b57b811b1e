"""Any picture file to upright RGB: the one place where input is limited and checked."""

import logging
import numpy as np
import os
import stat
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from PIL import ExifTags, Image, ImageCms, ImageOps
from pillow_heif import register_heif_opener

from inference.image_checks import CHOOSE, SUFFIXES, ImageError, check_opened, check_structure, find_format

__all__ = ["MAX_BYTES", "MAX_PIXELS", "MAX_SIDE", "SUFFIXES", "ImageError", "load_image", "to_rgb"]

MAX_BYTES = 30 * 2**20
MAX_PIXELS = 50_000_000
MAX_SIDE = 30_000
"""OpenCV turns no picture with a longer side than 32,766."""

Image.init()  # registers every format; by itself Pillow knows a few until one is missing
register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

_SRGB = ImageCms.createProfile("sRGB")
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


def load_image(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture.

    The content decides what it is, not the name. The first frame of an animation, the first page of a TIFF file and the
    main picture of a HEIC file is used, transparency is laid on white, 16-bit grey is reduced to its upper 8 bits, colours
    are converted to sRGB where the file holds a usable profile of others, and the picture is turned as it is meant to be
    seen.

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
        raise ImageError(f"The file is empty. {CHOOSE}")
    if len(data) > MAX_BYTES:
        raise ImageError(f"The file has more than {MAX_BYTES // 2**20} MB, which is the most that is read.")
    format = find_format(data)
    check_structure(data, format)
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and of odd metadata; the limits here are ours.
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(data), formats=[format]) as image:
                _check_size(image, max_pixels)
                check_opened(image, data, max_pixels)
                return _to_rgb(image)
    except ImageError:
        raise
    except (Image.DecompressionBombError, MemoryError):
        raise ImageError(
            f"The picture is too large; at most {max_pixels / 10**6:g} megapixels are read. Make it smaller and try again."
        ) from None
    except Exception:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        logging.getLogger(__name__).debug("undecodable picture", exc_info=True)
        raise ImageError(
            "The picture is damaged, cut off or of a rare kind that is not read. Download it again, or save it as JPEG or PNG."
        ) from None


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for ever, and a device has no end
            raise ImageError(f"{path}: cannot be read (it is no file, but a folder, a pipe or a device).")
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file.") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}).") from None


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(
            f"The picture has {width:,} x {height:,} pixels; at most {max_pixels / 10**6:g} megapixels are read. Make it "
            "smaller and try again."
        )
    if max(width, height) > MAX_SIDE:
        raise ImageError(
            f"The picture has {width:,} x {height:,} pixels; at most {MAX_SIDE:,} are read on a side. Cut it or make it "
            "smaller and try again."
        )


def _to_rgb(image: Image.Image) -> np.ndarray:
    image.load()
    orientation = _orientation(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_uint8(image))
    profile = image.info.get("icc_profile")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        background = Image.new("RGB", image.size, "white")
        background.paste(image, mask=image.getchannel("A"))
        image = background
    image = _to_srgb(image, profile)
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    return np.ascontiguousarray(image)


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


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Mode RGB, converted from the color profile of the file, unless that is sRGB, damaged or for another kind of picture."""
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                return ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            logging.getLogger(__name__).debug("unusable color profile", exc_info=True)
    return image.convert("RGB")


def _to_uint8(image: Image.Image) -> np.ndarray:
    """Grey of 16 or 32 bits or floating point to 8 bits: uint8 (H, W)."""

    def bands() -> Iterator[np.ndarray]:  # as one array, and in double precision, it would take several times the room
        for top in range(0, image.height, 256):
            yield np.asarray(image.crop((0, top, image.width, min(top + 256, image.height))))

    def finite(band: np.ndarray) -> np.ndarray:
        return np.nan_to_num(band.astype(np.float64), posinf=0, neginf=0)

    if image.mode.startswith("I;16"):
        return np.concatenate([(band >> 8).astype(np.uint8) for band in bands()])
    largest = max(finite(band).max() for band in bands())
    top = next((limit for limit in (1, 255, 65535) if largest <= limit), largest)
    return np.concatenate([np.clip(finite(band) / top * 255, 0, 255).astype(np.uint8) for band in bands()])


def to_rgb(source: str | os.PathLike | bytes | Image.Image | np.ndarray, bgr: bool = False) -> np.ndarray:
    """What a program has of a picture, as the rest of the package wants it.

    Args:
        source: a path or a file's bytes, for `load_image`; a PIL image, which is turned upright, laid on white and converted to
            sRGB as there; or an array, uint8 (H, W, 3) RGB, (H, W, 4) RGBA, which is laid on white, or (H, W) grey.
        bgr: an array has its colors in OpenCV's order, BGR or BGRA, which its values do not tell.

    Returns:
        uint8 (H, W, 3), RGB, contiguous.

    Raises:
        ImageError: see `load_image`.
        TypeError, ValueError: it is nothing of these; the message says what it is.
    """
    if isinstance(source, str | os.PathLike | bytes):
        return load_image(source if isinstance(source, bytes) else Path(source))
    if isinstance(source, Image.Image):
        return _from_pil(source)
    if source is None:
        raise TypeError("None is no picture (cv2.imread gives None for a file that it cannot read).")
    if not isinstance(source, np.ndarray):
        raise TypeError(
            f"a picture must be a path, a file's bytes, a PIL image or a numpy array, not {type(source).__name__}"
        )
    channels = source.shape[2] if source.ndim == 3 else 1
    if source.dtype != np.uint8 or source.ndim not in (2, 3) or channels not in (1, 3, 4) or 0 in source.shape:
        raise ValueError(
            "a picture must be uint8 (0 to 255) of shape (height, width, 3), (height, width, 4) or (height, width), "
            f"not {source.dtype} {source.shape}"
        )
    if max(source.shape[:2]) > MAX_SIDE:
        raise ValueError(f"a picture may have at most {MAX_SIDE:,} pixels on a side, not {max(source.shape[:2]):,}")
    if channels == 1:
        return np.dstack([source.reshape(source.shape[:2])] * 3)
    if bgr:
        source = source[..., [2, 1, 0, 3][:channels]]
    if channels == 4:
        alpha = source[..., 3:].astype(np.uint16)
        source = ((source[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(source)


def _from_pil(image: Image.Image) -> np.ndarray:
    if 0 in image.size or max(image.size) > MAX_SIDE:
        raise ValueError(f"a picture must have 1 to {MAX_SIDE:,} pixels on a side, not {image.size}")
    if image.mode in ("I", "F"):
        raise ValueError(f"a PIL image of mode {image.mode} has no fixed white; convert it to mode L or RGB first")
    try:
        image, profile = ImageOps.exif_transpose(image), image.info.get("icc_profile")
    except OSError as error:  # the file behind it is read only now
        raise ImageError(f"The PIL image cannot be read ({error}).") from None
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return np.ascontiguousarray(_to_srgb(image, profile))
