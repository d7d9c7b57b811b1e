"""What programs have of a picture: paths, PIL images, arrays in either order of colors."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.images import MAX_SIDE, ImageError, load_image
from inference.inputs import to_rgb

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def test_a_path_a_pil_image_and_arrays_of_either_order_are_the_same_picture():
    path = EXAMPLES / "astronaut.jpg"
    expected = load_image(path)
    opencv = expected[..., ::-1]  # as cv2.imread gives it
    opaque = np.dstack([expected, np.full(expected.shape[:2], 255, np.uint8)])
    for source, bgr in (
        *((path, False), (str(path), False), (path.read_bytes(), False), (path, True)),
        *((Image.open(path), False), (Image.open(path), True)),
        *((expected, False), (opencv, True), (opaque, False), (opaque[..., [2, 1, 0, 3]], True)),
    ):
        image = to_rgb(source, bgr)
        assert np.array_equal(image, expected) and image.flags["C_CONTIGUOUS"]
    assert np.array_equal(to_rgb(opencv), opencv)


def test_transparency_of_arrays_and_pil_images_is_laid_on_white():
    pixel = np.array([[[200, 100, 0, 51]]], np.uint8)  # a fifth of it
    expected = [244, 224, 204]
    assert to_rgb(pixel).tolist() == [[expected]] and to_rgb(pixel, bgr=True).tolist() == [[expected[::-1]]]
    assert to_rgb(Image.fromarray(pixel)).tolist() == [[expected]]
    assert to_rgb(Image.new("La", (1, 1), (0, 0))).tolist() == [[[255] * 3]]


def test_grey_arrays_and_pil_images_of_many_modes_are_taken():
    grey = np.array([[0, 128, 255]], np.uint8)
    for source in (grey, grey[..., None], Image.fromarray(grey), Image.fromarray(grey.astype(np.uint16) << 8)):
        assert to_rgb(source).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]
    for mode in ("1", "P", "LA", "CMYK", "YCbCr", "HSV", "RGBX", "RGBa"):
        assert to_rgb(Image.new(mode, (3, 2))).shape == (2, 3, 3)


def test_pil_images_are_turned_upright():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(np.array([[[0] * 3, [255] * 3]], np.uint8)).save(file, "PNG", exif=exif)
    assert to_rgb(Image.open(file))[..., 0].tolist() == [[0], [255]] == load_image(file.getvalue())[..., 0].tolist()


@pytest.mark.parametrize(
    ("source", "kind", "says"),
    [
        (None, TypeError, "cv2.imread gives None"),
        (7, TypeError, "not int"),
        ([[[0, 0, 0]]], TypeError, "not list"),
        (np.zeros((4, 4, 3)), ValueError, r"uint8 \(0 to 255\).* not float64 \(4, 4, 3\)"),
        (np.zeros((4, 4, 3), np.uint16), ValueError, "not uint16"),
        (np.zeros((1, 4, 4, 3), np.uint8), ValueError, r"not uint8 \(1, 4, 4, 3\)"),
        (np.zeros((4, 4, 2), np.uint8), ValueError, r"not uint8 \(4, 4, 2\)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, r"not uint8 \(0, 4, 3\)"),
        (np.zeros((MAX_SIDE + 1, 1, 3), np.uint8), ValueError, "at most 30,000 pixels on a side, not 30,001"),
        (Image.new("F", (4, 4)), ValueError, "mode F"),
        ("missing.jpg", ImageError, "no such file"),
    ],
)
def test_what_is_no_picture_is_told_in_one_sentence(source, kind, says):
    with pytest.raises(kind, match=says) as refused:
        to_rgb(source)
    assert "\n" not in str(refused.value)
