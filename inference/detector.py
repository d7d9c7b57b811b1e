"""Faces in a picture: searched for by YuNet, seen from near and followed by MediaPipe's BlazeFace."""

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from .alignment import cut_square
from .blazeface import INPUT_SIZE, BlazeFace, area, clip
from .face_check import MIN_SCORE, FaceCheck
from .images import Photograph
from .processors import usable_processors
from .search import (
    COARSE_SIDE,
    CROWD_PIXELS,
    FINE_SIDE,
    MAX_OVERLAP,
    NEAREST_SIDE,
    SURE_SCORE,
    WHOLE_SIDE,
    FaceSearch,
    bounded,
    rotated,
    scaled,
    suppress,
    within,
)
from .side_by_side import side_by_side
from .types import Detection

NEAR_SCORE = 0.5
"""Score of the look from near from which its box and points are better than those of the search."""
NEAR_MIN_SCORE = 0.72
"""Score of the look from near from which a place is a face, where there is nothing else to go by."""
SURE_LOOK = 0.9
"""Score of the look from near that does not depend on from where exactly it is taken."""
NEAR_SIDE = 2.0
"""Side of the look from near in sides of the face's box."""
TRACKED_MIN_SCORE = 0.5
"""The minimum score of the look from near of a face that was there in the frame before: who turns away for a moment is not
lost."""
TRACKED_MIN_PART = 0.7
"""The minimum score of a face that was there in the frame before and is verified, as a part of that of a new one."""
FEW_FACES = 2
"""So many faces of a stream are looked at one by one; more are cheaper to find by one search of the whole frame."""
FOLLOW_PIXELS = 24
"""The side of the smallest face in the frame, as it is searched, is at least so many pixels."""
VERIFY_EVERY = 5
"""Of the faces of a crowd one is looked at from near in every so many frames."""
LARGE_SIDE = 0.13
"""Side of a face, in sides of the picture, from which MediaPipe's model sees it in the whole picture."""
SAME_PLACE = 0.5
"""Intersection over union from which two boxes are of the same face."""
SAME_FACE = 0.3
"""Intersection over union from which a place of the search is the face that was expected near it."""
BOX_SIDE = 0.96
"""Side of BlazeFace's box in roots of the area of YuNet's."""
BOX_LOWERED = 0.077
"""How much further down in the face the middle of BlazeFace's box lies, in roots of the area of YuNet's."""
LOWERED = {"left_eye": 0.01, "right_eye": 0.01, "nose": 0.016, "mouth": 0.038}
"""How much further down in the face BlazeFace's points lie, in roots of the area of YuNet's box."""
CLOSE_PIXELS = 64
"""Height of a face in a reduced photograph from which it has as many pixels as are seen of it, from near and by the other networks."""
FOLLOW_SIDE = 960
"""Longer side in pixels, at most, at which a frame of a stream is searched."""
CLEAR = 0.2
"""Sum of what scores exceed TURN_SCORE by, from which it is seen how a picture is turned."""
TURN_SCORE = 0.5
TURN_PIXELS = 12
"""The side of the smallest faces that tell how a picture is turned, in pixels as they are searched; smaller ones are seen in any
turn."""
TURNED = (1, 2, 3)
"""The turns of a picture, in quarters, other than upright."""
TURNED_SIDE = 224
"""Longer side in pixels of the quick look at these turns in a picture that has a surely upright face."""
SURELY_UPRIGHT = 0.8
"""Score that no face has that is seen upside down."""
OUTWEIGHED = 2
"""So many times as clear are the faces that outweigh those in another turn."""
CERTAIN = 0.92
"""Score of a face in a picture of at most FINE_SIDE that is not looked for at a further size."""


class FaceDetector:
    """Finds the faces of pictures and follows those of streams; may be shared by threads.

    YuNet searches: it sees faces of 10 to 300 pixels in a picture at two sizes, see `inference.search`. MediaPipe's
    short-range BlazeFace model then looks at each place from near: at a crop twice as large as the face and turned so
    that the eyes are level. Its box and points are returned, because they vary half as much as those of the search when a
    face moves, and the crops of FER-2013 were fitted to them; where it sees nothing, as of masked and tiny faces, those of
    the search are, carried to where BlazeFace's would be. `python -m benchmarks.detection` and `python -m
    benchmarks.alignment` measure it.

    Pictures may be turned by quarters: the turn in which most faces are seen is taken for upright, and faces that lie in it
    are found too.

    Args:
        searching: False leaves YuNet out: MediaPipe's model alone sees faces that fill an eighth of the picture and more.
        min_score: places below this (0 to 1) are no faces; default: `face_check.MIN_SCORE`, without search NEAR_MIN_SCORE.
        threads: of the search, see `inference.session.Session`, and of the looks from near; with more than one the searches, and
            what is seen of their places, go side by side.
        cuda: of the search, the check and the looks.

    Raises:
        ModelError: a model file is missing or altered.
    """

    def __init__(
        self, searching: bool = True, min_score: float | None = None, threads: int | None = None, cuda: bool = True
    ):
        self.min_score = min_score if min_score is not None else MIN_SCORE if searching else NEAR_MIN_SCORE
        self.near = BlazeFace(threads=threads, cuda=cuda)
        self.searcher = FaceSearch(threads, cuda) if searching else None
        self.checker = FaceCheck(self.searcher, threads, cuda) if searching else None
        self._threads = threads or usable_processors()

    def detect(self, picture: np.ndarray | Photograph) -> list[Detection]:
        """Find all faces.

        Args:
            picture: uint8 (H, W, 3), RGB, any size; or a photograph, of which the whole is asked for where faces are small.

        Returns:
            Detections in pixels of the picture, the whole one, from the largest to the smallest.

        Raises:
            ValueError: the array is not of that form, or the detector was closed.
            DetectorError: MediaPipe failed on this picture, twice.
            ImageError: the whole cannot be decoded.
        """
        self._check(picture.pixels if isinstance(picture, Photograph) else picture)
        photo = Photograph.of(picture)
        image, times = photo.pixels, photo.times
        if self.searcher is None:
            found = self._confirm(image, suppress(self.near.look(image)), self.min_score)
        else:
            # Reading all pixels of a large picture takes long, and is done once for all searches.
            small, factor = bounded(image)
            turn, *both = self.candidates(small)
            smallest = min((_height(place) for place in both[0]), default=math.inf) / factor
            if times > 1 and smallest < CLOSE_PIXELS:
                # From near they are looked at with all their pixels, and where there are very small ones there are more.
                image, factor, times = photo.whole(), factor / times, 1
                if smallest < CROWD_PIXELS:
                    small, factor = bounded(image)
                    turn, *both = self.candidates(small)
            places, seen = ([place.scaled(1 / factor) for place in some] for some in both)
            upright, small = (np.ascontiguousarray(rotated(picture, turn)) for picture in (image, small))
            found = self._confirm(upright, places, self.min_score, small=small)
            # What turns out to be no face rules out none of those inside it.
            others = [
                place
                for place in places
                if place.score >= SURE_SCORE and not any(_iou(place.box, face.box) >= SAME_FACE for face in found)
            ]
            hidden = suppress(within(seen, others))
            known = sum(face.score for face in found)
            found = suppress(found + self._confirm(upright, hidden, self.min_score, known, small))
            found = [quarter_turned(face, -turn, upright.shape) for face in found]
        if times > 1:
            found = [face.scaled(times) for face in found]
            found = [replace(face, box=clip(*face.box, (photo.height, photo.width))) for face in found]
        return sorted(found, key=lambda detection: -area(detection.box))

    def candidates(self, image: np.ndarray) -> tuple[int, list[Detection], list[Detection]]:
        """Places that may be a face, and how the picture is turned.

        Args:
            image: uint8 (H, W, 3), RGB, of at most MAX_PIXELS, see `inference.search.bounded`.

        Returns:
            By how many quarters, counterclockwise as numpy.rot90 does, the picture is to be turned to be upright, the
            places in pixels of the picture turned so, none twice, and all that was seen upright in it, at several sizes.
        """
        longer = max(image.shape[:2])
        factor = COARSE_SIDE / longer
        smallest = TURN_PIXELS / factor
        reduced = scaled(image, min(FINE_SIDE / longer, 1.0))
        with side_by_side(2 if self._threads > 1 else 0) as begin:
            searched = begin(self.searcher.fine, image, reduced)
            quick = begin(self.searcher.turns, image, min(TURNED_SIDE, longer), TURNED, reduced)
            level = self.searcher.see_scaled(image, NEAREST_SIDE / longer, reduced)
            # Up to that size the fine search sees as much, and where it is certain another size tells nothing new.
            certain = longer <= FINE_SIDE and min((place.score for place in searched()), default=0.0) >= CERTAIN
            level += (
                searched()
                if certain and _is_upright(level, smallest)
                else self.searcher.see_scaled(image, factor, reduced)
            )
            # Where most faces are surely upright, a closer look is taken in those turns alone in which a quick one shows others.
            aside: list[list[Detection]] = [[] for _ in TURNED]
            turns = list(TURNED)
            if _is_upright(level, smallest):
                aside = quick()
                turns = _unsure(level, _carried(aside, image.shape))
            if turns:
                near = begin(self.searcher.turns, image, NEAREST_SIDE, turns, reduced)
                far = self.searcher.turns(image, factor * longer, turns, reduced)
                closer = {turn: near()[number] + far[number] for number, turn in enumerate(turns)}
                aside = [closer.get(turn, places) for turn, places in zip(TURNED, aside)]
            fine = searched()
        coarse = [suppress(level), *map(suppress, aside)]
        # Small faces alone tell it only at a size at which they are large enough; some that are surely upright settle it.
        turn = clearest(coarse, factor)
        for side in (FINE_SIDE, WHOLE_SIDE):
            if turn is None and longer > side / 2 and fine and fine[0].score < SURELY_UPRIGHT:
                turn = clearest(self.searcher.turns(image, side, reduced=reduced), side / longer)
        upright = rotated(image, turn or 0)
        if turn:
            turned = self.searcher.fine(upright)
            # One thing that looks like a face in another turn does not outweigh a crowd.
            if clearness(fine) > OUTWEIGHED * clearness(turned):
                turn, upright = 0, image
            else:
                fine = turned
        turn = turn or 0
        seen = [level, *aside][turn] + fine
        places = suppress(coarse[turn] + fine)
        lying = sum(_carried(coarse[1:], image.shape), []) + (coarse[0] if turn else [])
        lying = [quarter_turned(place, turn, image.shape) for place in lying]
        return turn, suppress(places + lying), seen

    def follow(
        self, image: np.ndarray, expected: list[Detection], search: bool, thorough: bool = False, turn: int = 0
    ) -> list[Detection]:
        """Find the faces of a frame of a stream, most of which were seen in the frame before.

        Up to FEW_FACES are looked at from near where they are expected. More, and those that are not seen so, are found by
        one search of the frame at a size that suits the smallest of them; one of them is looked at from near in turn, so
        that nothing else passes for a face for long.

        Args:
            image: uint8 (H, W, 3), RGB, upright, any size.
            expected: where the faces should be by now.
            search: look for new faces too, in the whole frame, for those that fill a thirtieth of it.
            thorough: look for smaller new faces instead, for those that fill at most a third of it.
            turn: the number of the frame.

        Returns:
            Detections in pixels of the frame, in no particular order. The scores of those who were expected are kept.

        Raises:
            ValueError, DetectorError: as for `detect`.
        """
        self._check(image)
        height, width = image.shape[:2]
        expected = [
            face for face in expected if 0 <= _center(face.box)[0] < width and 0 <= _center(face.box)[1] < height
        ]
        longer = max(image.shape[:2])
        found, missed = [], expected
        if len(expected) <= FEW_FACES:
            looks = self.look_again(image, expected)
            found = [
                replace(look, score=face.score)
                for face, look in zip(expected, looks)
                if look is not None and look.score >= TRACKED_MIN_SCORE
            ]
            missed = [face for face, look in zip(expected, looks) if look is None or look.score < TRACKED_MIN_SCORE]
        search = search or thorough or not expected
        factors = []
        if missed:
            smallest = min(max(face.box[2] - face.box[0], 1.0) for face in missed)
            # At the size of the last frame while that will do: at another one places move by up to a twentieth of a face's side.
            factor = max(face.placed_at for face in missed) / longer
            if not FOLLOW_PIXELS <= smallest * factor * math.sqrt(2) <= 2 * FOLLOW_PIXELS:
                factor = max(NEAREST_SIDE / longer, min(FOLLOW_PIXELS / smallest, FOLLOW_SIDE / longer, 1.0))
            factors.append(factor)
        if search:
            factor = max(COARSE_SIDE / longer, min(FOLLOW_SIDE / longer, 1.0) if thorough else 0.0, *factors)
            factors += [factor] if factor not in factors else []
        seen = [self.searcher.see_scaled(image, factor) for factor in factors]
        if not expected and factors[-1] > COARSE_SIDE / longer:
            # Large faces too, for which others wait for the next search.
            seen[-1] += self.searcher.see_scaled(image, COARSE_SIDE / longer)
        verified = turn // VERIFY_EVERY % max(len(missed), 1) if turn % VERIFY_EVERY == 0 else None
        known = sum(face.score for face in expected)
        left = list(enumerate(missed))
        for places in map(suppress, seen):
            near = [as_near(place) for place in places]
            new, pairs, left = set(range(len(places))), left, []
            for number, face in pairs:
                best = max(new, key=lambda index: _iou(near[index].box, face.box), default=None)
                if best is None or _iou(near[best].box, face.box) < SAME_FACE:
                    left.append((number, face))
                    continue
                new.remove(best)
                if number != verified or self._is_still_a_face(image, places[best], known - face.score):
                    found.append(replace(near[best], box=clip(*near[best].box, image.shape), score=face.score))
        if search:
            unknown = [places[index] for index in new if not any(_overlap(near[index].box, face.box) for face in found)]
            found += self._confirm(image, unknown, self.min_score, known)
        return suppress(found)

    def _is_still_a_face(self, image: np.ndarray, place: Detection, known: float) -> bool:
        """Whether a place of the search where a face was followed to is one; known is the sum of the scores of others."""
        looks = self.look_again(image, [as_near(place)])
        return self.checker.probabilities(image, [place], looks, known)[0] >= self.min_score * TRACKED_MIN_PART

    def _confirm(
        self,
        image: np.ndarray,
        places: list[Detection],
        min_score: float,
        known: float = 0.0,
        small: np.ndarray | None = None,
    ) -> list[Detection]:
        """Those of some places that are faces, by a look at each from near; known is the sum of the scores of others. A large
        picture may be given small too."""
        if not places:
            return []
        small = image if small is None else small
        near = [as_near(place) if place.search == "yunet" else place for place in places]
        with side_by_side(1 if self._threads > 1 else 0) as begin:
            views = begin(self.checker.see, image, places) if self.checker else None
            starts = self._starts(small, near, image.shape) if self.searcher else [None] * len(near)
            looks = self.look_again(image, [start or place for start, place in zip(starts, near)])
            # The check goes by a look from where YuNet saw the face, of which a sure one from elsewhere tells as much.
            again = [number for number, start in enumerate(starts) if start and not _is_sure(looks[number])]
            checked = looks.copy()
            for number, look in zip(again, self.look_again(image, [near[number] for number in again])):
                checked[number], looks[number] = look, looks[number] or look
            if self.checker is None:
                scores = [look.score if look else 0.0 for look in looks]
            else:
                scores = self.checker.judge(places, checked, views(), known).tolist()
        found = []
        for place, look, score in zip(near, looks, scores):
            if score >= min_score:
                seen = look is not None and (
                    place.search != "yunet" or (look.score >= NEAR_SCORE and _iou(look.box, place.box) >= SAME_FACE)
                )
                face = look if seen else place
                found.append(replace(face, box=clip(*face.box, image.shape), score=score, search=place.search))
        return suppress(found)

    def _starts(self, small: np.ndarray, places: list[Detection], shape: tuple[int, ...]) -> list[Detection | None]:
        """Where large faces among places are in a picture (H, W, ...), given small, as MediaPipe's model sees it whole: they are
        looked at from there, as the faces were that the networks learnt from. None for others."""
        large = [place.box[2] - place.box[0] >= LARGE_SIDE * max(shape[:2]) for place in places]
        whole = [seen.scaled(shape[1] / small.shape[1]) for seen in self.near.look(small)] if any(large) else []
        starts = [max(whole, key=lambda seen: _iou(seen.box, place.box), default=place) for place in places]
        return [
            start if is_large and start is not place and _iou(start.box, place.box) >= SAME_PLACE else None
            for start, place, is_large in zip(starts, places, large)
        ]

    def _check(self, image: np.ndarray) -> None:
        check_picture(image)
        if self.near.closed:
            raise ValueError("this FaceDetector was closed")

    def look_again(self, image: np.ndarray, places: list[Detection]) -> list[Detection | None]:
        """The look from near at places of BlazeFace's form: each face as its model sees it, or None where it sees none."""
        crops, matrices = zip(*[look_from(image, place) for place in places]) if places else ((), ())
        seen = self.near.look_near(crops)
        return [_in_the_middle(faces, matrix, image.shape) for faces, matrix in zip(seen, matrices)]

    def close(self) -> None:
        """Free the native detector. Also done at exit, and some time after the object was collected."""
        self.near.close()


def check_picture(image: np.ndarray) -> None:
    """Raise a ValueError where an array is not uint8 (H, W, 3)."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"a picture must be uint8 (H, W, 3) RGB, not {image.dtype} {image.shape}")


def look_from(image: np.ndarray, place: Detection) -> tuple[np.ndarray, np.ndarray]:
    """The look from near at a place of BlazeFace's form: uint8 (INPUT_SIZE, INPUT_SIZE, 3), and the similarity (2, 3) that carries it
    into the picture."""
    (x1, y1, x2, y2), (left_x, left_y), (right_x, right_y) = place.box, place.left_eye, place.right_eye
    side = NEAR_SIDE * max(x2 - x1, y2 - y1)
    roll = math.atan2(right_y - left_y, right_x - left_x)
    crop, matrix = cut_square(image, _center(place.box), side, roll, INPUT_SIZE, cv2.BORDER_CONSTANT)
    return crop, cv2.invertAffineTransform(matrix)


def as_near(place: Detection) -> Detection:
    """Where BlazeFace would see a face that YuNet saw: a square box, all of it a little further down in the face.

    The figures are medians over faces that both saw, measured by `python -m benchmarks.alignment`.
    """
    (x1, y1, x2, y2), (left_x, left_y), (right_x, right_y) = place.box, place.left_eye, place.right_eye
    side = math.sqrt(max(x2 - x1, 0) * max(y2 - y1, 0))
    eyes = max(math.hypot(right_x - left_x, right_y - left_y), 1e-6)
    down = -(right_y - left_y) / eyes * side, (right_x - left_x) / eyes * side

    def lowered(point: tuple[float, float], part: float) -> tuple[float, float]:
        return point[0] + part * down[0], point[1] + part * down[1]

    x, y = lowered(_center(place.box), BOX_LOWERED)
    half = BOX_SIDE * side / 2
    points: dict[str, Any] = {
        name: lowered(point, part) for name, part in LOWERED.items() if (point := getattr(place, name)) is not None
    }
    return replace(place, box=(x - half, y - half, x + half, y + half), **points)


def clearest(turns: list[list[Detection]], factor: float) -> int | None:
    """The turn in which faces are seen most surely: that of the largest sum of what their scores exceed TURN_SCORE by.

    Args:
        turns: what was seen in each turn, in pixels of the picture.
        factor: by which it was scaled to be searched.

    Returns:
        The index, or None where the sum says nothing.
    """
    sums = [clearness(places, TURN_PIXELS / factor) for places in turns]
    return int(np.argmax(sums)) if max(sums) >= CLEAR else None


def _carried(aside: list[list[Detection]], shape: tuple[int, ...]) -> list[list[Detection]]:
    """What was seen in a picture (H, W, ...) in each of TURNED, in pixels of the picture."""
    turned = [shape if turn % 2 == 0 else shape[1::-1] for turn in TURNED]
    return [
        [quarter_turned(place, -turn, size) for place in places] for turn, size, places in zip(TURNED, turned, aside)
    ]


def _is_upright(level: list[Detection], smallest: float) -> bool:
    """Whether a picture surely is, by what was seen in it as it is, of a height in pixels and more."""
    return any(place.score >= SURELY_UPRIGHT and place.box[3] - place.box[1] >= smallest for place in level)


def _unsure(level: list[Detection], lying: list[list[Detection]]) -> list[int]:
    """In which of the turns of an upright picture there may be other faces than in the picture as it is.

    Args:
        level: what was seen in the picture as it is.
        lying: what was seen in each of TURNED, in pixels of the picture; an upright face may be seen there too, less well.

    Returns:
        Those of TURNED; all where what is seen in other turns is not outweighed.
    """
    known = set(map(id, level))

    def others(places: list[Detection]) -> list[Detection]:
        return [place for place in suppress(level + places) if id(place) not in known]

    if OUTWEIGHED * clearness(others(sum(lying, []))) > clearness(suppress(level)):
        return list(TURNED)
    return [turn for turn, places in zip(TURNED, lying) if clearness(others(places))]


def clearness(places: list[Detection], smallest: float = 0.0) -> float:
    """The sum of what the scores of places exceed TURN_SCORE by; of boxes of a height in pixels and more."""
    return sum(max(place.score - TURN_SCORE, 0.0) for place in places if place.box[3] - place.box[1] >= smallest)


def quarter_turned(place: Detection, turn: int, shape: tuple[int, ...]) -> Detection:
    """The same place in the picture turned.

    Args:
        place: in pixels of the picture.
        turn: quarters, counterclockwise as numpy.rot90 does.
        shape: of the picture before it is turned, (H, W, ...).
    """
    height, width = shape[:2]
    carry = (
        lambda x, y: (x, y),
        lambda x, y: (y, width - x),
        lambda x, y: (width - x, height - y),
        lambda x, y: (height - y, x),
    )
    return place.mapped(carry[turn % 4])


def _in_the_middle(faces: list[Detection], matrix: np.ndarray, shape: tuple[int, ...]) -> Detection | None:
    """The best of the faces seen in a look from near that is in its middle, not a neighbour's, carried into the picture by _map."""
    reach = INPUT_SIZE / NEAR_SIDE / 2
    near = [face for face in faces if max(abs(value - INPUT_SIZE / 2) for value in _center(face.box)) < reach]
    if not near:
        return None
    best = _map(max(near, key=lambda face: face.score), matrix, shape)
    return best if area(best.box) > 0 else None


def _map(detection: Detection, matrix: np.ndarray, shape: tuple[int, ...]) -> Detection:
    """Carry a detection into a picture of the given shape by a similarity (2, 3). A box stays upright: its centre and
    its size are carried."""
    x1, y1, x2, y2 = detection.box
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    half_width, half_height = (x2 - x1) / 2 * scale, (y2 - y1) / 2 * scale

    def carry(x: float, y: float) -> tuple[float, float]:
        x, y = map(float, matrix @ (x, y, 1.0))
        return x, y

    moved = detection.mapped(carry)
    x, y = carry(*_center(detection.box))
    return replace(moved, box=clip(x - half_width, y - half_height, x + half_width, y + half_height, shape))


def _is_sure(look: Detection | None) -> bool:
    return look is not None and look.score >= SURE_LOOK


def _height(place: Detection) -> float:
    return place.box[3] - place.box[1]


def _center(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _shared(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    (x1, y1, x2, y2), (left, top, right, bottom) = box, other
    return area((max(x1, left), max(y1, top), min(x2, right), min(y2, bottom)))


def _overlap(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return _shared(box, other) > MAX_OVERLAP * min(area(box), area(other))


def _iou(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    shared = _shared(box, other)
    return shared / max(area(box) + area(other) - shared, 1e-9)
