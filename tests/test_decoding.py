"""Processes that decode: limited, ended and replaced, whatever a file makes them do."""

import contextlib
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clips import scene, write_clip
from hostile_files import (
    SMALL,
    avif_of_many_samples,
    chunk,
    deflated_zeros,
    encode,
    gif,
    gif_with_junk,
    grey_tiff,
    heic_of_many_metadata,
    heic_of_one_tile,
    junk_tiff,
    large_linear_png,
    large_tiff,
    mjpeg,
    moving,
    overlapping_tags,
    png,
    profile_of_many_stages,
    scans,
    webp,
    with_overlapping_exif,
    with_size,
)
from inference import decoding, video
from inference.decoding import Decoders
from inference.image_decoding import decode_image
from inference.images import MAX_BYTES, MAX_PIXELS, ImageError, load_image
from inference.video import VideoError, VideoReader

ROOT = Path(__file__).resolve().parent.parent
ASTRONAUT = (ROOT / "examples" / "astronaut.jpg").read_bytes()
PICTURE = encode(SMALL, "PNG")


@pytest.fixture(scope="module")
def decoders():
    """One process, with less time than pictures have."""
    decoders = Decoders(1, seconds=0.3)
    yield decoders
    decoders.close()


def pid_of(decoders: Decoders) -> int:
    """Of its only process."""
    (process,) = decoders._processes
    return process._process.pid


def says(decoders: Decoders, data: bytes) -> str:
    """The size of a picture, or the code of the sentence that is said of it."""
    try:
        return str(decoders.decode(data, MAX_PIXELS).shape[:2])
    except ImageError as error:
        assert str(error).endswith(".") and "\n" not in str(error)
        return error.code


# Files that are made to be a burden

BURDENS = {
    # What its libraries do with a file of moderate size takes minutes or gigabytes.
    "png with a profile of 40,000 stages": lambda: encode(SMALL, "PNG", icc_profile=profile_of_many_stages(40_000)),
    "jpeg with a profile of 28,000 stages": lambda: encode(SMALL, "JPEG", icc_profile=profile_of_many_stages(28_000)),
    "jpeg of thousands of scans": lambda: scans(1000, 6000),
    "jpeg with a million comments": lambda: ASTRONAUT[:2] + b"\xff\xfe\0\2" * 10**6 + ASTRONAUT[2:],
    "gif with a byte of junk": gif_with_junk,
    "gif with a comment of 25 MB": lambda: gif(b"\x21\xfe" + (b"\xff" + b"a" * 255) * 100_000 + b"\0"),
    "heic of a tile that comes 961 times": heic_of_one_tile,
    "heic of metadata that are the same megabytes": heic_of_many_metadata,
    "png with a million chunks": lambda: png(extra=chunk(b"prVt", b"") * 10**6),
    "png with ten thousand profiles": lambda: png(
        extra=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**6))) * 10_000
    ),
    "webp with overlapping exif": lambda: with_overlapping_exif("WEBP"),
    "tiff with overlapping tags": overlapping_tags,
    "tiff with strips enough for thousands of pictures": lambda: grey_tiff(
        *(1000, 1000, (273, 4, 8000, 8), (278, 4, 1, 999), (279, 4, 1, 8)),
        body=struct.pack("<I", 32_008) * 8000 + bytes(1000 * 125),
        bits=1,
    ),
    "big tiff with a million tags": lambda: (
        b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 10**6) + struct.pack("<HHQQ", 256, 3, 1, 64) * 10**6
    ),
}
"""The small ones of their kind: larger ones take the longer until they are ended the more pixels they say that they have."""


@pytest.mark.parametrize("name", BURDENS)
def test_a_burden_is_ended_and_the_next_picture_is_read(decoders, name):
    data = BURDENS[name]()
    assert len(data) <= MAX_BYTES
    decoders.decode(PICTURE, MAX_PIXELS)
    before = pid_of(decoders)
    assert says(decoders, data) in ("picture_slow", "picture_memory")
    assert says(decoders, PICTURE) == "(64, 64)"
    assert pid_of(decoders) != before


CLAIMS = {
    "png of 144 megapixels": (lambda: encode(Image.new("1", (12_000, 12_000)), "PNG"), "photo_pixels"),
    "png of all pixels that there can be": (lambda: png(2**31 - 1, 2**31 - 1), "photo_megapixels"),
    "png of one column": (lambda: png(1, 50_000_000), "photo_side"),
    "png without pixels": (lambda: png(0, 64), "photo_damaged"),
    "png with a profile of 64 MB": (
        lambda: png(extra=chunk(b"iCCP", b"a\0\0" + deflated_zeros(2**26))),
        "photo_damaged",
    ),
    "tiff with more tags than it has bytes": (lambda: b"II*\0\x08\0\0\0\xff\xff" + bytes(24), "photo_damaged"),
    "tiff with a tile of 1600 megapixels": (
        lambda: grey_tiff(
            *(64, 64, (322, 4, 1, 40_000), (323, 4, 1, 40_000), (324, 4, 1, 8), (325, 4, 1, 1000)),
            body=deflated_zeros(2**20),
            compression=8,
        ),
        "photo_damaged",
    ),
    "tiff of 2500 megapixels": (lambda: grey_tiff(50_000, 50_000, (273, 4, 1, 8), body=bytes(100)), "photo_megapixels"),
    "gif of 4295 megapixels": (lambda: gif(b"", (65_535, 65_535)), "photo_megapixels"),
    "webp of 268 megapixels": (lambda: webp(16_383, 16_383), "photo_damaged"),
    "heic of 900 megapixels": (lambda: with_size(encode(SMALL, "HEIF"), 30_000, 30_000), "photo_megapixels"),
    "heic of other size than it says": (
        lambda: with_size(encode(Image.new("RGB", (2000, 1500)), "HEIF", quality=1), 64, 64),
        "photo_damaged",
    ),
    "heic that lays pictures over one another": (
        lambda: encode(SMALL, "HEIF").replace(b"hvc1", b"iovl", 1),
        "photo_damaged",
    ),
    "avif of 144 megapixels": (lambda: with_size(encode(SMALL, "AVIF"), 12_000, 12_000), "photo_pixels"),
    "avif of sixty million samples": (avif_of_many_samples, "(64, 64)"),
    "bmp of 2500 megapixels": (
        lambda: encode(SMALL, "BMP")[:18] + struct.pack("<ii", 50_000, 50_000) + encode(SMALL, "BMP")[26:],
        "photo_megapixels",
    ),
    "webp that moves": (lambda: moving("WEBP"), "(8, 8)"),
    "png that moves": (lambda: moving("PNG"), "(8, 8)"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_what_a_file_claims_costs_nothing(decoders, name):
    """The process that answers is the one that was there before."""
    make, answer = CLAIMS[name]
    decoders.decode(PICTURE, MAX_PIXELS)
    before = pid_of(decoders)
    assert says(decoders, make()) == answer
    assert pid_of(decoders) == before


LARGE = {
    "tiff of 49 million floating point numbers": (lambda: large_tiff(np.float32), (7000, 7000, 3)),
    "png of 25 million linear colors of 16 bits": (large_linear_png, (5000, 5000, 3)),
    "png with a text of 64 MB": (lambda: png(extra=chunk(b"zTXt", b"a\0\0" + deflated_zeros(2**26))), (64, 64, 3)),
    "jpeg without its end that is made longer by 25 MB of zeros": (
        lambda: encode(SMALL, "JPEG")[:-2] + bytes(25 * 2**20),
        (64, 64, 3),
    ),
    "jpeg with 25 MB of zeros before other bytes": (
        lambda: encode(SMALL, "JPEG") + bytes(25 * 2**20) + b"a",
        (64, 64, 3),
    ),
    "tiff of sixty previews in what looks like JPEG": (junk_tiff, (8, 8, 3)),
}


@pytest.mark.parametrize("name", LARGE)
def test_the_largest_pictures_are_read_within_the_limits(name):
    make, shape = LARGE[name]
    assert load_image(make()).shape == shape


def test_real_files_of_these_kinds_are_read():
    """Twenty scans, a comment and a profile of half a megabyte, thousands of frames, a directory that leads to itself."""
    assert load_image(scans(1000, 20)).shape == (1000, 1000, 3)
    assert load_image(gif(b"\x21\xfe" + (b"\xff" + b"a" * 255) * 2000 + b"\0")).shape == (64, 64, 3)
    frames = [Image.fromarray(np.full((8, 8), number % 251, np.uint8)) for number in range(3000)]
    assert load_image(encode(frames[0], "GIF", save_all=True, append_images=frames[1:])).shape == (8, 8, 3)
    assert load_image(png(extra=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(500_000))))).shape == (64, 64, 3)
    looped = grey_tiff(8, 8, (273, 4, 1, 8), (278, 4, 1, 8), (279, 4, 1, 64), body=bytes(64))
    assert load_image(looped[:-4] + struct.pack("<I", 72)).shape == (8, 8, 3)
    exif = Image.Exif()
    exif[0x010E] = "a description " * 2000
    assert load_image(encode(SMALL, "JPEG", exif=exif)).shape == (64, 64, 3)
    with_film = encode(SMALL, "JPEG") + b"\xff\xda" * 10**6
    assert load_image(with_film).shape == (64, 64, 3)


def test_metadata_of_any_size_do_not_keep_a_picture_from_being_read():
    """Texts, histories of XMP, profiles of inks, makers' notes and previews of several megabytes."""
    text = np.random.default_rng(0).bytes(2**20).hex().encode()
    packed = zlib.compress(text)
    chunks = (
        chunk(b"tEXt", b"parameters\0" + text * 4),
        chunk(b"zTXt", b"workflow\0\0" + packed),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + packed),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text),
        chunk(b"iCCP", b"inks\0\0" + packed),
        chunk(b"prVt", text * 4),
        *[chunk(b"zTXt", b"history\0\0" + packed)] * 20,
    )
    plain = load_image(png())
    for extra in chunks:
        assert (load_image(png(extra=extra)) == plain).all(), extra[4:30]
    assert (load_image(png(extra=b"".join(chunks[:-20]))) == plain).all()
    assert (
        len(png(extra=b"".join(chunks[-20:]))) < MAX_BYTES
        and (load_image(png(extra=b"".join(chunks[-20:]))) == plain).all()
    )
    jpeg = encode(SMALL, "JPEG")
    plain = load_image(jpeg)
    for mark, beginning in (
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0"),
        (0xE4, b"FPXR\0"),
        (0xED, b"Photoshop 3.0\0"),
        (0xFE, b""),
    ):
        part = struct.pack(">BBH", 255, mark, 2 + 65_000) + beginning.ljust(65_000, b"a")
        assert (load_image(jpeg[:2] + part * 400 + jpeg[2:]) == plain).all()
    notes = Image.Exif()
    notes.get_ifd(0x8769)[0x927C] = bytes(4_000_000)
    for format in ("TIFF", "WEBP", "AVIF", "HEIF", "PNG"):
        data = encode(SMALL, format, exif=notes.tobytes(), **({} if format == "TIFF" else {"xmp": text}))
        assert load_image(data).shape == (64, 64, 3)
    assert load_image(grey_tiff(8, 8, (273, 4, 1, 8), (279, 4, 1, 64), (700, 1, 2**23, 8), (37724, 7, 2**23, 8), body=bytes(2**23))).shape == (8, 8, 3)  # fmt: skip


def test_every_kind_of_avif_is_read():
    """With transparency, grey, without loss of colour, and moving, which holds the picture twice."""
    clear, moving = SMALL.copy(), {"save_all": True, "append_images": [SMALL.rotate(90)] * 3}
    clear.putalpha(128)
    for image, options in ((SMALL, {"subsampling": "4:4:4"}), (SMALL.convert("L"), {}), (clear, {}), (SMALL, moving)):
        assert load_image(encode(image, "AVIF", **options)).shape == (64, 64, 3)
    moving["append_images"] = [clear.rotate(90)]
    assert load_image(encode(clear, "AVIF", **moving)).shape == (64, 64, 3)
    assert load_image(encode(Image.new("RGB", (1, 1)), "AVIF")).shape == (1, 1, 3)
    photo = encode(Image.effect_noise((1501, 2003), 60).convert("RGB"), "AVIF", speed=10)
    assert load_image(photo).shape == (2003, 1501, 3)


# The processes


def test_a_process_gives_what_decoding_gives_here(decoders):
    found = decoders.decode(ASTRONAUT, MAX_PIXELS)
    assert (found == np.asarray(decode_image(ASTRONAUT, MAX_PIXELS).image)).all()
    assert found.dtype == np.uint8 and found.flags.c_contiguous and found.flags.writeable
    kept = found.copy()
    decoders.decode(PICTURE, MAX_PIXELS)
    assert (found == kept).all(), "the next picture is written to another place"


def test_pixels_come_through_the_pipe_where_no_memory_is_shared(monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    decoders = Decoders(1)
    assert (decoders.decode(ASTRONAUT, MAX_PIXELS) == load_image(ASTRONAUT)).all()
    decoders.close()


def test_a_process_that_is_killed_costs_one_picture(decoders):
    decoders.decode(PICTURE, MAX_PIXELS)
    (process,) = decoders._processes
    process._process.kill()
    process._process.wait()  # nobody notices
    assert says(decoders, PICTURE) == "(64, 64)"
    os.kill(pid_of(decoders), signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(says, decoders, PICTURE)
        while not decoding._watch._looks:
            time.sleep(0.01)
        os.kill(pid_of(decoders), signal.SIGKILL)  # while it is at work
        assert answer.result() == "picture_decoder_ended"
    assert says(decoders, PICTURE) == "(64, 64)"


def test_a_process_that_does_not_answer_is_ended(decoders, monkeypatch):
    """So it goes where the system knows no limits."""
    decoders.decode(PICTURE, MAX_PIXELS)
    os.kill(pid_of(decoders), signal.SIGSTOP)
    monkeypatch.setattr(decoding, "WALL", 0.01)
    assert says(decoders, PICTURE) == "picture_slow"
    monkeypatch.undo()
    assert says(decoders, PICTURE) == "(64, 64)"


IGNORES = """
import signal, sys
from inference import decoding
from inference.images import ImageError
signal.signal(signal.SIGPROF, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPROF})
decoding.WALL = 1000  # the clock would end it after five minutes
decoders = decoding.Decoders(1, seconds=0.3)
try:
    decoders.decode(sys.stdin.buffer.read(), 10**6)
except ImageError as error:
    print(error.code)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGPROF"), reason="needs POSIX timers")
def test_processor_time_counts_also_where_its_signal_is_ignored_or_blocked():
    """As in what a shell or a server starts."""
    burden = encode(SMALL, "PNG", icc_profile=profile_of_many_stages(40_000))
    done = subprocess.run([sys.executable, "-c", IGNORES], cwd=ROOT, input=burden, capture_output=True, timeout=120)
    assert done.stdout.strip() == b"picture_slow", done.stderr


def test_no_more_processes_than_may_be():
    decoders = Decoders(2)
    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(lambda _: says(decoders, ASTRONAUT), range(30))) == {"(512, 512)"}
    assert 1 <= len(decoders._processes) <= 2
    decoders.close()
    assert not decoders._processes


def test_others_take_the_same_processes_and_wait_for_none_that_is_at_work():
    decoders = Decoders(1)
    others = decoders.beside(1, seconds=0.3)
    assert says(decoders, PICTURE) == says(others, PICTURE) == "(64, 64)"
    os.kill(pid_of(decoders), signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(says, decoders, PICTURE)
        while not decoding._watch._looks:
            time.sleep(0.01)
        assert says(others, PICTURE) == "(64, 64)" and len(decoders._processes) == 2
        for process in decoders._processes:
            os.kill(process._process.pid, signal.SIGCONT)
        assert answer.result() == "(64, 64)"
    burden = encode(SMALL, "PNG", icc_profile=profile_of_many_stages(20_000))
    assert says(others, burden) == "picture_slow", "they have a time of their own"
    others.close()
    assert not decoders._processes
    assert says(decoders, PICTURE) == "(64, 64)"
    decoders.close()


DECODES = """
import os, sys
from inference import decoding
from inference.images import load_image
load_image("examples/astronaut.jpg")
print(next(iter(decoding.shared_decoders._processes))._process.pid, flush=True)
if sys.argv[1] == "forks":
    pid = os.fork()
    if pid == 0:
        assert not decoding.shared_decoders._processes
        assert load_image("examples/astronaut.jpg").shape == (512, 512, 3)
        os._exit(0)
    sys.exit(os.waitpid(pid, 0)[1])
if sys.argv[1] == "is killed":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("how", ["ends", "is killed", "forks"])
def test_processes_end_with_the_program_and_are_no_forks(how):
    done = subprocess.run([sys.executable, "-c", DECODES, how], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == (-9 if how == "is killed" else 0), done.stderr
    deadline = time.monotonic() + 20
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(int(done.stdout), 0)
            time.sleep(0.02)
        pytest.fail("it is still there")


def test_ctrl_c_is_not_for_them(decoders):
    decoders.decode(PICTURE, MAX_PIXELS)
    assert os.getsid(pid_of(decoders)) != os.getsid(0)


@pytest.mark.parametrize("module", ["image_decoding", "video_decoding"])
def test_they_hold_no_more_than_decoding_needs(module):
    code = f"import inference.decoder_child, inference.{module}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"cv2", "onnxruntime", "mediapipe", "matplotlib", "gradio", "multiprocessing"}
    assert ("av" in loaded) == (module == "video_decoding")


# Videos


def test_a_frame_that_takes_too_long_ends_the_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "FRAME_SECONDS", 0.3)
    good, burden = encode(Image.fromarray(scene(5)).resize((640, 640)), "JPEG"), scans(640, 100_000)
    path = mjpeg(tmp_path / "clip.avi", [good, good, burden, good], 640)
    with VideoReader(path) as reader:
        assert [frame.seconds for frame in reader] == [0, 0.1]
        assert (
            str(reader.incomplete) == "Reading stopped after 0.1 of 0.4 seconds: what follows takes too long to read."
        )
    with pytest.raises(VideoError) as caught:
        VideoReader(mjpeg(tmp_path / "first.avi", [burden], 640))
    assert caught.value.code == "video_slow"


def test_a_process_that_is_killed_ends_the_reading(tmp_path):
    with VideoReader(write_clip(tmp_path / "clip.mp4", [number / 25 for number in range(500)])) as reader:
        frames = iter(reader)
        next(frames)
        os.kill(reader._process._process.pid, signal.SIGKILL)
        list(frames)
        assert re.fullmatch(
            r"Reading stopped after .* seconds: the program that reads videos ended there\.", str(reader.incomplete)
        )


def test_a_reader_that_waits_reads_little_ahead(tmp_path):
    clip = write_clip(
        tmp_path / "clip.mp4", [number / 25 for number in range(100)], [np.zeros((480, 640, 3), np.uint8)] * 100
    )
    with VideoReader(clip, rate=25) as reader:
        next(iter(reader))
        status = Path(f"/proc/{reader._process._process.pid}/stat")
        if not status.exists():
            pytest.skip("reads /proc")
        deadline = time.monotonic() + 20
        while status.read_text().rpartition(")")[2].split()[0] != "S":  # it sleeps, with 98 frames to go
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not reader.finished
