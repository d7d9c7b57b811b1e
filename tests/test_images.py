"""Every kind of picture that people send: right pixels, or one clear sentence."""

import io
import itertools
import numpy as np
import os
import pillow_heif
import pytest
import struct
import zlib
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


def test_grey_one_bit_and_float():
    assert load_image(encode(Image.new("L", (3, 2), 77), "PNG")).tolist() == [[[77] * 3] * 3] * 2
    assert load_image(encode(Image.new("1", (3, 2), 1), "PNG")).min() == 255
    half = Image.fromarray(np.full((2, 2), 0.5, np.float32))
    assert load_image(encode(half, "TIFF")).tolist() == [[[127] * 3] * 2] * 2


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
        (b"this is text, whatever its name says", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<!-- made by hand -->\n<svg></svg>", "an SVG drawing"),
        (b"%PDF-1.7 and so on", "a PDF document"),
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
        (b"\0\0\0\x20ftypisom" + bytes(40), "a video"),
        (b"PK\3\4" + bytes(40), "an archive"),
        (b"BMW drivers", "not a picture"),
        (b"\xff\xd8\xff", "not a picture|damaged"),
        (JPEG[: len(JPEG) // 2], "damaged"),
        (PNG[: len(PNG) // 2], "damaged"),
        (PNG[:60] + b"\x00" * 40 + PNG[100:], "damaged"),
        (b"\0" * (MAX_BYTES + 1), "MB"),
        (encode(Image.new("1", (8000, 7000)), "PNG"), "megapixels"),
        (encode(Image.new("1", (20_000, 20_000)), "PNG"), "megapixels|not a picture"),
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
