"""The table as Parquet: in one file, or in parts of which a run that was cut short can be resumed."""

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from .model_files import CHECKSUMS
from .outputs import OutputError, uninterrupted
from .satisfaction import Timeline
from .sentences import IfadeError
from .stream import Moment
from .tables import (
    CHUNK_ROWS,
    NAMES,
    STORED,
    arrow_schema,
    columns,
    failed_row,
    moment_rows,
    photo_rows,
    with_curves,
)
from .types import Analysis

SUFFIX = ".parquet"
PART = re.compile(r"part-(\d{6})\.parquet")
"""The name of a part."""
PART_FILES = 1000
"""Files of which a part has the rows, at most."""
PART_SECONDS = 10.0
"""After so long a part is written at the latest: what a run that is killed has to do again."""
GROUP_ROWS = 50_000
"""Rows that are kept in memory and written together."""
SETTINGS = b"ifade"
"""Key of the settings in the metadata of a file."""


class ResumeError(IfadeError, ValueError):
    """What there is cannot be resumed; the sentence says why, and what to do."""


def settings(age_gender: bool, rate: float) -> dict:
    """What the rows depend on besides the files: they are of one table only where it is the same."""
    models = hashlib.sha256()
    with contextlib.suppress(OSError):  # which is told when a model is read
        models.update(CHECKSUMS.read_bytes())
    return {"age_gender": age_gender, "rate": rate, "models": models.hexdigest()[:16]}


def is_one_file(path: Path) -> bool:
    """Whether --parquet names a file, not a folder of parts."""
    return path.suffix.lower() == SUFFIX and not path.is_dir()


def parts(folder: Path) -> list[Path]:
    """The parts in a folder, in order."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if PART.fullmatch(path.name))


def is_table(path: Path) -> bool:
    """Whether a file is such a table."""
    return _settings_of(path) is not None


def _settings_of(path: Path) -> dict | None:
    import pyarrow
    import pyarrow.parquet

    try:
        metadata = pyarrow.parquet.read_schema(path).metadata or {}
        return json.loads(metadata[SETTINGS])
    except (OSError, KeyError, ValueError, pyarrow.ArrowException):
        return None


def files_done(folder: Path, asked: Mapping) -> set[str]:
    """The names of the files of which a folder's parts have rows.

    Args:
        asked: the settings of the run that goes on.

    Raises:
        ResumeError: a part is damaged, or was written with other settings.
    """
    import pyarrow.parquet

    done: set[str] = set()
    for part in parts(folder):
        found = _settings_of(part)
        if found is None:
            raise ResumeError("resume_foreign", path=part)
        if found != asked:
            names = ", ".join(f"{name} {found.get(name)}" for name in asked if found.get(name) != asked[name])
            raise ResumeError("resume_differs", path=part, settings=names)
        done.update(pyarrow.parquet.read_table(part, columns=["file"])["file"].unique().to_pylist())
    return done


def check_folder(folder: Path, resume: bool) -> None:
    """Refuse a folder in which there are parts already, unless they are to be gone on with.

    Raises:
        OutputError: there are.
    """
    if not resume and parts(folder):
        raise OutputError("parquet_has_parts", path=folder)


def as_text(name: str) -> str:
    """A file's name as the table has it: bytes that are no text are written as \\udcff."""
    return name.encode(errors="backslashreplace").decode()


class ParquetReport:
    """The table of `tables.COLUMNS` as Parquet; each file of it is put in place in one step when it is complete.

    A part has all rows of each of its photos and videos, or none, so that what is missing in the parts of a run that was cut short
    is whole files.

    Args:
        path: a file, which is complete when the report is closed; or a folder for parts, after those that are there.
        asked: `settings`, which are written into the metadata.
    """

    def __init__(self, path: Path, asked: Mapping):
        self._path, self._in_parts = path, not is_one_file(path)
        self._schema = arrow_schema().with_metadata({SETTINGS: json.dumps(asked)})
        earlier = parts(path) if self._in_parts else []
        self._number = int(earlier[-1].stem.removeprefix("part-")) + 1 if earlier else 0
        self._failed = False
        self._video: IO[bytes] | None = None  # a file with the rows of the video that is being read
        self._begin()
        if not self._in_parts:
            self._open()

    def _begin(self) -> None:
        self._file: Any = None
        self._writer: Any = None
        self._rows: dict[str, list] = {name: [] for name in NAMES}
        self._files, self._began = 0, time.monotonic()

    @property
    def _place(self) -> Path:
        return self._path / f"part-{self._number:06}{SUFFIX}" if self._in_parts else self._path

    @property
    def _partial(self) -> Path:
        """Where it is written first, under a name that readers of a folder pass over. What a killed run leaves is overwritten."""
        place = Path(os.path.realpath(self._place))
        return place.with_name(f".{place.name}.partial")

    def add(self, name: str, result: Analysis) -> None:
        """Write the faces of a photo."""
        self._append(columns(photo_rows(result), as_text(name)))
        self._end_file()

    def add_moment(self, name: str, moment: Moment) -> None:
        """Write the faces of a frame of a video."""
        if self._video is None:
            self._video = tempfile.TemporaryFile()
            self._name = as_text(name)
        self._video.write(moment_rows(moment).tobytes())

    def add_error(self, name: str, why: str) -> None:
        """Write that a file could not be read."""
        self._append(columns(failed_row(), as_text(name), as_text(why)))
        self._end_file()

    def end_video(self, timeline: Timeline, whole: bool = True) -> None:
        """The video is over: write its rows, with the figures of its finished curve. Parts get no rows of a video that was not
        read as far as it goes, because it is to be read again."""
        if self._video is None:
            return
        with self._video as file:
            self._video = None
            if whole or not self._in_parts:
                curves = timeline.curves()
                for rows in _whole_frames(file):
                    self._append(columns(with_curves(rows, curves), self._name))
                self._end_file()

    def close(self) -> None:
        """Write what is left. Where something could not be written, what was to be written with it is taken away instead."""
        if not self._failed and (self._files or not self._in_parts):
            self._finish()
        elif self._failed and self._file:
            self._file.close()
            self._partial.unlink(missing_ok=True)

    def _append(self, table: Mapping[str, list]) -> None:
        for name, values in table.items():
            self._rows[name] += values
        if len(self._rows["file"]) >= GROUP_ROWS:
            self._write()

    def _end_file(self) -> None:
        self._files += 1
        if self._in_parts and (self._files >= PART_FILES or time.monotonic() - self._began >= PART_SECONDS):
            self._finish()

    def _open(self) -> None:
        import pyarrow.parquet

        with self._named():
            self._file = open(self._partial, "wb")
        self._writer = pyarrow.parquet.ParquetWriter(self._file, self._schema)

    def _write(self) -> None:
        """Write the rows in memory as a group."""
        import pyarrow

        with uninterrupted():
            if self._writer is None:
                self._open()
            with self._named():
                self._writer.write_table(pyarrow.Table.from_pydict(self._rows, self._schema))
            self._rows = {name: [] for name in NAMES}

    def _finish(self) -> None:
        """Complete the file and put it in place."""
        with uninterrupted():
            self._write()
            with self._named():
                self._writer.close()
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                os.replace(self._partial, os.path.realpath(self._place))
            self._number += 1
            self._begin()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """An OSError within says which file it is about."""
        try:
            yield
        except OSError as error:
            error.filename, error.filename2 = str(self._place), None
            error.strerror = error.strerror or str(error)
            self._failed = True
            raise


def _whole_frames(file: IO[bytes]) -> Iterator[np.ndarray]:
    """Rows of STORED that were written one after the other, some at a time, never less than all of a frame."""
    file.seek(0)
    rest, seconds = np.empty((0, len(STORED))), STORED.index("seconds")
    while data := file.read(CHUNK_ROWS * rest.itemsize * len(STORED)):
        rows = np.concatenate([rest, np.frombuffer(data).reshape(-1, len(STORED))])
        last = np.searchsorted(rows[:, seconds], rows[-1, seconds])
        yield rows[:last]
        rest = rows[last:]
    yield rest
