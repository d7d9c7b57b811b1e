"""The frames of a video, in the process that is limited for it: see `inference.decoding`."""

import math
import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.stream import Discard, Disposition
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from .color import from_cicp
from .video import THREADS, VideoError, VideoFrame, seconds_read
from .video_clock import Clock

FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif"
"""FFmpeg's demuxers that may be used: no playlist, no device, no single picture is among them."""

PICTURE_BRANDS = (b"avif", b"heic", b"heix", b"mif1")
"""Pictures that are in the container of MP4."""

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
ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
TS = (0, 188), (4, 192)
"""Of transport streams: where in a packet its first byte (0x47) is, and bytes of a packet."""
ESTIMATED_DURATION = ("mpegts", "gif", "ogg")
"""Containers whose duration FFmpeg takes from what there is."""

UNSPECIFIED = 2
"""The matrix from RGB of a picture that does not say its own, by ITU-T H.273."""
HD_LINES = 720
"""From here on such a picture is taken for BT.709, below for BT.601, as players do."""


class VideoDecoder:
    """What `inference.video.VideoReader` does, in the process that calls it; to be iterated once.

    Args:
        file: read from its beginning.
        rate, longest, max_pixels: as there.
        opened: is told how many pixels a picture has, before the first is decoded.

    Raises:
        VideoError: nothing in it can be decoded as a video.

    Attributes:
        width, height, duration, position, finished, incomplete: as there.
    """

    def __init__(
        self,
        file: BinaryIO,
        rate: float,
        longest: int,
        max_pixels: int,
        opened: Callable[[int], None] = lambda pixels: None,
    ):
        self.rate = rate
        self.position = 0.0
        self.finished = False
        self._reformatter = VideoReformatter()
        self._size, self._claimed_size = _sizes(file)
        self._container = _open_container(file, max_pixels)
        self._stream = _video_stream(self._container, max_pixels)
        opened(self._stream.codec_context.width * self._stream.codec_context.height)
        self._clock = Clock(self._container, self._stream)
        self.duration, self._duration_is_of_stream = _claimed_duration(self._container, self._stream)
        self._end = 0.0  # seconds up to which there were packets of what the duration is of
        self._read_to, self._byte = 0.0, 0  # the same of all packets, and in bytes
        self._resyncs = self._container.format.name.startswith("matroska")
        self._damage: list[tuple[float, float]] = []  # from the last good picture to the next, in seconds
        self._damaged_from: float | None = None
        self._damaged_to: float | None = None  # of the part from which no good picture has come yet
        self._indexed, self._coded = len(self._stream.index_entries), 0  # pictures by the index, and read so far
        self._stopped = False
        self._pictures = self._decode()
        self._first = next(self._pictures, None)
        if self._first is None:
            raise VideoError("video_damaged")
        width, height = _display_size(self._first[1], self._stream)
        if _orientation(self._first[1])[0]:
            width, height = height, width
        factor = min(longest / max(width, height), 1)
        self.width, self.height = max(round(width * factor), 1), max(round(height * factor), 1)

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
        self.finished = True

    def _decode(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """Every good picture with its time, in the order in which they are shown."""
        failures = 0
        while failures < MAX_FAILURES:
            try:
                for packet in self._container.demux():
                    failures = 0
                    if packet.size == 0 and packet.dts is None:  # marks the end of the file
                        continue
                    if packet.stream_index == self._stream.index:
                        self._clock.count(packet)
                        self._coded += packet.size > 0
                    self._follow(packet)
                    if packet.stream_index == self._stream.index:
                        if packet.is_corrupt:
                            self._suspect(packet.pts)
                        yield from self._decode_packet(packet)
                break
            except (av.FFmpegError, OSError):  # behind a damaged part it may find its way again
                failures += 1
            except IndexError:  # PyAV's, at the end of a file in which damage looked like one more stream
                break
        self._stopped = failures > 0
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
            fitted = np.zeros((room[1], room[0], 3), np.uint8)
            fitted[top : top + size[1], left : left + size[0]] = image
            image = fitted
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
        """What is known once all was read."""
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
        after = seconds_read(self.position, duration)
        if self._stopped:
            problems.append(VideoError("reading_stopped", after=after))
        elif not whole:
            problems.append(VideoError("file_ends", after=after))
        elif self._damaged_to is not None:
            problems.append(VideoError("file_breaks_off", after=after))
        if len(problems) == 2:
            return VideoError("two_sentences", first=problems[0], second=problems[1])
        return problems[0] if problems else None


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
    except MemoryError:  # FFmpeg makes room for as many pictures as the index says that there are
        raise VideoError("video_memory") from None
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
    matrix = bytes(picture.side_data[SideData.DISPLAYMATRIX])  # type: ignore[typeddict-item]
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0
