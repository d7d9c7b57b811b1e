"""What a picture's file says of its colors, whichever way it says it, and the picture converted to sRGB by that."""

import logging
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import cast

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from .color import ADOBE_RGB, PRIMARIES, SRGB, TRANSFERS, Chromaticities, srgb_light, to_srgb

_SRGB_PROFILE = ImageCms.createProfile("sRGB")
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's mode of what an ICC profile is for."""
_PROBE = {
    "RGB": np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), -1).reshape(-1, 18, 3),
    "L": np.arange(256, dtype=np.uint8)[None],
}
_SAME = 2
"""Grey values: profiles of sRGB differ from one another by so much."""
_MAX_PROFILE = 2**24
_UNSPECIFIED = 2
"""As code points of ITU-T H.273."""
_GAMMA_TOLERANCE = 0.05
"""Relative: an exponent this close to 2.2 stands for sRGB's curve, as in libpng (PNG_GAMMA_THRESHOLD)."""
_CHROMATICITY_TOLERANCE = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class ColorSignal:
    """How the numbers of a picture are to be read.

    Attributes:
        profile: of ICC; what follows holds where there is none.
        chromaticities, light, full_range: as in inference.color.to_srgb.
    """

    profile: ImageCms.ImageCmsProfile | None = None
    chromaticities: Chromaticities = SRGB
    light: Callable[[np.ndarray], np.ndarray] = srgb_light
    full_range: bool = True


def read_signal(image: Image.Image, data: bytes) -> ColorSignal | None:
    """What a file says of its colors; None where that is sRGB, nothing, or nothing of use.

    Args:
        image: opened from the file.
        data: the whole file.
    """
    if image.format == "PNG":
        return _signal_of_png(data)
    profile = image.info.get("icc_profile")
    if image.format == "BMP" and len(data) >= 138 and data[14] >= 124 and data[70:74] == b"DEBM":
        offset, size = struct.unpack_from("<2I", data, 126)
        profile = data[14 + offset :][:size]
    if signal := signal_of_profile(profile):
        return signal
    if image.format in ("HEIF", "AVIF"):
        return _signal_of_box(image, data)
    if image.format == "BMP":
        return _signal_of_bmp(data)
    return _signal_of_tags(image)


def convert(image: Image.Image, signal: ColorSignal | None) -> Image.Image:
    """A picture of any mode without transparency as sRGB, mode RGB."""
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if signal is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    if signal.profile is not None:
        return _by_profile(image, signal.profile)
    return Image.fromarray(by_signal(np.asarray(image.convert("RGB")), signal))


def by_signal(pixels: np.ndarray, signal: ColorSignal) -> np.ndarray:
    """uint8 (H, W, 3) of uint8 or uint16 (H, W, 3), by a signal that is no profile."""
    try:
        return to_srgb(pixels, signal.chromaticities, signal.light, signal.full_range)
    except ValueError:
        logging.getLogger(__name__).debug("unusable chromaticities", exc_info=True)
        return to_srgb(pixels, SRGB, signal.light, signal.full_range)


def _by_profile(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    mode = _MODES.get(profile.profile.xcolor_space.strip())
    if mode == "RGB" and image.mode == "L":
        image = image.convert("RGB")
    if image.mode == mode:
        try:
            transform = ImageCms.buildTransform(profile, _SRGB_PROFILE, mode, "RGB")
            if mode in _PROBE:  # what is sRGB by its content stays as it is, to the last bit
                probe = Image.fromarray(_PROBE[mode])
                expected = np.asarray(probe.convert("RGB")).astype(int)
                if np.abs(np.asarray(ImageCms.applyTransform(probe, transform)) - expected).max() <= _SAME:
                    return image.convert("RGB")
            return ImageCms.applyTransform(image, transform)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            logging.getLogger(__name__).debug("unusable color profile", exc_info=True)
    return image.convert("RGB")


def signal_of_profile(profile: bytes | None) -> ColorSignal | None:
    """The same of an ICC profile alone, such as `info["icc_profile"]` of a PIL image."""
    if not profile:
        return None
    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        tags = struct.unpack_from(">I", profile, 128)[0]
        for place in range(132, 132 + 12 * min(tags, 100), 12):
            name, offset, size = struct.unpack_from(">4sII", profile, place)
            code = profile[offset : offset + size]
            if name == b"cicp" and len(code) == 12 and code[9] in (16, 18):  # its curves cannot tell high dynamic range
                return _signal_of_cicp(code[8], code[9], True)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, struct.error):
        logging.getLogger(__name__).debug("unusable color profile", exc_info=True)
        return None
    return ColorSignal(opened)


def _signal_of_cicp(primaries: int, transfer: int, full_range: bool) -> ColorSignal | None:
    if full_range and primaries not in PRIMARIES and transfer not in TRANSFERS:
        return None
    return ColorSignal(None, PRIMARIES.get(primaries, SRGB), TRANSFERS.get(transfer, srgb_light), full_range)


def _signal_of_box(image: Image.Image, data: bytes) -> ColorSignal | None:
    """By the box colr (ISO 23008-12) of a HEIC or AVIF file, of AVIF where it is silent by the compressed picture itself; matrix
    and range are the decoder's matter."""
    info = image.info
    if image.format == "AVIF":
        try:  # Pillow does not tell; libheif reads the boxes, also of pictures that it cannot decode
            info = pillow_heif.open_heif(data).info
        except Exception:
            logging.getLogger(__name__).debug("unreadable boxes", exc_info=True)
    box = info.get("nclx_profile", {})
    told = box.get("color_primaries", _UNSPECIFIED), box.get("transfer_characteristics", _UNSPECIFIED)
    if image.format == "AVIF" and _UNSPECIFIED in told:
        coded = _coded_colors(data)
        told = told[0] if told[0] != _UNSPECIFIED else coded[0], told[1] if told[1] != _UNSPECIFIED else coded[1]
    return _signal_of_cicp(*told, True)


def _coded_colors(data: bytes) -> tuple[int, int]:
    """ColourPrimaries and TransferCharacteristics (ITU-T H.273) that the first frame of an AVIF file says."""
    import av  # takes as much memory as all else here, and few files need it

    def open_nothing(*_):
        raise OSError("a picture is one file")

    try:
        options = {"format_whitelist": "mov", "codec_whitelist": "libdav1d"}
        with av.open(
            BytesIO(data), "r", container_options=options, metadata_errors="replace", io_open=open_nothing
        ) as file:
            frame = next(file.decode(video=0))
            return frame.color_primaries, frame.color_trc
    except (av.FFmpegError, IndexError, StopIteration):
        logging.getLogger(__name__).debug("unreadable frame", exc_info=True)
        return _UNSPECIFIED, _UNSPECIFIED


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG file: name, and all bytes with length, name and checksum; the last one may be cut off."""
    position = 8
    while position + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        yield name, data[position : position + length + 12]
        if name == b"IEND":
            break
        position += length + 12


def _signal_of_png(data: bytes) -> ColorSignal | None:
    """cICP before iCCP before sRGB before gAMA and cHRM (PNG, third edition, section 4.3)."""
    chunks: dict[bytes, bytes] = {}
    for name, chunk in _png_chunks(data):
        if name == b"IDAT":
            break
        chunks.setdefault(name, chunk[8:-4])
    if len(code := chunks.get(b"cICP", b"")) == 4 and code[2] == 0 and 2 not in code[:2]:
        return _signal_of_cicp(code[0], code[1], code[3] != 0)
    if signal := signal_of_profile(_inflate(chunks.get(b"iCCP", b"").partition(b"\0")[2][1:])):
        return signal
    if b"sRGB" in chunks:
        return None
    chromaticities, exponent = SRGB, 0.0
    if len(points := chunks.get(b"cHRM", b"")) == 32:
        numbers = [number / 100_000 for number in struct.unpack(">8I", points)]
        white, *colors = zip(numbers[::2], numbers[1::2])
        chromaticities = (*colors, white)
    if len(value := chunks.get(b"gAMA", b"")) == 4 and any(value):
        exponent = 100_000 / int.from_bytes(value)
    return _signal_of_measures(chromaticities, exponent)


def _inflate(data: bytes) -> bytes | None:
    if not data:
        return None
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(data, _MAX_PROFILE)
    except zlib.error:
        return None
    if unpacker.unconsumed_tail:
        raise ValueError("a color profile of more than 16 MB")
    return profile


def _signal_of_measures(chromaticities: Chromaticities, exponent: float) -> ColorSignal | None:
    """By what was measured, each of which may be next to sRGB's; an exponent of 0 is unknown."""
    if np.abs(np.array(chromaticities) - SRGB).max() < _CHROMATICITY_TOLERANCE:
        chromaticities = SRGB
    light = srgb_light
    if 0.1 < exponent < 10 and abs(exponent / 2.2 - 1) > _GAMMA_TOLERANCE:
        light = lambda signal: signal**exponent  # noqa: E731
    return None if chromaticities is SRGB and light is srgb_light else ColorSignal(None, chromaticities, light)


def _signal_of_bmp(data: bytes) -> ColorSignal | None:
    """LCS_CALIBRATED_RGB: the XYZ of red, green and blue, and exponents (BITMAPV4HEADER)."""
    if len(data) < 122 or data[14] < 108 or data[70:74] != bytes(4):
        return None
    ends = np.array(struct.unpack_from("<9i", data, 74)).reshape(3, 3) / 2**30
    if (ends.sum(axis=1) <= 0).any() or abs(ends[:, 1].sum() - 1) > 0.1:  # programs write other measures here
        return None
    points = [(x / (x + y + z), y / (x + y + z)) for x, y, z in (*ends, ends.sum(axis=0))]
    return _signal_of_measures(tuple(points), struct.unpack_from("<I", data, 114)[0] / 65536)


def _signal_of_tags(image: Image.Image) -> ColorSignal | None:
    """Adobe RGB by the tags of EXIF, as cameras write it (DCF 2.0), and the colorimetry of TIFF 6.0, section 20."""
    try:
        exif = image.getexif()
        details = exif.get_ifd(ExifTags.IFD.Exif)
        interoperability = exif.get_ifd(ExifTags.IFD.Interop) if ExifTags.IFD.Interop in details else {}
        index = interoperability.get(1, "")
        if details.get(ExifTags.Base.ColorSpace) == 2 or (index.startswith("R03") if isinstance(index, str) else False):
            return ColorSignal(None, ADOBE_RGB, lambda signal: signal ** (563 / 256))
        if image.format == "TIFF":
            tags = cast(TiffImagePlugin.TiffImageFile, image).tag_v2
            white, points = tags.get(318, SRGB[3]), tags.get(319)
            if points and len(points) == 6 and len(white) == 2:
                values = [float(value) for value in (*points, *white)]
                return _signal_of_measures(tuple(zip(values[::2], values[1::2])), 0.0)
    except Exception:
        logging.getLogger(__name__).debug("unreadable EXIF", exc_info=True)
    return None
