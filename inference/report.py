"""Results as files that are complete and valid after every photo, so that a run cut short loses nothing."""

import csv
import json
from pathlib import Path

from inference.types import CROWD, EMOTIONS, Analysis

CSV_COLUMNS = (
    *("file", "face", "x1", "y1", "x2", "y2", "score", "emotion", *EMOTIONS, "shown", "sure"),
    *(f"consensus_{label}" for label in EMOTIONS),
    *(f"crowd_{label}" for label in CROWD),
)
"""One row a face: the photo, the face's number in it from 1, its box in pixels, the detector's confidence (0 to 1), the
leading emotion of the seven probabilities, and these; then the leading emotion of the consensus, whether it is sure
(True or False), the consensus, and the crowd's answers, which are empty where the model has none. `inference.types.Face`
says what they mean."""


class JsonReport:
    """A JSON array with one object a photo: `file` and the fields of `Analysis.to_dict`, or `file` and `error`."""

    def __init__(self, path: Path):
        self._file = open(path, "w", encoding="utf-8")
        self._file.write("[\n]\n")
        self._file.flush()
        self._empty = True

    def add(self, name: str, result: Analysis | Exception) -> None:
        fields = {"error": str(result)} if isinstance(result, Exception) else result.to_dict()
        self._file.seek(self._file.tell() - len("\n]\n"))
        self._file.write(("\n" if self._empty else ",\n") + json.dumps({"file": name, **fields}) + "\n]\n")
        self._file.flush()
        self._empty = False

    def close(self) -> None:
        self._file.close()


class CsvReport:
    """A CSV with CSV_COLUMNS; photos without a face, or that could not be read, have no row."""

    def __init__(self, path: Path):
        self._file = open(path, "w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        self._rows.writerow(CSV_COLUMNS)
        self._file.flush()

    def add(self, name: str, result: Analysis | Exception) -> None:
        if isinstance(result, Exception):
            return
        for number, face in enumerate(result.faces, start=1):
            fields = face.to_dict()
            row = [name, number, *fields["box"], fields["score"], fields["emotion"], *fields["probabilities"].values()]
            row += [fields["shown"], fields["sure"], *fields["consensus"].values()]
            self._rows.writerow(row + list(fields.get("crowd", dict.fromkeys(CROWD)).values()))
        self._file.flush()

    def close(self) -> None:
        self._file.close()
