"""Results as files, complete and valid after every photo and every frame, so that a run cut short loses nothing; and the
picture of a session's report."""

import contextlib
import csv
import json
import os
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np

from .drawing import PERSON_COLORS
from .outputs import create
from .satisfaction import NEUTRAL_ZONE, NOT_SURE_KEY, Timeline
from .sentences import SENTENCES, written
from .stream import Moment, Stream
from .tables import (
    CHUNK_ROWS,
    NAMES,
    SEPARATORS,
    columns,
    csv_header,
    csv_lines,
    csv_with_curves,
    failed_row,
    moment_rows,
    photo_rows,
)
from .types import EMOTIONS, Analysis
from .video import VideoReader


class _GrowingFile:
    """A file that is written anew, in place of an earlier one in one step, and grows by whole pieces of text: a piece for which
    there is no room leaves it as it was.

    Raises:
        OSError: it cannot be written; `filename` says which.
    """

    def __init__(self, path: Path, beginning: str):
        self._path, self._file = path, create(path, beginning.encode())

    def append(self, text: str, instead_of: str = "") -> None:
        """Write a piece at the end, in place of what the file ends with."""
        old, left, written = instead_of.encode(), text.encode(errors="backslashreplace"), 0
        if old:
            self._file.seek(-len(old), os.SEEK_END)
        try:
            while left[written:]:
                written += self._file.write(left[written:])
        except BaseException as error:
            with contextlib.suppress(OSError):  # no ordinary file
                self._file.truncate(self._file.seek(-written, os.SEEK_CUR))
                self._file.write(old)
            if isinstance(error, OSError):
                error.filename = str(self._path)
            raise

    def tell(self) -> int | None:
        """Where the next piece begins; None for a pipe, in which nothing can be changed any more."""
        return self._file.tell() if self._file.seekable() else None

    def rows(self, start: int, decimal_comma: bool) -> Iterator[list[str]]:
        """Those of a CSV from a place on."""
        with open(self._path, encoding="utf-8", newline="") as file:
            file.seek(start)
            yield from csv.reader(file, delimiter=SEPARATORS[decimal_comma])

    def overwrite(self, start: int, text: str) -> int:
        """Put other text of the same length there; returns where it ends."""
        end = self._file.tell()
        self._file.seek(start)
        try:
            self._file.write(text.encode())
            return self._file.tell()
        except OSError as error:
            error.filename = str(self._path)
            raise
        finally:
            self._file.seek(end)

    def close(self) -> None:
        self._file.close()


class JsonReport:
    """A JSON array with one object a file: `file` and the fields of `Analysis.to_dict` for a photo, `file` and what
    `video_entry` gives for a video, `file` and `error` for what could not be read."""

    def __init__(self, path: Path):
        self._file = _GrowingFile(path, "[\n]\n")
        self._empty = True

    @staticmethod
    def is_earlier(head: bytes) -> bool:
        """Whether a file that begins so is such a report."""
        return head.startswith((b"[\n]\n", b'[\n{"file": '))

    def add(self, name: str, fields: Mapping) -> None:
        entry = ("\n" if self._empty else ",\n") + json.dumps({"file": name, **fields}) + "\n]\n"
        self._file.append(entry, instead_of="\n]\n")
        self._empty = False

    def close(self) -> None:
        self._file.close()


class CsvReport:
    """A CSV of `tables.COLUMNS`. Bytes of a file's name that are no text are written as \\udcff.

    Args:
        path: written anew.
        decimal_comma: see `tables.csv_lines`.
    """

    def __init__(self, path: Path, decimal_comma: bool = False):
        self._file, self._decimal_comma = _GrowingFile(path, csv_header(decimal_comma)), decimal_comma
        self._video: int | None = None  # where the rows of the video begin that is being written

    @staticmethod
    def is_earlier(head: bytes) -> bool:
        """Whether a file that begins so is such a table, or one with the columns of earlier versions."""
        return head.startswith((b"file,seconds,faces,", b"\xef\xbb\xbffile;seconds;faces;", b"file,face,x1"))

    def add(self, name: str, result: Analysis) -> None:
        """Write the faces of a photo."""
        self._append(columns(photo_rows(result), name))

    def add_moment(self, name: str, moment: Moment) -> None:
        """Write the faces of a frame of a video."""
        if self._video is None:
            self._video = self._file.tell()
        self._append(columns(moment_rows(moment), name))

    def add_error(self, name: str, why: str) -> None:
        """Write that a file could not be read."""
        self._append(columns(failed_row(), name, why))

    def _append(self, table: Mapping[str, list]) -> None:
        self._file.append(csv_lines(table, self._decimal_comma))

    def end_video(self, timeline: Timeline, whole: bool = True) -> None:
        """The video is over: put the figures of its finished curve into its rows, in place of what was known in each frame.

        The rows keep their lengths, so that the table is complete and valid at every moment. What went into a pipe stays, and
        so do the rows of a video of which not the whole was read.
        """
        start, self._video = self._video, None
        if start is None:
            return
        curves = timeline.curves()
        rows: list[list[str]] = []
        for row in self._file.rows(start, self._decimal_comma):
            # Whole frames: the room is that of all their rows.
            if len(rows) >= CHUNK_ROWS and row[_SECONDS] != rows[-1][_SECONDS]:
                start = self._file.overwrite(start, csv_with_curves(rows, curves, self._decimal_comma))
                rows = []
            rows.append(row)
        self._file.overwrite(start, csv_with_curves(rows, curves, self._decimal_comma))

    def close(self) -> None:
        self._file.close()


_SECONDS = NAMES.index("seconds")


def video_entry(reader: VideoReader, stream: Stream) -> dict:
    """What JSON says of a video: `width`, `height` and `duration` (None where the file does not say), `rate` (frames a
    second that were asked for), `incomplete` (None, or what could not be read), and `Stream.report`."""
    return {
        "width": reader.width,
        "height": reader.height,
        "duration": None if reader.duration is None else round(reader.duration, 3),
        "rate": reader.rate,
        "incomplete": str(reader.incomplete) if reader.incomplete else None,
        **stream.report(),
    }


MAX_DRAWN = 8
"""Most people with a curve of their own in the picture."""


def figure_png(report: Mapping, language: str = "en") -> bytes:
    """A session's report as a picture: the curve of the room with its band and markers, everybody's curves, and for how
    long each emotion led.

    Args:
        report: from `inference.satisfaction.Timeline.report`.
        language: of `inference.sentences.SENTENCES`, in which it is labelled.

    Returns:
        A PNG file, 1500 x 1000 pixels.
    """
    from matplotlib.figure import Figure  # half a second, which only those who want a picture should wait

    words = SENTENCES[language]
    figure = Figure(figsize=(10, 20 / 3), dpi=150, layout="constrained")
    curve_axes, dwell_axes = figure.subplots(2, 1, height_ratios=(3, 2))
    curve, room = report["curve"], report["room"]
    gap = 2.5 * np.median(np.diff([point["seconds"] for point in curve])) if len(curve) > 1 else 2.5
    for person in report["people"][:MAX_DRAWN]:
        place = person["id"] - 1
        color, stroke = PERSON_COLORS[place % len(PERSON_COLORS)], ("-", "--", ":", "-.")[place % 4]
        points = [
            (point["seconds"], point["people"][str(person["id"])][0])
            for point in curve
            if str(person["id"]) in point["people"]
        ]
        label = words["figure_person"].format(id=person["id"])
        curve_axes.plot(*_with_gaps(points, gap), linewidth=1, linestyle=stroke, color=color, label=label)
    seconds, index = _with_gaps([(point["seconds"], point["room"][0]) for point in curve], gap)
    _, deviation = _with_gaps([(point["seconds"], point["room"][1]) for point in curve], gap)
    curve_axes.fill_between(seconds, index - deviation, index + deviation, color="0.5", alpha=0.25, linewidth=0)
    curve_axes.plot(seconds, index, color="0.15", linewidth=2, label=words["figure_room"])
    for limit in (-NEUTRAL_ZONE, NEUTRAL_ZONE):
        curve_axes.axhline(limit, color="0.6", linewidth=0.8, linestyle=":")
    for marker in report["markers"]:
        curve_axes.axvline(marker["seconds"], color="tab:red", linewidth=1)
        # Not as mathematics, which a dollar sign would begin.
        label = marker["label"].replace("$", r"\$")
        curve_axes.text(marker["seconds"], 0.98, f" {label}", rotation=90, va="top", fontsize=8, color="tab:red")
    title = words["figure_title"]
    if room["mean"] is not None:
        indices = {"mean": room["mean"], "highest": room["highest"]["index"], "end": room["end"]}
        shares = {name: f"{100 * room[name]:.0f}" for name in ("positive", "neutral", "negative")}
        indices = {name: written(value, words, "+.2f") for name, value in indices.items()}
        title = words["figure_summary"].format(**indices, **shares)
    curve_axes.set(ylim=(-1, 1), xlabel=words["figure_seconds"], ylabel=words["figure_index"], title=title)
    if curve:
        curve_axes.legend(loc="lower left", fontsize=8, ncols=3)
    lengths = [room["dwell"][name] for name in (*EMOTIONS, NOT_SURE_KEY)]
    names = [words[f"emotion_{name}"] for name in EMOTIONS] + [words["not_sure"]]
    bars = dwell_axes.barh(names, lengths, color="tab:orange")
    labels = [words["figure_length"].format(seconds=written(length, words, ".1f")) for length in lengths]
    dwell_axes.bar_label(bars, labels=labels, padding=3)
    dwell_axes.invert_yaxis()
    dwell_axes.margins(x=0.12)
    dwell_axes.set(xlabel=words["figure_seconds_together"], title=words["figure_dwell"])
    for axis in (curve_axes.xaxis, curve_axes.yaxis, dwell_axes.xaxis):
        axis.set_major_formatter(lambda value, _: written(value, words, "g"))
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _with_gaps(points: list[tuple[float, float]], gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (x, y) as two arrays, broken by a NaN wherever nothing was seen for longer than `gap`."""
    x, y = np.array(points, np.float64).reshape(-1, 2).T
    breaks = np.flatnonzero(np.diff(x) > gap) + 1
    return np.insert(x, breaks, np.nan), np.insert(y, breaks, np.nan)
