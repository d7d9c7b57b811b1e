"""Every kind of picture that people send: right pixels, or one clear sentence."""

import io
import numpy as np
import pytest
from PIL import Image

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
    ],
)
def test_reads_each_format(format, options):
    assert_two_colors(load_image(encode(two_colors(), format, **options)))


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "YCbCr"])
def test_reads_each_color_mode(mode):
    format = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    assert_two_colors(load_image(encode(two_colors(mode=mode), format)), tolerance=20)


def test_reads_gif_with_palette():
    assert_two_colors(load_image(encode(two_colors(mode="P"), "GIF")))


@pytest.mark.parametrize("format", ["WEBP", "GIF", "PNG"])
def test_first_frame_of_an_animation(format):
    frames = [two_colors(), Image.new("RGB", (60, 40), "blue")]
    data = encode(frames[0], format, save_all=True, append_images=frames[1:], duration=50, lossless=True)
    assert Image.open(io.BytesIO(data)).n_frames == 2
    assert_two_colors(load_image(data))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
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
    assert_two_colors(load_image(encode(stored, "JPEG", exif=exif, quality=95)))


def test_transparency_is_laid_on_white():
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (load_image(encode(image, "PNG")) == 255).all()
    palette = Image.new("P", (4, 4), 0)
    assert (load_image(encode(palette, "PNG", transparency=0)) == 255).all()


@pytest.mark.parametrize(("dark", "bright"), [(0, 65535), (0, 200), (25700, 51400)])
def test_sixteen_bit_grey_keeps_its_brightness(dark, bright):
    grey = np.full((10, 10), dark, np.uint16)
    grey[:, 5:] = bright
    pixels = load_image(encode(Image.fromarray(grey), "PNG"))
    assert pixels.shape == (10, 10, 3)
    assert pixels[0, 0].tolist() == [dark >> 8] * 3 and pixels[0, 9].tolist() == [bright >> 8] * 3


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


JPEG = encode(Image.effect_noise((300, 300), 80).convert("RGB"), "JPEG")
PNG = encode(Image.effect_noise((300, 300), 80), "PNG")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"this is text, whatever its name says", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "not a picture"),
        (b"%PDF-1.7 and so on", "not a picture"),
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
        "pdf",
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


def test_bad_paths(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        load_image(tmp_path / "missing.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        load_image(tmp_path)
