"""Faces with ages and genders from FairFace and UTKFace in their public layouts, cut out as the page cuts them out.

    python -m training.age_gender.data [--fairface DIR] [--utkface DIR]

prints how many faces each has by part, age group, race group and gender, the names that were skipped, the identical
pictures, and in how many pictures the project's own detector finds no face.

FairFace (Karkkainen and Joo 2021, arXiv:1908.04913, CC BY 4.0) gives the age as one of nine groups; UTKFace (Zhang et al.
2017, arXiv:1702.08423, for non-commercial research) gives it in years. Here both are an interval of years.
"""

import argparse
import hashlib
import os
import re
import sys
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np

from inference.alignment import AGE_GENDER_FRAMING, align_face, crop_geometry
from inference.types import AGES, GENDERS, Detection
from training.datasets import DataError, pictures_below, read_table

SIZE = 64
"""Side of a cut out face in pixels."""

SOURCES = ("FairFace", "UTKFace")

PARTS = ("training", "validation", "test")
"""Test is FairFace's own validation part and a fifth of UTKFace; validation is taken from what is left."""

RACES = (
    *("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern"),
    *("Asian", "Others", "not stated"),
)
"""FairFace's seven race groups by its own names, then what UTKFace has besides."""

UTKFACE_RACES = ("White", "Black", "Asian", "Indian", "Others")

UTKFACE_GENDERS = ("male", "female")

AGE_GROUPS = {
    "0-2": (0, 2),
    "3-9": (3, 9),
    "10-19": (10, 19),
    "20-29": (20, 29),
    "30-39": (30, 39),
    "40-49": (40, 49),
    "50-59": (50, 59),
    "60-69": (60, 69),
    "more than 70": (70, AGES - 1),
}
"""FairFace's age groups by its own names: first and last year."""

FIRST_YEARS = np.array([first for first, _ in AGE_GROUPS.values()])

LARGEST_AGE = 120

VALIDATION_SHARE, TEST_SHARE = 1 / 16, 1 / 5

WHERE = (
    "Get FairFace (the 0.25 padding, and both fairface_label_*.csv) from github.com/joojs/fairface and UTKFace (the "
    "aligned and cropped faces) from susanqq.github.io/UTKFace."
)

# Where the detector finds no face: its median answer on FairFace's pictures, in parts of the picture's side.
TYPICAL_DETECTION = (0.06, 0.05, 0.91, 0.94, 0.32, 0.31, 0.68, 0.31)


class DemographicsError(DataError):
    """FairFace or UTKFace is missing or is not what it should be."""

    where = WHERE


@dataclass(frozen=True)
class Portraits:
    """Faces with an age, a gender and a race group, in the order of their source.

    Attributes:
        images: uint8 (N, SIZE, SIZE, 3), RGB, cut out by `align_face` with AGE_GENDER_FRAMING.
        first_years, last_years: uint8 (N,), the interval of years that holds the age, 0 to AGES - 1, both included; the
            last year stands for all above.
        genders: uint8 (N,), indices into GENDERS.
        races: uint8 (N,), indices into RACES.
        sources: uint8 (N,), indices into SOURCES.
        parts: uint8 (N,), indices into PARTS.
        paths: str (N,), the picture's file.
        detections: float32 (N, 8), where the face is in the picture: box and eyes of `inference.types.Detection`.
        found: bool (N,), whether the detector found it; where not, it is taken to be where it usually is.
        pixels: uint64 (N,), a hash of the picture's size and pixels.
    """

    images: np.ndarray
    first_years: np.ndarray
    last_years: np.ndarray
    genders: np.ndarray
    races: np.ndarray
    sources: np.ndarray
    parts: np.ndarray
    paths: np.ndarray
    detections: np.ndarray
    found: np.ndarray
    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.genders)

    def select(self, index: np.ndarray) -> "Portraits":
        """The faces at an index array or boolean mask."""
        return Portraits(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def part(self, name: str, source: str | None = None) -> "Portraits":
        """The faces of a part, of one source or of all; possibly none."""
        chosen = self.parts == PARTS.index(name)
        return self.select(chosen if source is None else chosen & (self.sources == SOURCES.index(source)))

    @property
    def age_groups(self) -> np.ndarray:
        """int (N,), indices into AGE_GROUPS."""
        return np.searchsorted(FIRST_YEARS, self.first_years, side="right") - 1

    @property
    def names(self) -> list[str]:
        """Source and file name of each picture; the same wherever the data lies."""
        return [f"{SOURCES[source]}/{Path(path).name}" for source, path in zip(self.sources, self.paths)]


@dataclass(frozen=True)
class _Row:
    """One picture as its data set describes it; `part` is None where the pixels decide."""

    path: Path
    years: tuple[int, int]
    gender: str
    race: str
    part: str | None


def load_portraits(fairface: Path | None, utkface: Path | None, cache: Path) -> tuple[Portraits, list[str]]:
    """Read one data set or both.

    FairFace's validation part is for testing. Which other pictures are for testing (a fifth of UTKFace) and for
    validation (a sixteenth of the rest) is told by a hash of their pixels, so that identical pictures never stand in two
    parts of a data set, and a picture keeps its part whatever else is in the folder.

    Args:
        fairface: a folder with fairface_label_train.csv and fairface_label_val.csv, or None.
        utkface: a folder with the jpg files, in it or in UTKFace/ below it, or None.
        cache: a folder in which the cut out faces are kept, about 13 kB a face.

    Returns:
        All faces, and a line for each picture that was skipped because of its name or place, because no row names it, because
        it cannot be read, or because it is for testing already: FairFace has a few pictures in both of its parts.

    Raises:
        DemographicsError: a folder or file is missing or wrong, or neither folder is given.
    """
    sets, skipped = [], []
    for source, folder, read in (("FairFace", fairface, _fairface_rows), ("UTKFace", utkface, _utkface_rows)):
        if folder is not None:
            rows, names = read(Path(folder))
            portraits, unread = _cut_out(source, rows, cache)
            sets.append(portraits)
            skipped += names + unread
    if not sets:
        raise DemographicsError("Neither a folder of FairFace nor one of UTKFace is given.")
    joined = {field.name: np.concatenate([getattr(each, field.name) for each in sets]) for field in fields(Portraits)}
    portraits = Portraits(**joined)
    test = portraits.parts == PARTS.index("test")
    leaked = ~test & np.isin(portraits.pixels, portraits.pixels[test])
    skipped += [f"{path}: skipped, because the same picture is for testing." for path in portraits.paths[leaked]]
    return portraits.select(~leaked), skipped


def _fairface_rows(root: Path) -> tuple[list[_Row], list[str]]:
    rows = []
    for name, part in (("fairface_label_train.csv", None), ("fairface_label_val.csv", "test")):
        if not (root / name).is_file():
            raise DemographicsError(f"{root / name}: no such file.")
        try:
            for where, (file, age, gender, race) in read_table(root / name, ("file", "age", "gender", "race")):
                if age not in AGE_GROUPS or gender.lower() not in GENDERS or race not in RACES[:7]:
                    raise DemographicsError(
                        f"{where}: {age!r}, {gender!r}, {race!r} are not an age group, a gender and a race group of FairFace: "
                        "the file is truncated or altered. (Spreadsheets take 3-9 and 10-19 for dates.)"
                    )
                rows.append(_Row(root / file, AGE_GROUPS[age], gender.lower(), race, part))
        except DemographicsError:
            raise
        except ValueError as error:
            raise DemographicsError(str(error)) from None
    read = {row.path for row in rows}
    pictures = [path for folder in ("train", "val") for path in pictures_below(root / folder)]
    return rows, [f"{path}: skipped, because no row names it." for path in pictures if path not in read]


def parse_utkface_name(name: str) -> tuple[int, str, str] | None:
    """Age in years, gender and race group from a name like 23_1_0_20170116.jpg; None where it is not of that form.

    A few of UTKFace's names lack the race, which is then "not stated".
    """
    match = re.fullmatch(r"(\d{1,3})_([01])(?:_([0-4]))?_\d{8,} ?(?:\.?jpg)?(?:\.chip)?\.jpg", name)
    if match is None or int(match[1]) > LARGEST_AGE:
        return None
    race = "not stated" if match[3] is None else UTKFACE_RACES[int(match[3])]
    return int(match[1]), UTKFACE_GENDERS[int(match[2])], race


def _utkface_rows(root: Path) -> tuple[list[_Row], list[str]]:
    folder = root / "UTKFace" if (root / "UTKFace").is_dir() else root
    rows, skipped = [], []
    for path in pictures_below(folder):
        parsed = parse_utkface_name(path.name)
        if path.parent != folder:
            skipped.append(f"{path}: skipped, because it is in a folder further down.")
            continue
        if parsed is None:
            skipped.append(f"{path}: skipped, because its name is not age_gender_race_date.jpg.")
            continue
        age, gender, race = parsed
        year = min(age, AGES - 1)
        rows.append(_Row(path, (year, year), gender, race, None))
    if not rows:
        raise DemographicsError(f"{folder}: holds no jpg named age_gender_race_date.jpg.")
    return rows, skipped


def _cut_out(source: str, rows: list[_Row], cache: Path) -> tuple[Portraits, list[str]]:
    crops = _cached_crops([row.path for row in rows], cache / f"{source}.npz")
    read = crops["pixels"] > 0
    if not read.any():
        raise DemographicsError(f"None of the {len(rows):,} pictures of {source} can be read, {rows[0].path} for one.")
    skipped = [f"{row.path}: skipped, because it cannot be read." for row, good in zip(rows, read) if not good]
    parts = [PARTS.index(row.part or part_of(pixels, source)) for row, pixels in zip(rows, crops["pixels"])]
    portraits = Portraits(
        first_years=np.array([row.years[0] for row in rows], np.uint8),
        last_years=np.array([row.years[1] for row in rows], np.uint8),
        genders=np.array([GENDERS.index(row.gender) for row in rows], np.uint8),
        races=np.array([RACES.index(row.race) for row in rows], np.uint8),
        sources=np.full(len(rows), SOURCES.index(source), np.uint8),
        parts=np.array(parts, np.uint8),
        paths=np.array([str(row.path) for row in rows]),
        **crops,
    )
    return portraits.select(read), skipped


def part_of(pixels: int, source: str) -> str:
    """The part of a picture that its data set does not assign: told by the hash of its pixels alone."""
    place = (int(pixels) % 2**32) / 2**32
    test = TEST_SHARE if source == "UTKFace" else 0.0
    if place < test:
        return "test"
    return "validation" if place < test + VALIDATION_SHARE * (1 - test) else "training"


def _cached_crops(paths: list[Path], file: Path) -> dict[str, np.ndarray]:
    """images, detections, found and pixels (0 where it cannot be read) of every picture, from the file if it has them."""
    listing = "\n".join(f"{path} {path.stat().st_size if path.is_file() else -1}" for path in paths)
    key = hashlib.sha256(f"{AGE_GENDER_FRAMING} {SIZE} {TYPICAL_DETECTION}\n{listing}".encode()).hexdigest()
    if file.is_file():
        with np.load(file) as kept:
            if str(kept["key"]) == key:
                return {name: kept[name] for name in kept.files if name != "key"}
    crops = _find_and_crop(paths)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        np.savez(Path(folder) / file.name, allow_pickle=False, key=key, **crops)
        os.replace(Path(folder) / file.name, file)
    return crops


def _find_and_crop(paths: list[Path]) -> dict[str, np.ndarray]:
    from tqdm import tqdm

    from inference.detector import FaceDetector  # MediaPipe: only where there is nothing in the cache

    count = len(paths)
    crops: dict[str, np.ndarray] = {
        "images": np.zeros((count, SIZE, SIZE, 3), np.uint8),
        "detections": np.zeros((count, 8), np.float32),
        "found": np.zeros(count, bool),
        "pixels": np.zeros(count, np.uint64),
    }
    # The faces fill their pictures, which is what MediaPipe's model is for.
    detector = FaceDetector(searching=False)
    for number, path in enumerate(tqdm(paths, unit="face", mininterval=10)):
        image = read_picture(path)
        if image is None:
            continue
        detection = central(detector.detect(image), image.shape)
        crops["found"][number] = detection is not None
        height, width = image.shape[:2]
        if detection is None:
            values = np.array(TYPICAL_DETECTION) * ([width, height] * 4)
        else:
            values = np.array([*detection.box, *detection.left_eye, *detection.right_eye])
        crops["detections"][number] = values
        crops["images"][number] = align_face(image, to_detection(values), SIZE, **AGE_GENDER_FRAMING)
        crops["pixels"][number] = hash_of(image)
    detector.close()
    return crops


def hash_of(image: np.ndarray) -> int:
    """What `part_of` tells the part of a picture from, 1 to 2**64 - 1; of its size and pixels."""
    digest = hashlib.blake2b(repr(image.shape).encode() + image.tobytes(), digest_size=8).digest()
    return max(int.from_bytes(digest, "little"), 1)


def read_picture(path: str | Path) -> np.ndarray | None:
    """A picture as RGB uint8 (H, W, 3), or None where it cannot be read."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError:
        return None
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def central(detections: list[Detection], shape: tuple[int, ...]) -> Detection | None:
    """Of the faces in a picture the one nearest to its middle, which is the one that was labelled."""

    def distance(detection: Detection) -> float:
        x1, y1, x2, y2 = detection.box
        return abs((x1 + x2) / shape[1] - 1) + abs((y1 + y2) / shape[0] - 1)

    return min(detections, key=distance, default=None)


def to_detection(values: np.ndarray) -> Detection:
    """A row of Portraits.detections as a Detection of score 1."""
    x1, y1, x2, y2, *eyes = map(float, values)
    return Detection((x1, y1, x2, y2), 1.0, (eyes[0], eyes[1]), (eyes[2], eyes[3]))


def repeats(portraits: Portraits) -> tuple[int, int]:
    """How many pictures are identical to an earlier one, and how many groups of identical ones stand in two parts."""
    _, group = np.unique(portraits.pixels, return_inverse=True)
    parts = np.zeros((group.max(initial=-1) + 1, len(PARTS)), bool)
    parts[group, portraits.parts] = True
    return len(portraits) - len(parts), int((parts.sum(axis=1) > 1).sum())


def beyond_edge(portraits: Portraits, picture_side: int) -> float:
    """The mean part of a crop's width that lies beyond the picture, 0 to 1, for square pictures of one size."""
    beyond = []
    for values in portraits.detections:
        center, side, _ = crop_geometry(to_detection(values), **AGE_GENDER_FRAMING)
        over = [max(side / 2 - middle, 0) + max(middle + side / 2 - picture_side, 0) for middle in center]
        beyond.append(max(over) / side)
    return float(np.mean(beyond))


def describe(portraits: Portraits, skipped: list[str]) -> str:
    """The report of `python -m training.age_gender.data`."""
    lines = []
    for index, source in enumerate(SOURCES):
        faces = portraits.select(portraits.sources == index)
        if not len(faces):
            continue
        counts = ", ".join(f"{len(faces.part(part)):,} {part}" for part in PARTS)
        identical, straddling = repeats(faces)
        lines += [
            f"{source}: {len(faces):,} faces ({counts})",
            f"  pictures identical to an earlier one: {identical}; groups of identical pictures in two parts: {straddling}",
            f"  no face found by the detector: {int((~faces.found).sum()):,} ({(~faces.found).mean():.2%})",
            f"  beyond the picture's edge: {beyond_edge(faces, _side(faces)):.1%} of a crop's side in the mean",
        ]
        for title, names, values in (
            ("age group", tuple(AGE_GROUPS), faces.age_groups),
            ("gender", GENDERS, faces.genders),
            ("race group", RACES, faces.races),
        ):
            found = np.bincount(values, minlength=len(names))
            lines.append(f"  by {title}: " + ", ".join(f"{n} {c:,}" for n, c in zip(names, found) if c))
    lines += [f"{len(skipped)} pictures skipped", *skipped[:20], *["..."] * (len(skipped) > 20)]
    return "\n".join(lines)


def _side(portraits: Portraits) -> int:
    return read_picture(portraits.paths[0]).shape[0]


def add_demographics_arguments(parser: argparse.ArgumentParser) -> None:
    """--fairface, --utkface and --crops, which default to FAIRFACE_DIR and UTKFACE_DIR of the environment."""
    for name in SOURCES:
        parser.add_argument(
            f"--{name.lower()}",
            type=Path,
            metavar="DIR",
            default=os.environ.get(f"{name.upper()}_DIR"),
            help=f"{name}'s public layout (default: {name.upper()}_DIR of the environment)",
        )
    parser.add_argument("--crops", type=Path, metavar="DIR", default=Path("runs/crops"), help="cache of cut out faces")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.age_gender.data", description="What is in the data.")
    add_demographics_arguments(parser)
    args = parser.parse_args()
    try:
        print(describe(*load_portraits(args.fairface, args.utkface, args.crops)))
    except DemographicsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
