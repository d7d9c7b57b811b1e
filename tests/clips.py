"""Small videos whose pictures say which one they are, and which side is up."""

import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH, HEIGHT = 96, 64
BITS = 12
CODECS = {".webm": "libvpx", ".avi": "mpeg4", ".gif": "gif", ".mpg": "mpeg2video", ".wmv": "wmv2", ".flv": "flv"}
TIME_BASES = {
    ".avi": None,
    ".mpg": None,
    ".gif": Fraction(1, 100),
    ".wmv": Fraction(1, 1000),
    ".flv": Fraction(1, 1000),
}
"""Where it is not 1/90000 s; None: pictures come at a steady rate."""
OPTIONS = {
    "libx264": {"preset": "ultrafast", "crf": "12"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "b": "1M"},
    "mpeg4": {"qmin": "2", "qmax": "3"},
}


def scene(number: int) -> np.ndarray:
    """uint8 (HEIGHT, WIDTH, 3): the number as white (1) and black (0) blocks in the upper half, highest bit first; below
    them a red part on the left and a green one on the right."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[HEIGHT // 2 :, : WIDTH // 2] = (200, 30, 30)
    image[HEIGHT // 2 :, WIDTH // 2 :] = (30, 160, 30)
    for bit in range(BITS):
        side = WIDTH // BITS
        image[: HEIGHT // 2, bit * side : (bit + 1) * side] = 255 * (number >> (BITS - 1 - bit) & 1)
    return image


def number_in(image: np.ndarray) -> int:
    """The number of the scene in a picture of any size; fails unless it stands upright."""
    height, width = image.shape[:2]
    left, right = (image[height * 3 // 4, width * part // 4].astype(int) for part in (1, 3))
    assert left[0] > left[1] + 60 and right[1] > right[0] + 60, f"not upright: {left}, {right}"
    row = image[height // 4].mean(axis=-1)
    return sum(int(row[(2 * bit + 1) * width // (2 * BITS)] > 128) << (BITS - 1 - bit) for bit in range(BITS))


def write_clip(
    path: Path,
    times: Iterable[float],
    pictures: Iterable[np.ndarray] | None = None,
    codec: str | None = None,
    pixels: str = "yuv420p",
    prepare=lambda stream: None,
    sound: float = 0,
    **options: str,
) -> Path:
    """Write scenes 0, 1, 2 and so on at the given times in seconds, in the container that the name says.

    Args:
        pictures: in place of the scenes; RGB.
        prepare: called with the stream before the first picture.
        sound: seconds of silence beside the pictures.
        options: of the container.
    """
    times = list(times)
    pictures = [scene(number) for number in range(len(times))] if pictures is None else list(pictures)
    codec = codec or CODECS.get(path.suffix, "libx264")
    rate = (
        Fraction((len(times) - 1) / (times[-1] - times[0])).limit_denominator(1001) if len(times) > 1 else Fraction(25)
    )
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate, options=OPTIONS.get(codec, {}))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.thread_count = 1
        time_base = TIME_BASES.get(path.suffix, Fraction(1, 90_000)) or 1 / rate
        stream.codec_context.time_base = time_base
        stream.codec_context.gop_size = 25
        prepare(stream)
        heard = silences = 0
        if sound:
            voice = container.add_stream("aac" if path.suffix in (".mp4", ".mkv", ".ts") else "libopus", rate=48_000)
            silences = int(sound * 48_000 / 1024)

        def hear(until: float) -> None:
            """Write the sound up to a time, for containers keep what is heard and seen together side by side."""
            nonlocal heard
            while heard < silences and heard * 1024 / 48_000 <= until:
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                silence.sample_rate, silence.pts, silence.time_base = 48_000, heard * 1024, Fraction(1, 48_000)
                container.mux(voice.encode(silence))
                heard += 1

        for seconds, picture in zip(times, pictures):
            hear(seconds)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace="ITU601", dst_color_range="MPEG")
            frame.pts, frame.time_base = round(seconds / time_base), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound:
            hear(sound)
            container.mux(voice.encode(None))
    return path


PHOTO = Path(__file__).resolve().parent.parent / "examples" / "astronaut.jpg"
FACE = (0.439, 0.243)
"""Where the middle of the face is in the photograph, in parts of its side."""
FACE_WIDTH, FACE_HEIGHT = 320, 240


def face_at(seconds: float) -> tuple[float, float]:
    """Where the face of `face_scene` is, x and y in pixels: it swings from side to side in four seconds."""
    left = 40 + 40 * np.sin(seconds * np.pi / 2)
    return round(left) + FACE[0] * FACE_HEIGHT, FACE[1] * FACE_HEIGHT


def face_scene(seconds: float) -> np.ndarray:
    """uint8 (FACE_HEIGHT, FACE_WIDTH, 3): the example photograph at that time."""
    photo = cv2.resize(cv2.imread(str(PHOTO)), (FACE_HEIGHT, FACE_HEIGHT), interpolation=cv2.INTER_AREA)[:, :, ::-1]
    image = np.full((FACE_HEIGHT, FACE_WIDTH, 3), 90, np.uint8)
    left = round(face_at(seconds)[0] - FACE[0] * FACE_HEIGHT)
    image[:, left : left + FACE_HEIGHT] = photo[:, : FACE_WIDTH - left]
    return image


def write_face_clip(path: Path, times: Iterable[float], turned: bool = False, **options) -> Path:
    """The moving face at the given times in seconds, stored upright or turned as by a phone held upright."""
    times = list(times)
    pictures = [face_scene(seconds) for seconds in times]
    if turned:
        pictures = [np.ascontiguousarray(np.rot90(picture)) for picture in pictures]
        options["prepare"] = lambda stream: stream.set_display_rotation(-90)
    return write_clip(path, times, pictures, **options)


def claim_samples(data: bytes, count: int = 60 * 10**6) -> bytes:
    """An MP4 file, or its boxes, that says in as many bytes that it has so many samples, of one byte each."""
    data = bytearray(data)
    if b"trun" in data:
        changes = [(b"trun", 0, (1, count))]  # neither size nor time of a sample follows
    else:
        changes = [(b"stsz", 4, (1, count)), (b"stts", 8, (count, 1)), (b"stsc", 8, (1, count, 1))]
    for name, skipped, values in changes:
        struct.pack_into(f">{len(values)}I", data, data.index(name) + 4 + skipped, *values)
    return bytes(data)
