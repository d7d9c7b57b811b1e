"""What a picture file is, and whether decoding it can be afforded, from its bytes alone.

Pillow and the libraries below it bound the size of the picture, but not everything that a file makes them do: a few MB
can demand hours or all memory by thousands of scans, chunks or tags that each cost more than they take up. Real files
stay far below every limit here.
"""

import av
import itertools
import re
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from typing import BinaryIO

from .sentences import IfadeError

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

_MAX_SCANNED_PIXELS = 10**9
_MAX_SEGMENTS, _MAX_EXIF_SEGMENTS, _MAX_JUNK = 2000, 64, 2**16
_MAX_CHUNKS, _MAX_DATA_CHUNKS = 500, 100_000
_MAX_TEXT = 2**19
_PNG_PICTURE = {b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND"}
_EXIF_TEXTS, _XMP_TEXT = {b"Raw profile type exif", b"Raw profile type APP1"}, b"XML:com.adobe.xmp"
_MAX_TAGS, _MAX_TAG_NUMBERS, _MAX_TAG_BYTES = 2**12, 2**18, 2**25
_MAX_COPIES = 10**9
_MAX_SAMPLES = 100_000
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SIZE_TAGS = {256, 257, 258, 259, 273, 277, 278, 279, 322, 323, 324, 325}


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


def check_structure(data: bytes, format: str) -> None:
    """Refuse a file that would keep its decoder busy for very long or make it fill the memory.

    Raises:
        ImageError: it is such a file.
    """
    checks = {"JPEG": _check_jpeg, "PNG": _check_png, "HEIF": _check_heif, "AVIF": _check_avif}
    if check := checks.get(format):
        check(data)


def _jpeg_markers(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The markers of the first picture up to its end: code, bytes of junk before it where no scan has begun, end."""
    position, scans, marker = 2, 0, re.compile(rb"\xff([^\x00\xff\xd0-\xd8])")
    while found := marker.search(data, position):
        code, end = found[1][0], found.end()
        yield code, 0 if scans else found.start() - position, end
        if code == 0xD9:  # the end; a film or a second picture may follow
            break
        scans += code == 0xDA
        position = end + int.from_bytes(data[end : end + 2], "big")


def _check_jpeg(data: bytes) -> None:
    """Every scan goes over all pixels anew, even if it is a few bytes long, and EXIF is copied anew for each of its parts."""
    code = segments = exif = pixels = scans = 0
    for code, junk, end in _jpeg_markers(data):
        segments += 1
        exif += data.startswith(b"Exif", end + 2)
        if exif > _MAX_EXIF_SEGMENTS or segments > _MAX_SEGMENTS + scans or junk > _MAX_JUNK:
            raise ImageError("photo_many_parts")
        if code in _FRAMES and len(data) >= end + 7:
            height, width = struct.unpack_from(">HH", data, end + 3)
            pixels = max(pixels, width * height)
        scans += code == 0xDA
        if scans * pixels > _MAX_SCANNED_PIXELS:
            raise ImageError("photo_many_scans")
    if code != 0xD9 and 4 * scans * pixels > _MAX_SCANNED_PIXELS:  # what is missing is found by decoding again
        raise ImageError("photo_many_scans")


def jpeg_end(data: bytes) -> int | None:
    """Where the end marker of the first picture of a JPEG file begins, if it has one."""
    return next((end - 2 for code, _, end in _jpeg_markers(data) if code == 0xD9), None)


def jpeg_frame(data: bytes) -> tuple[bool, int, int] | None:
    """Whether the JPEG file that begins so is without loss, as the numbers of sensors are stored, and its width and height in
    pixels; None for what is no such file."""
    frame = None
    if data.startswith(b"\xff\xd8\xff"):
        for code, _, end in itertools.islice(_jpeg_markers(data), _MAX_SEGMENTS):
            if code in _FRAMES and len(data) >= end + 8:
                height, width, parts = struct.unpack_from(">HHB", data, end + 3)
                lossless = code in (0xC3, 0xC7, 0xCB, 0xCF)
                frame = lossless, width * parts if lossless else width, height
            if code == 0xDA:
                return frame
    return None


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG file: name, and all bytes with length, name and checksum; the last one may be cut off."""
    position = 8
    while position + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        yield name, data[position : position + length + 12]
        if name == b"IEND":
            break
        position += length + 12


def _check_png(data: bytes) -> None:
    """Every chunk is read by Python."""
    chunks = data_chunks = 0
    for name, _ in png_chunks(data):
        if name in (b"IDAT", b"fdAT", b"fcTL"):
            data_chunks += 1
        else:
            chunks += 1
        if chunks > _MAX_CHUNKS or data_chunks > _MAX_DATA_CHUNKS:
            raise ImageError("photo_many_parts")


def png_picture(data: bytes) -> bytes:
    """A PNG file without what Pillow would unpack though no pixel depends on it: texts, the color profile, later frames."""
    return data[:8] + b"".join(
        chunk for name, chunk in png_chunks(data) if name in _PNG_PICTURE or _tells_orientation(chunk)
    )


def _tells_orientation(chunk: bytes) -> bool:
    """Whether this is one of the texts in which older programs keep EXIF and XMP, of moderate size."""
    keyword, _, text = chunk[8:-4].partition(b"\0")
    if chunk[4:8] == b"zTXt" and keyword in _EXIF_TEXTS:
        try:
            text = zlib.decompressobj().decompress(text[1:], _MAX_TEXT)
        except zlib.error:
            return False
    elif not (chunk[4:8] == b"tEXt" and keyword in _EXIF_TEXTS or chunk[4:8] == b"iTXt" and keyword == _XMP_TEXT):
        return False
    return len(text) < _MAX_TEXT and not (chunk[4:8] == b"iTXt" and text[:1] != b"\0")


def gif_picture(data: bytes) -> bytes:
    """A GIF file without what stands before the first frame but its control: comments and XMP, which Pillow joins in Python
    block by block."""
    flags = data[10] if len(data) > 10 else 0
    start = position = 13 + (6 << (flags & 7) if flags & 128 else 0)
    control = b""
    while data[position : position + 1] == b"!":
        extension = position
        position += 2
        while length := int.from_bytes(data[position : position + 1]):
            position += 1 + length
        position += 1
        if data[extension + 1 : extension + 2] == b"\xf9":
            control = data[extension:position]
    return data[:start] + control + data[position:]


def _check_heif(data: bytes) -> None:
    """All metadata are read once for every picture that the file shows, and an overlay decodes each of its parts."""
    pictures = len(re.findall(rb"infe[\x02\x03]\0\0\0", data))
    if pictures * len(data) > _MAX_COPIES or re.search(rb"infe[\x02\x03].{7,9}iovl", data, re.DOTALL):
        raise ImageError("photo_many_parts")


# The boxes by whose numbers FFmpeg makes room, with that number; also where one begins within another.
_COUNTS = re.compile(rb"(?=(?:st(?:sz|z2).{8}|(?:trun|stco|co64).{4})(.{4})|stsc.{4}(.{4})|(cmov))", re.DOTALL)


def _check_avif(data: bytes) -> None:
    """FFmpeg makes room for as many samples as a box says that there are, even if none of them is there.

    It looks for these boxes in most others; here they are sought in all bytes but those of the pictures themselves.
    """
    _check_heif(data)  # libheif reads what the file says of its colors
    position = boxes = samples = 0
    while position + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8]), start + 8
        end = min(position + size, len(data)) if size else len(data)
        boxes += 1
        if end < start or boxes > _MAX_CHUNKS:
            raise ImageError("photo_many_parts")
        for found in () if name == b"mdat" else _COUNTS.finditer(data, start, end + 16):
            number, rows, compressed = found.groups()
            if rows:  # first chunk, samples in each chunk, description
                table = data[found.end(2) : found.end(2) + 12 * min(int.from_bytes(rows), _MAX_SAMPLES)]
                samples += sum(row[1] for row in struct.iter_unpack(">3I", table[: len(table) // 12 * 12]))
            samples += int.from_bytes(number or b"")
            if samples > _MAX_SAMPLES or compressed:
                raise ImageError("photo_many_parts")
        position = end


def check_opened(image: Image.Image, data: bytes, max_pixels: int) -> tuple[int, int] | None:
    """Refuse an opened picture that is decoded in parts which are larger or more than the picture.

    Returns:
        ColourPrimaries and TransferCharacteristics (ITU-T H.273) by the compressed picture itself, of an AVIF file.

    Raises:
        ImageError: it is such a picture.
        av.FFmpegError: it is an AVIF that cannot be decoded.
    """
    tile_width, tile_height = (getattr(image, "tag_v2", {}).get(tag, 0) for tag in (322, 323))
    parts = sum((right - left) * (bottom - top) for _, (left, top, right, bottom), *_ in image.tile)
    if tile_width * tile_height > max_pixels or parts > 8 * image.width * image.height:
        raise ImageError("photo_odd_parts")
    return _check_avif_frames(data, image.width * image.height, max_pixels) if image.format == "AVIF" else None


def _check_avif_frames(data: bytes, pixels: int, max_pixels: int) -> tuple[int, int] | None:
    """Pillow's decoder allows 268 megapixels for every part and scales them down to the size that the file tells.

    dav1d has a limit, which FFmpeg passes on: a larger frame is refused before there is room for it.
    """
    most, decoded, coded = 8 * pixels + 2**20, set(), None
    # Without a decoder FFmpeg opens the file by its boxes alone.
    options = {"format_whitelist": "mov", "codec_whitelist": "none"}
    with av.open(BytesIO(data), container_options=options, metadata_errors="replace", io_open=_open_nothing) as file:
        for packet in file.demux():
            if packet.stream.index in decoded or not packet.size:
                continue
            decoded.add(packet.stream.index)
            decoder = av.CodecContext.create("libdav1d", "r")
            decoder.thread_count, decoder.options = 1, {"max_pixels": str(min(most, max_pixels))}
            try:
                frames = decoder.decode(packet) + decoder.decode(None)
            except OverflowError:
                raise ImageError("photo_odd_parts") from None
            most -= sum(frame.width * frame.height for frame in frames)
            if most < 0:
                raise ImageError("photo_odd_parts")
            if frames and coded is None:
                coded = frames[0].color_primaries, frames[0].color_trc
    if not decoded:  # where FFmpeg does not look for them
        raise ImageError("photo_odd_parts")
    return coded


def _open_nothing(*_) -> None:
    raise OSError("a picture is one file")


_load_directory = ImageFileDirectory_v2.load


def _load_checked_directory(self: ImageFileDirectory_v2, fp: BinaryIO) -> None:
    """What Pillow does, if that can be afforded."""
    start = fp.tell()
    count_form, entry_form = ("Q", "HHQ8x") if self._bigtiff else ("H", "HHL4x")
    count_form, entry_form = struct.Struct(self._endian + count_form), struct.Struct(self._endian + entry_form)
    counted = fp.read(count_form.size)
    tags = count_form.unpack(counted)[0] if len(counted) == count_form.size else 0
    if tags > _MAX_TAGS:
        raise ImageError("photo_many_tags")
    entries = fp.read(tags * entry_form.size)
    whole = len(entries) // entry_form.size * entry_form.size
    numbers = size = 0
    seen = set()
    for tag, kind, count in entry_form.iter_unpack(entries[:whole]):
        if tag in seen:  # Pillow takes the last one, the decoder the first
            raise ImageError("photo_odd_parts")
        seen |= {tag} & _SIZE_TAGS
        unit = self._load_dispatch[kind][0] if kind in self._load_dispatch else 0
        size += count * unit
        numbers += count if unit and kind not in (1, 2, 7) else 0  # bytes and texts stay as they are
    if numbers > _MAX_TAG_NUMBERS or size > _MAX_TAG_BYTES:
        raise ImageError("photo_large_tags")
    fp.seek(start)
    _load_directory(self, fp)


# The tags of TIFF, and of EXIF in every format, some of which are read at opening already. Pillow reads as much for each as
# the tag says, also if a hundred tags name the same ten megabytes.
ImageFileDirectory_v2.load = _load_checked_directory
