"""Places in a picture that may be a face, by YuNet.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023. The file is
onnx/yunet_n_dynamic.onnx of ShiqiYu/libfacedetection.train.
"""

import functools
import math
from collections.abc import Sequence

import cv2
import numpy as np

from .session import Session
from .types import Detection

FILE = "yunet_n_dynamic.onnx"
STRIDES = (8, 16, 32)
"""Pixels a cell of each of the model's three grids; sides of its input are multiples of the last."""
STEPS = 16
"""Places are told in so many steps a pixel of what a model sees. What is less is only how a processor rounds: with steps the crops
are the same on all of them."""
CANDIDATE_SCORE = 0.45
"""Score from which a place is a candidate."""
SAME_PLACE = 0.4
"""Intersection over union from which two boxes of one run are one place."""
MAX_OVERLAP = 0.5
"""Of two places that share more than this part of the smaller box, the one with the lower score is dropped."""
SURE_SCORE = 0.7
"""Score from which a face rules out faces much smaller inside its box: in a near face the model sees several."""
COARSE_SIDE = 320
"""Longer side in pixels at which every picture is searched for faces from a thirtieth of it up to those that fill it, but for small
pictures of which the fine search sees as much."""
NEAREST_SIDE = 160
"""Longer side in pixels at which every picture is searched for faces that fill it or are larger, which the coarse search sees in
part."""
FINE_SIDE = 640
"""Longer side to which smaller pictures are enlarged, up to ENLARGED times their size, for their small faces."""
ENLARGED = 2
MAX_PIXELS = 4_000_000
"""Larger pictures are searched scaled down to so many pixels, which bounds the work: the smallest face that is found grows
with the root of the picture's pixels from there on."""
BOUNDED_LINEARLY = 0.5
"""Factor from which larger pictures are scaled down to MAX_PIXELS linearly: as many faces are found as where they are averaged, in an
eighth of the time."""
CROWD_PIXELS = 36
"""Height of a face, as it is searched, below which others are searched for at twice the size: of so small ones some are not seen, of
smaller ones most."""
WHOLE_SIDE = 1280
"""Longest side of what is searched in one run, which bounds the memory."""
TILE_SIDE = 736
"""Longest side of the tiles of what is larger: of so many pixels each takes a third less time, because a processor's cache holds what
the model makes of them."""
TILE_OVERLAP = 128
"""Pixels that neighbouring tiles share; a face that a tile's edge cuts is seen whole in the next one, or at FINE_SIDE."""

ROTATIONS = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)
"""OpenCV's names for turns by one to three quarters."""


class FaceSearch:
    """YuNet in an ONNX Runtime session; may be shared by threads. It sees faces of 10 to about 300 pixels.

    Args:
        threads, cuda: see `inference.session.Session`.

    Raises:
        ModelError: the file is missing or altered.
    """

    def __init__(self, threads: int | None = None, cuda: bool = True):
        self.session = Session(FILE, threads, cuda)
        self._names = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps")]

    def see(
        self, images: list[np.ndarray], min_score: float = CANDIDATE_SCORE, enlarge: float = 1.0
    ) -> list[list[Detection]]:
        """What the model sees in pictures of one size, in one run.

        Args:
            images: uint8 (H, W, 3), RGB.
            min_score: 0 to 1, the lowest score.
            enlarge: what places are multiplied by, as where the pictures are given scaled down.

        Returns:
            For each picture its candidates in its pixels (enlarged), from the highest score to the lowest, none twice. Boxes
            may reach beyond the picture.
        """
        outputs, grid = self._run(images)
        scores = _scores(outputs)
        picture, cell = np.nonzero(scores >= min_score)
        found: list[list[Detection]] = [[] for _ in images]
        if not len(cell):
            return found
        corner, stride = grid[cell, :2], grid[cell, 2:]
        box, points = (_joined(outputs, kind)[picture, cell] for kind in ("bbox", "kps"))
        center, half = (corner + box[:, :2]) * stride, np.exp(box[:, 2:]) * stride / 2
        points = ((corner[:, None] + points.reshape(-1, 5, 2)) * stride[:, None]).reshape(-1, 10)
        places, scores = in_steps(np.concatenate([center - half, center + half, points], axis=1)), scores[picture, cell]
        for number in set(picture.tolist()):
            own = np.flatnonzero(picture == number)
            own = own[np.argsort(-scores[own])]
            own = own[distinct(places[own, :4], SAME_PLACE)]
            rows = zip(scores[own].tolist(), (places[own] * enlarge).tolist())
            found[number] = [_detection(score, place, max(images[0].shape[:2])) for score, place in rows]
        return found

    def middle_scores(self, images: list[np.ndarray], reach: float) -> np.ndarray:
        """How much of a face the model sees in the middle of pictures of one size, in one run.

        Args:
            images: uint8 (H, W, 3), RGB.
            reach: pixels that the middle of a face's box may lie from the picture's, to each side.

        Returns:
            float32 (N,), 0 to 1: the highest score of such a place, 0 where there is none.
        """
        outputs, grid = self._run(images)
        center = (grid[:, :2] + _joined(outputs, "bbox")[..., :2]) * grid[:, 2:]
        middle = np.array(images[0].shape[1::-1]) / 2
        near = (np.abs(center - middle) < reach).all(axis=2)
        return np.where(near, _scores(outputs), 0).max(axis=1)

    def _run(self, images: list[np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The model's outputs by name for pictures of one size, and the cells that they are of, as `_grid` gives them."""
        height, width = (-(-side // STRIDES[-1]) * STRIDES[-1] for side in images[0].shape[:2])
        batch = np.zeros((len(images), 3, height, width), np.float32)
        for image, planes in zip(images, batch):
            for plane, color in zip(planes[::-1], cv2.split(image)):  # BGR
                plane[: image.shape[0], : image.shape[1]] = color
        return dict(zip(self._names, self.session.run(self._names, {"input": batch}))), _grid(height, width)

    def search(self, image: np.ndarray) -> list[Detection]:
        """All places that may be an upright face, at three sizes of the picture, the largest one in tiles.

        Args:
            image: uint8 (H, W, 3), RGB, any size.

        Returns:
            Candidates in pixels of the picture, from the highest score to the lowest, none twice.
        """
        longer = max(image.shape[:2])
        near = [place for side in (NEAREST_SIDE, COARSE_SIDE) for place in self.see_scaled(image, side / longer)]
        return suppress(near + self.fine(image))

    def fine(self, image: np.ndarray, reduced: np.ndarray | None = None) -> list[Detection]:
        """Small faces of a picture: what is seen at full size, of small pictures at FINE_SIDE; where there are very small
        ones also at twice that size, because where a few are seen there are more. Up to MAX_PIXELS in all. For `reduced` see
        `see_scaled`."""
        longer, most = max(image.shape[:2]), math.sqrt(MAX_PIXELS / image[..., 0].size)
        factor = min(max(longer, FINE_SIDE) / longer, ENLARGED, most)
        found = self.see_scaled(image, factor)
        finer = min(2 * factor, most)
        whole = suppress(found)  # of what a tile's edge cuts a part is small
        if finer > 1.2 * factor and any(place.box[3] - place.box[1] < CROWD_PIXELS / factor for place in whole):
            found += self.see_scaled(image, finer)
        if longer * factor > WHOLE_SIDE:  # in tiles, which cut large faces
            found += self.see_scaled(image, FINE_SIDE / longer, reduced)
        return sorted(found, key=lambda place: -place.score)

    def turns(
        self, image: np.ndarray, longer: float, turns: Sequence[int] = range(4), reduced: np.ndarray | None = None
    ) -> list[list[Detection]]:
        """What is seen in a picture scaled to a longer side in pixels and turned by some quarters, counterclockwise: places in
        pixels of the picture (not scaled) turned so. For `reduced` see `see_scaled`."""
        factor = longer / max(image.shape[:2])
        picture = _scaled_from(image, factor, reduced)
        found: dict[int, list[Detection]] = {}
        for odd in (0, 1):  # those of one size in one run
            several = [turn for turn in turns if turn % 2 == odd]
            if several:
                found |= zip(several, self.see([rotated(picture, turn) for turn in several], enlarge=1 / factor))
        return [found[turn] for turn in turns]

    def see_scaled(self, image: np.ndarray, factor: float, reduced: np.ndarray | None = None) -> list[Detection]:
        """What the model sees in a picture scaled by a factor, in tiles where that is large, in the picture's pixels.

        Args:
            image: uint8 (H, W, 3), RGB.
            factor: that of the sides.
            reduced: the same picture scaled down, from which it is scaled further where that will do: to read all pixels of a
                large picture takes as long as to search what becomes of it.
        """
        picture = _scaled_from(image, factor, reduced)
        factors = [a / b for a, b in zip(picture.shape[1::-1], image.shape[1::-1])]
        enlarge, tiles, found = 1 / math.sqrt(factors[0] * factors[1]), _tiles(picture), []
        for x, y, tile in tiles:
            places = self.see([tile], enlarge=enlarge)[0]
            found += [place.moved(x * enlarge, y * enlarge) if x or y else place for place in places]
        return found


@functools.lru_cache(16)
def _grid(height: int, width: int) -> np.ndarray:
    """The cells of the model's grids in the order of its outputs, int (N, 3): column, row and the grid's stride."""
    cells = [
        np.insert(np.argwhere(np.ones((height // stride, width // stride)))[:, ::-1], 2, stride, axis=1)
        for stride in STRIDES
    ]
    return np.concatenate(cells)


def _joined(outputs: dict[str, np.ndarray], kind: str) -> np.ndarray:
    """The outputs of one kind of all grids, (pictures, cells, values)."""
    return np.concatenate([outputs[f"{kind}_{stride}"] for stride in STRIDES], axis=1)


def _scores(outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Of all cells, 0 to 1, (pictures, cells)."""
    return np.sqrt(_joined(outputs, "cls") * _joined(outputs, "obj"))[..., 0]


def _detection(score: float, places: list[float], side: int) -> Detection:
    x1, y1, x2, y2 = places[:4]
    left_eye, right_eye, nose, left_corner, right_corner = zip(places[4::2], places[5::2])
    mouth = ((left_corner[0] + right_corner[0]) / 2, (left_corner[1] + right_corner[1]) / 2)
    return Detection((x1, y1, x2, y2), min(score, 1.0), left_eye, right_eye, nose, mouth, "yunet", side)


def in_steps(pixels: np.ndarray) -> np.ndarray:
    """Pixels of what a model sees, rounded to STEPS."""
    return np.floor(pixels * STEPS + 0.5) / STEPS


def suppress(places: list[Detection]) -> list[Detection]:
    """Non-maximum suppression by the shared part of the smaller box: the part of a face that a tile's edge cut lies inside
    the whole one with little intersection over union. A sure face that is kept also rules out much smaller ones inside it,
    whatever their scores.

    Returns:
        Those that are kept, from the highest score to the lowest.
    """
    if len(places) < 2:
        return list(places)
    places = sorted(places, key=lambda place: -place.score)
    boxes, scores = np.array([place.box for place in places]), np.array([place.score for place in places])
    area, shared = areas(boxes)
    inside = _inside(area, shared) & (scores >= SURE_SCORE)
    close = shared > MAX_OVERLAP * np.minimum(area[:, None], area)
    kept = _first_of_each(close, np.any(inside, axis=1))
    return [places[index] for index in _first_of_each(close, np.any(inside[:, kept], axis=1))]


def within(places: list[Detection], others: list[Detection]) -> list[Detection]:
    """Those of some places that lie inside another one and are much smaller."""
    if not places or not others:
        return []
    inside = _inside(*areas(np.array([place.box for place in [*places, *others]])))[: len(places), len(places) :]
    return [place for place, hidden in zip(places, np.any(inside, axis=1).tolist()) if hidden]


def distinct(boxes: np.ndarray, threshold: float) -> list[int]:
    """Non-maximum suppression by intersection over union.

    Args:
        boxes: (N, 4) xyxy, the best first.
        threshold: a box that shares more than this with a better one is left out.

    Returns:
        The indices of the boxes that are kept.
    """
    if len(boxes) == 1:
        return [0]
    area, shared = areas(boxes)
    close = shared > threshold * (area[:, None] + area - shared)
    return _first_of_each(close, np.zeros(len(boxes), bool))


def _first_of_each(close: np.ndarray, left_out: np.ndarray) -> list[int]:
    """Indices from the first on of which each leaves out those it is close to, by bool (N, N) and bool (N,)."""
    kept: list[int] = []
    for index in range(len(left_out)):
        if not left_out[index]:
            kept.append(index)
            left_out = left_out | close[index]
    return kept


def areas(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The areas (N,) of boxes (N, 4) xyxy, and what each shares with each other (N, N)."""
    x1, y1, x2, y2 = boxes.T
    width = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    height = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
    return np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0), np.maximum(width, 0) * np.maximum(height, 0)


def _inside(area: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """Which boxes lie inside which others and are much smaller, bool (N, N), by what _areas gives."""
    return (shared > 0.6 * area[:, None]) & (area[:, None] < 0.4 * area)


def _tiles(image: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """Overlapping tiles of one size that cover a picture, as (x, y, view)."""
    if max(image.shape[:2]) <= WHOLE_SIDE:
        return [(0, 0, image)]
    counts = [
        -(-(side - TILE_OVERLAP) // (TILE_SIDE - TILE_OVERLAP)) if side > TILE_SIDE else 1 for side in image.shape[:2]
    ]
    # No larger than they must be: as large as makes them meet with the overlap.
    height, width = (-(-(side + (count - 1) * TILE_OVERLAP) // count) for side, count in zip(image.shape[:2], counts))
    return [
        (x, y, image[y : y + height, x : x + width])
        for y in np.linspace(0, image.shape[0] - height, counts[0]).round().astype(int).tolist()
        for x in np.linspace(0, image.shape[1] - width, counts[1]).round().astype(int).tolist()
    ]


def bounded(image: np.ndarray) -> tuple[np.ndarray, float]:
    """A picture (H, W, 3) of at most MAX_PIXELS, and the factor by which it was scaled."""
    factor = min(math.sqrt(MAX_PIXELS / image[..., 0].size), 1.0)
    return scaled(image, factor, BOUNDED_LINEARLY), factor


def _scaled_from(image: np.ndarray, factor: float, reduced: np.ndarray | None) -> np.ndarray:
    """`scaled`, from the same picture reduced where that is large enough."""
    if reduced is not None and factor * max(image.shape[:2]) < max(reduced.shape[:2]) + 0.5:
        factor *= max(image.shape[:2]) / max(reduced.shape[:2])
        image = reduced
    return scaled(image, factor)


def rotated(image: np.ndarray, turn: int) -> np.ndarray:
    """A picture (H, W, 3) turned by some quarters, 0 to 3, counterclockwise as numpy.rot90 does, whose views take longer to read."""
    return cv2.rotate(image, ROTATIONS[turn - 1]) if turn else image


def scaled(image: np.ndarray, factor: float, linearly: float = 1.0) -> np.ndarray:
    """A picture (H, W, 3) scaled, averaged down or, from a factor on, linearly."""
    size = tuple(max(round(side * factor), 1) for side in image.shape[1::-1])
    if size == image.shape[1::-1]:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < linearly else cv2.INTER_LINEAR)
