"""FER-2013 from the files that people download, checked row by row.

    python -m training.emotion.data DIR [--json docs/results/fer2013.json]

prints the class counts of every split next to the published ones, the blank images, the exact repeats and the
near-duplicates between Training and the test splits; the flaws also go into a JSON file.
"""

import argparse
import json
import logging
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from inference.types import CROWD, EMOTIONS
from training.datasets import (
    NEAR_DUPLICATE_COSINE,
    DataError,
    exact_repeats,
    near_duplicates,
    pictures_below,
    read_table,
)

SPLITS = ("Training", "PublicTest", "PrivateTest", "Test")
"""The official splits; "Test" holds the test faces of an image folder whose file names do not say which half they are
from (the two halves together are the 7,178 faces of the paper)."""

VOTES = (*CROWD, "unknown", "NF")
"""The columns of FERPlus (Barsoum et al. 2016, arXiv:1608.01041); NF means "not a face"."""

OFFICIAL_COUNTS = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
    "Test": (958, 111, 1024, 1774, 1247, 831, 1233),
}
"""Faces per class in the order of EMOTIONS: Table 2.1 of the paper."""

# zlib.crc32 over pixels, label and split of each 1,000 rows of the Kaggle csv: finds altered and reordered rows.
CHECKED_ROWS = 1000

# fmt: off
OFFICIAL_CRC32 = (
    3450003712, 2963743471, 3711340695, 3486997632, 2535650996, 1507358663, 1272227116, 1738454716, 3184296608,
    2190827726, 3116426835, 2733673130, 1724218265, 1816943911, 1965719053, 1031937319, 1557407940, 2431735239,
    1231893597, 1252567558, 2667735005, 2486126204, 2289758859, 1827116334, 417941631, 2272801766, 3020696858,
    1529697194, 3072830104, 373156237, 51310209, 1384287178, 829405023, 1461758651, 1101132768, 3933190224,
)
# fmt: on

NAMED_PICTURES = 20
"""How many of the pictures that are not read are named."""

SIDE = 48

WHERE = (
    "Get fer2013.csv or icml_face_data.csv from Kaggle (competition "
    '"challenges-in-representation-learning-facial-expression-recognition-challenge") or the image folders from '
    "Kaggle (data set msambare/fer2013), and fer2013new.csv from github.com/microsoft/FERPlus."
)


class Fer2013Error(DataError):
    """FER-2013 is missing or is not what it should be."""

    where = WHERE


@dataclass(frozen=True)
class Faces:
    """Labelled faces, in the order of their file.

    Attributes:
        images: uint8 (N, 48, 48), grey.
        labels: uint8 (N,), indices into EMOTIONS.
        splits: uint8 (N,), indices into SPLITS.
        votes: uint8 (N, 10) FERPlus votes in the order of VOTES, or None.
    """

    images: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    votes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, index: np.ndarray) -> "Faces":
        """The faces at an index array or boolean mask."""
        votes = None if self.votes is None else self.votes[index]
        return Faces(self.images[index], self.labels[index], self.splits[index], votes)

    def split(self, *names: str) -> "Faces":
        """The faces of the named splits, in file order; possibly none."""
        return self.select(np.isin(self.splits, [SPLITS.index(name) for name in names]))


def load_fer2013(path: str | Path, official: bool = True) -> Faces:
    """Load FER-2013 from a csv, a folder that holds one, or the image-folder form.

    Args:
        path: `fer2013.csv` or `icml_face_data.csv`, or a folder with either of them, or a folder with
            `train/<class>/*` and `test/<class>/*`, of which a warning counts and names what is not read: pictures of other
            kinds than jpg and png, and in other places. A `fer2013new.csv` beside a csv adds the FERPlus votes. `read_table` says
            in which forms a csv may be.
        official: demand exactly the published faces in the published order. False admits a subset or a cleaned copy.

    Returns:
        All faces as uint8 in memory (83 MB).

    Raises:
        Fer2013Error: something is missing, truncated, reordered or wrong.
    """
    path = Path(path)
    if path.is_file():
        return _load_csv(path, official)
    if not path.is_dir():
        raise Fer2013Error(f"{path}: no such file or folder.")
    for name in ("fer2013.csv", "icml_face_data.csv"):
        if (path / name).is_file():
            return _load_csv(path / name, official)
    if (path / "train").is_dir() or (path / "test").is_dir():
        return _load_folders(path, official)
    raise Fer2013Error(f"{path}: holds neither fer2013.csv nor icml_face_data.csv nor the folders train/ and test/.")


def _load_csv(path: Path, official: bool) -> Faces:
    images, labels, splits = [], [], []
    for where, (label, pixels, usage) in _read_rows(path, ("emotion", "pixels", "Usage")):
        if label not in set("0123456"):
            raise Fer2013Error(f"{where}: emotion is {label[:20]!r}, not 0 to 6.")
        if usage not in SPLITS[:3]:
            raise Fer2013Error(f"{where}: Usage is {usage[:20]!r}, not one of {', '.join(SPLITS[:3])}.")
        images.append(_parse_pixels(pixels, where))
        labels.append(int(label))
        splits.append(SPLITS.index(usage))
    if not images:
        raise Fer2013Error(f"{path}: has no rows.")
    faces = Faces(np.stack(images), np.array(labels, np.uint8), np.array(splits, np.uint8))
    if official:
        _check_rows(path, faces)
    votes_path = path.with_name("fer2013new.csv")
    if votes_path.is_file():
        faces = Faces(faces.images, faces.labels, faces.splits, _load_votes(votes_path, faces, official))
    return faces


def _read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """`read_table` for FER-2013."""
    try:
        yield from read_table(path, columns)
    except ValueError as error:
        raise Fer2013Error(str(error)) from None


def _parse_pixels(text: str, where: str) -> np.ndarray:
    try:
        pixels = np.fromstring(text or "no number", np.int64, sep=" ")  # four times as fast as to split the text
    except ValueError:
        raise Fer2013Error(f"{where}: pixels should be whole numbers with blanks between them.") from None
    if len(pixels) != SIDE * SIDE:
        raise Fer2013Error(f"{where} has {len(pixels)} pixels instead of {SIDE * SIDE}: the file is truncated.")
    if pixels.min() < 0 or pixels.max() > 255:
        raise Fer2013Error(f"{where}: a pixel is outside 0 to 255.")
    return pixels.astype(np.uint8).reshape(SIDE, SIDE)


def rows_crc32(faces: Faces) -> list[int]:
    """zlib.crc32 of pixels, label and split of every 1,000 rows."""
    rows = np.concatenate([faces.images.reshape(len(faces), -1), faces.labels[:, None], faces.splits[:, None]], axis=1)
    return [zlib.crc32(rows[start : start + CHECKED_ROWS].tobytes()) for start in range(0, len(rows), CHECKED_ROWS)]


def _check_rows(path: Path, faces: Faces) -> None:
    """Compare with the official file and name the first rows that differ."""
    for block, crc in enumerate(rows_crc32(faces)):
        if block >= len(OFFICIAL_CRC32) or crc != OFFICIAL_CRC32[block]:
            first = block * CHECKED_ROWS + 2  # counted as in the file: row 1 is the header
            last = min(first + CHECKED_ROWS, len(faces) + 2) - 1
            if last == len(faces) + 1 and len(faces) < sum(map(sum, list(OFFICIAL_COUNTS.values())[:3])):
                break
            raise Fer2013Error(
                f"{path}: rows {first} to {last} are not those of the official file (altered or in another order). "
                "Pass --unofficial to use them all the same."
            )
    expected = sum(sum(OFFICIAL_COUNTS[name]) for name in SPLITS[:3])
    if len(faces) != expected:
        raise Fer2013Error(
            f"{path}: ends after row {len(faces) + 1} with {len(faces):,} faces instead of {expected:,}: the file is "
            "truncated. Pass --unofficial to use a subset all the same."
        )


def _load_votes(path: Path, faces: Faces, official: bool) -> np.ndarray:
    """FERPlus votes by row: 173 of its rows have no image name, so the names cannot be the key."""
    votes = np.zeros((len(faces), len(VOTES)), np.uint8)
    count, last_name = 0, ""
    for where, row in _read_rows(path, ("Usage", "Image name", *VOTES)):
        if count == len(faces):
            raise Fer2013Error(f"{where}: there are more votes than the {len(faces):,} faces beside it.")
        if not all(vote.isascii() and vote.isdigit() and int(vote) < 256 for vote in row[2:]):
            raise Fer2013Error(f"{where}: does not hold ten whole numbers of votes: the file is truncated or wrong.")
        if row[0] != SPLITS[faces.splits[count]]:
            raise Fer2013Error(f"{where}: is {row[0]!r} where the faces have {SPLITS[faces.splits[count]]}: reordered.")
        name = row[1]
        if official and name and name <= last_name:
            raise Fer2013Error(f"{where}: {name!r} stands after {last_name!r}: reordered.")
        last_name = name or last_name
        votes[count] = [int(vote) for vote in row[2:]]
        count += 1
    if count != len(faces):
        raise Fer2013Error(f"{path}: ends after {count:,} of {len(faces):,} faces: the file is truncated.")
    return votes


def _load_folders(root: Path, official: bool) -> Faces:
    images, labels, splits, read = [], [], [], []
    for folder, default in (("train", "Training"), ("test", "Test")):
        for label, emotion in enumerate(EMOTIONS):
            files = sorted(
                file
                for file in (root / folder / emotion).glob("*")
                if file.suffix.lower() in (".jpg", ".jpeg", ".png") and not file.name.startswith("._")
            )
            read += files
            if not files:
                raise Fer2013Error(f"{root / folder / emotion}: is missing or holds no jpg or png.")
            for file in files:
                data = np.frombuffer(file.read_bytes(), np.uint8)
                # OpenCV raises on no bytes at all and returns None for bytes that are no image.
                image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
                if image is None or image.shape != (SIDE, SIDE):
                    shape = "cannot be read" if image is None else f"is {image.shape[1]}x{image.shape[0]}, not 48x48"
                    raise Fer2013Error(f"{file}: {shape}.")
                # Kaggle's folders keep the split in the name: PublicTest_1234.jpg.
                usage = file.stem.split("_")[0] if folder == "test" else default
                images.append(image)
                labels.append(label)
                splits.append(SPLITS.index(usage if usage in ("PublicTest", "PrivateTest") else default))
    faces = Faces(np.stack(images), np.array(labels, np.uint8), np.array(splits, np.uint8))
    found = [file for folder in ("train", "test") for file in pictures_below(root / folder)]
    if unread := sorted(set(found) - set(read)):
        names = ", ".join(str(file.relative_to(root)) for file in unread[:NAMED_PICTURES])
        more = f" and {len(unread) - NAMED_PICTURES:,} more" if len(unread) > NAMED_PICTURES else ""
        logging.getLogger(__name__).warning("%s: pictures that are not read: %d, %s%s", root, len(unread), names, more)
    if official:
        for folder, splits_of, key in (("train", SPLITS[:1], "Training"), ("test", SPLITS[1:], "Test")):
            counts = np.bincount(faces.split(*splits_of).labels, minlength=len(EMOTIONS))
            for emotion, count, expected in zip(EMOTIONS, counts, OFFICIAL_COUNTS[key]):
                if count != expected:
                    raise Fer2013Error(
                        f"{root / folder / emotion}: holds {count:,} faces instead of {expected:,}. "
                        "Pass --unofficial to use them all the same."
                    )
    return faces


def crowd_distribution(votes: np.ndarray) -> np.ndarray:
    """FERPlus votes (N, 10) as distributions over CROWD, float32 (N, 8); uniform where nobody named an emotion.

    Every row sums to 1, which a loss computed from logits takes for granted.
    """
    emotions = votes[:, : len(CROWD)].astype(np.float32)
    total = emotions.sum(axis=1, keepdims=True)
    return np.where(total, emotions / np.maximum(total, 1), np.float32(1 / len(CROWD)))


def is_blank(images: np.ndarray) -> np.ndarray:
    """Which of the uint8 images (N, S, S) are one constant grey: bool (N,)."""
    flat = images.reshape(len(images), -1)
    return flat.min(axis=1) == flat.max(axis=1)


def training_and_validation(faces: Faces, seed: int) -> tuple[Faces, Faces]:
    """Training without its blank images, and what to validate on.

    That is PublicTest; where a data set does not name it (image folders with plain file names), a tenth of Training is
    drawn and held out, so that the test faces are never used for choosing.
    """
    training, validation = faces.split("Training"), faces.split("PublicTest")
    training = training.select(~is_blank(training.images))
    if not len(validation):
        held_out = np.random.default_rng(seed).permutation(len(training)) < len(training) // 10
        training, validation = training.select(~held_out), training.select(held_out)
    return training, validation


def flaws(faces: Faces) -> dict:
    """What is wrong with a copy of FER-2013.

    Returns:
        faces; blank: the indices of the blank images; unique: how many different images there are;
        contradictory_groups: groups of identical images with different labels; in_training: for each test split, how
        many of its images (`faces`) stand in Training, `exactly` and as a near-duplicate (`nearly`, the exact ones included).
    """
    unique, inverse = np.unique(faces.images.reshape(len(faces), -1), axis=0, return_inverse=True)
    training = faces.split("Training")
    in_training = {}
    for name in SPLITS[1:]:
        test = faces.split(name)
        if len(test):
            in_training[name] = {
                "faces": len(test),
                "exactly": int(exact_repeats(test.images, training.images).sum()),
                "nearly": int(near_duplicates(test.images, training.images).sum()),
            }
    return {
        "faces": len(faces),
        "blank": np.flatnonzero(is_blank(faces.images)).tolist(),
        "unique": len(unique),
        "contradictory_groups": sum(len(set(group)) > 1 for group in _groups(inverse.ravel(), faces.labels)),
        "in_training": in_training,
    }


def describe(faces: Faces, found: dict) -> str:
    """The report of `python -m training.emotion.data`: class counts beside the published ones, and the `flaws` that were found."""
    present = [name for name in SPLITS if len(faces.split(name))]
    lines = ["Faces per class, found / published (the paper's Table 2.1)", ""]
    lines.append(f"{'':12}" + "".join(f"{emotion:>17}" for emotion in (*EMOTIONS, "all")))
    groups: dict[str, tuple[str, ...]] = {name: (name,) for name in present}
    if {"PublicTest", "PrivateTest"} <= set(present):
        groups["Test"] = SPLITS[1:]
    for group, names in groups.items():
        counts = np.bincount(faces.split(*names).labels, minlength=len(EMOTIONS)).tolist()
        published = OFFICIAL_COUNTS[group]
        cells = [f"{a:,} / {b:,}" for a, b in zip([*counts, sum(counts)], [*published, sum(published)])]
        lines.append(f"{group:12}" + "".join(f"{cell:>17}" for cell in cells))

    blank = found["blank"]
    lines += ["", f"Blank images (one constant grey): {len(blank)}, at index {', '.join(map(str, blank)) or '-'}"]
    lines.append(f"Unique images: {found['unique']:,} of {found['faces']:,}")
    lines.append(f"Groups of identical images with different labels: {found['contradictory_groups']}")
    for name, repeated in found["in_training"].items():
        lines.append(
            f"{name}: {repeated['exactly']} images stand in Training exactly; {repeated['nearly']} have a near-duplicate "
            f"there (cosine of the mean-free 16x16 thumbnails at least {NEAR_DUPLICATE_COSINE})"
        )
    lines.append("FERPlus votes: " + ("none" if faces.votes is None else f"{faces.votes.shape[1]} columns, by row"))
    return "\n".join(lines)


def _groups(keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(keys, kind="stable")
    return np.split(values[order], np.flatnonzero(np.diff(keys[order])) + 1)


def add_data_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The --data and --unofficial options of the commands that read FER-2013.

    Where the data is not required, --data defaults to FER2013_DIR of the environment, or None.
    """
    default = None if required else os.environ.get("FER2013_DIR")
    parser.add_argument(
        "--data",
        required=required,
        default=default,
        type=Path,
        metavar="DIR",
        help="FER-2013: a csv or the image folders",
    )
    parser.add_argument("--unofficial", action="store_true", help="accept a subset or a cleaned copy of FER-2013")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.emotion.data", description="What is in a copy of FER-2013."
    )
    parser.add_argument("data", type=Path, metavar="DIR", help="FER-2013: a csv or the image folders")
    parser.add_argument("--unofficial", action="store_true", help="accept a subset or a cleaned copy of FER-2013")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what is wrong with it")
    args = parser.parse_args()
    try:
        faces = load_fer2013(args.data, official=not args.unofficial)
        found = flaws(faces)
        print(describe(faces, found))
        if args.json:
            args.json.write_text(json.dumps(found) + "\n")
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
