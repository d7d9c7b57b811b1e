"""Every kind of picture that people send: right pixels, or one clear sentence."""

import io
import itertools
import os
import struct
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from color_profiles import icc_profile
from inference.images import MAX_BYTES, ImageError, load_image

RED, GREEN = (200, 30, 40), (20, 180, 60)


def two_colors(width=60, height=40, mode="RGB") -> Image.Image:
    """Red on the left, green on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height))
    return image.convert(mode, palette=Image.Palette.ADAPTIVE)


def encode(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png(size: tuple[int, int], rows: bytes, bits: int = 8, color_type: int = 2) -> bytes:
    """A PNG file of these rows, each behind its filter byte."""
    chunks = [
        (b"IHDR", struct.pack(">2I5B", *size, bits, color_type, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def assert_two_colors(pixels: np.ndarray, tolerance: int = 12) -> None:
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    assert pixels.shape == (40, 60, 3)
    assert np.abs(pixels[20, 10].astype(int) - RED).max() <= tolerance
    assert np.abs(pixels[20, 50].astype(int) - GREEN).max() <= tolerance


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {}),
        ("AVIF", {"quality": 95}),
        ("HEIF", {"quality": 95}),
        ("MPO", {"quality": 95, "save_all": True, "append_images": [Image.new("RGB", (60, 40), "blue")]}),
    ],
)
def test_reads_each_format(format, options):
    assert_two_colors(load_image(encode(two_colors(), format, **options)))


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_the_brand_mif1_is_read_by_what_the_file_is_compatible_with(format):
    data = encode(two_colors(), format, quality=95)
    assert_two_colors(load_image(data[:8] + b"mif1" + data[12:]))


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "YCbCr"])
def test_reads_each_color_mode(mode):
    format = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    assert_two_colors(load_image(encode(two_colors(mode=mode), format)), tolerance=20)


def test_inks_of_a_jpeg_are_read_by_its_adobe_marker():
    """YCCK: where inks are written inverted, as Adobe does, their planes hold the Y, Cb and Cr of the picture."""
    planes = two_colors().convert("YCbCr").split()
    data = encode(Image.merge("CMYK", [*planes, Image.new("L", (60, 40), 0)]), "JPEG", quality=95, subsampling=0)
    marker = data.index(b"Adobe") + 11
    assert data[marker] == 0
    assert_two_colors(load_image(data[:marker] + b"\2" + data[marker + 1 :]), tolerance=20)


@pytest.mark.parametrize(
    ("mode", "compression"),
    [
        *itertools.product(("RGB", "RGBA", "CMYK", "LAB"), (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")),
        *(("RGB", "jpeg"), ("CMYK", "jpeg")),
    ],
)
def test_reads_tiff(mode, compression):
    image = (
        two_colors(mode=mode) if mode != "LAB" else ImageCms.profileToProfile(two_colors(), SRGB, LAB, outputMode="LAB")
    )
    assert_two_colors(load_image(encode(image, "TIFF", compression=compression)), tolerance=20)


SRGB, LAB = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")


def test_first_page_of_a_tiff_file():
    data = encode(two_colors(), "TIFF", save_all=True, append_images=[Image.new("L", (7, 9))])
    assert_two_colors(load_image(data))


def test_main_picture_of_a_heic_file():
    data = encode(
        Image.new("RGB", (64, 64), "blue"),
        "HEIF",
        save_all=True,
        append_images=[two_colors()],
        primary_index=1,
        quality=95,
    )
    assert_two_colors(load_image(data))


@pytest.mark.parametrize("bits", [8, 16])
def test_ten_bit_heic(bits):
    pixels = np.asarray(two_colors()).astype(np.uint16) << 8
    file = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", (60, 40), pixels.tobytes()).save(file, quality=-1, chroma=444)
    assert pillow_heif.open_heif(file.getvalue(), convert_hdr_to_8bit=False).info["bit_depth"] > 8
    assert_two_colors(load_image(file.getvalue()))


def test_sixteen_bit_colors():
    """PNG, written chunk by chunk since Pillow does not write it."""
    pixels = np.asarray(two_colors()).astype(">u2") * 257
    for channels, color_type in ((3, 2), (4, 6)):
        rows = pixels if channels == 3 else np.dstack([pixels, np.full((40, 60), 65535, ">u2")]).astype(">u2")
        data = png((60, 40), b"".join(b"\0" + row.tobytes() for row in rows), 16, color_type)
        assert_two_colors(load_image(data))


def test_reads_gif_with_palette():
    assert_two_colors(load_image(encode(two_colors(mode="P"), "GIF")))


@pytest.mark.parametrize("format", ["WEBP", "GIF", "PNG", "AVIF"])
def test_first_frame_of_an_animation(format):
    frames = [two_colors(), Image.new("RGB", (60, 40), "blue")]
    lossless = {"quality": 95} if format == "AVIF" else {"lossless": True}
    data = encode(frames[0], format, save_all=True, append_images=frames[1:], duration=50, **lossless)
    assert Image.open(io.BytesIO(data)).n_frames == 2
    assert_two_colors(load_image(data))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(orientation, format):
    """HEIC and AVIF are turned by a box of their own too, beside the EXIF that they also keep."""
    stored = {
        1: lambda image: image,
        2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
        4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
        6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
        7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
        8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
    }[orientation](two_colors())
    exif = Image.Exif()
    exif[274] = orientation
    data = encode(stored, format, exif=exif.tobytes(), quality=95)
    if format in ("AVIF", "HEIF") and orientation in (3, 5, 6, 7, 8):
        assert b"irot" in data
    assert_two_colors(load_image(data), tolerance=20)


def test_damaged_exif_does_not_keep_a_picture_from_being_read():
    assert_two_colors(load_image(encode(two_colors(), "JPEG", quality=95, exif=b"Exif\0\0II*\0\xff\xff\0\0")))
    assert_two_colors(load_image(encode(two_colors(), "PNG", exif=b"Exif\0\0nothing")))


def test_transparency_is_laid_on_white():
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (load_image(encode(image, "PNG")) == 255).all()
    palette = Image.new("P", (4, 4), 0)
    assert (load_image(encode(palette, "PNG", transparency=0)) == 255).all()


@pytest.mark.parametrize("format", ["WEBP", "AVIF", "HEIF", "TIFF", "GIF"])
def test_transparency_of_each_format_is_laid_on_white(format):
    image = two_colors().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 30, 40))
    options = {"lossless": True} if format == "WEBP" else {"quality": 95} if format in ("AVIF", "HEIF") else {}
    pixels = load_image(encode(image, format, **options))
    assert pixels[20, 10].min() >= 250 and np.abs(pixels[20, 50].astype(int) - GREEN).max() <= 20


def test_half_transparent_and_premultiplied():
    half = Image.new("RGBA", (4, 4), (200, 0, 0, 128))
    for data in (encode(half, "PNG"), encode(half, "TIFF")):
        assert np.abs(load_image(data).astype(int) - (227, 127, 127)).max() <= 1
    grey = Image.merge("LA", [Image.new("L", (4, 4), 0), Image.new("L", (4, 4), 128)])
    assert np.abs(load_image(encode(grey, "PNG")).astype(int) - 127).max() <= 1
    tiff = bytearray(encode(Image.new("RGBA", (4, 4), (100, 0, 0, 128)), "TIFF"))
    entry = tiff.index(struct.pack("<HHI", 338, 3, 1))  # ExtraSamples: 1 says that the colors are multiplied already
    tiff[entry + 8] = 1
    assert np.abs(load_image(bytes(tiff)).astype(int) - (227, 127, 127)).max() <= 2


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("dark", "bright"), [(0, 65535), (0, 200), (25700, 51400)])
def test_sixteen_bit_grey_keeps_its_brightness(dark, bright, order):
    grey = np.full((10, 10), dark, np.uint16)
    grey[:, 5:] = bright
    image = Image.fromarray(grey)
    pixels = load_image(encode(image, "PNG") if order == "<" else big_endian_tiff(grey))
    assert pixels.shape == (10, 10, 3)
    assert pixels[0, 0].tolist() == [dark >> 8] * 3 and pixels[0, 9].tolist() == [bright >> 8] * 3


def big_endian_tiff(grey: np.ndarray) -> bytes:
    height, width = grey.shape
    tags = [(256, width), (257, height), (258, 16), (259, 1), (262, 1), (273, 8), (278, height), (279, grey.nbytes)]
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack(">H", len(tags)) + entries + bytes(4)
    return b"MM\0*" + struct.pack(">I", 8 + grey.nbytes) + grey.astype(">u2").tobytes() + directory


def white_is_zero_tiff(numbers: np.ndarray, bits: int, order: str = "<", kind: int = 1) -> bytes:
    """Grey of which 0 is white, in whole bytes a row; kind 1 is unsigned, 2 signed, 3 floating point."""
    height, width = numbers.shape
    if bits < 8:
        places = numbers[..., None] >> np.arange(bits - 1, -1, -1) & 1
        rows = np.packbits(places.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    else:
        rows = numbers.astype(numbers.dtype.newbyteorder(order)).tobytes()
    tags = [
        (256, width),
        (257, height),
        (258, bits),
        (259, 1),
        (262, 0),
        (273, 8),
        (278, height),
        (279, len(rows)),
        (339, kind),
    ]
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (
        mark + struct.pack(order + "I", 8 + len(rows)) + rows + struct.pack(order + "H", len(tags)) + entries + bytes(4)
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_white_is_zero_where_a_tiff_file_says_so(bits, order):
    top = 2**bits - 1
    wanted = np.linspace(0, top, 16).round().astype(int).reshape(2, 8)
    numbers = (top - wanted).astype(np.uint16 if bits == 16 else np.uint8)
    found = load_image(white_is_zero_tiff(numbers, bits, order))
    assert np.abs(found[..., 0] - wanted * 255 / top).max() <= 1 and (found == found[..., :1]).all()


def test_white_is_zero_in_floating_point():
    numbers = np.array([[0, 0.25, 0.75, 1]], np.float32)
    assert load_image(white_is_zero_tiff(numbers, 32, kind=3))[0, :, 0].tolist() == [255, 192, 64, 0]


def bitmap(alpha: np.ndarray, masks: tuple[int, ...] = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)) -> bytes:
    """two_colors() with this alpha as a bitmap of 32 bits a pixel (BITMAPV5HEADER)."""
    numbers = sum(channel.astype(np.uint32) * (mask & -mask)
                  for channel, mask in zip((*np.moveaxis(np.asarray(two_colors()), 2, 0), alpha), masks) if mask)  # fmt: skip
    rows = numbers[::-1].astype("<u4").tobytes()
    head = struct.pack("<IiiHHIIiiII4I", 124, 60, 40, 1, 32, 3, len(rows), 0, 0, 0, 0, *masks) + b"BGRs" + bytes(64)
    return b"BM" + struct.pack("<IHHI", 138 + len(rows), 0, 0, 138) + head + rows


@pytest.mark.parametrize(
    "masks", [(0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0xFF, 0xFF00, 0xFF0000, 0xFF000000), (0xFF0000, 0xFF00, 0xFF, 0)]
)
def test_a_bitmap_whose_alpha_is_zero_everywhere_is_opaque(masks):
    assert_two_colors(load_image(bitmap(np.zeros((40, 60)), masks)), tolerance=0)
    assert_two_colors(load_image(bitmap(np.full((40, 60), 255), masks)), tolerance=0)


def test_the_alpha_of_a_bitmap_that_is_used_counts():
    alpha = np.zeros((40, 60))
    alpha[:, 30:] = 255
    pixels = load_image(bitmap(alpha))
    assert (pixels[20, 10] == 255).all() and tuple(pixels[20, 50]) == GREEN


def test_transparency_of_sixteen_bits_means_that_very_color():
    """Also where another color differs from it in the lower 8 bits alone."""
    pixels = np.full((2, 4, 3), 25_700, ">u2")
    pixels[:, :2], pixels[:, 2] = (25_700, 1000, 2000), (25_700, 1000, 2001)
    key = struct.pack(">3H", 25_700, 1000, 2000)
    chunk = struct.pack(">I4s", 6, b"tRNS") + key + struct.pack(">I", zlib.crc32(b"tRNS" + key))
    data = png((4, 2), b"".join(b"\0" + row.tobytes() for row in pixels), 16, 2)
    found = load_image(data[:33] + chunk + data[33:])
    assert (found[:, :2] == 255).all() and found[0, 2].tolist() == [100, 3, 7] and found[0, 3].tolist() == [100] * 3
    grey = np.array([[25_700, 25_701]], ">u2")
    key = struct.pack(">H", 25_700)
    chunk = struct.pack(">I4s", 2, b"tRNS") + key + struct.pack(">I", zlib.crc32(b"tRNS" + key))
    data = png((2, 1), b"\0" + grey.tobytes(), 16, 0)
    assert load_image(data[:33] + chunk + data[33:])[0, :, 0].tolist() == [255, 100]


@pytest.mark.parametrize(
    ("numbers", "bits", "kind", "expected"),
    [
        (np.array([[0, 0.5, 1, 1.001]], np.float32), 32, 3, [0, 127, 255, 255]),
        (np.array([[0, 0.5, 1, 8]], np.float32), 32, 3, [0, 127, 255, 255]),
        (np.array([[-3, 127.5, 255, 256]], np.float32), 32, 3, [0, 127, 255, 255]),
        (np.array([[np.nan, 0.5, 1, np.inf]], np.float32), 32, 3, [0, 127, 255, 0]),
        (np.array([[0, 16_384, 32_767, -5]], np.int16), 16, 2, [0, 127, 255, 0]),
        (np.array([[0, 2**31, 2**32 - 1, 1]], np.uint32), 32, 1, [0, 127, 255, 0]),
        (np.array([[0, 100, 255, 1]], np.int32), 32, 2, [0, 100, 255, 1]),
    ],
)
def test_numbers_of_other_kinds_keep_their_range(numbers, bits, kind, expected):
    data = white_is_zero_tiff(numbers, bits, kind=kind)
    entry = struct.pack("<HHII", 262, 4, 1, 0)
    data = data.replace(entry, struct.pack("<HHII", 262, 4, 1, 1))
    assert np.abs(load_image(data)[0, :, 0].astype(int) - expected).max() <= 1


def test_grey_one_bit_and_float():
    assert load_image(encode(Image.new("L", (3, 2), 77), "PNG")).tolist() == [[[77] * 3] * 3] * 2
    assert load_image(encode(Image.new("1", (3, 2), 1), "PNG")).min() == 255
    half = Image.fromarray(np.full((2, 2), 0.5, np.float32))
    assert load_image(encode(half, "TIFF")).tolist() == [[[127] * 3] * 2] * 2


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("seed", range(6))
def test_a_jpeg_that_lacks_its_end_marker_is_read(mode, options, seed):
    """As a transfer that was broken off in the very end leaves it, or one that was made longer with zeros."""
    noise = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode(Image.fromarray(noise).convert(mode), "JPEG", **options)
    whole = load_image(data)
    for cut in (data[:-2], data[:-1], data[:-2] + bytes(4096)):
        assert (load_image(cut) == whole).all()


def test_zeros_at_the_end_of_a_jpeg_may_belong_to_it():
    for noisy in range(8, 64):  # until the last bit is the last of a byte
        flat = Image.new("L", (512, 512), 255)  # to which the shortest codes fall
        noise = np.random.default_rng(noisy).integers(0, 256, (8, noisy), np.uint8)
        flat.paste(Image.fromarray(noise), (0, 0))
        data = encode(flat, "JPEG", optimize=True)
        if data[:-2].endswith(bytes(8)):
            break
    assert data[:-2].endswith(bytes(8))
    assert (load_image(data[:-2]) == load_image(data)).all()
    with pytest.raises(ImageError, match="damaged"):
        load_image(data[: data.index(b"\xff\xda") + 200] + bytes(4096))


@pytest.mark.parametrize("end", [b"", b"\xff\xd9", bytes(4096)], ids=["cut", "end", "zeros"])
@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_lacks_picture_rows_is_refused(mode, options, end):
    image = Image.effect_noise((96, 96), 60).convert("RGB").convert(mode)
    data = encode(image, "JPEG", **options)
    for part in (0.5, 0.7, 0.9):
        with pytest.raises(ImageError, match="damaged"):
            load_image(data[: int(len(data) * part)] + end)


def test_a_jpeg_that_is_grey_where_rows_could_be_missing_is_read():
    image = two_colors()
    image.paste((128, 128, 128), (0, 20, 60, 40))
    assert (load_image(encode(image, "JPEG", quality=95))[39, 59] == 128).all()


@pytest.mark.parametrize(
    ("count", "entries"),
    [(2, bytes(5)), (0, b""), (60_000, bytes(16)), (2, b"\xff" * 32)],
    ids=["short", "none", "many", "far"],
)
def test_an_mpo_whose_list_is_odd_gives_its_first_picture(count, entries):
    tags = [
        (45056, 7, 4, b"0100"),
        (45057, 4, 1, struct.pack("<I", count)),
        (45058, 7, len(entries), struct.pack("<I", 50)),
    ]
    body = b"MPF\0II*\0" + struct.pack("<IH", 8, len(tags))
    body += b"".join(struct.pack("<HHI", *tag[:3]) + tag[3] for tag in tags) + bytes(4) + entries
    data = encode(two_colors(), "JPEG", quality=95)
    assert_two_colors(load_image(data[:2] + b"\xff\xe2" + struct.pack(">H", 2 + len(body)) + body + data[2:]))


@pytest.mark.parametrize("size", [(1, 1), (20_000, 10), (10, 20_000)])
def test_odd_sizes_are_read(size):
    assert load_image(encode(Image.new("RGB", size, RED), "PNG")).shape == (size[1], size[0], 3)


def test_paths_and_bytes_give_the_same(tmp_path):
    path = tmp_path / "photo with blanks ü.png"
    path.write_bytes(encode(two_colors(), "PNG"))
    assert (load_image(path) == load_image(path.read_bytes())).all()
    assert (load_image(str(path)) == load_image(path)).all()


def test_wide_gamut_photos_are_converted_to_srgb():
    """The primaries of Display P3 and of sRGB as ICC profiles have them, adapted to D50, and a gamma of 2.2."""
    p3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
    srgb = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
    gamma = struct.pack(">4s4xIH", b"curv", 1, round(2.2 * 256))
    columns = {
        name: struct.pack(">4s4x3i", b"XYZ ", *np.round(column * 65536).astype(int))
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), p3.T)
    }
    profile = icc_profile(b"RGB ", {**columns, b"rTRC": gamma, b"gTRC": gamma, b"bTRC": gamma})
    linear = np.linalg.inv(srgb) @ p3 @ (np.array([150, 120, 90]) / 255) ** 2.2
    expected = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(expected - (150, 120, 90)).max() > 6
    image = Image.new("RGB", (64, 64), (150, 120, 90))
    for format, options in (
        ("PNG", {}),
        ("JPEG", {"quality": 95}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("HEIF", {"quality": 95}),
        ("AVIF", {"quality": 95}),
    ):
        pixels = load_image(encode(image, format, icc_profile=profile, **options))
        assert np.abs(pixels[32, 32] - expected).max() < 3, format
    clear = load_image(encode(image.convert("RGBA"), "PNG", icc_profile=profile))
    assert np.abs(clear[32, 32] - expected).max() < 3


def test_inks_are_converted_by_their_profile():
    """A press whose cyan prints red, which nobody guesses: Lab 54.3, 80.8, 69.9 is sRGB's red under D50."""
    paper, red, black = (255, 128, 128), (138, 209, 198), (0, 128, 128)
    table = b"".join(bytes(black if number & 1 else red if number & 8 else paper) for number in range(16))
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 * (index % 4 == 0) for index in range(9)))
    press = struct.pack(">4s4x4B", b"mft1", 4, 3, 2, 0) + identity + ramp * 4 + table + ramp * 3
    profile = icc_profile(b"CMYK", {b"A2B0": press}, b"Lab ")
    cyan = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    for format in ("JPEG", "TIFF"):
        assert (
            np.abs(load_image(encode(cyan, format, icc_profile=profile))[16, 16].astype(int) - (255, 0, 0)).max() < 12
        )
        assert load_image(encode(cyan, format))[16, 16, 0] < 30


@pytest.mark.parametrize("profile", [b"nothing", ImageCms.ImageCmsProfile(SRGB).tobytes()[:200]], ids=["text", "cut"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_a_profile_that_is_damaged_or_of_another_kind_is_left_out(profile, mode):
    image = two_colors(mode=mode)
    plain = load_image(encode(image, "PNG"))
    assert (load_image(encode(image, "PNG", icc_profile=profile)) == plain).all()
    assert (
        load_image(encode(image.convert("L"), "PNG", icc_profile=profile))
        == load_image(encode(image.convert("L"), "PNG"))
    ).all()


JPEG = encode(Image.effect_noise((300, 300), 80).convert("RGB"), "JPEG")
PNG = encode(Image.effect_noise((300, 300), 80), "PNG")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"this is text, whatever its name says", "not a photo"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<!-- made by hand -->\n<svg></svg>", "an SVG drawing"),
        (b"%PDF-1.7 and so on", "a PDF document"),
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
        (b"\0\0\0\x20ftypisom" + bytes(40), "a video"),
        (b"PK\3\4" + bytes(40), "an archive"),
        (b"BMW drivers", "not a photo"),
        (b"\xff\xd8\xff", "not a photo|damaged"),
        (JPEG[: len(JPEG) // 2], "damaged"),
        (PNG[: len(PNG) // 2], "damaged"),
        (PNG[:60] + b"\x00" * 40 + PNG[100:], "damaged"),
        (b"\0" * (MAX_BYTES + 1), "MB"),
        (encode(Image.new("1", (8000, 7000)), "PNG"), "megapixels"),
        (encode(Image.new("1", (20_000, 20_000)), "PNG"), "megapixels|not a photo"),
    ],
    ids=[
        "empty",
        "text",
        "svg",
        "svg after a comment",
        "pdf",
        "html",
        "mp4",
        "zip",
        "text like a bitmap",
        "header only",
        "half jpeg",
        "half png",
        "overwritten png",
        "bytes",
        "pixels",
        "bomb",
    ],
)
def test_bad_input_has_one_clear_sentence(data, says):
    with pytest.raises(ImageError, match=says) as caught:
        load_image(data)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize("format", ["ICO", "PPM", "TGA", "PCX", "SGI", "JPEG2000", "EPS", "PDF", "ICNS", "DDS", "IM"])
def test_formats_that_are_not_named_are_not_read(format):
    with pytest.raises(ImageError, match="Choose a photo in JPEG"):
        load_image(encode(Image.new("RGB", (64, 64)), format))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
def test_every_cut_off_file_is_refused(format):
    noise = Image.effect_noise((64, 64), 80).convert("RGB")
    data = encode(noise, format)
    assert load_image(data).shape == (64, 64, 3)
    whole = {"PNG": 24, "GIF": 2, "JPEG": 2}.get(format, 0)  # marks of the end, without which no pixel is missing
    cuts = {*range(1, 60), *(len(data) * part // 20 for part in range(1, 20)), len(data) - whole - 1}
    for cut in sorted(cuts):
        if format == "TIFF" and cut >= 8 + 64 * 64 * 3:
            continue
        with pytest.raises(ImageError) as caught:
            load_image(data[:cut])
        assert "\n" not in str(caught.value) and str(caught.value).endswith("."), cut


@pytest.mark.parametrize(
    ("size", "says"), [((1, 31_000), "on a side"), ((31_000, 1), "on a side"), ((30_000, 1), None)]
)
def test_longest_side(size, says):
    data = encode(Image.new("1", size), "PNG")
    if says is None:
        assert load_image(data).shape == (1, 30_000, 3)
    else:
        with pytest.raises(ImageError, match=says):
            load_image(data)


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    (tmp_path / "real.png").write_bytes(encode(two_colors(), "PNG"))
    for path in (tmp_path / "pipe.jpg", "/dev/zero", "/dev/null", tmp_path / "loop.jpg"):
        with pytest.raises(ImageError, match="cannot be read"):
            load_image(path)
    assert_two_colors(load_image(tmp_path / "link.png"))


def test_bad_paths(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        load_image(tmp_path / "missing.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        load_image(tmp_path)
