"""Video files: pictures with their times, read from what FFmpeg knows.

Another process decodes them (`inference.video_decoding`), which is limited in time and memory and ended with the reading; its pipe
holds so little that it is no more than some pictures ahead.
"""

import contextlib
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .decoding import KEPT_BLOCKS, WALL, DecoderEnded, DecoderProcess
from .processors import usable_processors
from .sentences import IfadeError

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".vob"),
    *(".mts", ".m2ts", ".flv", ".wmv", ".asf", ".ogv"),
)
"""What counts as a video in a folder. Transport streams named .ts are read too, but most .ts files are no videos."""

RATE = 10.0
"""Pictures a second unless another rate is asked for: an expression lasts half a second or longer."""
LONGEST = 1920
"""Longest side of a picture in pixels; larger ones are scaled down."""
MAX_PIXELS = 8192 * 4320
"""Larger pictures are refused before they are decoded."""
THREADS = min(2, max(usable_processors() // 2, 1))
"""Of a decoder and of an encoder; each holds pictures in memory. The faces take the other processors."""

INDEX_MEMORY, MEMORY_A_PIXEL = 2**29, 64
"""Bytes that the process may take for a video's index, an hour of which takes a few MB, and for the dozens of pictures that a decoder
holds, in two bytes a color."""
FRAME_SECONDS, FRAME_SECONDS_A_MEGAPIXEL = 5.0, 0.5
"""Of processor time from one picture that is handed over to the next; between two that are a second apart, sixty may be decoded."""


class VideoError(IfadeError, ValueError):
    """A file holds no readable video, or not all of it can be read; the sentence says why and what to do, in
    words for the person who sent it."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One picture of a video.

    Attributes:
        image: uint8 (H, W, 3), RGB, upright, contiguous.
        seconds: when it is shown, by the file's own clock; the video stream starts at 0.
    """

    image: np.ndarray
    seconds: float


class VideoReader:
    """The pictures of a video file at a steady rate: a context manager, to be iterated once.

    Time is divided at the multiples of 1/rate seconds, and the first picture of each part is taken: at most `rate` a
    second, none twice, and no more than there are. The others are decoded, since later ones build on them, but not
    converted. All pictures have one size: turned and mirrored as the file says, with square pixels, scaled down to
    `longest`; where a stream changes its size, what follows is fitted in. Other primaries and high dynamic range become
    sRGB, damaged pictures are left out. Memory does not grow with the length of a video.

    Nothing but the file itself is read: what refers to other files or to the network (a playlist, an address) is no
    video here.

    Args:
        source: a path, or an open file, which is closed with the reader.
        rate: pictures per second of video, above 0.
        longest: longest side of the pictures in pixels.
        max_pixels: a video with more pixels (width times height) is refused.
        should_stop: asked before every step of the decoding, which may be long before the next picture is due; where it
            says True, reading ends.

    Raises:
        VideoError: there is no such file, nothing in it can be decoded as a video, or reading ended before that was known.
        ValueError: the rate or a size is not above 0.

    Attributes:
        rate: as it was asked for.
        width, height: of the pictures, in pixels.
        duration: seconds that the file claims to have, or None where it does not say.
        position: seconds up to which it was decoded.
        finished: whether there is no more to read.
        incomplete: None when every picture was read; else an error whose sentences say which were not, and why.
    """

    def __init__(
        self,
        source: str | Path | BinaryIO,
        rate: float = RATE,
        longest: int = LONGEST,
        max_pixels: int = MAX_PIXELS,
        should_stop: Callable[[], bool] = lambda: False,
    ):
        if not (0 < rate < math.inf and longest > 0 and max_pixels > 0):
            raise ValueError(f"rate ({rate}), longest ({longest}) and max_pixels ({max_pixels}) must be above 0")
        self.rate = rate
        self.position = 0.0
        self.finished = False
        self._should_stop = should_stop
        self._problem: VideoError | None = None
        self._process: DecoderProcess | None = None
        self._file = _open(Path(source)) if isinstance(source, str | Path) else source
        try:
            asked = {"rate": rate, "longest": longest, "max_pixels": max_pixels, "seconds": FRAME_SECONDS}
            self._wall = WALL * (FRAME_SECONDS + FRAME_SECONDS_A_MEGAPIXEL * max_pixels / 10**6)
            with _with_descriptor(self._file) as file:
                self._process = DecoderProcess(
                    {"memory": INDEX_MEMORY, "output": 0, "video": asked}, file, blocks=KEPT_BLOCKS
                )
            try:
                found = self._receive()
            except DecoderEnded as ended:
                if should_stop():
                    raise VideoError("video_ended") from None
                raise VideoError("video_slow" if ended.slow else "video_decoder_ended") from None
            if "error" in found:
                raise VideoError.from_dict(found["error"])
            self.width, self.height, self.duration = found["width"], found["height"], found["duration"]
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[VideoFrame]:
        shape = [self.height, self.width, 3]
        try:
            while "seconds" in (told := self._receive()):
                with self._process.within(self._wall, self._should_stop):
                    image = self._process.receive_pixels(shape)
                self.position = told["seconds"]
                yield VideoFrame(image, self.position)
        except DecoderEnded as ended:
            if not self._should_stop():
                self._problem = VideoError("reading_slow" if ended.slow else "reading_broke", after=self._after())
            return
        self.position, self.finished = told["position"], True
        self._problem = told["incomplete"] and VideoError.from_dict(told["incomplete"])

    @property
    def incomplete(self) -> VideoError | None:
        if self.finished or self._problem:
            return self._problem
        return VideoError("reading_ended", after=self._after())

    def close(self) -> None:
        """End the process and close the file; nothing can be read afterwards."""
        if self._process is not None:
            self._process.close()
        self._file.close()

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _receive(self) -> dict:
        with self._process.within(self._wall, self._should_stop):
            return self._process.receive()

    def _after(self) -> VideoError:
        return seconds_read(self.position, self.duration)


def seconds_read(position: float, duration: float | None) -> VideoError:
    """Up to where a video was read, as a part of a sentence."""
    if duration is None:
        return VideoError("seconds_read", position=position)
    return VideoError("seconds_read_of", position=position, duration=duration)


def _open(path: Path) -> BinaryIO:
    """The file for reading; only regular files, so that no device or pipe is waited for."""
    try:
        if path.exists() and not path.is_file():
            raise VideoError("file_irregular", path=path)
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        raise VideoError("file_missing", path=path) from None
    except OSError as error:
        raise VideoError("file_unreadable", path=path, reason=error.strerror) from None


@contextlib.contextmanager
def _with_descriptor(file: BinaryIO) -> Iterator[BinaryIO]:
    """The file, or where it is no file of the system a copy that is one."""
    if isinstance(getattr(file, "raw", file), FileIO):
        file.flush()
        yield file
    else:
        with tempfile.TemporaryFile() as copy:
            file.seek(0)
            shutil.copyfileobj(file, copy)
            copy.flush()
            yield copy
