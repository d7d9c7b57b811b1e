"""Which kind of file a picture is, and how large it may be."""

import io

import pytest
from PIL import Image

from inference.image_checks import FORMATS, MAX_SIDE, OTHERS, ImageError, check_size, find_format


def encoded(format: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format)
    return buffer.getvalue()


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
            find_format(beginning.ljust(500))
        assert caught.value.code == f"photo_is_{name}"


@pytest.mark.parametrize("format", FORMATS)
def test_formats_are_told_by_content(format):
    assert find_format(encoded(format)) == format
    with pytest.raises(ImageError, match="not a photo"):
        find_format(b" " + encoded(format))


def test_sizes():
    check_size(10_000, 5000, 50_000_000)
    for width, height, code in ((10_000, 5001, "photo_pixels"), (1, MAX_SIDE + 1, "photo_side")):
        with pytest.raises(ImageError) as caught:
            check_size(width, height, 50_000_000)
        assert caught.value.code == code
