"""Which crop around a detection looks like a face of FER-2013.

    python -m benchmarks.alignment --data FER2013_DIR [--photos DIR] [--model FILE] [--faces N] [--json FILE] [--docs]

Faces of PublicTest are enlarged, turned and pasted on a dark background, on which the detector finds most of them, so
that the frame FER-2013 has around each is known. Printed are where this frame lies relative to the detector's box and
eyes, and what the emotion model makes of crops by several rules: its accuracy, how often its class is that of the
original 48x48 face and how much probability moves against it, and how much both change when the same face comes in
another size, place and turn. The rules are built around the medians of the first table. Crops are cut from the face
without the background; beyond the face's frame its border repeats. Printed too is where MediaPipe's model, which looks from
near, sees a face relative to where the search saw it: the constants of `inference.detector.as_near`.

Photographs (default: the folder in PHOTOS_DIR) have no true frame; with them the answers are compared between sizes,
places and turns of the same photograph. No face of PrivateTest is looked at.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.results import write_result
from benchmarks.scenes import Geometry, enlarge, on_background, random_frame, turned_views
from inference.alignment import crop_geometry, cut_square
from inference.detector import FaceDetector, as_near
from inference.emotion import EmotionClassifier
from inference.images import SUFFIXES, load_image
from inference.model_files import ModelError
from inference.types import POINTS, Detection
from training.datasets import DataError
from training.emotion.data import add_data_arguments, load_fer2013

LOWEST_SCORE = 0.72
"""Score of the look from near from which a face counts as found here."""
VIEWS = 2
PHOTO_VIEWS = 12
PARTS = (0.9, 0.95, 1.0, 1.05)
EYE_LINE_SHIFTS = (-0.04, -0.02, 0.02, 0.04)
BY_EYES, BY_BOX, EYE_LINE = "side / eye distance", "side / box side", "eyes y / side"
SHOWN_RULES = (
    "original face",
    "true frame",
    "as built",
    "as built, search alone",
    "1.0 x eyes",
    "1.0 x box",
    "1.0 x mean",
    "1.0 x larger",
    "larger, no roll",
)
FRAME = (BY_EYES, BY_BOX, "eyes x / side", EYE_LINE, "roll of the eyes, degrees")

Pair = tuple[Detection, Detection]
"""Where the search saw a face, and where the look from near saw it."""


def look(detector: FaceDetector, image: np.ndarray) -> Pair | None:
    """The best detection of a picture with one face, after the place of the search that it comes from."""
    places = detector.searcher.search(image)
    looks = detector.look_again(image, [*map(as_near, places)])
    pairs = [(place, look) for place, look in zip(places, looks) if look and look.score >= LOWEST_SCORE]
    return max(pairs, key=lambda pair: pair[1].score, default=None)


def find(faces: np.ndarray, detector: FaceDetector) -> list[tuple[int, Geometry, Pair]]:
    """Views of FER-2013 faces (N, 48, 48) in which the detector finds the face: its index, frame and detections."""
    rng, views = np.random.default_rng(0), []
    for index in np.repeat(np.arange(len(faces)), VIEWS).tolist():
        frame = random_frame(faces.shape[1], rng)
        if pair := look(detector, on_background(faces[index], frame)):
            views.append((index, frame, pair))
    return views


def tell_frame(detection: Detection, frame: Geometry) -> list[float]:
    """Where the true frame lies, told by a detection: the values of FRAME."""
    (x, y), side, roll = frame
    (left_x, left_y), (right_x, right_y), (x1, y1, x2, y2) = detection.left_eye, detection.right_eye, detection.box
    dx, dy = (left_x + right_x) / 2 - x, (left_y + right_y) / 2 - y
    return [
        side / max(math.dist(detection.left_eye, detection.right_eye), 1),
        side / max(x2 - x1, y2 - y1),
        0.5 + (dx * math.cos(roll) + dy * math.sin(roll)) / side,
        0.5 + (dy * math.cos(roll) - dx * math.sin(roll)) / side,
        math.degrees(math.atan2(right_y - left_y, right_x - left_x) - roll),
    ]


def framings(by_eyes: float, by_box: float, eye_line: float) -> dict[str, Callable[..., Geometry]]:
    """The rules that are compared, by name, around the medians of the three measures."""

    def mean(detection: Detection, eyes: float, box: float) -> Geometry:
        (center, side, roll), (other, other_side, _) = (
            crop_geometry(detection, *sides, eye_line) for sides in ((eyes, 0.0), (0.0, box))
        )
        return tuple((np.array(center) + other) / 2), (side + other_side) / 2, roll

    def turned(detection: Detection, part: float) -> Geometry:
        left, right = np.array(detection.left_eye), np.array(detection.right_eye)
        roll = part * math.atan2(right[1] - left[1], right[0] - left[0])
        reach = math.dist(left, right) / 2 * np.array((math.cos(roll), math.sin(roll)))
        middle = (left + right) / 2
        eyes_level = replace(detection, left_eye=tuple(middle - reach), right_eye=tuple(middle + reach))
        return crop_geometry(eyes_level, by_eyes, by_box, eye_line)

    rules: dict[str, Callable[..., Geometry]] = {"as built": crop_geometry}
    for part in PARTS:
        eyes, box = part * by_eyes, part * by_box
        rules[f"{part} x eyes"] = partial(crop_geometry, side_by_eyes=eyes, side_by_box=0.0, eye_line=eye_line)
        rules[f"{part} x box"] = partial(crop_geometry, side_by_eyes=0.0, side_by_box=box, eye_line=eye_line)
        rules[f"{part} x mean"] = partial(mean, eyes=eyes, box=box)
        rules[f"{part} x larger"] = partial(crop_geometry, side_by_eyes=eyes, side_by_box=box, eye_line=eye_line)
    for shift in EYE_LINE_SHIFTS:
        name = f"larger, eye line {shift:+}"
        rules[name] = partial(crop_geometry, side_by_eyes=by_eyes, side_by_box=by_box, eye_line=eye_line + shift)
    return rules | {"larger, half the roll": partial(turned, part=0.5), "larger, no roll": partial(turned, part=0.0)}


def moved(a: np.ndarray, b: np.ndarray) -> float:
    """The probability that moves from one class to another between two sets of answers (N, 7), mean over them."""
    return float(np.abs(a - b).sum(axis=1).mean() / 2)


def predict(classifier: EmotionClassifier, crops: list[np.ndarray]) -> np.ndarray:
    """Probabilities (N, 7) of grey crops."""
    return np.concatenate(
        [
            classifier.predict(np.stack(crops[i : i + 256]), ["probabilities"])["probabilities"]
            for i in range(0, len(crops), 256)
        ]
    )


def square(picture: np.ndarray, place: Geometry, size: int) -> np.ndarray:
    """The crop of a place."""
    center, side, roll = place
    return cut_square(picture, center, side, roll, size)[0]


def cut(picture: np.ndarray, pair: Pair, rules: dict, size: int) -> dict[str, np.ndarray]:
    """The crops of a face, by rule."""
    places = {"as built, search alone": crop_geometry(as_near(pair[0]))} | {
        name: rule(pair[1]) for name, rule in rules.items()
    }
    return {name: square(picture, place, size) for name, place in places.items()}


def compare(faces: np.ndarray, labels: np.ndarray, views: list, rules: dict, classifier: EmotionClassifier) -> dict:
    """For each rule what the model makes of its crops; see the top of this file."""
    crops: dict[str, list] = {}
    for index, frame, pair in views:
        picture = enlarge(faces[index], frame)
        crops.setdefault("true frame", []).append(square(picture, frame, classifier.input_size))
        for name, crop in cut(picture, pair, rules, classifier.input_size).items():
            crops.setdefault(name, []).append(crop)
    numbers = np.array([view[0] for view in views])
    first = again(views)
    original = predict(classifier, list(faces))[numbers]

    def row(answers: np.ndarray) -> dict:
        classes = answers.argmax(axis=1)
        return {
            "accuracy": float((classes == labels[numbers]).mean()),
            "agree": float((classes == original.argmax(axis=1)).mean()),
            "moved": moved(answers, original),
            "views_agree": float((classes[first] == classes[first + 1]).mean()),
            "views_moved": moved(answers[first], answers[first + 1]),
        }

    return {
        "original face": row(original),
        **{name: row(predict(classifier, images)) for name, images in crops.items()},
    }


def compare_photos(files: list[Path], rules: dict, detector: FaceDetector, classifier: EmotionClassifier) -> dict:
    """The probability that moves between views of a photograph with one face and their mean, for each rule."""
    rng, found = np.random.default_rng(0), 0
    changes: dict[str, list] = {}
    for file in files:
        crops: dict[str, list] = {}
        for view in turned_views(load_image(file), PHOTO_VIEWS, rng):
            if pair := look(detector, view):
                grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)
                for name, crop in cut(grey, pair, rules, classifier.input_size).items():
                    crops.setdefault(name, []).append(crop)
        for name, images in crops.items():
            answers = predict(classifier, images)
            changes.setdefault(name, []).append(moved(answers, answers.mean(axis=0)))
        found += bool(crops)
    return {"photos": len(files), "found": found, "moved": {name: float(np.mean(v)) for name, v in changes.items()}}


def again(views: list) -> np.ndarray:
    """Indices of the views after which another view of the same face follows."""
    numbers = np.array([view[0] for view in views])
    return np.flatnonzero(numbers[1:] == numbers[:-1])


def measure_frames(views: list, look: int) -> dict[str, dict]:
    """Quartiles of the FRAME columns over the views, and the median change of each between two views of one face."""
    told = np.array([tell_frame((as_near(pair[0]), pair[1])[look], frame) for _, frame, pair in views])
    quartiles, first = np.percentile(told, (25, 50, 75), axis=0).T, again(views)
    changes = np.median(np.abs(told[first + 1] - told[first]), axis=0)
    return {
        column: {"quartiles": row.tolist(), "change": float(change)}
        for column, row, change in zip(FRAME, quartiles, changes)
    }


def measure_near(pairs: list[Pair]) -> dict[str, float]:
    """Medians of the constants of `inference.detector.as_near`, by name."""
    rows = []
    for place, near in pairs:
        (x1, y1, x2, y2), left, right = place.box, np.array(place.left_eye), np.array(place.right_eye)
        side = math.sqrt((x2 - x1) * (y2 - y1))
        down = np.array([[0, -1], [1, 0]]) @ (right - left) / max(math.dist(left, right), 1e-6)
        middle = np.array([(near.box[0] + near.box[2]) / 2, (near.box[1] + near.box[3]) / 2])
        row = {"BOX_SIDE": (near.box[2] - near.box[0]) / side}
        row["BOX_LOWERED"] = (middle - ((x1 + x2) / 2, (y1 + y2) / 2)) @ down / side
        for name in POINTS:
            row[f"LOWERED {name}"] = (np.array(getattr(near, name)) - getattr(place, name)) @ down / side
        rows.append(row)
    return {name: float(np.median([row[name] for row in rows])) for name in rows[0]}


def measure(faces: np.ndarray, labels: np.ndarray, photos: list[Path], classifier: EmotionClassifier) -> dict:
    """All figures: of uint8 faces (N, 48, 48) with their labels (N,), and of photographs with one face each."""
    detector = FaceDetector()
    views = find(faces, detector)
    frames = {name: measure_frames(views, look) for look, name in enumerate(("search", "look from near"))}
    rules = framings(*(frames["look from near"][column]["quartiles"][1] for column in (BY_EYES, BY_BOX, EYE_LINE)))
    result = {"views": VIEWS * len(faces), "found": len(views), "frames": frames}
    result["as_near"] = measure_near([pair for *_, pair in views])
    result["framings"] = compare(faces, labels, views, rules, classifier)
    result["photos"] = compare_photos(photos, rules, detector, classifier)
    return result


def to_text(result: dict) -> str:
    lines = [f"Found {result['found']} of {result['views']} views of FER-2013 faces.", ""]
    lines += ["Lower quartile, median and upper quartile of the true frame, and the median change between views"]
    lines += [f"{'':28}" + "".join(f"{name:>40}" for name in result["frames"])]
    for column in FRAME:
        cells = [(*row[column]["quartiles"], row[column]["change"]) for row in result["frames"].values()]
        lines.append(f"{column:28}" + "".join(f"{'':6}" + "".join(f"{x:8.3f}" for x in cell) + "  " for cell in cells))
    lines += ["", ", ".join(f"{name} {value:.3f}" for name, value in result["as_near"].items())]
    photos = result["photos"]["moved"]
    header = ("accuracy", "agree", "moved", "views agree", "views moved", "photos moved")
    lines += ["", f"{'crop':24}" + "".join(f"{cell:>14}" for cell in header)]
    for name, row in result["framings"].items():
        cells = [*row.values(), *([photos[name]] if name in photos else [])]
        lines.append(f"{name:24}" + "".join(f"{cell:14.2%}" for cell in cells))
    error = np.sqrt(0.25 / result["found"] * VIEWS)
    lines += ["", f"The standard error of an accuracy is at most {error:.2%}; the rules share their faces."]
    return "\n".join([*lines, f"Photographs with a face: {result['photos']['found']} of {result['photos']['photos']}."])


def to_markdown(result: dict) -> str:
    """The page in docs/results."""
    frame = result["frames"]["look from near"]
    eyes, box, _, line, _ = (frame[column]["quartiles"][1] for column in FRAME)
    lines = [
        f"{result['found']:,} views of enlarged and turned PublicTest faces in which the detector found the face. In the "
        f"median, FER-2013's frame is {eyes:.2f} distances between the eyes or {box:.2f} detector boxes wide, and the eye "
        f"line {line:.3f} of it from the top. What `models/emotion.onnx` makes of crops by several rules:",
        "",
        "| crop | accuracy | same class as the original face | probability moved | same class in two views |",
        "|---|---|---|---|---|",
    ]
    for name in SHOWN_RULES:
        row = result["framings"][name]
        cells = [row[key] for key in ("accuracy", "agree", "moved", "views_agree")]
        lines.append(f"| {name} | " + " | ".join(f"{cell:.1%}" for cell in cells) + " |")
    error = np.sqrt(0.25 / result["found"] * VIEWS)
    lines += ["", f"The standard error of an accuracy is at most {error:.1%}; the rules share their faces. Written by"]
    lines += ["`python -m benchmarks.alignment --data DIR --photos DIR --docs`."]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment", description="Measure the crop's framing.")
    add_data_arguments(parser)
    parser.add_argument("--photos", type=Path, default=os.environ.get("PHOTOS_DIR"), metavar="DIR", help="photographs")
    parser.add_argument("--model", default="emotion.onnx", metavar="FILE", help="the emotion model")
    parser.add_argument("--faces", type=int, default=1000, metavar="N", help="of PublicTest (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--docs", action="store_true", help="write docs/results/alignment.md")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        data = load_fer2013(args.data, official=not args.unofficial).split("PublicTest")
        classifier = EmotionClassifier(args.model, threads=1)
    except (DataError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    chosen = np.random.default_rng(0).permutation(len(data))[: args.faces]
    files = sorted(args.photos.iterdir()) if args.photos else []
    files = [file for file in files if file.suffix in SUFFIXES and not file.name.startswith("noface_")][:100]
    result = measure(data.images[chosen], data.labels[chosen], files, classifier)
    print(to_text(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    if args.docs:
        write_result("alignment", "Which crop of a face is classified best", to_markdown(result), result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
