"""Faces of a stream, found again from frame to frame: real faces moved about, with known truth."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from inference.analyzer import FaceAnalyzer
from inference.detector import FaceDetector
from inference.emotion import EmotionClassifier
from inference.follow import FaceFollower
from inference.images import load_image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
RATE = 20


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer(FaceDetector(threads=1), EmotionClassifier("emotion_int8.onnx", threads=1))


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    """uint8 (220, 220, 3): a head whose face is about 100 pixels wide."""
    return load_image(EXAMPLES / "astronaut.jpg")[30:250, 115:335]


FACE_IN_HEAD = (106, 104)
"""Middle of the detector's box in `head`, in its pixels."""


def frame_with(head: np.ndarray, places: list[tuple[float, float, int]]) -> np.ndarray:
    """uint8 (480, 640, 3): heads of a width in pixels with their upper left corners at (x, y), cut off by the edges."""
    frame = np.full((480, 640, 3), 96, np.uint8)
    for x, y, width in places:
        matrix = np.float32([[width / 220, 0, x], [0, width / 220, y]])
        moved = cv2.warpAffine(head, matrix, (640, 480), flags=cv2.INTER_AREA)
        inside = cv2.warpAffine(np.full(head.shape[:2], 255, np.uint8), matrix, (640, 480))
        frame[inside > 127] = moved[inside > 127]
    return frame


def middle(face) -> np.ndarray:
    x1, y1, x2, y2 = face.measured.detection.box
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2])


GRID = [(213 * column, 240 * row, 200) for row in range(2) for column in range(3)]


@pytest.mark.parametrize("count, width", [(1, 200), (2, 200), (3, 200), (6, 200), (6, 150)])
def test_every_face_is_found_in_every_frame_where_it_is(analyzer, head, count, width):
    follower = FaceFollower(analyzer)
    ids = set()
    for number in range(30):
        shift = np.array([12 * np.sin(number / 6), 8 * np.cos(number / 6)])
        places = [(x + shift[0] + 5, y + shift[1] + 10, width) for x, y, _ in GRID[:count]]
        people = follower.analyze(frame_with(head, places), number / RATE)
        assert len(people) == count, number
        truth = np.array([(x, y) for x, y, _ in places]) + np.array(FACE_IN_HEAD) * width / 220
        distances = np.linalg.norm(truth[:, None] - np.array([middle(face) for face in people])[None], axis=2)
        assert distances.min(axis=1).max() < 0.12 * width
        ids |= {face.id for face in people}
    assert ids == set(range(1, count + 1))


@pytest.mark.parametrize(
    "times",
    [
        (0, 0.014, 0.223, 0.573, 0.583, 0.803),
        (0, 0.013, 0.145, 0.174, 0.213, 0.25),
        (0, 0.01, 0.021, 0.186, 0.2, 0.26),
        (0, 0.139, 0.152, 0.421, 0.648),
        (0, 0.255, 0.264, 0.491, 0.497),
    ],
)
def test_people_who_do_not_move_are_all_there_and_stay_where_they_are_however_the_frames_come(analyzer, head, times):
    follower, frame = FaceFollower(analyzer), frame_with(head, GRID)
    truth = np.array([(x, y) for x, y, _ in GRID]) + np.array(FACE_IN_HEAD) * 200 / 220
    for seconds in times:
        people = follower.analyze(frame, seconds)
        assert [person.id for person in people] == [1, 2, 3, 4, 5, 6], seconds
        boxes = np.array([person.smoothed.detection.box for person in people])
        middles, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2] - boxes[:, 0]
        assert np.linalg.norm(middles - truth, axis=1).max() < 16
        assert sides.min() > 70 and sides.max() < 105


@pytest.mark.parametrize("others", [0, 1, 4])
def test_who_comes_in_is_found_within_the_time_of_a_search_and_who_goes_is_not_seen_any_more(analyzer, head, others):
    follower = FaceFollower(analyzer)
    staying, newcomer = GRID[:others], GRID[5]

    def seen(first: int, last: int, places) -> list[int]:
        frame = frame_with(head, places)
        return [len(follower.analyze(frame, number / RATE)) for number in range(first, last)]

    assert set(seen(0, 10, staying)) == {others}
    came = seen(10, 20, [*staying, newcomer])
    assert came[5:] == [others + 1] * 5  # 0.25 s at 20 frames a second
    went = seen(20, 40, staying)
    assert went == [others] * 20


@pytest.mark.parametrize("camera, thorough", [(True, [0, 4, 8, 12]), (False, [*range(14)])])
def test_of_a_camera_whose_frames_come_slowly_not_every_frame_is_searched_thoroughly(camera, thorough):
    asked = []

    def follow(_image, _expected, search, thorough, _turn):
        asked.append((search, thorough))
        return []

    analyzer = SimpleNamespace(detector=SimpleNamespace(follow=follow), cut=lambda *_: [], answer=list)
    follower = FaceFollower(analyzer, camera)
    for number in range(14):
        follower.analyze(np.zeros((48, 64, 3), np.uint8), 1.5 * number)
    assert [[number for number, one in enumerate(each) if one] for each in zip(*asked)] == [[*range(14)], thorough]


def test_nothing_else_passes_for_a_face_for_long(analyzer, head):
    """Where a face was, there is a smooth patch of its colours now: it is gone at once, or when it is its turn."""
    for count in (1, 4):
        follower = FaceFollower(analyzer)
        for number in range(8):
            follower.analyze(frame_with(head, GRID[:count]), number / RATE)
        blurred = frame_with(head, GRID[:count])
        blurred[:240, :213] = cv2.GaussianBlur(blurred[:240, :213], (0, 0), 30)
        left = [len(follower.analyze(blurred, number / RATE)) for number in range(8, 24)]
        assert left[-1] == count - 1


def test_a_face_that_fills_the_frame_is_followed(analyzer, head):
    follower = FaceFollower(analyzer)
    frame = frame_with(head, [(100, 0, 460)])
    counts = [len(follower.analyze(frame, number / RATE)) for number in range(6)]
    assert counts == [len(analyzer.detector.detect(frame))] * 6 == [1] * 6


@pytest.mark.parametrize("columns, rows, side", [(3, 3, 72), (4, 4, 96)])
def test_the_small_faces_of_a_grid_of_videos_are_all_found_within_a_second(analyzer, head, columns, rows, side):
    """As in a video of 1920x1080; `side` is that of the face, which is 100 of the 220 pixels of `head`."""
    frame = np.full((1080, 1920, 3), 40, np.uint8)
    small = cv2.resize(head, (side * 22 // 10,) * 2, interpolation=cv2.INTER_AREA)
    for y in np.linspace(30, 1050 - len(small), rows).astype(int):
        for x in np.linspace(30, 1890 - len(small), columns).astype(int):
            frame[y : y + len(small), x : x + len(small)] = small
    for picture in (frame, cv2.resize(frame, (640, 360), interpolation=cv2.INTER_AREA)):
        follower = FaceFollower(analyzer)
        people = [follower.analyze(picture, number / RATE) for number in range(RATE + 1)]
        assert len(people[-1]) == columns * rows
        assert {face.id for faces in people for face in faces} == set(range(1, columns * rows + 1))


def test_a_hard_cut_starts_new_people(analyzer, head):
    """The same head at the same place, but everything around it is another."""
    plain = frame_with(head, [(200, 100, 200)])
    elsewhere = plain.copy()
    rows, columns = np.mgrid[:480, :640]
    background = np.stack([rows // 2, columns // 3, 255 - rows // 2], axis=2).astype(np.uint8)
    empty = (plain == 96).all(axis=2)
    elsewhere[empty] = background[empty]
    follower = FaceFollower(analyzer)
    ids = [
        [face.id for face in follower.analyze(frame, number / RATE)]
        for number, frame in enumerate([plain] * 5 + [elsewhere] * 5 + [plain] * 5)
    ]
    assert ids == [[1]] * 5 + [[2]] * 5 + [[3]] * 5


def test_light_and_a_turn_of_the_camera_are_no_cut(analyzer, head):
    follower = FaceFollower(analyzer)
    for number in range(10):
        frame = frame_with(head, [(150 + 12 * number, 100, 200)])
        dark = (frame * (0.4 if number % 2 else 1.0)).astype(np.uint8)
        assert [face.id for face in follower.analyze(dark, number / RATE)] == [1], number


def test_frames_of_several_sizes_are_one_stream(analyzer, head):
    follower, frame = FaceFollower(analyzer), frame_with(head, GRID[:1])
    middles = []
    for number, size in enumerate([(640, 480), (480, 360), (400, 300), (640, 480), (320, 240)]):
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        (face,) = follower.analyze(small, number / RATE, width=640)
        assert face.id == 1
        middles.append(middle(face))
    assert np.ptp(middles, axis=0).max() < 8


def test_a_frame_of_the_wrong_form_changes_nothing(analyzer, head):
    follower, frame = FaceFollower(analyzer), frame_with(head, GRID[:1])
    assert [face.id for face in follower.analyze(frame, 0)] == [1]
    with pytest.raises(ValueError, match="RGB"):
        follower.analyze(frame[..., 0], 0.05)
    assert [face.id for face in follower.analyze(frame, 0.1)] == [1]
