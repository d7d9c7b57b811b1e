"""Which of the places that the search took for a face are human faces."""

import math

import cv2
import numpy as np

from .alignment import cut_square
from .search import FaceSearch
from .session import Session
from .types import Detection

FILE = "face_check.onnx"
SURROUNDINGS = 2.0
"""Side of the view of a candidate in sides of its box."""
VIEW = 96
"""Side of the view in pixels. YuNet sees it again, and its inner half is what the network sees: the box alone, because the
people that the network was trained with are cut off there."""
SMALL_VIEW = 64
"""The side in pixels of the view of a candidate as YuNet sees it once more, smaller."""
INNER = VIEW // 4
MIN_SCORE = 0.2
"""Score from which a candidate is kept."""
COMPANY_SCORE = 0.65
"""Score of the search from which company speaks for a candidate: among people a person that is seen badly is likelier than an
animal."""
COMPANY = 1.5
"""Where there are n other faces in a picture, the odds are multiplied by (1 + n) to this power."""
MIN_SEEN = 0.02
"""Score of YuNet or BlazeFace that counts as nothing."""
LARGE = 100.0
"""From this side in pixels on, larger faces do not differ."""
BATCH = 64
"""Candidates in one run."""


class FaceCheck:
    """A small network of the candidate's crop, joined with YuNet's score in the search and at two sizes of the crop,
    BlazeFace's look from near, the points' geometry, the size, light and sharpness. May be shared by threads.

    Human faces are those of people, seen so that at least a part of the face is to be seen: statues and drawings that look
    like people count as people, a smiley, an animal and the back of a head do not.

    Drawn faces were not trained with: plain ones are no candidates of the search, one drawn with brows, nose and hair may pass.

    Args:
        search: sees the crops again.
        threads, cuda: see `inference.session.Session`.

    Raises:
        ModelError: the file is missing or altered.
    """

    def __init__(self, search: FaceSearch, threads: int | None = None, cuda: bool = True):
        self.search = search
        self.session = Session(FILE, threads, cuda)

    def probabilities(
        self, image: np.ndarray, candidates: list[Detection], looks: list[Detection | None], known: float = 0.0
    ) -> np.ndarray:
        """How likely it is that candidates are human faces.

        Args:
            image: uint8 (H, W, 3), RGB.
            candidates: of `FaceSearch.search`, in pixels of the picture.
            looks: what FaceDetector.look_again saw of each, None where it saw nothing.
            known: the sum of the probabilities of other faces in the picture.

        Returns:
            float32 (N,), 0 to 1: the share of such candidates that are faces, where half of those are that have no company;
            in company more.
        """
        return self.judge(candidates, looks, self.see(image, candidates), known)

    def see(self, image: np.ndarray, candidates: list[Detection]) -> list[tuple[np.ndarray, np.ndarray]]:
        """What `judge` needs of the picture, by BATCH."""
        return [
            views(self.search, image, candidates[start : start + BATCH]) for start in range(0, len(candidates), BATCH)
        ]

    def judge(
        self,
        candidates: list[Detection],
        looks: list[Detection | None],
        seen: list[tuple[np.ndarray, np.ndarray]],
        known: float = 0.0,
    ) -> np.ndarray:
        """`probabilities`, of what `see` gave."""
        answers = [np.zeros(0, np.float32)]
        for number, (crops, scores) in enumerate(seen):
            part = slice(number * BATCH, (number + 1) * BATCH)
            values = measures_of(candidates[part], looks[part], crops, scores)
            answers += self.session.run(["probability"], {"image": crops.astype(np.float32), "measures": values})
        searched = np.array([candidate.score for candidate in candidates])
        return with_company(np.concatenate(answers), searched, known)


def with_company(alone: np.ndarray, searched: np.ndarray, known: float) -> np.ndarray:
    """Probabilities (N,) of the candidates of a picture, of scores (N,) in the search, each of which speaks for the others, as
    others that are known do."""
    others = np.where(searched >= COMPANY_SCORE, np.maximum(alone.sum() - alone, 0) + known, 0)
    odds = alone / np.maximum(1 - alone, 1e-6) * (1 + others) ** COMPANY
    return odds / (1 + odds)


def measure(
    search: FaceSearch, image: np.ndarray, candidates: list[Detection], looks: list[Detection | None]
) -> tuple[np.ndarray, np.ndarray]:
    """What the network is shown of candidates, at least one.

    Returns:
        Crops, uint8 (N, VIEW / 2, VIEW / 2, 3), and measures, float32 (N, M).
    """
    crops, scores = views(search, image, candidates)
    return crops, measures_of(candidates, looks, crops, scores)


def views(search: FaceSearch, image: np.ndarray, candidates: list[Detection]) -> tuple[np.ndarray, np.ndarray]:
    """The crops of `measure`, and how much of a face YuNet sees in each at two sizes, float32 (N, 2)."""
    places = [_place(candidate) for candidate in candidates]
    whole = [cut_square(image, center, SURROUNDINGS * side, roll, VIEW)[0] for center, side, roll in places]
    small = [cv2.resize(view, (SMALL_VIEW, SMALL_VIEW), interpolation=cv2.INTER_AREA) for view in whole]
    scores = [search.middle_scores(pictures, len(pictures[0]) / SURROUNDINGS / 3) for pictures in (whole, small)]
    return np.stack(whole)[:, INNER:-INNER, INNER:-INNER], np.stack(scores, axis=1)


def measures_of(
    candidates: list[Detection], looks: list[Detection | None], crops: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """The measures of `measure`, of what `views` gives."""
    rows = [
        [*_geometry(candidate), *_look(candidate, look), *_light(crop), *map(_logit, seen)]
        for candidate, look, crop, seen in zip(candidates, looks, crops, scores)
    ]
    return np.array(rows, np.float32)


def _place(candidate: Detection) -> tuple[tuple[float, float], float, float]:
    (x1, y1, x2, y2), (left_x, left_y), (right_x, right_y) = candidate.box, candidate.left_eye, candidate.right_eye
    return (
        ((x1 + x2) / 2, (y1 + y2) / 2),
        max(x2 - x1, y2 - y1, 1.0),
        math.atan2(right_y - left_y, right_x - left_x),
    )


def _logit(score: float) -> float:
    score = min(max(score, MIN_SEEN), 0.999)
    return math.log(score / (1 - score))


def _geometry(candidate: Detection) -> list[float]:
    """Score, size, and the points in the frame of the eyes, in sides of the box."""
    _, side, roll = _place(candidate)
    left, right = complex(*candidate.left_eye), complex(*candidate.right_eye)
    frame = complex(math.cos(roll), -math.sin(roll)) / side
    middle = (left + right) / 2
    nose, mouth = (
        (complex(*point) - middle) * frame if point is not None else 0j for point in (candidate.nose, candidate.mouth)
    )
    x1, y1, x2, y2 = candidate.box
    box = (complex(x1 + x2, y1 + y2) / 2 - middle) * frame
    points = (abs(right - left) / side, abs(nose.real), nose.imag, abs(mouth.real), mouth.imag, abs(box.real), box.imag)
    return [
        _logit(candidate.score),
        math.log(min(side, LARGE) / 32),
        *points,
        math.log((x2 - x1) / (y2 - y1)),
        abs(math.sin(roll)),
    ]


def _look(candidate: Detection, look: Detection | None) -> list[float]:
    """Whether BlazeFace saw the face, its score, and how far its eyes and box lie from YuNet's, in sides of the box."""
    if look is None:
        return [0.0, 0.0, 0.0, 0.0]
    (middle, side, _), other = _place(candidate), _place(look)[0]
    eyes = sum(math.dist(getattr(candidate, name), getattr(look, name)) for name in ("left_eye", "right_eye"))
    return [1.0, _logit(look.score), min(eyes / side, 1.0), min(math.dist(middle, other) / side, 1.0)]


def _light(crop: np.ndarray) -> list[float]:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    contrast = grey.std() + 1
    return [
        grey.mean() / 255,
        math.log(contrast / 50),
        math.log((cv2.Laplacian(grey, cv2.CV_32F).std() + 1) / contrast),
    ]
