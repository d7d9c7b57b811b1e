"""Which of the pictures in a TIFF file is the full one: the files of cameras (DNG, CR2, NEF, ARW) and others begin with a preview."""

import struct
from dataclasses import dataclass
from io import BytesIO

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from .image_checks import ImageError
from .jpeg import jpeg_frame

_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION = 256, 257, 259, 262, 274
_NEW_SUBFILE, _SUBFILE, _SUB_DIRECTORIES = 254, 255, 330
_STRIPS, _STRIP_BYTES, _TILES, _JPEG, _JPEG_BYTES = 273, 279, 324, 513, 514
_SENSOR = (32803, 34892, 52527)
"""Photometric interpretations of what a sensor has measured: a color filter array, linear raw, depth."""
_SENSOR_COMPRESSIONS = (34713, 32767, 32769, 32770, 65535, 34892, 52546)
"""The compressions of what a sensor has measured, of Nikon, Sony, Epson, Samsung, Pentax and DNG."""
_MAX_DIRECTORIES, _MAX_HEAD = 64, 2**20
_FULL = 0.85
"""Part of the sensor's pixels from which on a picture is the full one: cameras cut the margins off."""


@dataclass(frozen=True, slots=True, eq=False)
class TiffPicture:
    """Where the full picture is.

    Attributes:
        data: a file of its own, TIFF or JPEG.
        orientation: of EXIF, 1 to 8, by the first directory; None where the picture's own holds.
    """

    data: bytes
    orientation: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Directory:
    place: int
    pixels: int
    below: bool
    """Whether the first directory names it as belonging to its picture."""
    reduced: bool
    sensor: bool
    orientation: int | None
    jpeg: slice | None
    """Where the JPEG file is that it points to, if it does."""


def find_picture(data: bytes) -> TiffPicture:
    """The first page, or where that is a reduced picture or a sensor's numbers the largest full one in the file.

    Raises:
        ImageError: it is a camera's raw file without a full picture.
    """
    directories = _read_directories(data)
    if not directories:
        return TiffPicture(data)
    first = directories[0]
    sensor = max((entry.pixels for entry in directories if entry.sensor), default=0)
    pictures = [entry for entry in directories if not entry.sensor and entry.pixels]
    if not sensor:
        if not first.reduced:  # an ordinary file; the next pages are other pictures
            pictures = [first, *(entry for entry in pictures if entry.below)]
        pictures = [entry for entry in pictures if not entry.reduced] or pictures
    best = max(pictures, key=lambda entry: entry.pixels, default=None)
    if best is None or best.pixels < _FULL * sensor:
        raise ImageError("photo_raw_preview")
    orientation = best.orientation or first.orientation
    if best.jpeg:
        return TiffPicture(data[best.jpeg], orientation)
    if best is first:
        return TiffPicture(data)
    form, place = _pointer(data)
    whole = data[:place] + struct.pack(form, best.place) + data[place + struct.calcsize(form) :]
    return TiffPicture(whole, None if best.orientation else orientation)


def _pointer(data: bytes) -> tuple[str, int]:
    """The form of the place of the first directory, and where it stands."""
    order = "<" if data[:2] == b"II" else ">"
    return (order + "Q", 8) if 43 in data[2:4] else (order + "I", 4)


def _read_directories(data: bytes) -> list[_Directory]:
    form, place = _pointer(data)
    if len(data) < 16:
        return []
    file = BytesIO(data)
    found: list[_Directory] = []
    waiting, seen = [(struct.unpack_from(form, data, place)[0], False)], set()
    while waiting and len(found) < _MAX_DIRECTORIES:
        place, below = waiting.pop(0)
        if place in seen or not 0 < place < len(data):
            continue
        seen.add(place)
        tags = ImageFileDirectory_v2(data[:16] if form.endswith("Q") else data[:8])
        file.seek(place)
        tags.load(file)
        found.append(_directory(data, place, tags, below))
        subs = [(number, below or len(found) == 1) for number in _numbers(tags, _SUB_DIRECTORIES)]
        waiting = [*subs, *waiting, (tags.next or 0, below)]
    return found


def _directory(data: bytes, place: int, tags: ImageFileDirectory_v2, below: bool) -> _Directory:
    def number(tag: int) -> int:
        return next(iter(_numbers(tags, tag)), 0)

    kind, pixels, strips = number(_NEW_SUBFILE), number(_WIDTH) * number(_HEIGHT), _numbers(tags, _STRIPS)
    sensor = number(_PHOTOMETRIC) in _SENSOR or number(_COMPRESSION) in _SENSOR_COMPRESSIONS
    start, end, jpeg = 0, 0, None
    if number(_COMPRESSION) == 6 or not (strips or _TILES in tags):
        start, end = number(_JPEG), number(_JPEG) + number(_JPEG_BYTES)
        if not start and len(strips) == 1:
            start, end = strips[0], strips[0] + number(_STRIP_BYTES)
    if start and not sensor and (frame := jpeg_frame(data[start : min(end, start + _MAX_HEAD)])):
        sensor, width, height = frame  # Canon's files do not say otherwise what is a sensor's
        pixels, jpeg = width * height, None if sensor else slice(start, end)
    orientation = number(_ORIENTATION)
    return _Directory(
        place=place,
        below=below,
        pixels=0 if kind & 4 else pixels,  # a mask is no picture
        reduced=bool(kind & 1) or number(_SUBFILE) == 2,
        sensor=sensor,
        orientation=orientation if 1 <= orientation <= 8 else None,
        jpeg=jpeg,
    )


def _numbers(tags: ImageFileDirectory_v2, tag: int) -> list[int]:
    try:
        value = tags.get(tag, ())
    except Exception:  # of another type than the standard says
        return []
    values = value if isinstance(value, tuple) else (value,)
    return [number for number in values if isinstance(number, int)]
