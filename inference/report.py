"""Results as files, complete and valid after every photo and every frame, so that a run cut short loses nothing; and of
streams in memory."""

import contextlib
import csv
import itertools
import json
import math
import numpy as np
import os
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO, StringIO
from pathlib import Path

from .outputs import create
from .satisfaction import NEUTRAL_ZONE, NOT_SURE_KEY, Timeline, read_off
from .stream import Moment, Stream
from .tracker import TrackedFace
from .types import CROWD, EMOTIONS, GENDER_SURE, GENDERS, ISSUES, NOT_SURE, WIDEST_AGE_RANGE, Analysis, Face
from .video import VideoReader

APPARENT_COLUMNS = (
    *("age", "age_first", "age_last", "age_sure", "apparent_gender", "gender_sure"),
    *(f"gender_{label}" for label in GENDERS),
)
"""The last columns of every table, empty where age and gender were not asked for: the apparent age in years, the first and
the last year of its range, whether that is narrow enough, the apparent gender, whether it is sure, and the probability of
each. In streams they are those of the person, averaged over time."""

CSV_COLUMNS = (
    *("file", "face", "x1", "y1", "x2", "y2", "score", "emotion", *EMOTIONS, "shown", "sure"),
    *(f"consensus_{label}" for label in EMOTIONS),
    *(f"crowd_{label}" for label in CROWD),
    *("yaw", "pitch", "roll", "issues"),
    *("seconds", "person", "smoothed_shown", "smoothed_sure"),
    *(f"smoothed_{label}" for label in EMOTIONS),
    *("index", "deviation", "room_index", "room_deviation"),
    *APPARENT_COLUMNS,
)
"""One row a face of a photo or of an analysed frame of a video: the file, the face's number in the picture from 1, its box
in pixels, the detector's confidence (0 to 1), the leading emotion of the seven probabilities, and these; then the leading
emotion of the consensus, whether it is sure (True or False), the consensus, and the crowd's answers, which are empty where
the model has none; the yaw, pitch and roll of the head in degrees, and the issues of its quality, with a space between. `inference.types.Face` says what they mean.

The next are empty for photos: the frame's time in seconds from the beginning of the video; the person's id, the same in all
frames; the leading emotion of the consensus smoothed over time, whether it is sure, and that consensus; the satisfaction
index of the person and its standard deviation, -1 to 1, and those of the room, read off the video's curve once it is over
(see `CsvReport.end_video`). The last are APPARENT_COLUMNS."""


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

    def lines(self, start: int) -> Iterator[list[str]]:
        """The rows of a CSV from a place on."""
        with open(self._path, encoding="utf-8", newline="") as file:
            file.seek(start)
            yield from csv.reader(file)

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
    """A CSV with CSV_COLUMNS; pictures without a face, and files that could not be read, have no row.

    A name that a spreadsheet would take for a formula has ./ before it, which names the same file. Bytes of a name that are
    no text are written as \\udcff.
    """

    def __init__(self, path: Path):
        self._file = _GrowingFile(path, _csv_text([CSV_COLUMNS]))
        self._video: int | None = None  # where the rows of the video begin that is being written

    @staticmethod
    def is_earlier(head: bytes) -> bool:
        """Whether a file that begins so is such a table."""
        return head.startswith(",".join(CSV_COLUMNS[:3]).encode())

    def add(self, name: str, result: Analysis) -> None:
        """Write the faces of a photo."""
        rows = []
        for number, face in enumerate(result.faces, start=1):
            row, apparent = _face_cells(name, number, face), _apparent_cells(face)
            rows.append(row + [None] * (len(CSV_COLUMNS) - len(row) - len(apparent)) + apparent)
        self._file.append(_csv_text(rows))

    def add_moment(self, name: str, moment: Moment) -> None:
        """Write the faces of a frame of a video."""
        if self._video is None:
            self._video = self._file.tell()
        rows = []
        for number, person in enumerate(moment.people, start=1):
            row = _face_cells(name, number, person.measured)
            smoothed = person.smoothed.to_dict()
            row += [
                round(moment.seconds, 3),
                person.id,
                smoothed["shown"],
                smoothed["sure"],
                *smoothed["consensus"].values(),
            ]
            reading, room = moment.readings[person.id], moment.room
            figures = (reading.index, reading.deviation, room.index, room.deviation)
            row += map(_seven_characters, figures)
            rows.append(row + _apparent_cells(person.smoothed))
        self._file.append(_csv_text(rows))

    def end_video(self, timeline: Timeline) -> None:
        """The video is over: put the figures of its finished curve into its rows, in place of what was known in each frame.

        The rows keep their lengths, so that the table is complete and valid at every moment. What went into a pipe stays.
        """
        start, self._video = self._video, None
        if start is None:
            return
        curves = timeline.curves()
        rows: list[list[str]] = []
        for row in self._file.lines(start):
            # Whole frames: the room is that of all their rows.
            if len(rows) >= CHUNK_ROWS and row[_SECONDS] != rows[-1][_SECONDS]:
                start = self._file.overwrite(start, _csv_text(_smoothed_rows(rows, curves)))
                rows = []
            rows.append(row)
        self._file.overwrite(start, _csv_text(_smoothed_rows(rows, curves)))

    def close(self) -> None:
        self._file.close()


_SECONDS, _PERSON, _INDEX = (CSV_COLUMNS.index(name) for name in ("seconds", "person", "index"))


def _smoothed_rows(rows: list[list[str]], curves: Mapping[int, np.ndarray]) -> list[list[str]]:
    """Rows of CSV_COLUMNS with the figures of the curves."""
    numbers = np.array([[row[place] for place in (_SECONDS, _PERSON, _INDEX, _INDEX + 1)] for row in rows], np.float64)
    numbers = numbers.reshape(-1, 4)
    figures = read_off(curves, numbers[:, 0], numbers[:, 1], numbers[:, 2:]).tolist()
    return [
        row[:_INDEX] + list(map(_seven_characters, new)) + row[_INDEX + len(new) :] for row, new in zip(rows, figures)
    ]


def _seven_characters(figure: float) -> str:
    """A number from -10 to 10, always as long."""
    return f"{figure:.5f}" if figure >= 0 else f"{figure:.4f}"


def _csv_text(rows: Iterable[Iterable]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _face_cells(name: str, number: int, face: Face) -> list:
    """What photos and videos have in common in CSV_COLUMNS."""
    fields = face.to_dict()
    name = f"./{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
    row = [name, number, *fields["box"], fields["score"], fields["emotion"], *fields["probabilities"].values()]
    row += [fields["shown"], fields["sure"], *fields["consensus"].values()]
    row += list(fields.get("crowd", dict.fromkeys(CROWD)).values())
    angles = fields.get("quality", {})
    return row + [angles.get(name) for name in ("yaw", "pitch", "roll")] + [" ".join(face.issues)]


def _apparent_cells(face: Face) -> list:
    """APPARENT_COLUMNS."""
    fields = face.to_dict()
    cells = [fields.get("age"), *fields.get("age_range", (None, None)), fields.get("age_sure")]
    cells += [fields.get("apparent_gender"), fields.get("gender_sure")]
    return cells + list(fields.get("gender", dict.fromkeys(GENDERS)).values())


def video_entry(reader: VideoReader, stream: Stream) -> dict:
    """What JSON says of a video: `width`, `height` and `duration` (None where the file does not say), `rate` (frames a
    second that were asked for), `incomplete` (None, or what could not be read), and `Stream.report`."""
    return {
        "width": reader.width,
        "height": reader.height,
        "duration": None if reader.duration is None else round(reader.duration, 3),
        "rate": reader.rate,
        "incomplete": reader.incomplete,
        **stream.report(),
    }


FRAME_COLUMNS = (
    *("seconds", "person", "x1", "y1", "x2", "y2", "score", "shown", "sure", "issues"),
    *EMOTIONS,
    *(f"smoothed_{label}" for label in EMOTIONS),
    *("index", "deviation", "room_index", "room_deviation"),
    *APPARENT_COLUMNS,
)
"""One row for each face of each analysed frame of a stream: the frame's time from the beginning; the person's id; the box in
pixels of the camera's or the video's upright picture and the detector's confidence (0 to 1), as found in this frame; the
emotion that is shown and whether it is sure, of the smoothed probabilities; the issues of the face's quality in this frame,
with a space between; the seven probabilities (the consensus) of this
frame alone, and smoothed over time; the satisfaction index of the person and its standard deviation, -1 to 1, and those of
the room: of a camera as they were known at that time, by the weights and the baseline that held then; of a video that is over,
read off its curve, by the present weights; then APPARENT_COLUMNS."""

_FIGURES = 8 + 2 * len(EMOTIONS) + 4
"""Numbers of a row up to those of age and gender."""
_SMOOTHED = slice(_FIGURES - 4 - len(EMOTIONS), _FIGURES - 4)
_READINGS = slice(_FIGURES - 4, _FIGURES)
_NUMBERS = _FIGURES + len(("age", "age_first", "age_last", *GENDERS))
CHUNK_ROWS = 2048
MAX_DRAWN = 8
"""Most people with a curve of their own in the picture."""
MAX_ROWS = 200_000
"""Rows that a session keeps in memory, 24 MB: two hours of one face at 25 frames a second."""


def frame_values(moment: Moment) -> np.ndarray:
    """The numbers of FRAME_COLUMNS, those that do not follow from others, of one frame: float64 (faces, columns). Where age
    and gender were not asked for in this frame, theirs are NaN."""
    rows = [
        [
            *(
                moment.seconds,
                face.id,
                *face.measured.detection.box,
                face.measured.detection.score,
                _issue_bits(face.measured),
            ),
            *face.measured.consensus,
            *face.smoothed.consensus,
            *(moment.readings[face.id].index, moment.readings[face.id].deviation),
            *(moment.room.index, moment.room.deviation),
            *_apparent_numbers(face),
        ]
        for face in moment.people
    ]
    return np.array(rows, np.float64).reshape(len(rows), _NUMBERS)


def _issue_bits(face: Face) -> int:
    """The issues of a face as one number: bit n is that of ISSUES[n]."""
    return sum(1 << number for number, issue in enumerate(ISSUES) if issue in face.issues)


def _apparent_numbers(person: TrackedFace) -> list[float]:
    # Averages stay after it was switched off; they are not to be told then.
    age = gender = [math.nan] * 3
    if person.measured.age_distribution is not None:
        age = [person.smoothed.age, *person.smoothed.age_range]
    if person.measured.gender is not None:
        gender = person.smoothed.gender
    return [*age, *gender[: len(GENDERS)]]


def csv_lines(rows: np.ndarray) -> str:
    """Rows of `frame_values` as text, without the header."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for values in rows.tolist():
        smoothed = values[_SMOOTHED]
        leading = max(smoothed)
        issues = " ".join(issue for number, issue in enumerate(ISSUES) if int(values[7]) >> number & 1)
        words = [EMOTIONS[smoothed.index(leading)], leading >= NOT_SURE, issues]
        numbers = [f"{values[0]:.3f}", int(values[1]), *(f"{value:.1f}" for value in values[2:6]), f"{values[6]:.4f}"]
        figures = [f"{value:.5f}" for value in values[8:_FIGURES]]
        writer.writerow(numbers + words + figures + _apparent_texts(*values[_FIGURES:]))
    return text.getvalue()


def _apparent_texts(age: float, first: float, last: float, *gender: float) -> list:
    years, genders = [None] * 4, [None] * (2 + len(GENDERS))
    if not math.isnan(age):
        years = [f"{age:.1f}", int(first), int(last), last - first <= WIDEST_AGE_RANGE]
    if not math.isnan(gender[0]):
        genders = [
            GENDERS[gender.index(max(gender))],
            max(gender) >= GENDER_SURE,
            *(f"{value:.5f}" for value in gender),
        ]
    return years + genders


class FrameTable:
    """The rows of a session in memory, at most MAX_ROWS of them: the oldest go first.

    Attributes:
        dropped: rows that are no longer kept.
    """

    def __init__(self) -> None:
        self._chunks: list[np.ndarray] = []
        self._used = CHUNK_ROWS
        self.dropped = 0

    def __len__(self) -> int:
        return max(len(self._chunks) - 1, 0) * CHUNK_ROWS + (self._used if self._chunks else 0)

    def add(self, rows: np.ndarray) -> None:
        """Keep what `frame_values` made of a frame."""
        for row in rows:
            if self._used == CHUNK_ROWS:
                self._chunks.append(np.empty((CHUNK_ROWS, _NUMBERS), np.float32))
                self._used = 0
                if len(self._chunks) * CHUNK_ROWS > MAX_ROWS:
                    self._chunks.pop(0)
                    self.dropped += CHUNK_ROWS
            self._chunks[-1][self._used] = row
            self._used += 1

    def csv(self, curves: Mapping[int, np.ndarray] | None = None) -> Iterator[str]:
        """The file in parts: a header of FRAME_COLUMNS and all rows that are there at the call, whatever is added later; with the
        figures of `Timeline.curves` where those are given."""
        parts = [
            chunk[: self._used] if number == len(self._chunks) else chunk
            for number, chunk in enumerate(self._chunks, 1)
        ]
        if curves is not None and parts:
            seconds, people = (np.concatenate([part[:, place] for part in parts]) for place in (0, 1))
            readings = np.concatenate([part[:, _READINGS][:, :2] for part in parts])
            figures = read_off(curves, seconds, people, readings)
            parts = map(_with_readings, parts, np.split(figures, range(CHUNK_ROWS, len(figures), CHUNK_ROWS)))
        return itertools.chain([",".join(FRAME_COLUMNS) + "\n"], map(csv_lines, parts))


def _with_readings(rows: np.ndarray, figures: np.ndarray) -> np.ndarray:
    rows = rows.copy()
    rows[:, _READINGS] = figures
    return rows


FIGURE_WORDS = {
    "title": "Satisfaction",
    "summary": "Satisfaction: mean {mean}, highest {highest}, end {end}; {positive}% positive, {neutral}% neutral, "
    "{negative}% negative",
    "person": "person {id}",
    "room": "room, with its standard deviation",
    "index": "index",
    "seconds": "seconds",
    "dwell": "For how long each emotion led",
    "seconds_together": "seconds, of all people together",
    "length": "{seconds} s",
    "decimal_mark": ".",
    **{name: name for name in (*EMOTIONS, NOT_SURE_KEY)},
}
"""What `figure_png` writes into the picture; the places in braces are filled."""


def figure_png(report: Mapping, words: Mapping[str, str] = FIGURE_WORDS) -> bytes:
    """A session's report as a picture: the curve of the room with its band and markers, everybody's curves, and for how
    long each emotion led.

    Args:
        report: from `inference.satisfaction.Timeline.report`.
        words: what to write, by the keys of FIGURE_WORDS.

    Returns:
        A PNG file, 1500 x 1000 pixels.
    """
    from matplotlib.figure import Figure  # half a second, which only those who want a picture should wait

    def written(value: float, form: str) -> str:
        return f"{value:{form}}".replace(".", words["decimal_mark"])

    figure = Figure(figsize=(10, 20 / 3), dpi=150, layout="constrained")
    curve_axes, dwell_axes = figure.subplots(2, 1, height_ratios=(3, 2))
    curve, room = report["curve"], report["room"]
    gap = 2.5 * np.median(np.diff([point["seconds"] for point in curve])) if len(curve) > 1 else 2.5
    for person, stroke in zip(report["people"][:MAX_DRAWN], itertools.cycle(("-", "--", ":", "-."))):
        points = [
            (point["seconds"], point["people"][str(person["id"])][0])
            for point in curve
            if str(person["id"]) in point["people"]
        ]
        label = words["person"].format(id=person["id"])
        curve_axes.plot(*_with_gaps(points, gap), linewidth=1, linestyle=stroke, alpha=0.8, label=label)
    seconds, index = _with_gaps([(point["seconds"], point["room"][0]) for point in curve], gap)
    _, deviation = _with_gaps([(point["seconds"], point["room"][1]) for point in curve], gap)
    curve_axes.fill_between(seconds, index - deviation, index + deviation, color="0.5", alpha=0.25, linewidth=0)
    curve_axes.plot(seconds, index, color="0.15", linewidth=2, label=words["room"])
    for limit in (-NEUTRAL_ZONE, NEUTRAL_ZONE):
        curve_axes.axhline(limit, color="0.6", linewidth=0.8, linestyle=":")
    for marker in report["markers"]:
        curve_axes.axvline(marker["seconds"], color="tab:red", linewidth=1)
        # Not as mathematics, which a dollar sign would begin.
        label = marker["label"].replace("$", r"\$")
        curve_axes.text(marker["seconds"], 0.98, f" {label}", rotation=90, va="top", fontsize=8, color="tab:red")
    title = words["title"]
    if room["mean"] is not None:
        indices = {"mean": room["mean"], "highest": room["highest"]["index"], "end": room["end"]}
        shares = {name: f"{100 * room[name]:.0f}" for name in ("positive", "neutral", "negative")}
        title = words["summary"].format(**{name: written(value, "+.2f") for name, value in indices.items()}, **shares)
    curve_axes.set(ylim=(-1, 1), xlabel=words["seconds"], ylabel=words["index"], title=title)
    if curve:
        curve_axes.legend(loc="lower left", fontsize=8, ncols=3)
    names = [*EMOTIONS, NOT_SURE_KEY]
    lengths = [room["dwell"][name] for name in names]
    bars = dwell_axes.barh([words[name] for name in names], lengths, color="tab:orange")
    labels = [words["length"].format(seconds=written(length, ".1f")) for length in lengths]
    dwell_axes.bar_label(bars, labels=labels, padding=3)
    dwell_axes.invert_yaxis()
    dwell_axes.margins(x=0.12)
    dwell_axes.set(xlabel=words["seconds_together"], title=words["dwell"])
    for axis in (curve_axes.xaxis, curve_axes.yaxis, dwell_axes.xaxis):
        axis.set_major_formatter(lambda value, _: written(value, "g"))
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _with_gaps(points: list[tuple[float, float]], gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (x, y) as two arrays, broken by a NaN wherever nothing was seen for longer than `gap`."""
    x, y = np.array(points, np.float64).reshape(-1, 2).T
    breaks = np.flatnonzero(np.diff(x) > gap) + 1
    return np.insert(x, breaks, np.nan), np.insert(y, breaks, np.nan)
