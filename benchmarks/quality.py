"""How much less often the answer is right for faces that are small, blurred, dark, turned and so on.

    python -m benchmarks.quality --data FER2013_DIR [--faces N] [--model FILE] [--pose] [--write] [--docs]

Faces of PublicTest are shrunk or enlarged to a size, changed in one way, laid side by side on dark grey, and found, cut out
and classified as in serving; the turned ones are drawn as the surface of a head that is turned (`turned`). Printed are how
many were found, how often the leading emotion of the consensus is FER-2013's label, and, of the answers that are sure, how
many are right and what their probability says, before and after it is tempered by `inference.quality`.

From the same faces comes what tempers it: a weight for each cue, which minimise the mean negative log likelihood of the
labels over all pictures, and for each cue the limit from which fewer than MUCH_LESS of the answers to unchanged faces are
right, where there is one. --write puts them into inference/quality.json, which is to be done again when models/emotion.onnx
has changed. Every second face of each kind is for that, the table is of the others. No face of PrivateTest is looked at.

--pose fits the points of a head, `inference.quality.FACE`, to what the detector sees in turned faces.
"""

import argparse
import functools
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.results import write_result
from inference import quality
from inference.analyzer import FaceAnalyzer
from inference.emotion import EmotionClassifier
from inference.model_files import ModelError
from inference.quality import deficits, tempered
from inference.types import ISSUES, NOT_SURE, Detection, Face, consensus
from training.datasets import DataError
from training.emotion.data import Faces, add_data_arguments, load_fer2013

FILE = Path(quality.__file__).with_suffix(".json")
MUCH_LESS = 0.8
"""Part of the answers to unchanged faces that are right, below which a cue is named."""
FRAME = 1.16
"""Side of FER-2013's frame in sides of the detector's box."""
USUAL = 64
"""Side of a face in pixels where its size is not what is changed."""
BACKGROUND = 32
PICTURE = (1280, 960)
"""Largest picture that faces are laid out in, in pixels."""
PICTURE_FACES = (14, 10)
"""Most faces in a row and in a column: a picture of small faces is small, and searched enlarged."""

# A head: x to the right, y up, z out of the picture, in centimetres. The surface is fitted by hand-picked terms to the
# vertices of MediaPipe's canonical face (mediapipe/modules/face_geometry/data/canonical_face_model.obj, Apache-2.0), from
# which it is 0.2 cm away in the median.
EYE_X, EYE_Y, MOUTH_Y = 3.15, 2.6, -4.35
HALF_WIDTH, LOW, HIGH = 7.7, -9.5, 9.5
"""The part of the head that is drawn."""
STEP = 0.03
CANVAS, SCALE = 320, 12.0
"""The side of the drawing in pixels, and its pixels a centimetre."""
YAW_BINS = (-1, 10, 20, 30, 40, 90)
"""Degrees of yaw between which groups of unchanged faces lie."""
YAWS, PITCHES = (0, 15, 30, 45, 60), (-30, -15, 0, 15, 30)
"""Degrees by which heads are turned for --pose."""
POSE_SOURCES = 120
POSE_OUTLIER = 1.5
"""Centimetres that a point may lie from where the fitted head has it, for a drawing to count."""


class Kind(NamedTuple):
    """Faces changed in one way: the cue that it is about, how strong it is, their side in pixels, the change, which takes and
    returns grey pixels as float32, and the part of each face that lies beyond the picture's edge, at the left, top and
    bottom."""

    cue: str
    strength: str
    change: Callable[[np.ndarray, Detection | None], np.ndarray] = lambda face, _: face
    side: float = USUAL
    cut: tuple[float, float, float] = (0.0, 0.0, 0.0)


def kinds() -> list[Kind]:
    """All that is measured; the first are the unchanged faces."""

    def blurred(sigma: float):
        return lambda face, _: cv2.GaussianBlur(face, (0, 0), sigma * len(face) / 48)

    def relit(factor: float, about: float = 0.0):
        return lambda face, _: np.clip(about + (face - about) * factor, 0, 255)

    def turned_by(yaw: float, pitch: float):
        return lambda face, detection: turned(face, detection, yaw, pitch).astype(np.float32)

    return [
        Kind("unchanged", "64 px"),
        *(Kind("small", f"{side} px", side=side) for side in (10, 12, 16, 20, 24, 32)),
        *(Kind("blurred", f"{sigma:g} px of 48", blurred(sigma)) for sigma in (1, 1.5, 2, 3)),
        *(Kind("dark", f"x {factor}", relit(factor)) for factor in (0.35, 0.2, 0.12)),
        *(Kind("low contrast", f"x {factor}", relit(factor, 128)) for factor in (0.5, 0.25, 0.12)),
        *(Kind("overexposed", f"x {factor:g}", relit(factor)) for factor in (1.5, 2, 3)),
        *(Kind("turned", f"{yaw}°", turned_by(yaw, 0)) for yaw in (0, 15, 30, 45, 60)),
        *(Kind("nodding", f"{pitch:+}°", turned_by(0, pitch)) for pitch in (-30, -15, 15, 30)),
        *(Kind("cut off at the left", f"{part:.0%}", cut=(part, 0.0, 0.0)) for part in (0.15, 0.3)),
        *(Kind("cut off at the top", f"{part:.0%}", cut=(0.0, part, 0.0)) for part in (0.15, 0.3)),
        *(Kind("cut off at the bottom", f"{part:.0%}", cut=(0.0, 0.0, part)) for part in (0.15, 0.3)),
    ]


CUES = {"small": "too_small", "blurred": "blurred", "overexposed": "overexposed"}
"""The one of ISSUES that a cue's limit is measured for; those whose names begin with "cut off" are for "cut_off".
`measure_turned` measures that of "turned_away"."""


def relief(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far the surface of a head lies before its axis: a long ellipsoid with a nose and the hollows of the eyes."""
    head = 9.2 * np.sqrt(np.clip(1 - (x / 7.8) ** 2 - ((y - 2.4) / 21.8) ** 2, 0, None)) - 3.7
    nose = 2.3 * np.exp(-((x / 1.1) ** 2) - ((y + 0.45) / 2.1) ** 2)
    hollows = -1.0 * np.exp(-(((np.abs(x) - 3.1) / 2.2) ** 2) - ((y - 2.5) / 2.3) ** 2)
    return head + nose + hollows


def rotation(yaw: float, pitch: float) -> np.ndarray:
    """The matrix (3, 3) that turns a head by a yaw and then lifts it by a pitch in degrees; signs as in `Quality`."""
    a, b = math.radians(yaw), math.radians(pitch)
    turn = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    lift = np.array([[1, 0, 0], [0, math.cos(b), math.sin(b)], [0, -math.sin(b), math.cos(b)]])
    return lift @ turn


@functools.lru_cache(maxsize=64)
def _visible(yaw: float, pitch: float) -> np.ndarray:
    """What place (x, y) of a head each pixel of the drawing shows: float32 (CANVAS, CANVAS, 2), NaN where it is none."""
    x, y = np.meshgrid(np.arange(-HALF_WIDTH, HALF_WIDTH, STEP), np.arange(LOW, HIGH, STEP))
    head = np.stack([x.ravel(), y.ravel(), relief(x, y).ravel()])
    across, up, out = rotation(yaw, pitch) @ head
    order = np.argsort(out)  # the foremost is drawn last
    columns = np.floor(CANVAS / 2 + SCALE * across[order]).astype(int).clip(0, CANVAS - 1)
    rows = np.floor(CANVAS / 2 - SCALE * up[order]).astype(int).clip(0, CANVAS - 1)
    places = np.full((CANVAS, CANVAS, 2), np.nan, np.float32)
    places[rows, columns] = head[:2, order].T
    for _ in range(3):  # gaps where the surface is steep
        around = np.stack([np.roll(places, shift, (0, 1)) for shift in ((0, 1), (0, -1), (1, 0), (-1, 0))])
        known = ~np.isnan(around[..., 0])
        gaps = np.isnan(places[..., 0]) & (known.sum(axis=0) >= 3)
        places[gaps] = np.nanmax(around[:, gaps], axis=0)
    return places


def turned(image: np.ndarray, detection: Detection, yaw: float, pitch: float) -> np.ndarray:
    """A face that looks straight ahead, laid on the surface of a head that is turned.

    What the picture does not show of the head stays the background's grey; its shape is the same for everybody.

    Args:
        image: uint8 or float32 (H, W) or (H, W, 3).
        detection: its eyes and its mouth.
        yaw, pitch: in degrees, as in `Quality`.

    Returns:
        A picture of the same kind of CANVAS x CANVAS pixels, the middle of the face in its middle.
    """
    left, right, mouth = (np.array(getattr(detection, name)) for name in ("left_eye", "right_eye", "mouth"))
    across, up = (right - left) / (2 * EYE_X), ((left + right) / 2 - mouth) / (EYE_Y - MOUTH_Y)
    places = _visible(yaw, pitch)
    source = (left + right) / 2 - EYE_Y * up + places[..., :1] * across + places[..., 1:] * up - 0.5
    inside = ((source > -1) & (source < np.array(image.shape[1::-1]))).all(axis=2)
    source = np.where(inside[..., None], source, 0).astype(np.float32)
    drawn = cv2.remap(image, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.5)
    mask = mask if image.ndim == 2 else mask[..., None]
    return (drawn * mask + BACKGROUND * (1 - mask)).astype(image.dtype)


class Answer(NamedTuple):
    """A face that was found: its index in the data, what was said of it, untempered, and where it is in its own picture."""

    index: int  # type: ignore[assignment]  # of the data; tuples have a method of that name
    face: Face
    probabilities: np.ndarray
    crowd: np.ndarray | None
    detection: Detection


def lay_out(kind: Kind, faces: list[np.ndarray]) -> Iterator[tuple[np.ndarray, list[tuple[float, float]]]]:
    """Pictures of some faces and the corners (x, y) of each face's frame in them. Faces that are cut off stand in one row or
    column along the edge."""
    side = len(faces[0])
    cell = round(1.5 * side)
    columns, rows = (min(max(length // cell - 1, 1), most) for length, most in zip(PICTURE, PICTURE_FACES))
    left, top, bottom = (round(part * side / FRAME + (side - side / FRAME) / 2) if part else 0 for part in kind.cut)
    columns, rows = (1 if left else columns), (1 if top or bottom else rows)
    rim = max(side // 24, 1)
    mask: np.ndarray = np.zeros((side, side), np.float32)
    mask[rim:-rim, rim:-rim] = 1
    mask = cv2.blur(mask, (2 * rim + 1,) * 2, borderType=cv2.BORDER_CONSTANT)
    for start in range(0, len(faces), columns * rows):
        some = faces[start : start + columns * rows]
        high = min(-(-len(some) // columns), rows)
        picture = np.full((high * cell + side, columns * cell + side), BACKGROUND, np.float32)
        corners = []
        for number, face in enumerate(some):
            x, y = number % columns * cell + 3 * side // 4, number // columns * cell + 3 * side // 4
            place = picture[y : y + side, x : x + side]
            place[:] = face * mask + place * (1 - mask)
            corners.append((x, y))
        x0, y0 = (3 * side // 4 + left if left else 0), (3 * side // 4 + top if top else 0)
        y1 = 3 * side // 4 + side - bottom if bottom else picture.shape[0]
        grey = np.ascontiguousarray(np.clip(np.rint(picture[y0:y1, x0:]), 0, 255).astype(np.uint8))
        yield cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), [(x - x0, y - y0) for x, y in corners]


def answer(
    kind: Kind, faces: np.ndarray, analyzer: FaceAnalyzer, known: dict[int, Detection] | None = None
) -> list[Answer]:
    """What is found and said of faces (N, 48, 48) changed in one way; `known` tells where the unchanged faces have their
    eyes and mouth, of those that were found."""
    drawn = kind.cue in ("turned", "nodding")
    numbers = [number for number in range(len(faces)) if not drawn or number in known]
    side = round(FRAME * kind.side)
    if drawn:  # of the same scale: the canvas shows more than FER-2013's frame
        side = round(side * CANVAS / SCALE / (2 * EYE_X) / 2.63)
    changed = []
    for number in numbers:
        face = faces[number].astype(np.float32)
        if drawn:
            face = kind.change(face, known[number])
        method = cv2.INTER_AREA if side < len(face) else cv2.INTER_CUBIC
        face = np.clip(cv2.resize(face, (side, side), interpolation=method), 0, 255)
        changed.append(face if drawn else kind.change(face, None))
    answers, done = [], 0
    for picture, corners in lay_out(kind, changed):
        found, taken, members = analyzer.detector.detect(picture), [], []
        for number, (x, y) in zip(numbers[done:], corners):
            middle = (x + side / 2, y + side / 2)
            best = min(found, key=lambda detection: math.dist(_middle(detection), middle), default=None)
            if best is not None and best not in taken and math.dist(_middle(best), middle) < 0.35 * side:
                taken.append(best)
                members.append((number, (x, y)))
        done += len(corners)
        if taken:
            classified = analyzer.classify(picture, taken)
            raw = analyzer.classifier.predict(np.stack([face.crop for face in classified]))
            crowd = raw.get("crowd", [None] * len(taken))
            answers += [
                Answer(number, face, p, c, face.detection.moved(-x, -y).scaled(48 / side))
                for (number, (x, y)), face, p, c in zip(members, classified, raw["probabilities"], crowd)
            ]
    return answers


def _middle(detection: Detection) -> tuple[float, float]:
    x1, y1, x2, y2 = detection.box
    return (x1 + x2) / 2, (y1 + y2) / 2


class Sample(NamedTuple):
    """The answers to several faces: distributions (N, 7) and (N, 8) or None, labels (N,), deficits (N, len(ISSUES))."""

    probabilities: np.ndarray
    crowd: np.ndarray | None
    labels: np.ndarray
    weak: np.ndarray

    def consensus(self, weights: np.ndarray) -> np.ndarray:
        certainties = np.exp(-self.weak @ weights)
        crowd = None if self.crowd is None else tempered(self.crowd, certainties)
        return consensus(tempered(self.probabilities, certainties), crowd)


def sample(answers: list[Answer], labels: np.ndarray) -> Sample:
    weak = []
    for item in answers:
        cues = item.face.quality
        weak.append(list(deficits(cues.side, cues.sharpness, cues.overexposed, cues.yaw, cues.outside).values()))
    crowd = None if answers[0].crowd is None else np.stack([item.crowd for item in answers])
    probabilities = np.stack([item.probabilities for item in answers])
    return Sample(probabilities, crowd, labels[[item.index for item in answers]], np.array(weak))


def fit_weights(samples: list[Sample]) -> np.ndarray:
    """The weights, none below 0, that make the labels of all samples likeliest, by coordinate descent."""
    crowd = None if samples[0].crowd is None else np.concatenate([part.crowd for part in samples])
    whole = Sample(
        np.concatenate([part.probabilities for part in samples]),
        crowd,
        np.concatenate([part.labels for part in samples]),
        np.concatenate([part.weak for part in samples]),
    )

    def loss(weights: np.ndarray) -> float:
        right = whole.consensus(weights)[np.arange(len(whole.labels)), whole.labels]
        return float(-np.log(right + 1e-9).mean())

    weights, step = np.zeros(len(ISSUES)), 0.2
    best = loss(weights)
    while step > 0.004:
        improved = False
        for place in range(len(weights)):
            for sign in (1, -1):
                tried = weights.copy()
                tried[place] = max(tried[place] + sign * step, 0)
                if (value := loss(tried)) < best - 1e-7:
                    weights, best, improved = tried, value, True
        if not improved:
            step /= 2
    return weights


def figures(part: Sample, weights: np.ndarray) -> dict:
    """Accuracy of some answers, and of the sure ones their share, how many are right and what they say."""
    distribution = part.consensus(weights)
    right, top = distribution.argmax(axis=1) == part.labels, distribution.max(axis=1)
    sure = top >= NOT_SURE
    mean = {
        "right": float(right[sure].mean()) if sure.any() else None,
        "says": float(top[sure].mean()) if sure.any() else None,
    }
    return {"accuracy": float(right.mean()), "sure": float(sure.mean()), **mean}


def limit(points: list[tuple[float, float]], enough: float) -> float | None:
    """From which deficit on fewer answers are right than is enough, between points (deficit, accuracy); None where they stay
    right often enough."""
    points = sorted(points)
    for (a, above), (b, below) in zip(points, points[1:]):
        if above >= enough > below:
            return a + (b - a) * (above - enough) / (above - below)
    return None


def measure_turned(answers: Sample, weights: np.ndarray) -> dict:
    """Of many unchanged faces, which are turned as people are: the weight of the yaw beside the other weights, and its limit by
    the straight line of the right answers over the deficit. A drawn head that is turned far is often taken for one that is
    turned less, so that it says little of this."""
    place = ISSUES.index("turned_away")
    tried = [weights.copy() for _ in range(51)]
    for number, row in enumerate(tried):
        row[place] = number / 250
    numbers = np.arange(len(answers.labels))
    losses = [-np.log(answers.consensus(row)[numbers, answers.labels] + 1e-9).mean() for row in tried]
    chosen = tried[int(np.argmin(losses))]
    deficit, none = answers.weak[:, place], np.zeros(len(ISSUES))
    right = answers.consensus(none).argmax(axis=1) == answers.labels
    slope, start = np.polyfit(deficit, right.astype(float), 1)
    rows = []
    for low, high in zip(YAW_BINS, YAW_BINS[1:]):
        inside = (quality.FRONTAL + 10 * deficit > low) & (quality.FRONTAL + 10 * deficit <= high)
        part = Sample(*(None if values is None else values[inside] for values in answers))
        if not inside.any():
            continue
        degrees = f"{max(low, 0)}° to {high}°" if high < 90 else f"{low}° and more"
        of_bin = {"cue": "unchanged, turned by", "strength": degrees, "faces": int(inside.sum())}
        rows.append(of_bin | {"found": None, "before": figures(part, none), "after": figures(part, chosen)})
    return {
        "weight": float(chosen[place]),
        "limit": (1 - MUCH_LESS) * start / -slope if slope < 0 else None,
        "rows": rows,
    }


def measure(faces: Faces, analyzer: FaceAnalyzer, everybody: Faces) -> dict:
    """All figures; see the top of this file."""
    known = None
    rows: list[dict] = []
    fitting: list = []
    testing: list = []
    for kind in kinds():
        answers = answer(kind, faces.images, analyzer, known)
        if known is None:
            known = {item.index: item.detection for item in answers}
        row: dict = {"cue": kind.cue, "strength": kind.strength, "found": len(answers) / len(faces)}
        rows.append(row)
        halves = [[item for item in answers if item.index % 2 == half] for half in (0, 1)]
        for half, parts in zip(halves, (fitting, testing)):
            parts.append(sample(half, faces.labels) if len(half) > 30 else None)
        if answers:
            row["yaw"] = float(np.median([abs(item.face.quality.yaw) for item in answers]))
        print(f"{kind.cue} {kind.strength}: {len(answers)} of {len(faces)} found", file=sys.stderr)
    weights = fit_weights([part for part in fitting if part is not None])
    turned_faces = measure_turned(sample(answer(kinds()[0], everybody.images, analyzer), everybody.labels), weights)
    weights[ISSUES.index("turned_away")] = turned_faces["weight"]
    none = np.zeros(len(ISSUES))
    for row, part in zip(rows, testing):
        if part is not None and len(part.labels):
            row |= {"faces": len(part.labels), "before": figures(part, none), "after": figures(part, weights)}
    both = [
        None if a is None or b is None else figures(a, none)["accuracy"] / 2 + figures(b, none)["accuracy"] / 2
        for a, b in zip(fitting, testing)
    ]
    limits = {}
    for place, issue in enumerate(ISSUES):
        points = [(0.0, both[0])]
        enough = MUCH_LESS * both[0]
        for row, accuracy, part in zip(rows, both, fitting):
            named = "cut_off" if row["cue"].startswith("cut off") else CUES.get(row["cue"])
            if named == issue and accuracy is not None:
                points.append((float(np.median(part.weak[:, place])), accuracy))
        if (value := limit(points, enough)) is not None:
            limits[issue] = round(value, 4)
    if turned_faces["limit"] is not None:
        limits["turned_away"] = round(turned_faces["limit"], 4)
    rows += turned_faces["rows"]
    return {"rows": rows, "weights": dict(zip(ISSUES, weights.round(4).tolist())), "limits": limits}


def fit_pose(faces: Faces, analyzer: FaceAnalyzer) -> dict:
    """The points of a head as the detector sees them in faces turned by known angles, in distances between the eyes, and how
    well they tell the angles of other turned faces: of the two halves of the faces, the second."""
    angles = [(yaw * sign, pitch) for yaw in YAWS for sign in ((1, -1) if yaw else (1,)) for pitch in PITCHES]
    rng, seen = np.random.default_rng(0), []
    sources = 0
    for number, image in enumerate(faces.images):
        picture = cv2.cvtColor(cv2.resize(image, (192, 192), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
        picture = cv2.copyMakeBorder(picture, 48, 48, 48, 48, cv2.BORDER_CONSTANT, value=(BACKGROUND,) * 3)
        found = analyzer.detector.detect(picture)
        if len(found) != 1 or found[0].mouth is None or abs(_nose_offset(found[0])) > 0.06:
            continue  # it should look straight ahead
        sources += 1
        for place in rng.choice(len(angles), 8, replace=False):
            drawing = analyzer.detector.detect(turned(picture, found[0], *angles[place]))
            if len(drawing) == 1 and drawing[0].nose is not None:
                names = ("left_eye", "right_eye", "nose", "mouth")
                points = (np.array([getattr(drawing[0], name) for name in names]) - CANVAS / 2) * (1, -1) / SCALE
                seen.append((sources % 2, angles[place], points, drawing[0]))
        if sources == POSE_SOURCES:
            break
    matrices = np.array([rotation(*angle)[:2] for half, angle, *_ in seen if half])
    places = np.array([points for half, _, points, _ in seen if half])
    kept = np.ones(len(places), bool)
    for _ in range(4):  # without the drawings that the detector took for another pose
        rows = matrices[kept].reshape(-1, 3)
        corners = [np.linalg.lstsq(rows, places[kept, number].reshape(-1), rcond=None)[0] for number in range(4)]
        off = np.abs(np.einsum("nij,pj->npi", matrices, np.array(corners)) - places)
        kept = off.max(axis=(1, 2)) < POSE_OUTLIER
    eye = (points[1] + points[0] * (-1, 1, 1)) / 2  # the head is symmetric
    head = np.array([eye * (-1, 1, 1), eye, points[2] * (0, 1, 1), points[3] * (0, 1, 1)])
    head = (head - head[:2].mean(axis=0)) / (2 * eye[0])
    errors = [
        (abs(angle[0]), abs(angle[1]), *(abs(a - b) for a, b in zip(quality.pose(detection)[:2], angle)))
        for half, angle, _, detection in seen
        if not half
    ]
    table = {}
    for yaw in YAWS:
        some = np.array([error for error in errors if error[0] == yaw and error[1] <= 15])
        table[yaw] = {"faces": len(some), "yaw": float(np.median(some[:, 2])), "pitch": float(np.median(some[:, 3]))}
    return {"head": head.round(3).tolist(), "errors": table}


def _nose_offset(detection: Detection) -> float:
    """How far the nose lies beside the middle of the eyes, in distances between the eyes, along them."""
    left, right, nose = (np.array(getattr(detection, name)) for name in ("left_eye", "right_eye", "nose"))
    return float((nose - (left + right) / 2) @ (right - left) / ((right - left) @ (right - left)))


def natural_limit(issue: str, value: float) -> str:
    """A limit as people understand it."""
    return {
        "too_small": f"a face of {quality.LARGE / 2**value:.1f} pixels and less",
        "blurred": f"a sharpness of {quality.SHARP - value:.2f} and less",
        "overexposed": f"{value:.0%} of the face white and more",
        "turned_away": f"{quality.FRONTAL + 10 * value:.0f} degrees of yaw and more",
        "cut_off": f"{value:.0%} of the face beyond the edge and more",
    }[issue]


def to_markdown(result: dict) -> str:
    """The page in docs/results."""

    def part(figure: float | None) -> str:
        return "" if figure is None else f"{figure:.0%}"

    lines = [
        "| faces | found | right | sure | sure ones right | they say | before: sure | right | they say |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        cells = [f"{row['cue']}, {row['strength']}", part(row["found"])]
        if "after" in row:
            after, before = row["after"], row["before"]
            cells += [part(before["accuracy"]), *(part(after[name]) for name in ("sure", "right", "says"))]
            cells += [part(before[name]) for name in ("sure", "right", "says")]
        else:
            cells += ["too few"] + [""] * 6
        lines.append(f"| {' | '.join(cells)} |")
    limits = "; ".join(f"`{issue}` from {natural_limit(issue, value)}" for issue, value in result["limits"].items())
    lines += [
        "",
        f"{result['faces']:,} faces of PublicTest, changed in one way each and found by the detector, and all of them unchanged, by their yaw, by `python -m "
        f"benchmarks.quality --data DIR --write --docs`. A cue is named where fewer than {MUCH_LESS:.0%} as many answers are right as for "
        f"unchanged faces: {limits}. The table is of the half of the faces that the calibration did not see, but for the last rows, which are of all.",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__.splitlines()[0])
    add_data_arguments(parser)
    parser.add_argument(
        "--model", default="emotion.onnx", help="a file name in models/ or a path (default: %(default)s)"
    )
    parser.add_argument("--faces", type=int, default=500, metavar="N", help="of each kind (default: %(default)s)")
    parser.add_argument("--pose", action="store_true", help="fit the points of a head, and nothing else")
    parser.add_argument("--write", action="store_true", help=f"write {FILE.parent.name}/{FILE.name}")
    parser.add_argument("--docs", action="store_true", help="write docs/results/quality.md")
    args = parser.parse_args()
    if args.faces < 100:
        parser.error("--faces: fewer than 100 of each kind say nothing")
    try:
        faces = load_fer2013(args.data, official=not args.unofficial).split("PublicTest")
        analyzer = FaceAnalyzer(classifier=EmotionClassifier(args.model))
    except (DataError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    faces = faces.select(faces.images.reshape(len(faces), -1).std(axis=1) > 0)
    faces = faces.select(np.random.default_rng(0).permutation(len(faces)))
    if args.pose:
        print(json.dumps(fit_pose(faces, analyzer), indent=2))
        return 0
    everybody, faces = faces, faces.select(np.arange(min(args.faces, len(faces))))
    result = measure(faces, analyzer, everybody) | {"faces": len(faces)}
    section = to_markdown(result)
    print(section)
    print(json.dumps({"weights": result["weights"], "limits": result["limits"]}))
    if args.write:
        calibration = {"weights": result["weights"], "limits": result["limits"]}
        FILE.write_text(json.dumps(calibration, indent=2) + "\n")
    if args.docs:
        write_result("quality", "How well a face can be judged", section, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
