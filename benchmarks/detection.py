"""How many faces the detector finds and how many it makes up.

    python -m benchmarks.detection [--photos DIR] [--faces DIR] [--pictures N] [--json FILE]

counts them in the pictures of benchmarks/scenes.py: with one look and with the detector's two, at several scores, by
the size of the faces. The photographs are those of --photos (default: the folder in PHOTOS_DIR).
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.scenes import load, pictures
from inference.detector import CANDIDATE_SCORE, MIN_SCORE, TILES, FaceDetector, suppress
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


def one_look(looks: Looks, score: float) -> list[Detection]:
    return suppress([found for found in looks.first if found.score >= score])


def one_look_iou(looks: Looks, score: float) -> list[Detection]:
    """With the usual suppression, by an intersection over union above 0.3."""
    found = [found for found in looks.first if found.score >= score]
    boxes = [(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in (detection.box for detection in found)]
    return [found[i] for i in cv2.dnn.NMSBoxes(boxes, [detection.score for detection in found], 0.0, 0.3)]


def two_looks(looks: Looks, candidate_score: float, score: float) -> list[Detection]:
    pairs = zip(looks.candidates, looks.second)
    return suppress([b for a, b in pairs if b and a.score >= candidate_score and b.score >= score])


def count(detections: list[Detection], kind: str, faces: np.ndarray) -> Counter:
    """How many faces there are ("all") and were found, also by group, how many detections are false and how many are a
    second one of the same face. A face is found when a box's middle lies in it and the box has half to twice its side."""
    result, found = Counter(), set()
    for x1, y1, x2, y2 in (detection.box for detection in detections):
        off = np.abs(faces[:, :2] - ((x1 + x2) / 2, (y1 + y2) / 2)).max(axis=1) / faces[:, 2]
        ratio = max(x2 - x1, y2 - y1) / faces[:, 2]
        hits = set(np.flatnonzero((off < 0.5) & (ratio > 0.5) & (ratio < 2)).tolist()) - found
        found |= set(sorted(hits)[:1])
        if not hits:
            result["double" if (off < 0.8).any() else "false"] += 1
    for index, side in enumerate(faces[:, 2]):
        group = next(f"{a}-{b} px" for a, b in CROWD_SIZES if side < b) if kind == "crowds" else kind
        result.update(
            {"all": 1, f"all {group}": 1, "found": int(index in found), f"found {group}": int(index in found)}
        )
    return result


def measure(photos: Path, faces: Path | None, number: int) -> list[dict]:
    """One row for each way to detect."""
    detectors = {name: (FaceDetector(model), tiles) for name, (model, tiles) in DETECTORS.items()}
    counts, milliseconds = {}, {name: [] for name in DETECTORS}
    for kind, image, truth in pictures(load(photos, faces), number):
        for name, (detector, tiles) in detectors.items():
            looks = look(detector, tiles, image)
            milliseconds[name].append(looks.milliseconds)
            ways = {(name, "two looks", CANDIDATE_SCORE, MIN_SCORE): two_looks(looks, CANDIDATE_SCORE, MIN_SCORE)}
            ways[name, "one look, IoU", 0.5, None] = one_look_iou(looks, 0.5)
            ways |= {(name, "one look", score, None): one_look(looks, score) for score in ONE_LOOK_SCORES}
            if tiles == TILES:
                ways |= {
                    (name, "two looks", first, second): two_looks(looks, first, second)
                    for first in CANDIDATE_SCORES
                    for second in SECOND_SCORES
                }
            for way, detections in ways.items():
                counts.setdefault(way, Counter()).update(count(detections, kind, truth))
    return [
        {
            "detector": way[0],
            "way": way[1],
            "score": way[2],
            "second_score": way[3],
            "chosen": way[1:] == ("two looks", CANDIDATE_SCORE, MIN_SCORE),
            "milliseconds_two_looks": round(float(np.median(milliseconds[way[0]])), 1),
            **counts[way],
        }
        for way in sorted(counts, key=str)
    ]


def to_text(rows: list[dict]) -> str:
    """A table: found faces in percent by group; * marks what FaceDetector does."""
    groups = [key[4:] for key in rows[0] if key.startswith("all ")]
    lines = [f"{'':44}" + "".join(f"{name:>11}" for name in ("found", "false", "double", *groups))]
    lines.append(
        f"{'faces':44}"
        + "".join(f"{rows[0].get(key, ''):>11}" for key in ["all", "", "", *(f"all {g}" for g in groups)])
    )
    for row in rows:
        scores = " ".join(f"{row[key]:.2f}" for key in ("score", "second_score") if row[key] is not None)
        cells = [row["found"], row.get("false", 0), row.get("double", 0)]
        cells += [f"{row[f'found {group}'] / row[f'all {group}']:.1%}" for group in groups]
        name = f"{'*' if row['chosen'] else ' '} {row['detector']}, {row['way']} {scores}"
        lines.append(f"{name:44}" + "".join(f"{cell:>11}" for cell in cells))
    times = {row["detector"]: row["milliseconds_two_looks"] for row in rows}
    lines += ["", "Median milliseconds a picture: " + ", ".join(f"{name} {value}" for name, value in times.items())]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description="Measure the face detector.")
    parser.add_argument("--photos", type=Path, default=os.environ.get("PHOTOS_DIR"), metavar="DIR", help="photographs")
    parser.add_argument("--faces", type=Path, metavar="DIR", help="more faces, framed as in FairFace")
    parser.add_argument("--pictures", type=int, default=100, metavar="N", help="of each kind (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there")
    args = parser.parse_args()
    if not args.photos or not args.photos.is_dir():
        print("error: name a folder of photographs with --photos or in PHOTOS_DIR.", file=sys.stderr)
        return 1
    cv2.setNumThreads(1)
    rows = measure(args.photos, args.faces, args.pictures)
    print(to_text(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
