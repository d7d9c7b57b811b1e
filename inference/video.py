"""Video files: pictures with their times, read from what FFmpeg knows and written as H.264."""

import av
import cv2
import math
import numpy as np
import os
import struct
import subprocess
import sys
import time
from av.sidedata.sidedata import Type as SideData
from av.stream import Discard, Disposition
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from .color import from_cicp
from .sentences import IfadeError
from .session import usable_processors
from .video_clock import Clock

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".vob"),
    *(".mts", ".m2ts", ".flv", ".wmv", ".asf", ".ogv"),
)
"""What counts as a video in a folder. Transport streams named .ts are read too, but most .ts files are no videos."""

FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif"
"""FFmpeg's demuxers that may be used: no playlist, no device, no single picture is among them."""

PICTURE_BRANDS = (b"avif", b"heic", b"heix", b"mif1")
"""Pictures that are in the container of MP4."""

RATE = 10.0
"""Pictures a second unless another rate is asked for: an expression lasts half a second or longer."""
LONGEST = 1920
"""Longest side of a picture in pixels; larger ones are scaled down."""
MAX_PIXELS = 8192 * 4320
"""Larger pictures are refused before they are decoded."""
THREADS = min(2, usable_processors())
"""Of a decoder and of an encoder; each holds pictures in memory."""

TIME_TOLERANCE = 0.001
"""Seconds: several containers round times to milliseconds."""
CUT_SECONDS = 1.0
"""What may be missing at the end before a file counts as cut off: sound often ends a little later than the pictures."""
TAIL_BYTES = 2**16
MAX_INDEX_PART, MIN_INDEX_BYTES = 0.05, 2**16
"""What may stand behind the last picture of a whole file: a part of it, and as many bytes more."""
HOLE_SECONDS, HOLE_BYTES = 0.5, 1000
"""A jump over more time and more bytes than both of these is a damaged part; over time alone, a pause of the camera."""
DAMAGE_SECONDS = 1.0
"""Damaged parts that are closer than this are told as one; and what may be missing before the first key frame."""
MAX_DURATION = 30 * 86400
"""Seconds; a longer duration in a header is damage."""
MAX_FAILURES = 100
"""Attempts in a row to find the next readable part of a damaged file."""
MAX_PACKETS = 10_000
"""Of pictures within one second of the video. Where more come its time does not move on, and reading stops: the decoder would
be busy for hours with what no second needs, the fastest cameras included."""

MAX_INDEX_BYTES = 2**29
"""Of memory in which a process finds all pictures of a video, its own 60 MB included; an hour takes a few MB."""
INDEX_SECONDS = 60
"""What it may take; 500 MB take about one."""

ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
TS = (0, 188), (4, 192)
"""Of transport streams: where in a packet its first byte (0x47) is, and bytes of a packet."""
ESTIMATED_DURATION = ("mpegts", "gif", "ogg")
"""Containers whose duration FFmpeg takes from what there is."""

TIME_BASE = 90_000
"""Ticks a second of a written video."""
KEY_FRAME_SECONDS = 2.0
"""How often a written video can be entered, and about how much of it is lost with a killed process."""

UNSPECIFIED = 2
"""The matrix from RGB of a picture that does not say its own, by ITU-T H.273."""
HD_LINES = 720
"""From here on such a picture is taken for BT.709, below for BT.601, as players do."""


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
        self._should_stop, self._ended = should_stop, False
        self._reformatter = VideoReformatter()
        self._file = _open(Path(source)) if isinstance(source, str | Path) else source
        self._container = None
        try:
            _check_memory(self._file, should_stop)
            self._size, self._claimed_size = _sizes(self._file)
            self._container = _open_container(self._file, max_pixels)
            self._stream = _video_stream(self._container, max_pixels)
            self._clock = Clock(self._container, self._stream)
            self.duration, self._duration_is_of_stream = _claimed_duration(self._container, self._stream)
            self._end = 0.0  # seconds up to which there were packets of what the duration is of
            self._read_to, self._byte = 0.0, 0  # the same of all packets, and in bytes
            self._resyncs = self._container.format.name.startswith("matroska")
            self._damage: list[tuple[float, float]] = []  # from the last good picture to the next, in seconds
            self._damaged_from = self._damaged_to = None  # of the part from which no good picture has come yet
            self._indexed, self._coded = len(self._stream.index_entries), 0  # pictures by the index, and read so far
            self._stopped = False
            self._second = self._packets = 0  # of the latest picture, and the packets of pictures in it so far
            self._pictures = self._decode()
            self._first = next(self._pictures, None)
            if self._ended:
                raise VideoError("video_ended")
            if self._first is None:
                raise VideoError("video_damaged")
            width, height = _display_size(self._first[1], self._stream)
            if _orientation(self._first[1])[0]:
                width, height = height, width
            factor = min(longest / max(width, height), 1)
            self.width, self.height = max(round(width * factor), 1), max(round(height * factor), 1)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[VideoFrame]:
        taken = -1
        entry, self._first = self._first, None
        while entry is not None:
            self.position, picture = entry
            part = math.floor((self.position + TIME_TOLERANCE) * self.rate)
            if part > taken:
                taken = part
                yield VideoFrame(self._to_rgb(picture), self.position)
            entry = next(self._pictures, None)
        self.finished = not self._ended

    def close(self) -> None:
        """Free the decoder and the file; nothing can be read afterwards."""
        if self._container is not None:
            self._container.close()
        self._file.close()

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _decode(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """Every good picture with its time, in the order in which they are shown."""
        failures = 0
        while failures < MAX_FAILURES:
            try:
                for packet in self._container.demux():
                    failures = 0
                    if self._should_stop():
                        self._ended = True
                        return
                    if packet.size == 0 and packet.dts is None:  # marks the end of the file
                        continue
                    if packet.stream_index == self._stream.index:
                        self._clock.count(packet)
                        self._coded += packet.size > 0
                    self._follow(packet)
                    if packet.stream_index == self._stream.index:
                        if self._stands_still():
                            break
                        if packet.is_corrupt:
                            self._suspect(packet.pts)
                        yield from self._decode_packet(packet)
                break
            except (av.FFmpegError, OSError):  # behind a damaged part it may find its way again
                failures += 1
            except IndexError:  # PyAV's, at the end of a file in which damage looked like one more stream
                break
        self._stopped = failures > 0 or self._packets > MAX_PACKETS
        # What the decoder still holds. Each picture that it cannot decode ends a call.
        failures = 0
        while failures < MAX_FAILURES and self._stream.codec_context.is_open:
            try:
                yield from self._good(self._stream.codec_context.decode(None))
                break
            except av.error.EOFError:
                break
            except av.FFmpegError:
                self._suspect(math.inf)
                failures += 1

    def _stands_still(self) -> bool:
        """Count a packet of pictures; whether there are too many of them for the second in which they are."""
        second = math.floor(self._clock.last or 0.0)
        if second > self._second:
            self._second, self._packets = second, 0
        self._packets += 1
        return self._packets > MAX_PACKETS

    def _follow(self, packet: av.Packet) -> None:
        """Note how far the file was read, and what FFmpeg jumped over without a word, as it does in Matroska."""
        if packet.pts is None:
            return
        start = float(packet.pts * packet.time_base) - self._clock.start
        if self._resyncs and start > self._read_to + HOLE_SECONDS and packet.pos > self._byte + HOLE_BYTES:
            self._note_damage(self._read_to, start)
        end = start + float((packet.duration or 0) * packet.time_base)
        self._read_to = max(self._read_to, end)
        if packet.stream_index == self._stream.index or not self._duration_is_of_stream:
            self._end = max(self._end, end)
        if packet.pos is not None:
            self._byte = max(self._byte, packet.pos + packet.size)

    def _has_indexed(self) -> bool:
        """Whether as many pictures were read as the index of an AVI holds; pictures that are lost leave no gap there."""
        return self._container.format.name != "avi" or 1 < self._indexed <= self._coded

    def _decode_packet(self, packet: av.Packet) -> Iterator[tuple[float, av.VideoFrame]]:
        try:
            pictures = self._stream.codec_context.decode(packet)
        except av.FFmpegError:
            self._suspect(packet.pts)
        else:
            yield from self._good(pictures)

    def _good(self, pictures: list[av.VideoFrame]) -> Iterator[tuple[float, av.VideoFrame]]:
        """Those that are whole and later than the ones before, with their times."""
        for picture in pictures:
            if picture.is_corrupt:
                self._suspect(picture.pts)
                continue
            last, joins = self._clock.last or 0.0, self._clock.joins
            seconds = self._clock.seconds(picture)
            if seconds is None:
                continue
            if self._clock.joins > joins:  # the seam of two recordings looks like damage
                self._damaged_to = None
                self._damage = [(start, end) for start, end in self._damage if end < last - DAMAGE_SECONDS]
            if self._damaged_to is not None and seconds > self._damaged_to:
                if seconds > DAMAGE_SECONDS:  # recordings may begin between two key frames
                    self._note_damage(min(last, self._damaged_from), seconds)
                self._damaged_to = None
            yield seconds, picture

    def _suspect(self, ticks: float | None) -> None:
        """Note damage at a time. Pictures from before may come later, since several are decoded at once."""
        last = self._clock.last or 0.0
        if self._damaged_to is None:
            self._damaged_from = self._damaged_to = last
        self._damaged_to = max(self._damaged_to, last if ticks is None else self._clock.convert(ticks))

    def _note_damage(self, start: float, end: float) -> None:
        """Add a damaged part; parts close to one another are one."""
        if self._damage and start < self._damage[-1][1] + DAMAGE_SECONDS:
            start = min(start, self._damage.pop()[0])
        self._damage.append((start, end))

    def _to_rgb(self, picture: av.VideoFrame) -> np.ndarray:
        """The picture upright, in the size that all have."""
        transposed, mirrored, flipped = _orientation(picture)
        width, height = _display_size(picture, self._stream)
        room = (self.height, self.width) if transposed else (self.width, self.height)
        factor = min(room[0] / width, room[1] / height)
        size = max(round(width * factor), 1), max(round(height * factor), 1)
        if max(room[0] - size[0], room[1] - size[1]) <= 1:  # the same shape but for rounding
            size = room
        image = self._convert(picture, size)
        if size != room:
            left, top = (room[0] - size[0]) // 2, (room[1] - size[1]) // 2
            right, bottom = room[0] - size[0] - left, room[1] - size[1] - top
            image = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT)
        if transposed:
            image = image.transpose(1, 0, 2)
        return np.ascontiguousarray(image[:: -1 if flipped else 1, :: -1 if mirrored else 1])

    def _convert(self, picture: av.VideoFrame, size: tuple[int, int]) -> np.ndarray:
        method = Interpolation.AREA if size[0] < picture.width else Interpolation.BILINEAR
        matrix = None  # the picture's own
        if picture.colorspace == UNSPECIFIED:
            matrix = Colorspace.ITU709 if picture.height >= HD_LINES else Colorspace.ITU601
        image = self._reformatter.reformat(
            picture, *size, "rgb24", src_colorspace=matrix, interpolation=method, threads=1
        ).to_ndarray()
        return from_cicp(image, picture.color_primaries, picture.color_trc)

    @property
    def incomplete(self) -> VideoError | None:
        duration = self.duration
        whole = self.duration is None or self._clock.joins > 0 or self._end > self.duration - CUT_SECONDS
        if self._claimed_size is not None and self._claimed_size > self._size:
            if self._container.format.name in ESTIMATED_DURATION:
                whole, duration = False, None
            else:
                whole = self.duration is not None and self._end > self.duration - CUT_SECONDS / 10
        elif self._claimed_size is not None:  # the last picture may be held for long, of which its packet says nothing
            whole |= self._size - self._byte < MAX_INDEX_PART * self._size + MIN_INDEX_BYTES and self._has_indexed()
        problems = []
        if self._damage:
            (start, end), count = self._damage[0], len(self._damage)
            one = VideoError("damaged_place", start=start, end=end)
            problems.append(one if count == 1 else VideoError("damaged_places", count=count, start=start, end=end))
        after = VideoError("seconds_read", position=self.position)
        if duration is not None:
            after = VideoError("seconds_read_of", position=self.position, duration=duration)
        if not self.finished:
            problems.append(VideoError("reading_ended", after=after))
        elif self._stopped:
            problems.append(VideoError("reading_stopped", after=after))
        elif not whole:
            problems.append(VideoError("file_ends", after=after))
        elif self._damaged_to is not None:
            problems.append(VideoError("file_breaks_off", after=after))
        if len(problems) == 2:
            return VideoError("two_sentences", first=problems[0], second=problems[1])
        return problems[0] if problems else None


class VideoWriter:
    """A video in H.264 and MP4 of pictures with times of their own; a context manager.

    After close() it is an ordinary MP4 file, or an empty one where no picture was written. Should the process be killed
    before, what was written until about two key frames earlier can be played.

    Args:
        path: written anew.
        width, height: of all pictures, in pixels. Odd sizes get one more row or column, a copy of the last.
        comment: on the video, kept near the beginning of the file.

    Raises:
        OSError: the file cannot be written; write() and close() raise it too.
    """

    def __init__(self, path: str | Path, width: int, height: int, comment: str = ""):
        self.width, self.height = width, height
        with open(path, "wb"):  # so that a path that cannot be written is refused at once
            pass
        # In fragments that become an ordinary file at the end, each of them written at once.
        options = {"movflags": "hybrid_fragmented+frag_keyframe", "fflags": "+flush_packets"}
        # The prefix says that it is a file even if its name looks like an address.
        self._container = av.open(f"file:{Path(path)}", "w", format="mp4", options=options)
        self._container.metadata["comment"] = comment
        self._stream = self._container.add_stream("libx264", options={"preset": "veryfast", "crf": "21"})
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base = Fraction(1, TIME_BASE)
        context.thread_count = THREADS
        context.max_b_frames = 0  # times need no reordering then
        context.gop_size = 100_000  # key frames are set by time below
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1
        self._ticks: int | None = None
        self._key_frame = -math.inf

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Add a picture.

        Args:
            image: uint8 (height, width, 3), RGB.
            seconds: when it is shown; later than the one before.

        Raises:
            ValueError: another size, or not later.
        """
        if image.shape != (self.height, self.width, 3) or image.dtype != np.uint8:
            raise ValueError(f"pictures must be uint8 {(self.height, self.width, 3)}, not {image.dtype} {image.shape}")
        ticks = round(seconds * TIME_BASE)
        if self._ticks is not None and ticks <= self._ticks:
            raise ValueError(f"a picture at {seconds} s is not later than the one before")
        image = cv2.copyMakeBorder(image, 0, self.height % 2, 0, self.width % 2, cv2.BORDER_REPLICATE)
        picture = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
        )
        picture.pts, picture.time_base = ticks, Fraction(1, TIME_BASE)
        if seconds >= self._key_frame + KEY_FRAME_SECONDS:
            picture.pict_type = av.video.frame.PictureType.I
            self._key_frame = seconds
        self._ticks = ticks
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        """Complete the file; a second call does nothing."""
        container, self._container = self._container, None
        if container is not None:
            try:
                if self._ticks is not None:  # FFmpeg crashes on completing a file without pictures
                    container.mux(self._stream.encode(None))
            finally:
                container.close()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, *_) -> None:
        self.close()


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


def _check_memory(file: BinaryIO, should_stop: Callable[[], bool]) -> None:
    """Refuse a file for whose index FFmpeg would fill the memory: it makes room for as many pictures as the file says.

    Another process reads the file to its end first, without decoding, and is watched. On Linux and for files on disk alone.
    """
    try:
        number = file.fileno()
    except OSError:
        return
    if not Path("/proc/self/statm").exists():
        return
    begun = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", _DEMUX, FORMATS], stdin=number, stderr=subprocess.DEVNULL) as process:
        try:
            while process.poll() is None:
                pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
                if pages * os.sysconf("SC_PAGE_SIZE") > MAX_INDEX_BYTES or time.monotonic() > begun + INDEX_SECONDS:
                    raise VideoError("video_index_large")
                if should_stop():
                    raise VideoError("video_ended")
                time.sleep(0.005)
        finally:
            process.kill()
    file.seek(0)


_DEMUX = """
import av, sys
def refuse(*_):
    raise PermissionError
options = {"format_whitelist": sys.argv[1], "codec_whitelist": "none"}
with av.open(open(0, "rb", buffering=0), container_options=options, metadata_errors="replace", io_open=refuse) as container:
    for packet in container.demux():
        pass
"""


def _sizes(file: BinaryIO) -> tuple[int, int | None]:
    """Bytes of a file, and how many it should have by what it says itself, or None where it does not say."""
    size = file.seek(0, os.SEEK_END)
    try:
        file.seek(max(size - TAIL_BYTES, 0))
        tail = file.read(TAIL_BYTES)
        file.seek(0)
        head = file.read(2**16)
    except OSError:  # a part that cannot be read; the decoding finds out which
        return size, None
    finally:
        file.seek(0)
    claimed, ended = 0, any(tail[-256:])  # where there are zeros, room was made for what did not come
    if head.startswith(b"\x1a\x45\xdf\xa3"):  # Matroska: the segment's size, of as many bytes as its leading zeros say
        start = head.find(b"\x18\x53\x80\x67") + 4
        length = 9 - int.from_bytes(head[start : start + 1]).bit_length() if start > 3 else 0
        value, unknown = int.from_bytes(head[start : start + length]) % 2 ** (7 * length), 2 ** (7 * length) - 1
        claimed = start + length + value if value != unknown else 0
    elif head.startswith(b"RIFF"):
        claimed = int.from_bytes(head[4:8], "little") + 8
    elif (start := head.find(ASF_FILE_PROPERTIES)) > 0:
        claimed = int.from_bytes(head[start + 40 : start + 48], "little")
        # Its packets, of one size, are filled up with zeros, but begin with others.
        ended = any(tail[-max(int.from_bytes(head[start + 92 : start + 96], "little"), 256) :])
    elif head.startswith(b"FLV") and 0 < (start := head.find(b"filesize\0")) < len(head) - 16:
        (number,) = struct.unpack_from(">d", head, start + 9)
        claimed = int(number) if 0 < number < 2**62 else 0
    elif head.startswith(b"GIF8"):
        claimed, ended = size, tail.endswith(b";")
    elif head.startswith(b"OggS"):
        page = tail.rfind(b"OggS")
        claimed, ended = size, page < 0 or tail[page + 5 : page + 6] >= b"\4"  # the flag of a stream's last page
    elif any(len(head) > 2 * length + at and {head[at + n * length] for n in range(3)} == {0x47} for at, length in TS):
        length = next(length for at, length in TS if head[at] == 0x47)
        claimed = -(-size // length) * length
    return size, (max(claimed, size + (not ended)) if claimed else None)


def _open_container(file: BinaryIO, max_pixels: int) -> av.container.InputContainer:
    head = file.read(12)
    file.seek(0)
    if not head:
        raise VideoError("video_empty")
    if head[4:8] == b"ftyp" and head[8:12] in PICTURE_BRANDS:
        raise VideoError("video_is_photo")
    try:
        return av.open(
            file,
            "r",
            container_options={"format_whitelist": FORMATS},
            options={"max_pixels": str(max_pixels)},
            metadata_errors="replace",
            buffer_size=2**18,
            io_open=_refuse,
        )
    except (av.FFmpegError, OSError):
        if head[4:8] == b"ftyp":
            raise VideoError("video_index_missing") from None
        raise VideoError("video_unknown") from None


def _refuse(*_):
    """In place of opening another file or address that a video refers to."""
    raise PermissionError("a video may not refer to other files")


def _video_stream(container: av.container.InputContainer, max_pixels: int) -> av.VideoStream:
    """The stream to read, with its decoder set up; the other streams of pictures are skipped."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    streams = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not streams:
        raise VideoError("video_only_sound" if container.streams.audio else "video_no_frames")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        raise VideoError("video_compression")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > max_pixels:
        raise VideoError("video_pixels", width=width, height=height, megapixels=max_pixels / 10**6)
    for other in container.streams:
        if other.type not in ("audio", "video") and other is not stream:
            other.discard = Discard.all
    # Holds for pictures that turn out larger than the header says.
    stream.codec_context.options = {"max_pixels": str(max_pixels)}
    stream.codec_context.thread_count = THREADS
    stream.codec_context.thread_type = "AUTO"
    return stream


def _claimed_duration(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[float | None, bool]:
    """Seconds of the video by the file's header, and whether they are those of the stream alone."""
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        # FFmpeg takes an AVI's duration from its size; the number of pictures tells what it should be.
        seconds, of_stream = float(stream.frames / stream.average_rate), True
    elif stream.duration and not container.format.name.startswith(("matroska", "flv")):  # theirs are the whole file's
        seconds, of_stream = float(stream.duration * stream.time_base), True
    elif container.duration:
        start = max(float((stream.start_time or 0) * stream.time_base), 0.0)
        seconds, of_stream = container.duration / av.time_base - start, False
    else:
        return None, False
    return (seconds, of_stream) if 0 < seconds <= MAX_DURATION else (None, False)


def _display_size(picture: av.VideoFrame, stream: av.VideoStream) -> tuple[int, int]:
    """(width, height) with square pixels, before it is turned."""
    ratio = float(stream.sample_aspect_ratio or 1)
    ratio = ratio if 0.25 <= ratio <= 4 else 1.0
    return max(round(picture.width * ratio), 1), picture.height


def _orientation(picture: av.VideoFrame) -> tuple[bool, bool, bool]:
    """How a picture is brought upright: exchange rows and columns, then left and right, then top and bottom."""
    if SideData.DISPLAYMATRIX not in picture.side_data:
        return False, False, False
    # (x, y) is shown at (a x + c y, b x + d y), in a row-major 3 x 3 matrix a b . c d . . . .
    a, b, _, c, d = np.frombuffer(bytes(picture.side_data[SideData.DISPLAYMATRIX]), np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0
