"""What a program has of a picture to upright RGB: paths, PIL images, arrays in either order of colors."""

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from .image_color import convert, signal_of_profile
from .images import MAX_SIDE, ImageError, Photograph, load_image, load_photograph

Picture = str | os.PathLike | bytes | Image.Image | np.ndarray | Photograph
"""A path, a file's bytes, a PIL image, an upright array, uint8 (H, W, 3) RGB (or RGBA, or grey), or what `load_photograph` gives."""


def to_photograph(source: Picture, bgr: bool = False) -> Photograph:
    """What a program has of a picture, as `to_rgb` takes it, at the size at which it is looked at first.

    Raises:
        ImageError, TypeError, ValueError: as there.
    """
    if isinstance(source, Photograph):
        return source
    if isinstance(source, str | os.PathLike | bytes):
        return load_photograph(source if isinstance(source, bytes) else Path(source))
    return Photograph(to_rgb(source, bgr))


def to_rgb(source: Picture, bgr: bool = False) -> np.ndarray:
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
    if isinstance(source, Photograph):
        return source.whole()
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
        image, signal = ImageOps.exif_transpose(image), signal_of_profile(image.info.get("icc_profile"))
    except OSError as error:  # the file behind it is read only now
        raise ImageError("pil_image", reason=error) from None
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return np.ascontiguousarray(convert(image, signal))
