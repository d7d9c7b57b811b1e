"""Faces searched for in whole pictures: small, many, turned, at every size of the picture."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.analyzer import FaceAnalyzer
from inference.detector import FaceDetector, quarter_turned
from inference.emotion import EmotionClassifier
from inference.images import load_image
from inference.search import (
    COARSE_SIDE,
    MAX_PIXELS,
    SURE_SCORE,
    TILE_OVERLAP,
    TILE_SIDE,
    WHOLE_SIDE,
    FaceSearch,
    _tiles,
    scaled,
    suppress,
)
from inference.types import Detection

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return load_image(EXAMPLES / "astronaut.jpg")


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def people() -> Path:
    """A folder of photographs of people."""
    folder = Path(os.environ.get("PHOTOS_DIR", "")) / "people"
    if not os.environ.get("PHOTOS_DIR") or not folder.is_dir():
        pytest.skip("set PHOTOS_DIR to a folder with photographs and a folder `people` in it")
    return folder


def middle(detection: Detection) -> np.ndarray:
    x1, y1, x2, y2 = detection.box
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2])


@pytest.mark.parametrize("side", [16, 24, 48])
def test_small_faces_are_found_where_they_are(detector, astronaut, side):
    """Twelve of them, of the given side of the detector's box, in 1280x960."""
    (face,) = detector.detect(astronaut)
    factor = side / (face.box[2] - face.box[0])
    small = scaled(astronaut, factor)
    scene = np.full((960, 1280, 3), 128, np.uint8)
    corners = [(60 + 300 * column, 60 + 280 * row) for column in range(4) for row in range(3)]
    for x, y in corners:
        scene[y : y + len(small), x : x + small.shape[1]] = small
    found = detector.detect(scene)
    assert len(found) == len(corners)
    truth = np.array(corners) + middle(face) * factor
    distances = np.linalg.norm(truth[:, None] - np.array([middle(place) for place in found]), axis=2)
    assert distances.min(axis=1).max() < 0.25 * side and distances.min(axis=0).max() < 0.25 * side
    assert all(place.search == "yunet" for place in found)


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_turned_picture_has_the_same_faces_and_answers(astronaut, turn):
    analyzer = FaceAnalyzer(classifier=EmotionClassifier(cuda=False))
    (upright,) = analyzer.analyze(astronaut).faces
    (turned,) = analyzer.analyze(np.rot90(astronaut, turn)).faces
    expected = quarter_turned(upright.detection, turn, astronaut.shape)
    assert np.abs(middle(turned.detection) - middle(expected)).max() < 2
    assert np.abs(np.array(turned.detection.left_eye) - expected.left_eye).max() < 2
    assert np.abs(turned.consensus - upright.consensus).max() < 0.03


@pytest.mark.parametrize(("shape", "kind"), [((5,), np.uint8), ((4, 4, 3), np.float32), ((0, 4, 3), np.uint8)])
def test_an_array_that_is_no_picture_is_refused(detector, shape, kind):
    with pytest.raises(ValueError, match="a picture must be uint8"):
        detector.detect(np.zeros(shape, kind))


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_face_that_lies_in_an_upright_picture_is_found_too(detector, astronaut, turn):
    scene = np.full((900, 1300, 3), 90, np.uint8)
    head = astronaut[:300, 80:380]
    scene[300:600, 100:400] = scene[300:600, 500:800] = head
    scene[300:600, 900:1200] = np.rot90(head, turn)
    found = sorted(detector.detect(scene), key=lambda face: face.box[0])
    assert len(found) == 3
    lying = quarter_turned(found[0].mapped(lambda x, y: (x - 100, y - 300)), turn, head.shape)
    assert np.abs(middle(found[2]) - middle(lying) - (900, 300)).max() < 12
    assert np.abs(np.array(found[2].left_eye) - lying.left_eye - (900, 300)).max() < 12


@pytest.mark.parametrize("turn", range(4))
def test_a_small_picture_is_enlarged_further_only_where_no_face_in_it_is_certain(
    detector, astronaut, monkeypatch, turn
):
    """The head alone in 96 pixels, as in folders of faces, and the same lying or upside down."""
    sizes, run = [], FaceSearch._run
    head = np.rot90(scaled(astronaut[:256, 96:352], 96 / 256), turn)
    monkeypatch.setattr(FaceSearch, "_run", lambda *given: (sizes.append(given[1][0].shape[:2]), run(*given))[1])
    (face,) = detector.detect(np.ascontiguousarray(head))
    assert 25 < face.box[2] - face.box[0] < 60
    assert ((COARSE_SIDE, COARSE_SIDE) in sizes) == (turn != 0)


def test_quarter_turns_carry_a_place_as_numpy_turns_a_picture():
    picture = np.zeros((30, 50), np.uint8)
    picture[4:9, 10:17] = 1
    place = Detection((10.0, 4.0, 17.0, 9.0), 1.0, (10.0, 4.0), (17.0, 4.0))
    for turn in range(-3, 4):
        x1, y1, x2, y2 = map(int, quarter_turned(place, turn, picture.shape).box)
        turned = np.rot90(picture, turn)
        assert turned[y1:y2, x1:x2].all() and turned.sum() == (y2 - y1) * (x2 - x1), turn


def test_every_photograph_of_people_has_its_faces(detector, people):
    counts = {"group_solvay_1927": 29, "group_meeting": 5}
    found = {file.stem: len(detector.detect(load_image(file))) for file in sorted(people.glob("*.jpg"))}
    assert found == {name: counts.get(name, 1) for name in found} and len(found) >= 7


def test_a_face_between_a_fur_cap_and_a_beard_is_found_at_most_sizes(detector, people):
    image = load_image(people / "surprised.jpg")
    found = [len(detector.detect(scaled(image, factor))) for factor in (0.2, 0.3, 0.5, 0.7, 0.9, 1, 1.4, 2)]
    assert sum(found) >= 5 and max(found) == 1


def test_faces_looked_at_side_by_side_are_those_looked_at_one_by_one():
    crowd, found = load_image(EXAMPLES / "solvay_1927.jpg"), []
    for threads in (1, 3):
        with_threads = FaceDetector(threads=threads)
        found.append(with_threads.detect(crowd))
        with_threads.close()
    assert len(found[0]) > 20
    for one, other in zip(*found, strict=True):
        assert np.abs(np.subtract(one.box, other.box)).max() < 0.01 and abs(one.score - other.score) < 1e-4


def test_the_number_of_faces_found_changes_smoothly_with_the_size_of_the_picture(detector, people):
    image = load_image(people / "group_solvay_1927.jpg")
    sides = np.linspace(400, 1400, 20).round().astype(int)
    found = [len(detector.detect(scaled(image, side / max(image.shape)))) for side in sides]
    assert min(found) >= 27 and max(found) <= 30


def test_tiles_cover_a_picture_and_share_their_edges():
    for height, width in ((100, 200), (1280, 1280), (1281, 900), (1732, 2309), (3000, 1300)):
        picture = np.arange(height * width, dtype=np.int64).reshape(height, width)
        tiles = _tiles(picture)
        assert len({tile.shape for *_, tile in tiles}) == 1
        assert max(tiles[0][2].shape) <= TILE_SIDE or len(tiles) == 1 and max(height, width) <= WHOLE_SIDE
        seen = np.zeros((height, width), int)
        for x, y, tile in tiles:
            assert tile[0, 0] == picture[y, x]
            seen[y : y + tile.shape[0], x : x + tile.shape[1]] += 1
        assert seen.min() == 1
        columns = sorted({x for x, *_ in tiles})
        for left, right in zip(columns, columns[1:]):
            assert left + tiles[0][2].shape[1] - right >= TILE_OVERLAP - 1


def test_the_work_on_a_large_picture_is_bounded(monkeypatch):
    search, pixels = FaceSearch(), []
    monkeypatch.setattr(search, "see", lambda images, **_: pixels.extend(i[..., 0].size for i in images) or [[]])
    search.search(np.zeros((6000, 9000, 3), np.uint8))
    assert sum(pixels) < 1.6 * MAX_PIXELS and max(pixels) <= WHOLE_SIDE**2


def test_what_is_seen_inside_a_sure_face_is_no_face_of_its_own():
    def place(x, y, side, score):
        return Detection((x, y, x + side, y + side), score, (x, y), (x + side, y))

    near, part, neighbour = place(0, 0, 300, 0.9), place(100, 150, 80, 0.95), place(290, 0, 280, 0.8)
    assert suppress([near, part, neighbour]) == [near, neighbour]
    assert suppress([place(0, 0, 300, 0.5), part]) == [part]
    assert suppress([]) == []
    # A sure one that gives way to a better one beside it rules out none.
    beside = place(-60, 0, 130, 0.95)
    assert suppress([near, part, beside]) == [part, beside]


def test_a_large_sure_face_is_looked_at_from_near_once_and_at_no_further_size(detector, astronaut, monkeypatch):
    looks, sizes = [], []
    look_near, see_scaled = detector.near.look_near, detector.searcher.see_scaled
    monkeypatch.setattr(detector.near, "look_near", lambda crops: looks.extend(crops) or look_near(crops))
    monkeypatch.setattr(
        detector.searcher,
        "see_scaled",
        lambda image, factor, *rest: sizes.append(factor) or see_scaled(image, factor, *rest),
    )
    head = np.ascontiguousarray(astronaut[:256, 96:352])
    assert len(detector.detect(head)) == 1
    assert len(looks) == 1 and COARSE_SIDE / 256 not in sizes


def test_an_animal_hides_no_face_in_front_of_it(detector, astronaut):
    """A small one, in front of a cat's face that the search takes for a sure one."""
    scene = cv2.resize(load_image(EXAMPLES / "cat.jpg"), (640, 426), interpolation=cv2.INTER_LINEAR)
    assert max(place.score for place in detector.candidates(scene)[1]) >= SURE_SCORE and not detector.detect(scene)
    head = cv2.resize(astronaut[18:207, 136:308], (40, 44), interpolation=cv2.INTER_AREA)
    for x, y in ((340, 20), (420, 60), (500, 20), (580, 20)):
        shown = scene.copy()
        shown[y : y + 44, x : x + 40] = head
        (face,) = detector.detect(shown)
        assert np.abs(middle(face) - (x + 20, y + 24)).max() < 6


def test_colours_are_in_the_order_that_the_model_was_trained_on(astronaut):
    """A face of blue skin is seen less surely than the same with the colours as they are."""
    search = FaceSearch()
    small = scaled(astronaut, 160 / 512)
    (right, *_), (swapped, *_) = search.see([small, np.ascontiguousarray(small[..., ::-1])])
    assert right.score > swapped.score


def test_eyes_nose_and_mouth_are_where_they_are(astronaut):
    (face, *_) = FaceSearch().search(astronaut)
    for point, truth in zip(
        (face.left_eye, face.right_eye, face.nose, face.mouth), ((203, 104), (246, 106), (225, 130), (226, 150))
    ):
        assert np.hypot(*np.subtract(point, truth)) < 9, (point, truth)


def test_the_detector_finds_the_same_face_in_grey_and_dark(detector, astronaut):
    grey = np.repeat(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    for picture in (grey, grey // 3):
        (found,) = detector.detect(picture)
        assert np.abs(middle(found) - middle(detector.detect(astronaut)[0])).max() < 8
