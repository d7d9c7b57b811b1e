"""Files of a few kilobytes or megabytes that cost their decoders minutes or gigabytes, each of another kind."""

import io
import re
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from clips import claim_samples
from color_profiles import icc_profile


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


def profile_of_many_stages(count: int) -> bytes:
    """An ICC profile of version 4 whose table is a chain of matrices, all in the same 60 bytes."""
    table = b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, count) + struct.pack(">II", 16 + 8 * count, 60) * count
    table += b"matf" + bytes(4) + struct.pack(">HH12f", 3, 3, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    return icc_profile(b"RGB ", {b"D2B0": table, b"A2B0": table}, version=4)


def gif_with_junk() -> bytes:
    """A byte of junk, behind which Pillow looks for the next block byte by byte, and megabytes of comments."""
    return gif(b"\0" + b"\x21\xfe" + (b"\xff" + b"a" * 255) * 80_000 + b"\0")


def box(name: bytes, *parts: bytes, version: int | None = None) -> bytes:
    """A box of ISO 14496-12, with its version and no flags where it has one."""
    data = (b"" if version is None else bytes([version, 0, 0, 0])) + b"".join(parts)
    return struct.pack(">I4s", len(data) + 8, name) + data


def heic(side: int, output: int, kinds: dict[int, bytes], references: bytes, data: bytes) -> bytes:
    """A HEIC file of items by number: 1 is a coded picture of side x side pixels, of the others each has `data`.

    Args:
        output: pixels a side of a grid, which is the main picture where there is one.
        kinds: of the items after the first.
        references: between them.
    """
    coded = encode(Image.new("RGB", (side, side), (90, 120, 60)), "HEIF")
    place = coded.index(b"hvcC") - 4
    codec, picture = coded[place : place + int.from_bytes(coded[place : place + 4])], coded[coded.index(b"mdat") + 4 :]
    kinds = {1: b"hvc1"} | kinds
    sizes = [box(b"ispe", struct.pack(">II", pixels, pixels), version=0) for pixels in (side, output)]
    shown = {number: b"\2\x81\2" if kind == b"hvc1" else b"\1\3" for number, kind in kinds.items() if kind != b"Exif"}
    owned = b"".join(struct.pack(">H", number) + properties for number, properties in shown.items())
    infos = [box(b"infe", struct.pack(">HH4s", number, 0, kind), b"\0", version=2) for number, kind in kinds.items()]

    def meta(start: int) -> bytes:
        """With the places of items, the first of which is at `start`."""
        ends = {number: (start + len(picture), len(data)) for number in kinds} | {1: (start, len(picture))}
        places = b"".join(struct.pack(">HHHII", number, 0, 1, *end) for number, end in ends.items())
        return box(
            b"meta",
            box(b"hdlr", bytes(4), b"pict", bytes(13), version=0),
            box(b"pitm", struct.pack(">H", max(shown)), version=0),
            box(b"iinf", struct.pack(">H", len(infos)), *infos, version=0),
            box(b"iref", references, version=0),
            box(
                b"iprp",
                box(b"ipco", codec, *sizes),
                box(b"ipma", struct.pack(">I", len(shown)), owned, version=0),
            ),
            box(b"iloc", b"\x44\0", struct.pack(">H", len(kinds)), places, version=0),
            version=0,
        )

    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", picture, data)


def heic_of_one_tile(rows: int = 31, side: int = 512) -> bytes:
    """A small picture of rows x rows tiles, all of which are the same large one."""
    grid = bytes([0, 0, rows - 1, rows - 1]) + struct.pack(">HH", side, side)
    tiles = box(b"dimg", struct.pack(">HH", 2, rows * rows), b"\0\1" * (rows * rows))
    return heic(side, side, {2: b"grid"}, tiles, grid)


def heic_of_many_metadata(count: int = 300, size: int = 10**7) -> bytes:
    """A picture with so many pieces of metadata, all of which are the same megabytes."""
    numbers = range(2, 2 + count)
    belongs = b"".join(box(b"cdsc", struct.pack(">HHH", number, 1, 1)) for number in numbers)
    return heic(64, 64, dict.fromkeys(numbers, b"Exif"), belongs, bytes(size))


def moving(format: str, count: int = 2000) -> bytes:
    """An animation of many pictures, of which the first is wanted."""
    frames = [Image.new("RGB", (8, 8), (number % 251, number // 251, 0)) for number in range(count)]
    return encode(frames[0], format, save_all=True, append_images=frames[1:])


def mjpeg(path: Path, packets: list[bytes], side: int) -> Path:
    """A video of these JPEG pictures, a tenth of a second each."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width = stream.height = side
        stream.pix_fmt = "yuvj420p"
        for number, data in enumerate(packets):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 10), stream, True
            container.mux(packet)
    return path
