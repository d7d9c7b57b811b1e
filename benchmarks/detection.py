"""How many faces the detector finds and how many it makes up.

    python -m benchmarks.detection [--photos DIR] [--faces DIR] [--pictures N] [--json FILE]

counts them in the pictures of benchmarks/scenes.py, by the size of the faces: with one look and with the detector's
two, at several scores, with and without tiles. The full-range model is also tried alone, and with a second picture for
faces that fill the first one, which has a black border of half its size all around. The photographs are those of
--photos (default: the folder in PHOTOS_DIR).
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.readme import write_section
from benchmarks.scenes import load, pictures
from inference.detector import CANDIDATE_SCORE, MIN_SCORE, TILES, FaceDetector, run_model, suppress
from inference.types import Detection

DETECTORS = {
    "short range": ("short_range", 0),
    "full range": ("full_range", 0),
    "full range, 2x2 tiles": ("full_range", 2),
    "full range, 3x3 tiles": ("full_range", 3),
}
"""Model and tiles in a row."""
ONE_LOOK_SCORES = (0.5, 0.6, 0.7, 0.8)
CANDIDATE_SCORES = (0.3, 0.4, 0.5)
SECOND_SCORES = (0.6, 0.65, 0.7, 0.72, 0.75, 0.8)
USUAL_IOU = 0.3
"""The usual suppression, of boxes that share more than this part of what they cover together, is tried too."""
CROWD_SIZES = ((24, 32), (32, 48), (48, 64), (64, 96), (96, 200))
"""Groups of faces in crowds, in pixels."""


class Looks(NamedTuple):
    """What a detector saw in one picture: the first look, what is left of it to look at again, and the second look."""

    first: list[Detection]
    candidates: list[Detection]
    second: list[Detection | None]
    milliseconds: float


def look(detector: FaceDetector, tiles: int, image: np.ndarray) -> Looks:
    """The steps of FaceDetector.detect, kept apart, so that other thresholds can be tried on them."""
    started = time.perf_counter()
    first = detector.candidates(image, tiles)
    candidates = suppress(first)
    second = [detector.look_again(image, candidate) for candidate in candidates]
    return Looks(first, candidates, second, (time.perf_counter() - started) * 1e3)


def ways(name: str, looks: Looks, detector: FaceDetector, image: np.ndarray) -> Iterator[tuple[str, list[Detection]]]:
    """The detections by each way to detect, after its name; * marks what FaceDetector does."""
    for score in ONE_LOOK_SCORES:
        found = [detection for detection in looks.first if detection.score >= score]
        yield f"  {name}, one look {score:.2f}", suppress(found)
        if score == ONE_LOOK_SCORES[0]:
            boxes = [(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in (detection.box for detection in found)]
            kept = cv2.dnn.NMSBoxes(boxes, [detection.score for detection in found], 0.0, USUAL_IOU)
            yield f"  {name}, one look {score:.2f}, IoU", [found[index] for index in kept]
    for first in CANDIDATE_SCORES:
        for second in SECOND_SCORES:
            pairs = [pair for pair in zip(looks.candidates, looks.second) if pair[1]]
            found = [after for before, after in pairs if before.score >= first and after.score >= second]
            mark = "*" if (first, second) == (CANDIDATE_SCORE, MIN_SCORE) else " "
            if mark == "*" or DETECTORS[name][1] == TILES:
                yield f"{mark} {name}, two looks {first:.2f} {second:.2f}", suppress(found)
    if DETECTORS[name] == ("full_range", 0):
        alone = [found for found in run_model(detector.models["full_range"], image) if found.score >= 0.5]
        yield "  full-range model alone, one look 0.50", suppress(alone)
        yield "  full-range model alone, border, one look 0.50", suppress(alone + with_border(detector, image))


def with_border(detector: FaceDetector, image: np.ndarray) -> list[Detection]:
    """What the full-range model finds in a picture with a black border of half its longer side."""
    border = max(image.shape[:2]) // 2
    wide = cv2.copyMakeBorder(image, *[border] * 4, cv2.BORDER_CONSTANT)
    found = [found for found in run_model(detector.models["full_range"], wide) if found.score >= 0.5]
    return [replace(face, box=tuple(value - border for value in face.box)) for face in found]


def count(detections: list[Detection], kind: str, faces: np.ndarray) -> Counter:
    """How many faces there are ("all") and were found, also by group, how many detections are false, also in empty
    pictures, and how many are a second one of the same face. A face is found when the middle of a box lies in it and
    the box has half to twice its side."""
    result, found = Counter(), set()
    for x1, y1, x2, y2 in (detection.box for detection in detections):
        off = np.abs(faces[:, :2] - ((x1 + x2) / 2, (y1 + y2) / 2)).max(axis=1) / faces[:, 2]
        ratio = max(x2 - x1, y2 - y1) / faces[:, 2]
        hits = set(np.flatnonzero((off < 0.5) & (ratio > 0.5) & (ratio < 2)).tolist()) - found
        found |= set(sorted(hits)[:1])
        if not hits:
            double = (off < 0.8).any()
            result.update({"double": int(double), "false": int(not double), "false, empty": int(kind == "empty")})
    for index, side in enumerate(faces[:, 2]):
        group = next(f"{a}-{b} px" for a, b in CROWD_SIZES if side < b) if kind == "crowds" else kind
        result.update(
            {"all": 1, f"all {group}": 1, "found": int(index in found), f"found {group}": int(index in found)}
        )
    return result


def measure(photos: Path, faces: Path | None, number: int) -> dict:
    """Counts by way to detect, and median milliseconds by detector."""
    detectors = {name: FaceDetector(model) for name, (model, _) in DETECTORS.items()}
    counts, times = {}, {name: [] for name in DETECTORS}
    for kind, image, truth in pictures(load(photos, faces), number):
        for name, detector in detectors.items():
            looks = look(detector, DETECTORS[name][1], image)
            times[name].append(looks.milliseconds)
            for way, detections in ways(name, looks, detector, image):
                counts.setdefault(way, Counter()).update(count(detections, kind, truth))
    milliseconds = {name: round(float(np.median(values)), 1) for name, values in times.items()}
    return {"counts": counts, "milliseconds": milliseconds}


def to_text(result: dict) -> str:
    """A table: found faces in percent by group."""
    groups = [*(f"{a}-{b} px" for a, b in CROWD_SIZES), "groups", "portraits", "tight"]
    totals = next(iter(result["counts"].values()))
    columns = ("found", "false", "false, empty", "double")
    lines = [f"{'':50}" + "".join(f"{name:>13}" for name in (*columns, *groups))]
    lines.append(f"{'faces':50}{totals['all']:13}{'':39}" + "".join(f"{totals[f'all {group}']:13}" for group in groups))
    for way, row in result["counts"].items():
        cells = [f"{row[f'found {group}'] / max(row[f'all {group}'], 1):.1%}" for group in groups]
        lines.append(f"{way:50}" + "".join(f"{cell:>13}" for cell in [*(row[column] for column in columns), *cells]))
    times = ", ".join(f"{name} {value}" for name, value in result["milliseconds"].items())
    return "\n".join([*lines, "", f"Median milliseconds a picture with two looks: {times}"])


def to_markdown(result: dict) -> str:
    """The README's section: one look with the usual suppression against the two looks of FaceDetector."""
    groups = [*(f"{a}-{b} px" for a, b in CROWD_SIZES), "groups", "portraits", "tight"]
    totals = next(iter(result["counts"].values()))
    lines = [
        f"{totals['all']:,} faces in composed pictures: crowds by the size of the face, group pictures, portraits, faces "
        "that fill the picture; besides, pictures without a face. FaceDetector looks twice at every place; one look is "
        "the same without the second, at the usual score of 0.50 and with the usual suppression.",
        "",
        f"| detector | found | false | twice | {' | '.join(groups)} | ms a picture |",
        "|---" * (len(groups) + 5) + "|",
    ]
    for name in DETECTORS:
        for way in (f"  {name}, one look {ONE_LOOK_SCORES[0]:.2f}, IoU", chosen_way(name)):
            row = result["counts"][way]
            cells = [row["found"], row["false"], row["double"]]
            cells += [f"{row[f'found {group}'] / max(row[f'all {group}'], 1):.0%}" for group in groups]
            cells.append(result["milliseconds"][name] if way.startswith("*") else "")
            lines.append(f"| {way.strip(' *').removesuffix(', IoU')} | " + " | ".join(map(str, cells)) + " |")
    lines += [
        "",
        "Median milliseconds on one thread. Written by `python -m benchmarks.detection --photos DIR --faces DIR",
    ]
    lines += [
        "--readme` with a few portraits and pictures without a face, and 300 faces of FairFace's validation part. The",
        "scores were chosen on these same pictures, so expect a little less on others.",
    ]
    return "\n".join(lines)


def chosen_way(name: str) -> str:
    """What `ways` calls what FaceDetector does."""
    return f"* {name}, two looks {CANDIDATE_SCORE:.2f} {MIN_SCORE:.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description="Measure the face detector.")
    parser.add_argument("--photos", type=Path, default=os.environ.get("PHOTOS_DIR"), metavar="DIR", help="photographs")
    parser.add_argument("--faces", type=Path, metavar="DIR", help="more faces, framed as in FairFace")
    parser.add_argument("--pictures", type=int, default=100, metavar="N", help="of each kind (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there")
    parser.add_argument("--readme", action="store_true", help="write the section of README.md")
    args = parser.parse_args()
    if not args.photos or not args.photos.is_dir():
        print("error: name a folder of photographs with --photos or in PHOTOS_DIR.", file=sys.stderr)
        return 1
    cv2.setNumThreads(1)
    result = measure(args.photos, args.faces, args.pictures)
    print(to_text(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    if args.readme:
        write_section("detection", to_markdown(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
