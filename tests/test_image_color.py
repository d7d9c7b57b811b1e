"""Photos whose colors are told in every way that files have: the same photo comes out of each."""

import io
import struct
import zlib
from pathlib import Path

import av
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from color_profiles import ADOBE_D50, BT2020_D50, P3_D50, SRGB_D50, curve, gamma, icc_profile, rgb_profile, srgb_curve
from inference.color import SRGB
from inference.images import load_image

PHOTO = Image.open(Path(__file__).parent.parent / "examples" / "astronaut.jpg").convert("RGB").resize((160, 160))
PLAIN = np.asarray(PHOTO)
FORMATS = {
    "PNG": {},
    "JPEG": {"quality": 98, "subsampling": 0},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "HEIF": {"quality": 98, "chroma": 444},
    "AVIF": {"quality": 98, "subsampling": "4:4:4"},
}


def srgb_signal(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def pq_signal(light):
    """SMPTE ST 2084, white at 203 nits."""
    power = (light * 203 / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_signal(light):
    """ITU-R BT.2100, a display of 1,000 nits, white at 203."""
    display = light * 203 / 1000
    scene = display * np.maximum(display @ (0.2627, 0.6780, 0.0593), 1e-9)[..., None] ** (1 / 1.2 - 1)
    logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)


def stored(columns=SRGB_D50, signal=srgb_signal) -> np.ndarray:
    """float (H, W, 3) in 0..1: the photo in these primaries, which are columns adapted to D50, and this curve."""
    light = srgb_curve(PLAIN / 255) @ np.array(SRGB_D50) @ np.linalg.inv(columns)
    return signal(np.clip(light, 0, 1))


def eight(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.round(values * 255).astype(np.uint8))


def encode(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **FORMATS.get(format, {}), **options)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    return png[:33] + b"".join(chunks) + png[33:]


def png_of_16_bits(values: np.ndarray) -> bytes:
    rows = np.round(values * 65535).astype(">u2")
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    size = struct.pack(">2I5B", values.shape[1], values.shape[0], 16, 2 if values.ndim == 3 else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def assert_same(data: bytes, mean: float = 1.5, expected: np.ndarray = PLAIN) -> None:
    found = load_image(data)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < mean


# ICC


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", [b"Display P3", b"sRGB IEC61966-2.1", b"Linear sRGB"])
def test_a_profile_counts_by_its_content_in_every_format(format, name):
    profile = rgb_profile(P3_D50, srgb_curve, name=name)
    image = eight(stored(P3_D50))
    assert np.abs(np.asarray(image).astype(int) - PLAIN).mean() > 3
    assert_same(encode(image, format, icc_profile=profile), mean=2)


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize(
    ("columns", "light"), [(SRGB_D50, gamma(1)), (ADOBE_D50, gamma(2.2)), (BT2020_D50, gamma(1.8))]
)
def test_profiles_of_other_curves_and_versions(columns, light, version):
    exponent = np.log(light(0.5)) / np.log(0.5)
    profile = rgb_profile(columns, light, version=version, name=b"sRGB")
    assert_same(encode(eight(stored(columns, lambda linear: linear ** (1 / exponent))), "PNG", icc_profile=profile))


def test_srgb_under_another_name_changes_no_pixel():
    data = encode(PHOTO, "PNG", icc_profile=rgb_profile(SRGB_D50, srgb_curve, name=b"my monitor"))
    assert (load_image(data) == PLAIN).all()


def test_profiles_of_grey():
    grey = np.asarray(PHOTO.convert("L"))
    linear = Image.fromarray(np.round(255 * srgb_curve(grey / 255)).astype(np.uint8))
    profile = icc_profile(b"GRAY", {b"kTRC": curve(gamma(1))}, name=b"sRGB grey")
    expected = np.dstack([grey] * 3)
    for format in ("PNG", "JPEG", "TIFF"):
        assert_same(encode(linear, format, icc_profile=profile), 2, expected)
    clear = Image.merge("LA", [linear, Image.new("L", linear.size, 255)])
    assert_same(encode(clear, "PNG", icc_profile=profile), 2, expected)
    assert_same(encode(linear, "JPEG", icc_profile=rgb_profile(SRGB_D50, gamma(1))), 2, expected)
    unfit = encode(PHOTO, "PNG", icc_profile=profile)
    assert (load_image(unfit) == PLAIN).all()


@pytest.mark.parametrize("mode", ["CMYK", "Lab "])
def test_a_profile_of_another_kind_of_picture_is_left_out(mode):
    profile = icc_profile(mode.encode(), {}, b"Lab ")
    assert (load_image(encode(PHOTO, "PNG", icc_profile=profile)) == PLAIN).all()


def test_colors_are_converted_before_transparency_is_laid_on_white():
    image = eight(stored(SRGB_D50, lambda light: light))
    image.putalpha(128)
    data = encode(image, "PNG", icc_profile=rgb_profile(SRGB_D50, gamma(1)))
    assert_same(data, expected=(PLAIN * 128.0 + 255 * 127) / 255)


def test_high_dynamic_range_in_a_profile_is_read_by_its_code():
    """The tag cicp of ICC.1:2022; the curves beside it say nothing of how bright white is."""
    tags = {name + b"XYZ": struct.pack(">4s4x3i", b"XYZ ", *[round(65536 * value) for value in column])
            for name, column in zip((b"r", b"g", b"b"), BT2020_D50)}  # fmt: skip
    tags |= {name + b"TRC": curve(gamma(1)) for name in (b"r", b"g", b"b")}
    profile = icc_profile(b"RGB ", {**tags, b"cicp": b"cicp" + bytes(4) + bytes([9, 16, 0, 1])}, version=4)
    assert_same(encode(eight(stored(BT2020_D50, pq_signal)), "PNG", icc_profile=profile), 2.5)


# Code points of ITU-T H.273

CODES = {
    "BT.2020 PQ": (9, 16, BT2020_D50, pq_signal),
    "BT.2020 HLG": (9, 18, BT2020_D50, hlg_signal),
    "P3 PQ": (12, 16, P3_D50, pq_signal),
    "P3": (12, 13, P3_D50, srgb_signal),
    "BT.2020": (9, 14, BT2020_D50, srgb_signal),
    "linear": (1, 8, SRGB_D50, lambda light: light),
    "sRGB": (1, 13, SRGB_D50, srgb_signal),
}


@pytest.mark.parametrize("full", [1, 0], ids=["full", "limited"])
@pytest.mark.parametrize("code", CODES)
def test_code_points_in_heic(code, full):
    primaries, transfer, columns, signal = CODES[code]
    values = np.round(stored(columns, signal) * 65535).astype(np.uint16)
    file = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", (160, 160), values.tobytes()).save(
        file,
        quality=98,
        chroma=444,
        save_nclx_profile=True,
        color_primaries=primaries,
        transfer_characteristics=transfer,
        matrix_coefficients=9,
        full_range_flag=full,
    )
    assert_same(file.getvalue(), 3)


@pytest.mark.parametrize("code", CODES)
def test_code_points_in_avif(code):
    primaries, transfer, columns, signal = CODES[code]
    data = encode(eight(stored(columns, signal)), "AVIF")
    place = data.index(b"nclx") + 4
    assert_same(data[:place] + struct.pack(">2H", primaries, transfer) + data[place + 4 :], 4)


@pytest.mark.skipif("libsvtav1" not in av.codecs_available, reason="needs an encoder of AV1 that writes code points")
def test_code_points_of_an_avif_whose_boxes_are_silent():
    file = io.BytesIO()
    with av.open(file, "w", "avif") as container:
        stream = container.add_stream("libsvtav1", 1, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 160, 160, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1
        frame = av.VideoFrame.from_image(eight(stored(BT2020_D50, pq_signal)))
        frame = frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)
        container.mux([*stream.encode(frame), *stream.encode()])
    assert_same(file.getvalue(), 6)
    assert_same(file.getvalue().replace(b"colr", b"free"), 6)


@pytest.mark.parametrize("full", [1, 0], ids=["full", "narrow"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("code", CODES)
def test_code_points_in_png(code, bits, full):
    primaries, transfer, columns, signal = CODES[code]
    values = stored(columns, signal)
    if not full:
        values = (16 + 219 * values) / 255 if bits == 8 else (16 + 219 * values) * 256 / 65535
    png = encode(eight(values), "PNG") if bits == 8 else png_of_16_bits(values)
    assert_same(with_chunks(png, chunk(b"cICP", bytes([primaries, transfer, 0, full]))), 2.5 if bits == 8 else 0.5)


# Measures

GAMMA = chunk(b"gAMA", struct.pack(">I", 100_000))
D65 = (0.3127, 0.329)
P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))


def chromaticities(white, *colors) -> bytes:
    return chunk(
        b"cHRM", struct.pack(">8I", *[round(100_000 * value) for point in (white, *colors) for value in point])
    )


def test_gamma_of_png():
    linear = stored(signal=lambda light: light)
    assert_same(with_chunks(encode(eight(linear), "PNG"), GAMMA), 2)
    assert_same(with_chunks(png_of_16_bits(linear), GAMMA), 0.5)
    grey = np.asarray(PHOTO.convert("L"))
    for png in (
        encode(Image.fromarray(np.round(srgb_curve(grey / 255) * 255).astype(np.uint8)), "PNG"),
        png_of_16_bits(srgb_curve(grey / 255)),
    ):
        assert_same(with_chunks(png, GAMMA), 2, np.dstack([grey] * 3))
    usual = chunk(b"gAMA", struct.pack(">I", 45_455))
    assert (load_image(with_chunks(encode(PHOTO, "PNG"), usual)) == PLAIN).all()
    assert (load_image(with_chunks(encode(PHOTO, "PNG"), chunk(b"gAMA", bytes(4)))) == PLAIN).all()


def test_chromaticities_of_png():
    assert_same(with_chunks(encode(eight(stored(P3_D50)), "PNG"), chromaticities(D65, *P3)))
    both = eight(stored(P3_D50, lambda light: light))
    assert_same(with_chunks(encode(both, "PNG"), GAMMA, chromaticities(D65, *P3)), 2)
    usual = chromaticities(D65, (0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
    impossible = chromaticities(D65, (0.3, 0.3), (0.3, 0.3), (0.3, 0.3))
    for chunks in (usual, impossible, chromaticities((0.3, 0), *P3)):
        assert np.abs(load_image(with_chunks(encode(PHOTO, "PNG"), chunks)).astype(int) - PLAIN).max() <= 1


def test_what_png_says_in_several_ways_counts_in_the_order_of_its_standard():
    cicp = chunk(b"cICP", bytes([12, 13, 0, 1]))
    profile = chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(rgb_profile(ADOBE_D50, gamma(2.2))))
    srgb = chunk(b"sRGB", b"\0")
    adobe = stored(ADOBE_D50, lambda light: light ** (1 / 2.2))
    for values, chunks in (
        (stored(P3_D50), (GAMMA, srgb, profile, cicp)),
        (adobe, (GAMMA, srgb, profile)),
        (adobe, (GAMMA, srgb, chunk(b"cICP", bytes([12, 13, 1, 1])), profile)),
        (stored(), (GAMMA, srgb)),
        (stored(signal=lambda light: light), (GAMMA, chunk(b"iCCP", b"damaged\0\0nothing"))),
        (stored(signal=lambda light: light), (GAMMA, chunk(b"iCCP", b"damaged\0\0" + zlib.compress(b"nothing")))),
    ):
        assert_same(with_chunks(encode(eight(values), "PNG"), *chunks), 2)


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_adobe_rgb_by_the_tags_of_cameras(format):
    image = eight(stored(ADOBE_D50, lambda light: light ** (256 / 563)))
    for space, index in ((0xFFFF, "R03"), (2, None)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA001] = space
        if index:
            exif.get_ifd(0x8769)[0xA005] = {1: index}
        assert_same(encode(image, format, exif=exif.tobytes()), 2)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 1
    assert_same(encode(PHOTO, format, exif=exif.tobytes()), 2)


def test_colorimetry_of_tiff():
    tags = {318: D65, 319: tuple(value for point in P3 for value in point)}
    assert_same(encode(eight(stored(P3_D50)), "TIFF", tiffinfo=tags))


def bmp(pixels: np.ndarray, space: bytes, after: bytes = b"", ends=(), exponent: float = 0.0, offset: int = 0) -> bytes:
    rows = pixels[::-1, :, ::-1].tobytes()
    head = struct.pack("<3I2H6I", 124, pixels.shape[1], pixels.shape[0], 1, 24, 0, len(rows), 0, 0, 0, 0) + bytes(16)
    measured = struct.pack("<9i", *[round(value * 2**30) for value in ends]) if ends else bytes(36)
    head += space + measured + struct.pack("<3I", *[round(exponent * 65536)] * 3)
    head += struct.pack("<4I", 4, 124 + len(rows), len(after), 0)
    return b"BM" + struct.pack("<IHHI", 138 + len(rows) + len(after), 0, 0, 138) + head + rows + after


def test_colors_of_bmp():
    profile = rgb_profile(P3_D50, srgb_curve, name=b"sRGB")
    assert_same(bmp(np.asarray(eight(stored(P3_D50))), b"DEBM", profile))
    p3_d65 = (0.48657, 0.22897, 0.0, 0.26567, 0.69174, 0.04511, 0.19822, 0.07929, 1.04394)
    assert_same(bmp(np.asarray(eight(stored(P3_D50, lambda light: light ** (1 / 1.8)))), bytes(4), b"", p3_d65, 1.8))
    imagemagick = tuple(value / 2**14 for point in (*SRGB[:3],) for value in (*point, 1 - sum(point)))
    assert (load_image(bmp(PLAIN, bytes(4), b"", imagemagick, 0.4545)) == PLAIN).all()
    for space in (b"BGRs", b" niW", bytes(4)):
        assert (load_image(bmp(PLAIN, space)) == PLAIN).all()
