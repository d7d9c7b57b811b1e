"""Large photographs: decoded reduced, and whole where faces are small."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hostile_files import encode
from inference.alignment import cut_square
from inference.analyzer import FaceAnalyzer
from inference.blazeface import INPUT_SIZE
from inference.copies import Copies
from inference.detector import CLOSE_PIXELS, NEAR_SIDE
from inference.images import ENOUGH_PIXELS, ImageError, Photograph, load_image, load_photograph
from inference.search import CROWD_PIXELS
from inference.workers import Job

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(scope="module")
def analyzer():
    analyzer = FaceAnalyzer(threads=1)
    yield analyzer
    analyzer.detector.close()


def enlarged(width: int, height: int, format: str = "JPEG", **options) -> bytes:
    return encode(Image.open(EXAMPLES / "meeting.jpg").resize((width, height)), format, **options)


def pasted(sides: list[int], width: int = 4000, height: int = 3000) -> bytes:
    """A JPEG file with heads whose faces' boxes have about these sides."""
    astronaut = load_image(EXAMPLES / "astronaut.jpg")
    scene = np.full((height, width, 3), 128, np.uint8)
    for number, side in enumerate(sides):
        head, _ = cut_square(astronaut, (225, 120), 200, 0.0, 2 * side)
        x, y = 300 + 700 * (number % 5), 300 + 700 * (number // 5)
        scene[y : y + 2 * side, x : x + 2 * side] = head
    return encode(Image.fromarray(scene), "JPEG", quality=95)


def overlap(box, other) -> float:
    width, height = (min(box[i + 2], other[i + 2]) - max(box[i], other[i]) for i in (0, 1))
    shared = max(width, 0) * max(height, 0)
    both = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (box, other))
    return shared / (both - shared)


@pytest.mark.parametrize(
    ("size", "options", "times"),
    [
        ((4000, 3000), {}, 2),
        ((4001, 3003), {"progressive": True}, 2),
        ((3001, 4001), {"subsampling": 0}, 2),
        ((6002, 8003), {}, 4),
        ((3999, 2900), {}, 1),
    ],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_reduced_while_it_is_decoded(size, options, times, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = enlarged(*size, exif=exif, **options)
    photo, whole = load_photograph(data), load_image(data)
    assert photo.times == times and photo.pixels.shape[0] * photo.pixels.shape[1] >= ENOUGH_PIXELS
    assert whole.shape[1::-1] == (photo.width, photo.height) == (size if orientation == 1 else size[::-1])
    height, width = photo.pixels.shape[:2]
    assert (width, height) == (-(-photo.width // times), -(-photo.height // times))
    reduced = whole if times == 1 else cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    assert np.abs(photo.pixels.astype(int) - reduced)[:-1, :-1].mean() < 1.5
    assert (photo.whole() == whole).all()


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_other_formats_are_decoded_whole(format):
    photo = load_photograph(enlarged(4000, 3000, format))
    assert photo.times == 1 and photo.whole() is photo.pixels and photo.pixels.shape == (3000, 4000, 3)


@pytest.mark.parametrize("end", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("marker", [b"", b"\xff\xd9"])
def test_a_large_jpeg_that_lacks_rows_is_refused(end, marker):
    data = enlarged(4000, 3000)
    cut = data[: int(end * len(data))] + marker
    for load in (load_image, load_photograph):
        with pytest.raises(ImageError) as caught:
            load(cut)
        assert caught.value.code == "photo_damaged"


def test_a_large_jpeg_that_lacks_its_end_marker_is_read():
    data = enlarged(4000, 3000)
    assert (load_photograph(data[:-2]).pixels == load_photograph(data).pixels).all()


def test_large_faces_are_found_and_judged_without_the_whole(analyzer):
    data = enlarged(4000, 3000)
    photo = load_photograph(data)
    found, expected = (analyzer.analyze(picture, age_gender=True) for picture in (photo, load_image(data)))
    assert (found.width, found.height) == (expected.width, expected.height) == (4000, 3000)
    assert photo._whole is None, "nothing asked for it"
    assert len(found.faces) == len(expected.faces) == 5
    sure = 0
    for face, other in zip(found.faces, expected.faces):
        assert overlap(face.detection.box, other.detection.box) > 0.85
        assert face.shown == other.shown and np.abs(face.consensus - other.consensus).max() < 0.15
        assert face.age_sure == other.age_sure  # of blurred faces, whose range is of half a life, it is not
        assert not face.age_sure or abs(face.age - other.age) < 4
        sure += face.age_sure
        assert face.quality.side == pytest.approx(other.quality.side, rel=0.1)
    assert sure == 2


def test_the_whole_is_looked_at_where_faces_are_small(analyzer):
    """The very answers that the whole picture has, where others of them may be too small for the reduced one."""
    data = pasted([400, 300, CROWD_PIXELS + 10, CROWD_PIXELS + 20, 60])
    photo, whole = load_photograph(data), load_image(data)
    found, expected = analyzer.analyze(photo), analyzer.analyze(whole)
    assert photo.times == 2 and photo._whole is not None
    assert [face.detection for face in found.faces] == [face.detection for face in expected.faces]
    assert len(found.faces) == 5
    assert all((a.probabilities == b.probabilities).all() for a, b in zip(found.faces, expected.faces))


def test_faces_that_are_not_so_small_have_all_their_pixels(analyzer):
    """They are searched for in the reduced picture, and looked at from near in the whole."""
    side = 2 * CROWD_PIXELS + 20
    assert CROWD_PIXELS < side / 2 < CLOSE_PIXELS
    data = pasted([side, side + 8, side + 16])
    photo = load_photograph(data)
    found, expected = analyzer.analyze(photo), analyzer.analyze(load_image(data))
    assert photo._whole is not None and len(found.faces) == len(expected.faces) == 3
    for face, other in zip(found.faces, expected.faces):
        assert overlap(face.detection.box, other.detection.box) > 0.9
        assert np.abs(face.consensus - other.consensus).max() < 0.1


def test_faces_that_need_no_whole_have_as_many_pixels_as_networks_see(analyzer):
    sides = [network.input_size for network in (analyzer.classifier, analyzer.estimator)]
    assert CLOSE_PIXELS >= max(sides) and NEAR_SIDE * CLOSE_PIXELS >= INPUT_SIZE


def test_boxes_end_with_the_picture(analyzer):
    """Of an odd side the reduced picture has half a pixel more."""
    cut = Image.open(EXAMPLES / "astronaut.jpg").crop((75, 0, 250, 233)).resize((3001, 4001))
    photo = load_photograph(encode(cut, "JPEG"))
    assert photo.times == 2 and photo.pixels.shape == (2001, 1501, 3)
    (face,) = analyzer.analyze(photo).faces
    assert photo._whole is None and face.detection.box[2] == 3001


def test_a_whole_that_cannot_be_decoded_is_told(analyzer):
    def gone() -> np.ndarray:
        raise ImageError("picture_slow")

    small = load_photograph(pasted([100]))
    with pytest.raises(ImageError, match="too long to read"):
        analyzer.analyze(Photograph(small.pixels, small.times, (small.width, small.height), gone))


def test_copies_have_the_whole(analyzer, tmp_path):
    data = enlarged(4000, 3000)
    photo = Job(copies=(Copies("annotated", tmp_path),)).do(load_photograph(data), analyzer)
    assert Image.open(io.BytesIO(photo.copies[0])).size == (4000, 3000)
    assert analyzer.analyze(data).picture().shape == (3000, 4000, 3)


def test_an_array_is_its_own_whole():
    pixels = np.zeros((30, 40, 3), np.uint8)
    photo = Photograph(pixels)
    assert (photo.width, photo.height) == (40, 30) and photo.whole() is pixels and photo.best() == (pixels, 1)
