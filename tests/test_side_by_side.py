"""Work of several threads at once: the same answers as of one, and no thread more than is allowed."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from inference.blazeface import BlazeFace
from inference.detector import FaceDetector
from inference.face_check import FaceCheck
from inference.images import load_image
from inference.search import FaceSearch, scaled
from inference.side_by_side import read_ahead, side_by_side

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(scope="module")
def detectors() -> dict[int, FaceDetector]:
    """By their threads."""
    return {threads: FaceDetector(threads=threads, cuda=False) for threads in (1, 3)}


@pytest.fixture
def seen_by(monkeypatch) -> dict[str, set[int]]:
    """The threads in which each method was called."""
    threads: dict[str, set[int]] = {}

    def watch(owner: type, name: str) -> None:
        inner = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda *given: (threads.setdefault(name, set()).add(threading.get_ident()), inner(*given))[1]
        )

    for owner, name in ((FaceSearch, "fine"), (FaceSearch, "turns"), (FaceCheck, "see"), (BlazeFace, "_look_near")):
        watch(owner, name)
    return threads


@pytest.mark.parametrize(
    ("name", "factor", "turn"),
    [
        ("astronaut", 1, 0),
        ("astronaut", 0.4, 0),
        ("meeting", 1, 0),
        ("meeting", 0.5, 1),
        ("meeting", 2.5, 0),
        ("cat", 1, 0),
    ],
)
def test_several_threads_find_the_very_same_as_one(detectors, name, factor, turn):
    image = np.ascontiguousarray(np.rot90(scaled(load_image(EXAMPLES / f"{name}.jpg"), factor), turn))
    alone, several = (detectors[threads].detect(image) for threads in (1, 3))
    assert several == alone


def test_a_stream_finds_the_very_same_with_several_threads(detectors):
    image = load_image(EXAMPLES / "meeting.jpg")
    expected = detectors[1].detect(image)[:2]
    assert len(expected) == 2
    for search, thorough in ((False, False), (True, False), (True, True)):
        alone, several = (detectors[threads].follow(image, expected, search, thorough) for threads in (1, 3))
        assert several == alone and len(alone) >= 2


def test_searches_and_looks_go_on_at_once_only_where_more_than_one_thread_may_be_used(detectors, seen_by):
    own = {threading.get_ident()}
    image = load_image(EXAMPLES / "meeting.jpg")
    detectors[1].detect(image)
    assert set(seen_by) == {"fine", "turns", "see", "_look_near"} and all(
        threads == own for threads in seen_by.values()
    )
    seen_by.clear()
    detectors[3].detect(image)
    assert own.isdisjoint(seen_by["fine"]) and own.isdisjoint(seen_by["see"]) and len(seen_by["_look_near"]) > 1


def test_no_thread_is_left():
    before = threading.active_count()
    with side_by_side(2) as begin:
        assert [wait() for wait in [begin(pow, 2, number) for number in range(5)]] == [1, 2, 4, 8, 16]
        assert threading.active_count() > before
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [0, 1])
def test_what_is_raised_is_raised_where_the_answer_is_asked_for(threads):
    with side_by_side(threads) as begin:
        wait = begin(int, "no number")
        with pytest.raises(ValueError, match="no number"):
            wait()


def test_without_threads_nothing_is_done_that_is_not_asked_for_and_nothing_twice():
    done = []
    with side_by_side(0) as begin:
        first, _ = begin(done.append, 1), begin(done.append, 2)
        first(), first()
    assert done == [1]


def test_what_no_thread_has_begun_is_done_by_who_asks():
    going_on, own = threading.Event(), threading.get_ident()
    with side_by_side(1) as begin:
        begin(going_on.wait)
        assert begin(threading.get_ident)() == own
        going_on.set()


def test_what_is_read_ahead_comes_in_its_order_and_is_read_up_to_so_many_by_another_thread():
    readers, read = set(), []

    def numbers():
        for number in range(6):
            readers.add(threading.get_ident())
            read.append(number)
            yield number

    before = threading.active_count()
    items = read_ahead(numbers(), 2)
    assert next(items) == 0
    wait_for(lambda: read == [0, 1, 2])
    assert [*items] == [1, 2, 3, 4, 5] and readers and threading.get_ident() not in readers
    assert threading.active_count() == before


def test_what_goes_wrong_ahead_is_raised_in_its_turn():
    def numbers():
        yield 1
        raise OSError("gone")

    items = read_ahead(numbers(), 3)
    assert next(items) == 1
    with pytest.raises(OSError, match="gone"):
        next(items)


def test_who_wants_no_more_has_nothing_more_read():
    read, before = [], threading.active_count()
    items = read_ahead((read.append(number) or number for number in range(100)), 2)
    assert next(items) == 0
    items.close()
    assert threading.active_count() == before and len(read) <= 3


def wait_for(condition):
    ended = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ended
        time.sleep(0.01)
