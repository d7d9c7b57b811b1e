"""How many faces the detector finds and how many it makes up.

    python -m benchmarks.detection [--photos DIR] [--faces DIR] [--empty DIR ...] [--pictures N] [--json FILE] [--docs]

Compared are MediaPipe's model alone, the search by YuNet alone, and both with the check as FaceDetector has them

- in the pictures of benchmarks/scenes.py, by the size of the faces,
- in 1280x960 pictures with faces of a few sizes pasted into them,
- in photographs of people, upright and turned by quarters, and one of them at twenty sizes,
- in pictures without a person.

The photographs are those of --photos (default: the folder in PHOTOS_DIR), the groups those in its folder `people`.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.results import write_result
from benchmarks.scenes import Photos, fill, load, paste, pictures
from inference import face_check
from inference.detector import FaceDetector
from inference.images import SUFFIXES, ImageError, load_image
from inference.search import scaled
from inference.session import Session
from inference.types import Detection

CROWD_SIZES = ((24, 32), (32, 48), (48, 64), (64, 96), (96, 200))
"""Groups of faces in crowds, in pixels."""
PASTED = (16, 20, 24, 32)
"""Sides in pixels of the faces that are pasted into 1280x960."""
PASTED_PICTURES, PASTED_FACES = 8, (8, 5)
"""Pictures of each size, and the faces in one, in columns and rows."""
YUNET_SCORE = 0.7
"""The usual score for the search alone."""
GROUP_SIZES = np.linspace(480, 1280, 20).round().astype(int).tolist()
"""Longer sides of the group photograph that is searched at twenty sizes."""

Find = Callable[[np.ndarray], list[Detection]]


def ways(threads: int = 1) -> dict[str, Find]:
    """The ways to detect that are compared, by name."""
    near, both = FaceDetector(searching=False), FaceDetector(threads=threads)

    def search(image: np.ndarray) -> list[Detection]:
        return [place for place in both.searcher.search(image) if place.score >= YUNET_SCORE]

    return {"MediaPipe alone": near.detect, f"YuNet alone from {YUNET_SCORE}": search, "FaceDetector": both.detect}


def count(detections: list[Detection], kind: str, faces: np.ndarray) -> Counter:
    """How many faces there are ("all") and were found, also by group, how many detections are false, also in empty
    pictures, and how many are a second one of the same face. A face is found when the middle of a box lies in it and
    the box has half to twice its side."""
    result: Counter[str] = Counter()
    found: set[int] = set()
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


def composed(find: dict[str, Find], photos: Photos, number: int) -> tuple[dict[str, Counter], dict[str, float]]:
    """Counts in the pictures of benchmarks/scenes.py, and median milliseconds a picture, by way."""
    counts: dict[str, Counter] = {name: Counter() for name in find}
    times: dict[str, list[float]] = {name: [] for name in find}
    for kind, image, truth in pictures(photos, number):
        for name, function in find.items():
            started = time.perf_counter()
            detections = function(image)
            times[name].append((time.perf_counter() - started) * 1e3)
            counts[name].update(count(detections, kind, truth))
    return counts, {name: round(float(np.median(values)), 1) for name, values in times.items()}


def pasted(find: dict[str, Find], photos: Photos) -> dict[str, dict[str, float]]:
    """The share found of faces pasted into 1280x960 in rows and columns, by way and by their side in pixels."""
    rng = np.random.default_rng(1)
    result: dict[str, dict] = {name: {} for name in find}
    columns, rows = PASTED_FACES
    for side in PASTED:
        found: dict[str, Counter] = {name: Counter() for name in find}
        for number in range(PASTED_PICTURES):
            scene = fill(photos.backgrounds[number % len(photos.backgrounds)], 1280, 960)
            places = np.argwhere(np.ones((columns, rows))) * (1280 / columns, 960 / rows) + (80, 96)
            places += rng.uniform(-20, 20, places.shape)
            for x, y in places:
                paste(scene, photos.cutouts[rng.integers(len(photos.cutouts))], x, y, side)
            for name, function in find.items():
                found[name].update(count(function(scene), "pasted", np.insert(places, 2, side, axis=1)))
        for name, counts in found.items():
            result[name][f"{side} px"] = counts["found"] / counts["all"]
    return result


def people(find: dict[str, Find], folder: Path) -> dict[str, dict[str, list[int]]]:
    """How many faces are found in each photograph of a folder, upright and turned by one to three quarters."""
    result: dict[str, dict] = {name: {} for name in find}
    for file in sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES):
        image = load_image(file)
        views = [np.ascontiguousarray(np.rot90(image, turn)) for turn in range(4)]
        for name, function in find.items():
            result[name][file.name] = [len(function(view)) for view in views]
    return result


def sizes(find: dict[str, Find], photo: Path) -> dict[str, list[int]]:
    """How many faces are found in one photograph at GROUP_SIZES."""
    image = load_image(photo)
    views = [scaled(image, side / max(image.shape)) for side in GROUP_SIZES]
    return {name: [len(function(view)) for view in views] for name, function in find.items()}


def empty(find: dict[str, Find], folder: Path) -> dict[str, list[int]]:
    """Of a folder of pictures without a person, with all folders in it: pictures, and those in which something was found."""
    result = {name: [0, 0] for name in find}
    for file in sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES):
        try:
            image = load_image(file)
        except ImageError:
            continue
        for name, function in find.items():
            result[name][0] += 1
            result[name][1] += bool(function(image))
    return result


def measure(photos: Path, faces: Path | None, folders: list[Path], number: int) -> dict:
    """All figures; see the top of this file."""
    find, material = ways(), load(photos, faces)
    counts, milliseconds = composed(find, material, number)
    result = {"pictures": number, "counts": counts, "milliseconds": milliseconds, "pasted": pasted(find, material)}
    groups = sorted((photos / "people").glob("group_*"))
    if groups:
        result["people"] = people(find, photos / "people")
        result["sizes"] = {groups[-1].name: sizes(find, groups[-1])}
    result["empty"] = {folder.name: empty(find, folder) for folder in folders}
    result["check"] = json.loads(Session(face_check.FILE, cuda=False).metadata["metrics"])
    return result


def to_markdown(result: dict) -> str:
    """The page in docs/results."""
    groups = [*(f"{a}-{b} px" for a, b in CROWD_SIZES), "groups", "portraits", "tight"]
    totals = next(iter(result["counts"].values()))
    lines = [
        f"{totals['all']:,} faces in composed pictures: crowds by the size of the face, group pictures, portraits, faces "
        "that fill the picture; besides, pictures without a face.",
        "",
        f"| detector | found | false | twice | {' | '.join(groups)} | ms a picture |",
        "|---" * (len(groups) + 5) + "|",
    ]
    for name, counts in result["counts"].items():
        row: dict[str, Any] = Counter(counts)  # as which it was counted: what there was none of is 0
        cells = [row["found"], row["false"], row["double"]]
        cells += [f"{row[f'found {group}'] / max(row[f'all {group}'], 1):.0%}" for group in groups]
        lines.append(f"| {name} | " + " | ".join(map(str, [*cells, result["milliseconds"][name]])) + " |")
    heads = [f"pasted, {side} px" for side in PASTED]
    heads += [f"{file}: upright, turned by 90, 180, 270 degrees" for file in result.get("people", {}).get(name, {})]
    heads += [f"{file}, longer side {GROUP_SIZES[0]} to {GROUP_SIZES[-1]} px" for file in result.get("sizes", {})]
    heads += [f"{folder}: pictures with something" for folder in result["empty"]]
    columns = []
    for name in result["counts"]:
        cells = [f"{value:.0%}" for value in result["pasted"][name].values()]
        cells += [", ".join(map(str, found)) for found in result.get("people", {}).get(name, {}).values()]
        cells += [f"{min(found[name])} to {max(found[name])}" for found in result.get("sizes", {}).values()]
        cells += [
            f"{some} of {all_} ({some / max(all_, 1):.1%})"
            for all_, some in (row[name] for row in result["empty"].values())
        ]
        columns.append(cells)
    lines += ["", f"| found | {' | '.join(result['counts'])} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {head} | {' | '.join(cells)} |" for head, cells in zip(heads, zip(*columns), strict=True)]
    check = result["check"]
    rows = check["by threshold"]
    lines += [
        "",
        f"The check alone on {check['pictures of others']} pictures of animals and {check['people']:,} people that it was not "
        f"trained with, by the score from which a place is kept ({face_check.MIN_SCORE} is used); a score is off by "
        f"{check['calibration_error']:.3f} on average where half of all places are faces:",
        "",
        f"| score | {' | '.join(next(iter(rows.values())))} |",
        "|---" * (len(next(iter(rows.values()))) + 1) + "|",
        *(f"| {score} | {' | '.join(f'{value:.1%}' for value in row.values())} |" for score, row in rows.items()),
        "",
        "Median milliseconds on one thread. Faces are pasted into 1280x960; their side is that of the detector's box. Written "
        "by",
        f"`python -m benchmarks.detection --photos DIR --faces DIR --empty DIR --pictures {result['pictures']} --docs` with a few "
        "portraits, groups and",
        "pictures without a face, 300 faces of FairFace's validation part, and pictures of animals.",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description="Measure the face detector.")
    parser.add_argument("--photos", type=Path, default=os.environ.get("PHOTOS_DIR"), metavar="DIR", help="photographs")
    parser.add_argument("--faces", type=Path, metavar="DIR", help="more faces, framed as in FairFace")
    parser.add_argument("--empty", type=Path, nargs="+", default=[], metavar="DIR", help="pictures without a person")
    parser.add_argument("--pictures", type=int, default=100, metavar="N", help="of each kind (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--docs", action="store_true", help="write docs/results/detection.md")
    args = parser.parse_args()
    if not args.photos or not args.photos.is_dir():
        print("error: name a folder of photographs with --photos or in PHOTOS_DIR.", file=sys.stderr)
        return 1
    cv2.setNumThreads(1)
    result = measure(args.photos, args.faces, args.empty, args.pictures)
    print(to_markdown(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    if args.docs:
        write_result("detection", "Faces that are found, and that are made up", to_markdown(result), result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
