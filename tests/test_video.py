"""Videos of known content: right pictures at right times, and clear words where a file is broken."""

import http.server
import io
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorTrc
from PIL import Image

from clips import HEIGHT, WIDTH, claim_samples, number_in, scene, write_clip
from inference import video_decoding
from inference.video import LONGEST, MAX_PIXELS, RATE, VideoError, VideoFrame, VideoReader
from inference.video_decoding import VideoDecoder
from inference.video_writer import VideoWriter

ROOT = Path(__file__).resolve().parent.parent
STEADY = [number / 25 for number in range(150)]
"""Times of six seconds of pictures."""


def read(source: Path | io.FileIO, **options) -> tuple[list[VideoFrame], VideoDecoder]:
    """What a VideoReader gives, without its process, which takes a while to start."""
    options = {"rate": RATE, "longest": LONGEST, "max_pixels": MAX_PIXELS, **options}
    with open(source, "rb", buffering=0) if isinstance(source, Path) else source as file:
        decoder = VideoDecoder(file, **options)
        return list(decoder), decoder


def numbers_and_times(path: Path, **options) -> tuple[list[int], list[float]]:
    frames, reader = read(path, **options)
    assert reader.incomplete is None
    return [number_in(frame.image) for frame in frames], [frame.seconds for frame in frames]


def uneven(count: int) -> list[float]:
    """Times as of a phone in changing light, with a pause of two seconds in the middle."""
    steps = np.random.default_rng(3).uniform(0.012, 0.12, count)
    steps[count // 2] = 2
    return [0.0, *np.cumsum(steps)[:-1].tolist()]


# Which pictures, and when


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".ts", ".avi", ".mpg", ".wmv", ".flv", ".gif"])
def test_times_in_every_container(tmp_path, suffix):
    clip = write_clip(tmp_path / f"clip{suffix}", STEADY, pixels="rgb8" if suffix == ".gif" else "yuv420p")
    numbers, seconds = numbers_and_times(clip, rate=1000)
    assert numbers == list(range(150))
    assert np.abs(np.array(seconds) - STEADY).max() < 0.002
    # The first picture at or after every tenth of a second.
    numbers, seconds = numbers_and_times(clip, rate=10)
    assert numbers == [-(-25 * tenth // 10) for tenth in range(60)]
    with VideoReader(clip) as reader:
        # FFmpeg only guesses how long an MPEG file is.
        assert reader.duration == pytest.approx(6, abs=1 if suffix == ".mpg" else 0.1)
        assert (reader.width, reader.height) == (WIDTH, HEIGHT)


def reordered(path: Path, times: list[float], codec: str = "libx264", frames: int = 3, tick=Fraction(1, 25)) -> Path:
    """A clip in which so many pictures in a row are foretold from later ones."""

    def prepare(stream):
        stream.codec_context.max_b_frames = frames
        stream.codec_context.time_base = tick
        if codec in ("libx264", "libx265"):
            stream.codec_context.options = {"preset": "veryfast", "crf": "12"}

    return write_clip(path, times, codec=codec, prepare=prepare)


@pytest.mark.parametrize(
    ("suffix", "codec", "frames"),
    [
        *((suffix, "libx264", 3) for suffix in (".mp4", ".mov", ".mkv", ".ts", ".mpg", ".flv", ".avi", ".asf")),
        *((suffix, "mpeg4", 2) for suffix in (".mp4", ".mkv", ".ts", ".avi", ".asf")),
        *((suffix, "mpeg2video", 2) for suffix in (".ts", ".mpg", ".avi", ".mkv")),
        *((suffix, "libx265", 4) for suffix in (".mp4", ".mkv", ".ts")),
        *((suffix, codec, 0) for suffix in (".avi", ".asf") for codec in ("libx264", "mpeg4")),
    ],
)
def test_times_of_reordered_pictures(tmp_path, suffix, codec, frames):
    """AVI and ASF store when pictures are decoded; with B-frames that is another order than that of showing."""
    numbers, seconds = numbers_and_times(reordered(tmp_path / f"clip{suffix}", STEADY, codec, frames), rate=1000)
    assert numbers == list(range(150))
    assert np.abs(np.array(seconds) - STEADY).max() < 0.002


@pytest.mark.parametrize("suffix", [".asf", ".mp4"])
def test_times_of_reordered_pictures_at_a_variable_rate(tmp_path, suffix):
    times = [number / 25 for number in range(150) if not 40 <= number < 80]
    numbers, seconds = numbers_and_times(reordered(tmp_path / f"clip{suffix}", times), rate=1000)
    assert numbers == list(range(110))
    assert np.abs(np.array(seconds) - times).max() < 0.002


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "libx264"), (".mkv", "libx264"), (".flv", "libx264"), (".mp4", "mpeg4"), (".mkv", "mpeg4")],
)
def test_decoding_times_in_place_of_those_of_showing(tmp_path, suffix, codec):
    """As some programs write them where both could be."""
    source = reordered(tmp_path / "source.mp4", STEADY, codec, 2)
    with av.open(str(source)) as whole, av.open(str(tmp_path / f"clip{suffix}"), "w") as copy:
        stream = copy.add_stream_from_template(whole.streams.video[0])
        first = None
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                first = packet.dts if first is None else first
                packet.pts = packet.dts = packet.dts - first
                packet.stream = stream
                copy.mux(packet)
    numbers, seconds = numbers_and_times(tmp_path / f"clip{suffix}", rate=1000)
    assert numbers == list(range(150))
    assert np.abs(np.array(seconds) - STEADY).max() < 0.002


def test_packed_pictures(tmp_path):
    """DivX puts a picture and the one that is shown before it into one packet, and an empty one into the next."""
    source = reordered(tmp_path / "source.avi", STEADY, "mpeg4", 1)
    with av.open(str(source)) as whole, av.open(str(tmp_path / "clip.avi"), "w") as packed:
        stream = packed.add_stream_from_template(whole.streams.video[0])
        coded = [bytes(packet) for packet in whole.demux(video=0) if packet.size]
        kinds = [data[data.index(b"\0\0\1\xb6") + 4] >> 6 for data in coded]  # 0, 1, 2: I, P, B
        place = coded[0].index(b"\0\0\1\xb6")
        coded[0] = coded[0][:place] + b"\0\0\1\xb2DivX503b1393p" + coded[0][place:]  # says that they are packed
        packets = []
        for data, kind in zip(coded, kinds):
            if kind == 2:
                packets[-1] += data
                packets.append(b"\0\0\1\xb6\x50\x40\x7f")  # of no picture
            else:
                packets.append(data)
        assert kinds.count(2) > 50 and len(packets) == len(coded)
        for number, data in enumerate(packets):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 25), stream, number == 0
            packed.mux(packet)
    numbers, seconds = numbers_and_times(tmp_path / "clip.avi", rate=1000)
    assert numbers == list(range(150))
    assert np.abs(np.array(seconds) - STEADY).max() < 0.002


def test_pictures_within_a_tick_of_a_coarse_clock(tmp_path):
    """125 pictures a second, in a Matroska whose clock has ticks of 16 ms."""
    clip = write_clip(tmp_path / "clip.mkv", [number / 2000 for number in range(150)])
    data = clip.read_bytes()
    clip.write_bytes(data.replace(bytes.fromhex("2ad7b1830f4240"), bytes.fromhex("2ad7b183f42400"), 1))
    numbers, seconds = numbers_and_times(clip, rate=1000)
    assert numbers == list(range(150)) and min(np.diff(seconds)) > 0
    assert np.abs(np.array(seconds) - np.arange(150) / 125).max() < 0.016


def test_variable_frame_rate(tmp_path):
    times = uneven(120)
    for suffix in (".mp4", ".mkv"):
        numbers, seconds = numbers_and_times(write_clip(tmp_path / f"clip{suffix}", times), rate=8)
        # True times, at most one picture in each eighth of a second, and one in each that has any.
        assert np.abs(np.array(seconds) - [times[number] for number in numbers]).max() < 0.002
        parts = [int((second + 0.001) * 8) for second in seconds]
        assert len(set(parts)) == len(parts)
        assert set(parts) == {int((second + 0.001) * 8) for second in times}


@pytest.mark.parametrize("rate", [0.5, 3, 24, 25, 60])
def test_never_more_pictures_than_the_rate_or_the_video_has(tmp_path, rate):
    numbers, seconds = numbers_and_times(write_clip(tmp_path / "clip.mkv", STEADY), rate=rate)
    assert len(set(numbers)) == len(numbers)
    assert len(numbers) == (150 if rate >= 25 else 6 * rate)
    # By the sixth of a second, so that the pictures' own times do not count.
    assert np.diff(seconds).mean() == pytest.approx(1 / min(rate, 25), rel=0.05)


@pytest.mark.parametrize("start", [5.0, -0.2, 3600.0])
@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mp4"])
def test_the_stream_starts_at_zero(tmp_path, start, suffix):
    clip = write_clip(tmp_path / f"clip{suffix}", [start + second for second in STEADY[:50]])
    numbers, seconds = numbers_and_times(clip, rate=1000)
    assert seconds[0] == pytest.approx(0, abs=0.001)
    assert np.abs(np.array(seconds) - [STEADY[number] - STEADY[numbers[0]] for number in numbers]).max() < 0.002


def test_a_trimmed_clip_starts_at_its_cut(tmp_path):
    """A phone trims without encoding anew: it keeps pictures from the key frame on, and tells the player to skip some."""
    source = write_clip(tmp_path / "source.mp4", STEADY)
    with av.open(str(source)) as whole, av.open(str(tmp_path / "trimmed.mp4"), "w") as trimmed:
        stream = trimmed.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None and packet.pts * packet.time_base >= 1:
                shift = round(Fraction(7, 5) / packet.time_base)  # 1.4 s
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                trimmed.mux(packet)
    numbers, seconds = numbers_and_times(tmp_path / "trimmed.mp4", rate=1000)
    assert numbers == list(range(35, 150))
    assert np.abs(np.array(seconds) - [(number - 35) / 25 for number in numbers]).max() < 0.002


def test_joined_recordings_go_on_in_time(tmp_path):
    part = write_clip(tmp_path / "part.ts", STEADY).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part + part)
    numbers, seconds = numbers_and_times(tmp_path / "joined.ts", rate=1000)
    assert numbers == [*range(150), *range(150)]
    assert np.diff(seconds) == pytest.approx(0.04, abs=0.002)


def test_a_claimed_duration_is_only_believed_where_it_can_be(tmp_path):
    pipe = io.BytesIO()
    pipe.seekable = lambda: False  # as of a browser's recorder, which never goes back to the header
    with av.open(pipe, "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(50):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(scene(number), format="rgb24")))
        container.mux(stream.encode(None))
    (tmp_path / "recorded.webm").write_bytes(pipe.getvalue())
    frames, reader = read(tmp_path / "recorded.webm", rate=25)
    assert reader.duration is None and reader.incomplete is None and len(frames) == 50


def test_sound_that_lasts_longer_is_no_damage(tmp_path):
    for suffix in (".mp4", ".mkv", ".ts"):
        clip = write_clip(tmp_path / f"clip{suffix}", STEADY[:50], sound=6)
        assert numbers_and_times(clip, rate=25)[0] == list(range(50))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".flv", ".avi", ".asf", ".ts"])
def test_a_last_picture_that_is_held_is_no_damage(tmp_path, suffix):
    kind = suffix if suffix in (".webm", ".avi") else ".mp4"  # in which codecs are stored as there
    source = write_clip(tmp_path / f"source{kind}", STEADY)
    with av.open(str(source)) as whole, av.open(str(tmp_path / f"clip{suffix}"), "w") as held:
        stream = held.add_stream_from_template(whole.streams.video[0])
        for number, packet in enumerate(whole.demux(video=0)):
            if packet.dts is not None:
                packet.duration = round((6 if number == 149 else 0.04) / packet.time_base)
                packet.stream = stream
                held.mux(packet)
    assert numbers_and_times(tmp_path / f"clip{suffix}", rate=25)[0] == list(range(150))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".ts", ".avi", ".flv"])
def test_slides_are_no_damage(tmp_path, suffix):
    times = [10.0 * number for number in range(8)]
    numbers, seconds = numbers_and_times(write_clip(tmp_path / f"clip{suffix}", times), rate=25)
    assert numbers == list(range(8)) and np.abs(np.array(seconds) - times).max() < 0.002


def test_two_tracks_of_which_one_is_slow(tmp_path):
    """Between the slides stand many bytes of the other track."""
    noise = np.random.default_rng(0)
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        slow, fast = (container.add_stream("libx264", rate=25, options={"preset": "ultrafast"}) for _ in range(2))
        slow.codec_context.max_b_frames, slow.pix_fmt, fast.pix_fmt = 0, "yuv420p", "yuv420p"
        slow.width, slow.height, fast.width, fast.height = 2 * WIDTH, 2 * HEIGHT, WIDTH, HEIGHT
        for number in range(200):
            for stream, due in ((slow, number < 50 or number % 50 == 0), (fast, True)):
                if due:
                    image = np.kron(scene(number), np.ones((2, 2, 1), np.uint8)) if stream is slow else None
                    image = noise.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8) if image is None else image
                    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                    frame.pts, frame.time_base = number, Fraction(1, 25)
                    container.mux(stream.encode(frame))
        for stream in (slow, fast):
            container.mux(stream.encode(None))
    frames, reader = read(tmp_path / "clip.mkv", rate=25)
    assert reader.incomplete is None and reader.width == 2 * WIDTH
    assert [number_in(frame.image) for frame in frames] == [*range(50), 50, 100, 150]


# What the pictures look like

TURNS = [(degrees, mirrored) for degrees in (0, 90, 180, 270) for mirrored in (False, True)]


@pytest.mark.parametrize(("degrees", "mirrored"), TURNS)
def test_turned_and_mirrored_videos_stand_upright(tmp_path, degrees, mirrored):
    """The pictures are stored so that they are upright once they are turned counterclockwise and then mirrored."""

    def stored(image):
        return np.ascontiguousarray(np.rot90(image[:, ::-1] if mirrored else image, -degrees // 90))

    times = uneven(40)
    clip = write_clip(
        tmp_path / "clip.mp4",
        times,
        [stored(scene(number)) for number in range(40)],
        prepare=lambda stream: stream.set_display_rotation(degrees, hflip=mirrored),
    )
    frames, reader = read(clip, rate=10)
    assert (reader.width, reader.height) == (WIDTH, HEIGHT) and len(frames) > 15
    for frame in frames:
        assert frame.image.shape == (HEIGHT, WIDTH, 3) and frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        assert frame.seconds == pytest.approx(times[number_in(frame.image)], abs=0.001)


def test_long_pixels_become_square(tmp_path):
    def wide(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    (frame, *_), reader = read(write_clip(tmp_path / "clip.mp4", STEADY[:5], prepare=wide))
    assert frame.image.shape == (64, 128, 3) and (reader.width, reader.height) == (128, 64)
    assert number_in(frame.image) == 0


def test_large_pictures_are_scaled_down(tmp_path):
    (frame, *_), reader = read(write_clip(tmp_path / "clip.mp4", STEADY[:5]), longest=48)
    assert frame.image.shape == (32, 48, 3) and (reader.width, reader.height) == (48, 32)
    assert number_in(frame.image) == 0


def test_a_stream_that_changes_its_size(tmp_path):
    """As video calls do: larger, then upright in place of lying."""
    parts = []
    for number, (height, width) in enumerate(((64, 96), (128, 192), (96, 64))):
        image = np.full((height, width, 3), 60 * (number + 1), np.uint8)
        parts.append(write_clip(tmp_path / f"{number}.ts", STEADY[:50], [image] * 50).read_bytes())
    (tmp_path / "clip.ts").write_bytes(b"".join(parts))
    frames, reader = read(tmp_path / "clip.ts", rate=5)
    assert {frame.image.shape for frame in frames} == {(64, 96, 3)} and reader.incomplete is None
    assert [round(frame.image[32, 48, 0] / 60) for frame in frames] == [1] * 10 + [2] * 10 + [3] * 10
    # The last is fitted in, with black beside it.
    assert frames[19].image[32, 2, 0] > 100 and frames[29].image[32, 2, 0] < 10 and frames[29].image[2, 48, 0] > 160


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix"),
    [
        ("libx264", "yuv420p10le", ".mp4"),
        ("libx264", "yuv444p", ".mkv"),
        ("ffv1", "yuv422p16le", ".mkv"),
        ("ffv1", "bgra", ".mkv"),
        ("mjpeg", "yuvj420p", ".avi"),
        ("prores_ks", "yuv422p10le", ".mov"),
        ("png", "rgb24", ".mov"),
    ],
)
def test_colors_of_many_pixel_formats(tmp_path, codec, pixels, suffix):
    clip = write_clip(tmp_path / f"clip{suffix}", STEADY[:10], codec=codec, pixels=pixels)
    frames, reader = read(clip, rate=1000)
    assert [number_in(frame.image) for frame in frames] == list(range(10)) and reader.incomplete is None
    error = np.abs(frames[0].image.astype(int) - scene(0))
    assert np.median(error) <= 12, "colours are off"


@pytest.mark.parametrize(
    ("transfer", "signals"),
    [(ColorTrc.SMPTE2084, {20.3: 0.3578, 203: 0.5807}), (ColorTrc.ARIB_STD_B67, {26: 0.38, 203: 0.75})],
    ids=["PQ", "HLG"],
)
def test_high_dynamic_range_is_as_bright_as_standard(tmp_path, transfer, signals):
    """Grey of these nits by SMPTE ST 2084 and ITU-R BT.2408: 203 are white."""

    def signal(stream):
        context = stream.codec_context
        context.color_trc, context.color_primaries = transfer.value, ColorPrimaries.BT2020.value

    pictures = [np.full((64, 96, 3), round(255 * value), np.uint8) for value in signals.values()]
    clip = write_clip(tmp_path / "clip.mp4", STEADY[:2], pictures, pixels="yuv420p10le", prepare=signal)
    dark, white = (float(frame.image.mean()) for frame in read(clip, rate=25)[0])
    light = min(signals) / 203
    assert white > 245 and dark == pytest.approx(255 * (1.055 * light ** (1 / 2.4) - 0.055), abs=5)


def test_wide_colors_of_a_video_are_converted(tmp_path):
    """By the matrix of ITU-R BT.2087."""

    def wide(stream):
        stream.codec_context.color_primaries = ColorPrimaries.BT2020.value

    picture = np.full((64, 96, 3), (200, 100, 100), np.uint8)
    clip = write_clip(tmp_path / "clip.mp4", STEADY[:1], [picture], prepare=wide)
    light = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]) @ (
        ((np.array([200, 100, 100]) / 255 + 0.055) / 1.055) ** 2.4
    )
    expected = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(read(clip, rate=25)[0][0].image[32, 48] - expected).max() < 8


@pytest.mark.parametrize(
    ("size", "tagged", "rgb"),
    [
        ((960, 704), None, (254, 0, 0)),  # BT.601
        ((1280, 720), None, (255, 24, 0)),  # BT.709
        ((720, 1280), None, (255, 24, 0)),
        ((960, 704), 1, (255, 24, 0)),
        ((1280, 720), 6, (254, 0, 0)),
    ],
)
def test_the_matrix_of_a_video_that_does_not_say_it(tmp_path, size, tagged, rgb):
    """Y 81, Cb 90, Cr 240 is red by BT.601; by BT.709 it is 255, 24, 0."""
    (width, height), path = size, tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if tagged is not None:
            stream.codec_context.colorspace = tagged
        for number in range(2):
            picture = av.VideoFrame(width, height, "yuv420p")
            for plane, value in zip(picture.planes, (81, 90, 240)):
                plane.update(bytes([value]) * plane.buffer_size)
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    frame = read(path, rate=25)[0][0]
    assert np.abs(frame.image[height // 2, width // 2].astype(int) - rgb).max() <= 4


# Broken files


def noisy_scenes() -> list[np.ndarray]:
    """Scenes for STEADY that take most bytes of a file."""
    noise = np.random.default_rng(0).integers(0, 60, (len(STEADY), HEIGHT, WIDTH, 3), np.uint8)
    return [np.maximum(scene(number), noise[number]) for number in range(len(STEADY))]


def cut(path: Path, part: float) -> Path:
    target = path.with_stem("cut")
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * part)])
    return target


FASTSTART, FRAGMENTED = {"movflags": "faststart"}, {"movflags": "frag_keyframe+delay_moov"}


@pytest.mark.parametrize(
    ("suffix", "options", "sound"),
    [
        (".mp4", FASTSTART, 0),
        (".mp4", FRAGMENTED, 0),
        (".mkv", {}, 0),
        (".webm", {}, 0),
        (".avi", {}, 0),
        (".flv", {}, 0),
        (".ts", {}, 0),
        (".mp4", FASTSTART, 6),
        (".mp4", FRAGMENTED, 6),
        (".mkv", {}, 6),
        (".webm", {}, 6),
        (".ts", {}, 6),
    ],
)
def test_a_file_cut_off_gives_what_is_there_and_says_where_it_ends(tmp_path, suffix, options, sound):
    whole = write_clip(tmp_path / f"whole{suffix}", STEADY, noisy_scenes(), sound=sound, **options)
    frames, reader = read(cut(whole, 0.6), rate=25)
    numbers = [number_in(frame.image) for frame in frames]
    assert numbers == list(range(len(numbers))) and 40 < len(numbers) < 130
    assert np.abs(np.array([frame.seconds for frame in frames]) - STEADY[: len(frames)]).max() < 0.002
    assert reader.incomplete.values["after"].values["position"] == reader.position
    assert reader.position == pytest.approx(len(frames) / 25, abs=0.1)
    assert reader.incomplete.code in ("file_ends", "file_breaks_off")
    assert str(reader.incomplete).endswith(".") and "\n" not in str(reader.incomplete)


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".ts", ".flv", ".wmv", ".gif"])
@pytest.mark.parametrize("filled", [False, True])
def test_a_file_of_which_little_is_missing_says_so(tmp_path, suffix, filled):
    """Cut off, or with zeros where room was made for what did not come."""
    clip = write_clip(tmp_path / f"clip{suffix}", STEADY, pixels="rgb8" if suffix == ".gif" else "yuv420p")
    data = clip.read_bytes()
    there = len(data) * (6 if filled else 7) // 10 | 1
    clip.write_bytes(data[:there] + bytes(len(data) - there if filled else 0))
    frames, reader = read(clip, rate=25)
    assert 50 < len(frames) < 150 and str(reader.incomplete).startswith("The file ")
    assert [number_in(frame.image) for frame in frames[:50]] == list(range(50))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_size_that_is_none_says_nothing(tmp_path, number):
    clip = write_clip(tmp_path / "clip.flv", STEADY[:25])
    data = bytearray(clip.read_bytes())
    struct.pack_into(">d", data, data.index(b"filesize\0") + 9, number)
    clip.write_bytes(data)
    assert numbers_and_times(clip, rate=25)[0] == list(range(25))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".ts", ".avi"])
def test_damage_in_the_middle_is_passed_and_told(tmp_path, suffix):
    clip = write_clip(tmp_path / f"clip{suffix}", [number / 25 for number in range(500)])
    data = bytearray(clip.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 1500] = np.random.default_rng(1).integers(0, 256, 1500, np.uint8).tobytes()
    clip.write_bytes(data)
    frames, reader = read(clip, rate=25)
    # Well before and well behind the damage everything is as it was; key frames are a second apart.
    good = [frame for frame in frames if frame.seconds < 7 or frame.seconds > 14]
    if suffix == ".avi":  # has no times: pictures that are lost make it shorter
        assert "The file ends after" in str(reader.incomplete)
        good = [frame for frame in good if frame.seconds < 7]
    else:
        says = r"The file is damaged from \d+(\.\d)? to \d+(\.\d)? seconds; frames are missing there\."
        assert re.match(says, str(reader.incomplete))
        assert len(good) == 175 + 149
    assert all(frame.seconds == pytest.approx(number_in(frame.image) / 25, abs=0.002) for frame in good)


def test_a_pause_of_the_camera_is_no_damage(tmp_path):
    times = [second + pause for pause in (0, 10, 30) for second in STEADY]
    assert numbers_and_times(write_clip(tmp_path / "clip.mkv", times), rate=25)[0] == list(range(450))


def test_a_recording_that_was_joined_late(tmp_path):
    """Without its first key frame nothing can be decoded until the next; that is told, and times stay right."""
    data = write_clip(tmp_path / "clip.ts", [number / 25 for number in range(500)]).read_bytes()
    late = data[: 188 * 3] + data[188 * (len(data) // 188 // 4) :]  # tables, then from a quarter on
    (tmp_path / "late.ts").write_bytes(late)
    frames, reader = read(tmp_path / "late.ts", rate=25)
    assert len(frames) > 300 and number_in(frames[-1].image) == 499
    steps = {round(frame.seconds - number_in(frame.image) / 25, 3) for frame in frames[5:]}
    assert max(steps) - min(steps) < 0.003


def test_a_disk_that_fails_in_the_middle(tmp_path):
    clip = write_clip(tmp_path / "clip.mkv", STEADY, noisy_scenes())
    size = clip.stat().st_size
    assert size > 2**19  # more than is read at once

    class Disk(io.FileIO):
        def read(self, count=-1):
            if self.tell() + count > 0.6 * size and self.tell() < 0.9 * size:
                raise OSError(5, "Input/output error")
            return super().read(count)

    frames, reader = read(Disk(clip), rate=25)
    assert 40 < len(frames) < 140 and [number_in(frame.image) for frame in frames] == list(range(len(frames)))
    assert str(reader.incomplete).startswith("Reading stopped after ")


def test_a_stream_that_appears_late(tmp_path, monkeypatch):
    """Damage can look like one more stream, of which PyAV knows nothing when it comes to the end."""
    open_container = video_decoding._open_container

    class Container:
        def __init__(self, *arguments):
            self.real = open_container(*arguments)

        def demux(self):
            yield from self.real.demux()
            raise IndexError("list index out of range")

        def __getattr__(self, name):
            return getattr(self.real, name)

    monkeypatch.setattr(video_decoding, "_open_container", Container)
    assert numbers_and_times(write_clip(tmp_path / "clip.ts", STEADY), rate=25)[0] == list(range(150))


def test_reading_can_stop_anywhere(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", STEADY)
    with VideoReader(clip) as reader:
        for frame in reader:
            if frame.seconds >= 1:
                break
        assert reader.position == pytest.approx(1)
        assert str(reader.incomplete) == "Reading was ended after 1 of 6 seconds."
    clip.unlink()


def test_a_video_that_another_process_decodes_is_the_same(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", STEADY)
    frames, decoder = read(clip, rate=25)
    data = bytearray(clip.read_bytes())
    cut(write_clip(tmp_path / "cut.mkv", STEADY), 0.7)
    for source in (clip, open(clip, "rb"), io.BytesIO(data)):
        with VideoReader(source, rate=25) as reader:
            assert (reader.width, reader.height, reader.rate) == (WIDTH, HEIGHT, 25)
            assert reader.duration == decoder.duration
            found = list(reader)
            assert reader.finished and reader.incomplete is None and reader.position == decoder.position
        assert [frame.seconds for frame in found] == [frame.seconds for frame in frames]
        assert all((one.image == other.image).all() for one, other in zip(found, frames))
        assert found[0].image.flags.c_contiguous and found[0].image.flags.writeable
    with VideoReader(tmp_path / "cut.mkv") as reader:
        list(reader)
        assert str(reader.incomplete) == str(read(tmp_path / "cut.mkv")[1].incomplete) != "None"


def crowded(path: Path) -> Path:
    """Ten pictures a second apart, then 140 of the same moment, which is in the middle of a second."""
    return write_clip(path, [*range(9), *(8.4 + number / 90_000 for number in range(141))])


def test_reading_can_be_stopped_where_no_picture_is_due(tmp_path):
    clip, stop = crowded(tmp_path / "clip.mkv"), threading.Event()
    with VideoReader(clip, should_stop=stop.is_set) as reader:
        for frame in reader:
            if number_in(frame.image) == 8:
                os.kill(reader._process._process.pid, signal.SIGSTOP)  # it gives no more
                stop.set()
        assert not reader.finished and re.match(r"Reading was ended after (8|8\.4) of", str(reader.incomplete))
    file = io.BytesIO(clip.read_bytes())
    with pytest.raises(VideoError, match="ended before the first frame"):
        VideoReader(file, should_stop=lambda: True)
    assert file.closed


def picture_file(format: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(scene(0)).save(buffer, format)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"this is text, whatever its name says\n" * 50, "not a video"),
        ("zeros.mp4", bytes(100_000), "not a video"),
        ("noise.mkv", np.random.default_rng(0).bytes(100_000), "not a video|damaged|no video"),
        ("photo.mp4", picture_file("JPEG"), "not a video"),
        ("photo.mov", picture_file("PNG"), "not a video"),
        ("photo.webm", picture_file("WEBP"), "not a video"),
        ("photo.avif", picture_file("AVIF"), "photo, not a video"),
        ("page.webm", b"<!DOCTYPE html><html><body>404</body></html>", "not a video"),
    ],
)
def test_files_that_are_no_videos(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(VideoError, match=says) as caught:
        VideoReader(tmp_path / name)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_an_mp4_without_its_index(tmp_path):
    clip = cut(write_clip(tmp_path / "clip.mp4", STEADY), 0.9)
    with pytest.raises(VideoError, match="index is missing.*Get it again"):
        VideoReader(clip)


@pytest.mark.parametrize("cover", [False, True])
def test_sound_alone(tmp_path, cover):
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as container:
        voice = container.add_stream("aac", rate=48_000)
        if cover:
            art = container.add_stream("mjpeg", rate=1)
            art.width, art.height, art.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            art.disposition = av.stream.Disposition.attached_pic.value
            container.mux(art.encode(av.VideoFrame.from_ndarray(scene(0), format="rgb24")))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 48_000
        container.mux(voice.encode(silence))
        container.mux(voice.encode(None))
    with pytest.raises(VideoError, match="sound but no video"):
        VideoReader(tmp_path / "song.m4a")


def test_too_many_pixels(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", STEADY[:5])
    with pytest.raises(VideoError, match="96 x 64 pixels"):
        VideoReader(clip, max_pixels=96 * 64 - 1)
    # The header may lie; and a stream may grow later.
    small = write_clip(tmp_path / "small.ts", STEADY[:50]).read_bytes()
    large = write_clip(tmp_path / "large.ts", STEADY[:50], [np.zeros((640, 960, 3), np.uint8)] * 50).read_bytes()
    (tmp_path / "grows.ts").write_bytes(small + large)
    frames, reader = read(tmp_path / "grows.ts", rate=25, max_pixels=96 * 64 * 4)
    assert 40 < len(frames) <= 50 and [number_in(frame.image) for frame in frames] == list(range(len(frames)))
    assert reader.incomplete is not None


def test_an_open_file(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", STEADY)
    file = open(clip, "rb")
    with VideoReader(file, rate=25) as reader:
        assert [number_in(frame.image) for frame in reader] == list(range(150))
    assert file.closed
    file = io.BytesIO(b"no video")
    with pytest.raises(VideoError):
        VideoReader(file)
    assert file.closed


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        VideoReader(tmp_path / "missing.mp4")
    with pytest.raises(VideoError, match="is not a file"):
        VideoReader(tmp_path)
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match="is not a file"):
        VideoReader(tmp_path / "pipe.mp4")


@pytest.mark.parametrize("options", [{"rate": 0}, {"rate": -1}, {"rate": float("nan")}, {"longest": 0}])
def test_senseless_settings(tmp_path, options):
    with pytest.raises(ValueError, match="above 0"):
        VideoReader(tmp_path / "any.mp4", **options)


# Nothing but the file itself is opened


@pytest.fixture
def web_server():
    """The address of a local server, and the list of what was asked of it."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


REFERENCES = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{0}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '{0}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "mpd": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static' "
    "mediaPresentationDuration='PT6S' profiles='urn:mpeg:dash:profile:isoff-on-demand:2011'><Period><AdaptationSet "
    "mimeType='video/mp4'><Representation id='1' bandwidth='1'><BaseURL>{0}</BaseURL></Representation></AdaptationSet>"
    "</Period></MPD>",
}


@pytest.mark.parametrize("kind", REFERENCES)
@pytest.mark.parametrize("suffix", [None, "mp4"])
def test_files_that_refer_to_others_are_no_videos(tmp_path, web_server, kind, suffix):
    address, asked = web_server
    clip = write_clip(tmp_path / "clip.ts", STEADY[:25])
    for target in (str(clip), clip.name, f"{address}/clip.ts"):
        path = tmp_path / f"list.{suffix or kind}"
        path.write_text(REFERENCES[kind].format(target))
        with pytest.raises(VideoError, match="not a video"):
            VideoReader(path)
    assert asked == []


def test_addresses_are_no_files(tmp_path, web_server, monkeypatch):
    address, asked = web_server
    clip = write_clip(tmp_path / "clip.ts", STEADY[:25])
    for path in (f"{address}/clip.ts", f"concat:{clip}", f"file:{clip}", f"subfile,,start,0,end,0,,:{clip}", "pipe:0"):
        with pytest.raises(VideoError, match="no such file"):
            VideoReader(path)
    assert asked == []
    # A file that is called like an address is still a file.
    monkeypatch.chdir(tmp_path)
    clip.rename(tmp_path / "concat:clip.ts")
    assert len(read(Path("concat:clip.ts"), rate=25)[0]) == 25


# Memory


MEASURE = """
import sys
from inference.video_decoding import VideoDecoder
from inference.video_writer import VideoWriter

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

reader = VideoDecoder(open(sys.argv[1], "rb", buffering=0), rate=1000, longest=1920, max_pixels=10**6)
with VideoWriter(sys.argv[2], reader.width, reader.height) as writer:
    for number, frame in enumerate(reader):
        writer.write(frame.image, frame.seconds)
        if number in (1000, 6000):
            print(resident())
"""


def test_memory_does_not_grow_with_the_length(tmp_path):
    if not sys.platform.startswith("linux"):
        pytest.skip("memory is read from /proc")
    clip = write_clip(tmp_path / "long.mkv", [number / 25 for number in range(6100)], [scene(5)] * 6100)
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, clip, tmp_path / "copy.mp4"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    early, late = map(float, result.stdout.split())
    # 5,000 pictures are 92 MB when kept; the index of both files takes some 100 bytes a picture.
    assert late - early < 8


# Writing


def test_written_pictures_keep_their_times(tmp_path):
    times = uneven(80)
    with VideoWriter(tmp_path / "out.mp4", WIDTH, HEIGHT) as writer:
        for number, seconds in enumerate(times):
            writer.write(scene(number), seconds)
    numbers, seconds = numbers_and_times(tmp_path / "out.mp4", rate=1000)
    assert numbers == list(range(80)) and np.abs(np.array(seconds) - times).max() < 0.001
    with av.open(str(tmp_path / "out.mp4")) as container:
        (stream,) = container.streams
        assert (stream.codec.name, stream.pix_fmt) == ("h264", "yuv420p")
        keys = [packet.pts * packet.time_base for packet in container.demux() if packet.is_keyframe]
    # Players can jump into it every few seconds: a key frame is due every two seconds of pictures.
    assert keys[0] == 0 and len(keys) >= times[-1] / 4.5
    boxes, data, place = [], (tmp_path / "out.mp4").read_bytes(), 0
    while place < len(data):
        boxes.append(data[place + 4 : place + 8].decode())
        place += int.from_bytes(data[place : place + 4], "big")
    assert "moov" in boxes and "moof" not in boxes, "it is an ordinary file, not fragments"


def test_written_colors_and_odd_sizes(tmp_path):
    image = np.zeros((51, 77, 3), np.uint8)
    image[:, :38], image[:, 38:] = (220, 40, 60), (30, 90, 200)
    with VideoWriter(tmp_path / "out.mp4", 77, 51) as writer:
        for number in range(10):
            writer.write(image, number / 10)
    frames, reader = read(tmp_path / "out.mp4")
    assert (reader.width, reader.height) == (78, 52) and len(frames) == 10
    for place in ((10, 10), (51, 10), (10, 60), (10, 77)):
        true = image[min(place[0], 50), min(place[1], 76)]
        assert np.abs(frames[5].image[place].astype(int) - true).max() < 14


def test_pictures_that_do_not_fit(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", WIDTH, HEIGHT) as writer:
        writer.write(scene(0), 1.0)
        with pytest.raises(ValueError, match="not later"):
            writer.write(scene(1), 1.0)
        with pytest.raises(ValueError, match="must be uint8"):
            writer.write(scene(1)[1:], 2.0)
        writer.write(scene(2), 2.0)
    assert numbers_and_times(tmp_path / "out.mp4", rate=25)[0] == [0, 2]


def test_an_error_on_the_way_leaves_a_complete_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "out.mp4", WIDTH, HEIGHT) as writer:
        for number in range(30):
            writer.write(scene(number), number / 10)
        raise KeyboardInterrupt
    assert numbers_and_times(tmp_path / "out.mp4", rate=25)[0] == list(range(30))


@pytest.mark.parametrize("options", [{}, {"movflags": "frag_keyframe+empty_moov"}])
def test_a_file_that_claims_more_pictures_than_fit_into_memory(tmp_path, options):
    with av.open(tmp_path / "whole.mp4", "w", options=options) as video:
        stream = video.add_stream("mpeg4", 25, width=WIDTH, height=HEIGHT, pix_fmt="yuv420p")
        for number in range(3):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(scene(number))))
        video.mux(stream.encode())
    (tmp_path / "claims.mp4").write_bytes(claim_samples((tmp_path / "whole.mp4").read_bytes()))
    assert numbers_and_times(tmp_path / "whole.mp4", rate=25)[0] == [0, 1, 2]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(VideoError, match="too much memory|No frame of the video"):
        VideoReader(tmp_path / "claims.mp4")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB; it would take 2 GB


def test_no_picture_is_an_empty_file(tmp_path):
    VideoWriter(tmp_path / "out.mp4", WIDTH, HEIGHT).close()
    with pytest.raises(VideoError):
        VideoReader(tmp_path / "out.mp4")


def test_a_video_that_cannot_be_written(tmp_path):
    with pytest.raises(OSError):
        VideoWriter(tmp_path / "no" / "such" / "folder.mp4", WIDTH, HEIGHT)
    with pytest.raises(OSError):
        VideoWriter("http://127.0.0.1:9/out.mp4", WIDTH, HEIGHT)


def test_a_killed_writer_leaves_what_it_wrote(tmp_path):
    script = (
        "import sys, time\nsys.path.insert(0, 'tests')\nfrom clips import scene\nfrom inference.video_writer import VideoWriter\n"
        "writer = VideoWriter(sys.argv[1], 96, 64)\n"
        "for number in range(200):\n    writer.write(scene(number), number / 10)\n"
        "print('written', flush=True)\ntime.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, tmp_path / "out.mp4"], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"written\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    frames, reader = read(tmp_path / "out.mp4", rate=25)
    numbers = [number_in(frame.image) for frame in frames]
    assert numbers == list(range(len(numbers))) and len(numbers) >= 140
