"""What the markers of a JPEG file tell, where its decoder does not."""

import itertools
import re
import struct
from collections.abc import Iterator

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_MAX_SEGMENTS = 2000


def _markers(data: bytes) -> Iterator[tuple[int, int]]:
    """The markers of the first picture up to its end: code, and where what it says begins."""
    position, marker = 2, re.compile(rb"\xff([^\x00\xff\xd0-\xd8])")
    while found := marker.search(data, position):
        code, end = found[1][0], found.end()
        yield code, end
        if code == 0xD9:  # the end; a film or a second picture may follow
            break
        position = end + int.from_bytes(data[end : end + 2], "big")


def jpeg_end(data: bytes) -> int | None:
    """Where the end marker of the first picture of a JPEG file begins, if it has one."""
    return next((end - 2 for code, end in _markers(data) if code == 0xD9), None)


def jpeg_frame(data: bytes) -> tuple[bool, int, int] | None:
    """Whether the JPEG file that begins so is without loss, as the numbers of sensors are stored, and its width and height in
    pixels; None for what is no such file."""
    frame = None
    if data.startswith(b"\xff\xd8\xff"):
        for code, end in itertools.islice(_markers(data), _MAX_SEGMENTS):
            if code in _FRAMES and len(data) >= end + 8:
                height, width, parts = struct.unpack_from(">HHB", data, end + 3)
                lossless = code in (0xC3, 0xC7, 0xCB, 0xCF)
                frame = lossless, width * parts if lossless else width, height
            if code == 0xDA:
                return frame
    return None
