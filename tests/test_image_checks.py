"""Files made to be a burden: refused in little time and memory. Real files of the same kinds are read."""

import av
import io
import json
import numpy as np
import pytest
import re
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from PIL import Image

from clips import claim_samples
from inference.image_checks import FORMATS, OTHERS, find_format
from inference.images import MAX_BYTES, ImageError, load_image

SECONDS, MEGABYTES = 5, 600
"""What no refusal may take, of processor time and of memory beyond the file. A picture of 50 megapixels takes as much."""


def encode(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


SMALL = Image.effect_noise((64, 64), 60).convert("RGB")


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int = 64, height: int = 64, extra: bytes = b"", data: bytes | None = None) -> bytes:
    """A PNG that says it has this size, with extra chunks, or chunks of data, where they belong."""
    data = chunk(b"IDAT", zlib.compress(bytes(64 * 193))) if data is None else data
    header = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + data + chunk(b"IEND", b"")


def tiff(tags: list[tuple[int, int, int, int]], body: bytes = b"") -> bytes:
    """A TIFF file of these tags (number, type, count, value or place), with its body from byte 8 on."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(tags)) + entries + bytes(4)


def grey_tiff(width: int, height: int, *tags: tuple[int, int, int, int], body: bytes = b"", **values: int) -> bytes:
    values = {"bits": 8, "compression": 1, **values}
    first = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, values["bits"]), (259, 3, 1, values["compression"])]
    return tiff([*first, (262, 3, 1, 1), *tags], body)


def overlapping_tags() -> bytes:
    """Three hundred tags that all say that the same nine megabytes are theirs."""
    return tiff([(40_000 + number, 7, 9_000_000, 8) for number in range(300)], bytes(9_000_000))


def with_overlapping_exif(format: str) -> bytes:
    """Put in place of harmless EXIF of the same length, which encoders read."""
    burden = overlapping_tags()
    harmless = tiff([(270, 2, 4, 0)]).ljust(len(burden), b" ")
    data = encode(SMALL, format, exif=b"Exif\0\0" + harmless)
    assert harmless in data
    return data.replace(harmless, burden)


def scans(side: int, count: int) -> bytes:
    """A progressive JPEG whose last scan, a few bytes, comes again and again."""
    data = encode(Image.new("L", (side, side), 100), "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * count + b"\xff\xd9"


def gif(extensions: bytes, size: tuple[int, int] = (64, 64)) -> bytes:
    data = encode(Image.new("P", (64, 64)), "GIF")
    assert data[10] & 128
    head = 13 + (6 << (data[10] & 7))
    return data[:6] + struct.pack("<HH", *size) + data[10:head] + extensions + data[head:]


def with_size(data: bytes, width: int, height: int) -> bytes:
    """HEIC or AVIF that says it has this size."""
    return re.sub(
        rb"(ispe\0{4}).{8}", lambda found: found[1] + struct.pack(">II", width, height), data, flags=re.DOTALL
    )


def webp(width: int, height: int) -> bytes:
    data = encode(SMALL, "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 64))])
    place = data.index(b"VP8X") + 12
    return data[:place] + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3] + data[place + 6 :]


def avif_of_many_samples(**options: str) -> bytes:
    """A picture followed by a video that says that it has sixty million samples."""
    file = io.BytesIO()
    with av.open(file, "w", "mp4", options=options) as video:
        stream = video.add_stream("mpeg4", 25, width=64, height=64, pix_fmt="yuv420p")
        video.mux([*stream.encode(av.VideoFrame.from_image(SMALL)), *stream.encode()])
    return encode(SMALL, "AVIF") + claim_samples(file.getvalue())


def deflated_zeros(count: int) -> bytes:
    packer, block = zlib.compressobj(9), bytes(2**20)
    return b"".join(packer.compress(block) for _ in range(count // len(block))) + packer.flush()


BURDENS = {
    "png of 144 megapixels": (lambda: encode(Image.new("1", (12_000, 12_000)), "PNG"), "megapixels"),
    "png of all pixels that there can be": (lambda: png(2**31 - 1, 2**31 - 1), "too large"),
    "png of one column": (lambda: png(1, 50_000_000), "on a side"),
    "png without pixels": (lambda: png(0, 64), "damaged"),
    "png with a million chunks": (lambda: png(extra=chunk(b"prVt", b"") * 10**6), "too many parts"),
    "png with a million bytes of data in as many chunks": (
        lambda: png(7000, 7000, data=chunk(b"IDAT", b"\x78") * 10**6),
        "too many parts",
    ),
    "png with ten thousand profiles": (
        lambda: png(extra=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**6))) * 10_000),
        "too many parts",
    ),
    "png with a profile of 64 MB": (
        lambda: png(extra=chunk(b"iCCP", b"a\0\0" + deflated_zeros(2**26))),
        "damaged",
    ),
    "png with overlapping exif": (lambda: png(extra=chunk(b"eXIf", overlapping_tags())), "tags"),
    "webp with overlapping exif": (lambda: with_overlapping_exif("WEBP"), "tags"),
    "avif with overlapping exif": (lambda: with_overlapping_exif("AVIF"), "tags"),
    "tiff with overlapping tags": (overlapping_tags, "tags"),
    "tiff with three million fractions": (
        lambda: grey_tiff(64, 64, (273, 4, 1, 8), (282, 5, 3 * 10**6, 8), body=bytes(24 * 10**6)),
        "tags",
    ),
    "big tiff with a million tags": (
        lambda: b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 10**6) + struct.pack("<HHQQ", 256, 3, 1, 64) * 10**6,
        "tags",
    ),
    "tiff with more tags than it has bytes": (lambda: b"II*\0\x08\0\0\0\xff\xff" + bytes(24), "tags"),
    "tiff with strips enough for thousands of pictures": (
        lambda: grey_tiff(
            7000,
            7000,
            (273, 4, 4000, 8),
            (278, 4, 1, 6999),
            (279, 4, 1, 8),
            body=struct.pack("<I", 16_008) * 4000 + bytes(7000 * 875),
            bits=1,
        ),
        "do not fit",
    ),
    "tiff with a tile of 1600 megapixels": (
        lambda: grey_tiff(
            64,
            64,
            *((322, 4, 1, 40_000), (323, 4, 1, 40_000), (324, 4, 1, 8), (325, 4, 1, 1000)),
            body=deflated_zeros(2**20),
            compression=8,
        ),
        "do not fit",
    ),
    "tiff with a tile of 2000 megapixels under one of another size": (
        lambda: grey_tiff(
            64,
            64,
            *((322, 4, 1, 44_000), (322, 4, 1, 64), (323, 4, 1, 46_000), (323, 4, 1, 64)),
            *((324, 4, 1, 8), (325, 4, 1, 2 * 10**6)),
            body=deflated_zeros(44_000 * 46_000),
            compression=8,
        ),
        "do not fit",
    ),
    "tiff of 2500 megapixels": (lambda: grey_tiff(50_000, 50_000, (273, 4, 1, 8), body=bytes(100)), "too large"),
    "jpeg with a thousand scans": (lambda: scans(7000, 1000), "scans"),
    "jpeg with a million comments": (
        lambda: encode(SMALL, "JPEG")[:2] + b"\xff\xfe\0\2" * 10**6 + encode(SMALL, "JPEG")[2:],
        "too many parts",
    ),
    "jpeg with exif in eighteen hundred parts": (
        lambda: (
            encode(SMALL, "JPEG")[:2] + (b"\xff\xe1\x3f\xffExif\0\0" + bytes(16375)) * 1800 + encode(SMALL, "JPEG")[2:]
        ),
        "too many parts",
    ),
    "jpeg with junk": (
        lambda: encode(SMALL, "JPEG")[:20] + bytes(25 * 2**20) + encode(SMALL, "JPEG")[20:],
        "too many parts",
    ),
    "gif of 4295 megapixels": (lambda: gif(b"", (65_535, 65_535)), "too large"),
    "webp of 268 megapixels": (lambda: webp(16_383, 16_383), "too large|megapixels|damaged"),
    "heic of 900 megapixels": (lambda: with_size(encode(SMALL, "HEIF"), 30_000, 30_000), "too large"),
    "heic of all pixels that there can be": (lambda: with_size(encode(SMALL, "HEIF"), 2**31, 2**31), "damaged"),
    "heic of other size than it says": (
        lambda: with_size(encode(Image.new("RGB", (2000, 1500)), "HEIF", quality=1), 64, 64),
        "damaged",
    ),
    "heic that shows fifty pictures": (
        lambda: encode(SMALL, "HEIF", save_all=True, append_images=[SMALL] * 49) + bytes(25 * 2**20),
        "too many parts",
    ),
    "heic that lays pictures over one another": (
        lambda: encode(SMALL, "HEIF").replace(b"hvc1", b"iovl", 1),
        "too many parts",
    ),
    "avif of 144 megapixels": (lambda: with_size(encode(SMALL, "AVIF"), 12_000, 12_000), "megapixels"),
    "avif of other size than it says": (
        lambda: with_size(encode(Image.new("RGB", (2000, 1500)), "AVIF", speed=10), 64, 64),
        "do not fit",
    ),
    "avif of sixty million samples": (avif_of_many_samples, "too many parts"),
    "avif of a fragment of sixty million samples": (
        lambda: avif_of_many_samples(movflags="frag_keyframe+empty_moov"),
        "too many parts",
    ),
    "avif of all pixels that there can be": (lambda: with_size(encode(SMALL, "AVIF"), 2**31, 2**31), "damaged"),
    "bmp of 2500 megapixels": (
        lambda: encode(SMALL, "BMP")[:18] + struct.pack("<ii", 50_000, 50_000) + encode(SMALL, "BMP")[26:],
        "too large",
    ),
}

MEASURE = """
import json, resource, sys, time
from inference.images import ImageError, load_image
for path in sys.argv[1:]:
    data = open(path, "rb").read()
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        says = str(load_image(data).shape)
    except ImageError as error:
        says = str(error)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps([path, says, time.process_time() - started, grown / 1024]), flush=True)
"""


READ = {
    "tiff of 49 million floating point numbers": (lambda: large_tiff(np.float32), (7000, 7000, 3)),
    "tiff of 49 million numbers of 32 bits": (lambda: large_tiff(np.int32), (7000, 7000, 3)),
    "png of 25 million linear colors of 16 bits": (lambda: large_linear_png(), (5000, 5000, 3)),
    "png with a text of 64 MB": (lambda: png(extra=chunk(b"zTXt", b"a\0\0" + deflated_zeros(2**26))), (64, 64, 3)),
    "png with exif of 64 MB in a text": (
        lambda: png(extra=chunk(b"zTXt", b"Raw profile type exif\0\0" + deflated_zeros(2**26))),
        (64, 64, 3),
    ),
    "gif with a comment of 25 MB": (lambda: gif(b"\x21\xfe" + (b"\xff" + b"a" * 255) * 100_000 + b"\0"), (64, 64, 3)),
    "gif with a million comments": (lambda: gif(b"\x21\xfe\1a\0" * 10**6), (64, 64, 3)),
    "gif with a million controls": (lambda: gif(b"\x21\xf9\4\0\0\0\0\0" * 10**6), (64, 64, 3)),
    "jpeg without its end that is made longer by 25 MB of zeros": (
        lambda: encode(SMALL, "JPEG")[:-2] + bytes(25 * 2**20),
        (64, 64, 3),
    ),
    "jpeg with 25 MB of zeros before other bytes": (
        lambda: encode(SMALL, "JPEG") + bytes(25 * 2**20) + b"a",
        (64, 64, 3),
    ),
    "tiff of sixty pages with large tags": (lambda: paged_tiff(), (8, 8, 3)),
    "tiff of sixty previews in what looks like JPEG": (lambda: junk_tiff(), (8, 8, 3)),
}


def junk_tiff() -> bytes:
    """Directories all of which point to the same megabytes of markers as their JPEG file, before the picture."""
    body = bytearray(b"\xff\xd8\xff\xe0\0\2" + b"\xff\xfe\0\2" * 10**6 + b"\xff\0" * 10**6)
    size = len(body)
    for page in range(60):
        tags = [(254, 4, 1, 1), (259, 3, 1, 6), (513, 4, 1, 8), (514, 4, 1, size)]
        if page == 59:
            tags = [(254, 4, 1, 0), (256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
            tags += [(273, 4, 1, 8), (278, 4, 1, 8), (279, 4, 1, 64)]
        start = 8 + len(body)
        body += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        body += struct.pack("<I", start + 2 + 12 * len(tags) + 4 if page < 59 else 0)
    return b"II*\0" + struct.pack("<I", 8 + size) + bytes(body)


def paged_tiff() -> bytes:
    """Previews all of which say that the same megabytes are theirs, before the picture."""
    body = bytearray(2**24)
    for page in range(60):
        tags = [
            (254, 4, 1, int(page < 59)),
            (256, 4, 1, 8),
            (257, 4, 1, 8),
            (258, 3, 1, 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
        ]
        tags += [(273, 4, 1, 8), (278, 4, 1, 8), (279, 4, 1, 64), (40_000, 7, 2**24, 8)]
        start = 8 + len(body)
        body += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        body += struct.pack("<I", start + 2 + 12 * len(tags) + 4 if page < 59 else 0)
    return b"II*\0" + struct.pack("<I", 8 + 2**24) + bytes(body)


def large_linear_png() -> bytes:
    packer, row = zlib.compressobj(1), bytes(1 + 5000 * 6)
    data = b"".join(packer.compress(row) for _ in range(5000)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">2I5B", 5000, 5000, 16, 2, 0, 0, 0)) + chunk(
        b"gAMA", struct.pack(">I", 100_000)
    )
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def large_tiff(kind: type) -> bytes:
    return encode(Image.fromarray(np.zeros((7000, 7000), kind)), "TIFF", compression="tiff_adobe_deflate")


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, tuple[str, float, float]]:
    """What the loader says of each burden, the seconds of processor time and the megabytes that this took."""
    folder = tmp_path_factory.mktemp("burdens")
    # First what is measured without what an earlier file has left.
    files = READ | BURDENS
    for name, (make, _) in files.items():
        data = make()
        assert len(data) <= MAX_BYTES, name
        (folder / name).write_bytes(data)
    child = subprocess.run(
        [sys.executable, "-c", MEASURE, *(folder / name for name in files)],
        cwd=Path(__file__).resolve().parent.parent,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (120, 120)),
    )
    lines = map(json.loads, child.stdout.splitlines())
    return {Path(path).name: (says, seconds, megabytes) for path, says, seconds, megabytes in lines}


@pytest.mark.parametrize("name", BURDENS)
def test_burdens_are_refused_in_little_time_and_memory(answers, name):
    says, seconds, megabytes = answers[name]
    assert re.search(BURDENS[name][1], says) and says.endswith(".") and "\n" not in says
    assert seconds < SECONDS and megabytes < MEGABYTES


@pytest.mark.parametrize("name", READ)
def test_large_pictures_are_read_in_little_time_and_memory(answers, name):
    says, seconds, megabytes = answers[name]
    assert says == str(READ[name][1]) and seconds < SECONDS and megabytes < MEGABYTES


def test_what_is_no_picture_is_named():
    beginnings = {
        "svg": b"<?xml version='1.0'?>\n<!-- made by hand -->\n<svg></svg>",
        "web_page": b"\n<!DOCTYPE html><title>404</title>",
        "pdf": b"%PDF-1.7",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0",
        "archive": b"PK\3\4",
        "video": b"\0\0\0\x20ftypisom",
        "icon": b"\0\0\1\0\1\0",
        "photoshop": b"8BPS\0\1",
        "raw": b"FUJIFILMCCD-RAW ",
        "jpeg_xl": b"\xff\x0a",
        "jpeg_2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    }
    assert {f"photo_is_{name}" for name in beginnings} == set(OTHERS)
    for name, beginning in beginnings.items():
        with pytest.raises(ImageError) as caught:
            load_image(beginning.ljust(500))
        assert caught.value.code == f"photo_is_{name}"


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


@pytest.mark.parametrize("format", FORMATS)
def test_formats_are_told_by_content(format):
    assert find_format(encode(SMALL, format)) == format
    with pytest.raises(ImageError, match="not a photo"):
        find_format(b" " + encode(SMALL, format))
