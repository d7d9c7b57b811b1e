"""What the readers of all data sets share: tables as people keep them, pictures in folders, and twins among faces."""

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from inference.images import SUFFIXES

NEAR_DUPLICATE_COSINE = 0.94
"""The correlation of two faces' thumbnails from which `near_duplicates` takes them for twins."""


class DataError(ValueError):
    """A data set is missing or is not what it should be; the message names the file, row or folder and the remedy.

    Attributes:
        where: where to get the data set, which is added to the message.
    """

    where = ""

    def __init__(self, message: str):
        super().__init__(f"{message}\n{self.where}".rstrip())


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Some columns of a csv as people keep it.

    That is with or without a byte order mark, in UTF-8 or UTF-16, with any ends of lines, empty lines, quotes, blanks around
    what is between them, commas, semicolons or tabs; with the columns in any order, in capitals, and others among them, such
    as the index that pandas writes under no name, and R without any heading.

    Args:
        path: the file.
        columns: their names in its first row.

    Yields:
        The words "FILE: row NUMBER" for messages, and the fields of the columns in their order, without blanks around them.

    Raises:
        ValueError: a column is not named, or not once, or a row cannot be read or is too short; the message names the row.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        utf16 = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
    with open(path, newline="", encoding="utf-16" if utf16 else "utf-8-sig", errors="replace") as file:
        first = file.read(2**16).strip().partition("\n")[0]
        file.seek(0)
        rows = csv.reader(file, delimiter=max(",;\t", key=first.count), skipinitialspace=True)
        header: list[str] = []
        width, places = 0, []
        try:
            for row in rows:
                where, fields = f"{path}: row {rows.line_num}", [field.strip() for field in row]
                if not any(fields):
                    continue
                if not header:
                    header = [name.casefold() for name in fields]
                    wanted = [name.casefold() for name in columns]
                    if any(header.count(name) != 1 for name in wanted):
                        break
                    places = [header.index(name) for name in wanted]
                    continue
                if not width:
                    index = len(fields) == len(header) + 1 and fields[-1] != ""  # that R writes, without a heading
                    width, places = len(header) + index, [place + index for place in places]
                if len(fields) < width or any(fields[width:]):
                    raise ValueError(f"{where} has {len(fields)} fields instead of {width}: the file is truncated.")
                yield where, [fields[place] for place in places]
        except csv.Error as error:
            raise ValueError(f"{path}: row {rows.line_num} cannot be read ({error}): damaged, or not a csv.") from None
    if not places:
        missing = ", ".join(name for name in columns if header.count(name.casefold()) != 1)
        raise ValueError(
            f"{path}: row 1 does not name {missing}, or more than once: it reads {', '.join(header)[:200]!r}."
        )


def pictures_below(folder: Path) -> list[Path]:
    """All files in a folder, at any depth, whose names are those of pictures, whether they are read or not."""
    found = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES)


def near_duplicates(images: np.ndarray, references: np.ndarray, cosine: float = NEAR_DUPLICATE_COSINE) -> np.ndarray:
    """Which images have a near twin among the references.

    Both are reduced to 16x16 by area averaging and their mean is taken off; a twin is a reference whose cosine with the
    image is at least the threshold (the Pearson correlation of the 256 pixels). Blank images have no twin.

    Args:
        images: uint8 (N, 48, 48).
        references: uint8 (M, 48, 48).
        cosine: the threshold, -1 to 1.

    Returns:
        bool (N,).
    """
    small, reference = _normalized_thumbnails(images), _normalized_thumbnails(references)
    return np.concatenate(
        [(small[start : start + 512] @ reference.T).max(axis=1) >= cosine for start in range(0, len(small), 512)]
        or [np.zeros(0, bool)]
    )


def _normalized_thumbnails(images: np.ndarray) -> np.ndarray:
    small = images.reshape(len(images), 16, 3, 16, 3).mean(axis=(2, 4), dtype=np.float32).reshape(len(images), 256)
    small -= small.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(small, axis=1, keepdims=True)
    return np.divide(small, norm, out=np.zeros_like(small), where=norm > 0)


def exact_repeats(images: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Which images stand among the references pixel by pixel: bool (N,)."""
    known = {image.tobytes() for image in references}
    return np.array([image.tobytes() in known for image in images], bool)
