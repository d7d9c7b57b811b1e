"""The one table of results: its columns, and rows of it, whoever writes or reads them.

A row is a face of a photo, or of a frame of a video or camera. A photo or frame without a face has a row too, and so has a file
that could not be read. `python -m inference.tables` prints the columns as docs/data.md has them.
"""

import csv
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from io import StringIO

import numpy as np

from .satisfaction import read_off
from .stream import Moment
from .types import (
    AGE_COVERAGE,
    CROWD,
    EMOTIONS,
    GENDER_SURE,
    GENDERS,
    ISSUES,
    NOT_SURE,
    WIDEST_AGE_RANGE,
    Analysis,
    Face,
    consensus,
)

SEARCHES = ("yunet", "short_range")
"""The models that a face may be found by."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes:
        name: the same everywhere.
        type: "text", "yes or no", "integer" or "number".
        range: the values that there may be.
        meaning: in words, with the unit where there is one.
        unit: of a number; "" where it has none.
        form: how a number is written in a CSV, as a format specification; elsewhere it is rounded to as many digits.
    """

    name: str
    type: str
    range: str
    meaning: str
    unit: str = ""
    form: str = ""


def _probabilities(names: Iterable[str], meaning: str) -> list[Column]:
    return [Column(name, "number", "0 to 1", f"{meaning}; they sum to 1", "probability", ".5f") for name in names]


FER, SMOOTHED = (tuple(f"{prefix}_{label}" for label in EMOTIONS) for prefix in ("fer", "smoothed"))
CROWD_NAMES, GENDER_NAMES = tuple(f"crowd_{label}" for label in CROWD), tuple(f"gender_{label}" for label in GENDERS)
BOX, HEAD = ("x1", "y1", "x2", "y2"), ("yaw", "pitch", "roll")
AGE_GENDER = ("age", "age_first", "age_last", "age_sure", "apparent_gender", "gender_sure", *GENDER_NAMES)
INDEX = ("index", "index_deviation", "index_room", "index_room_deviation")

COLUMNS = (
    Column("file", "text", "", "the photo or video, by the name it was given; empty for a session of the page"),
    Column(
        "seconds", "number", "0 and more", "when the frame is, from the first one on; empty for a photo", "s", ".3f"
    ),
    Column(
        "faces", "integer", "0 and more", "how many faces the photo or frame has; with 0 the row tells nothing more"
    ),
    Column("face", "integer", "1 to `faces`", "the face's number in this photo or frame"),
    Column("person", "integer", "1 and more", "whose face it is, in this video or session; empty for a photo"),
    *(
        Column(name, "number", "in the picture", "the face's box: left, top, right and bottom", "pixels", ".1f")
        for name in BOX
    ),
    Column("score", "number", "0 to 1", "the detector's confidence that this is a face", "", ".4f"),
    Column("search", "text", ", ".join(SEARCHES), "the model that the face was found by"),
    Column("shown", "text", "an emotion", "the likeliest of `angry` to `neutral`"),
    Column("sure", "yes or no", "TRUE, FALSE", f"whether the probability of `shown` reaches {NOT_SURE}"),
    Column("issues", "text", ", ".join(ISSUES), "what makes the answer much less often right, with a space between"),
    *_probabilities(EMOTIONS, "what is shown of this photo or frame alone: both answers of the network together"),
    Column("fer_emotion", "text", "an emotion", "the likeliest of `fer_angry` to `fer_neutral`"),
    *_probabilities(FER, "the first answer: what FER-2013's label of this face would be"),
    *_probabilities(CROWD_NAMES, "the second answer: how the answers of ten people would be distributed"),
    Column("smoothed_shown", "text", "an emotion", "the likeliest of `smoothed_angry` to `smoothed_neutral`"),
    Column(
        "smoothed_sure", "yes or no", "TRUE, FALSE", f"whether the probability of `smoothed_shown` reaches {NOT_SURE}"
    ),
    *_probabilities(SMOOTHED, "what is shown of the person, averaged over time (0.3 s); empty for a photo"),
    Column(INDEX[0], "number", "-1 to 1", "the person's satisfaction index; empty for a photo", "", "+.4f"),
    Column(INDEX[1], "number", "0 and more", "standard deviation of `index`", "", ".5f"),
    Column(INDEX[2], "number", "-1 to 1", "the index of the room: the mean of the people in this frame", "", "+.4f"),
    Column(INDEX[3], "number", "0 and more", "standard deviation of `index_room`", "", ".5f"),
    Column("age", "number", "0 to 101", "apparent age, by all that was seen of the person up to here", "years", ".1f"),
    Column(
        "age_first",
        "integer",
        "0 to 100",
        f"first year of the range that holds the age in {AGE_COVERAGE:.0%} of cases",
        "years",
    ),
    Column("age_last", "integer", "0 to 100", "last year of the range that begins with `age_first`", "years"),
    Column(
        "age_sure",
        "yes or no",
        "TRUE, FALSE",
        f"whether `age_last` is at most {WIDEST_AGE_RANGE} years after `age_first`",
    ),
    Column("apparent_gender", "text", ", ".join(GENDERS), "the likelier of `gender_female` and `gender_male`"),
    Column(
        "gender_sure", "yes or no", "TRUE, FALSE", f"whether the probability of `apparent_gender` reaches {GENDER_SURE}"
    ),
    *_probabilities(GENDER_NAMES, "apparent gender, by all that was seen of the person up to here"),
    Column(
        "yaw", "number", "-180 to 180", "where the head turns; positive to the right of the picture", "degrees", ".1f"
    ),
    Column("pitch", "number", "-90 to 90", "positive where the head looks up", "degrees", ".1f"),
    Column("roll", "number", "-180 to 180", "positive where the eye on the right is the lower one", "degrees", ".1f"),
    Column("error", "text", "", "why the file could not be read; the row tells nothing else then"),
)
"""All columns in their order. Each is empty where it is not known, and age and gender are where they were not asked for."""

NAMES = tuple(column.name for column in COLUMNS)

STORED = (
    *("seconds", "faces", "face", "person", *BOX, "score", "search", "issues", *FER, *CROWD_NAMES, *SMOOTHED, *INDEX),
    *("age", "age_first", "age_last", *GENDER_NAMES, *HEAD),
)
"""A row in numbers, NaN where there is none; all columns but `file` and `error` follow from them. `search` is a place in
SEARCHES; bit n of `issues` is ISSUES[n]."""
READINGS = slice(STORED.index(INDEX[0]), STORED.index(INDEX[-1]) + 1)


def photo_rows(result: Analysis) -> np.ndarray:
    """The faces of a photo, or one row that says that there is none: float64 (rows, STORED)."""
    count = len(result.faces)
    rows = [_row(face, face, number, count) for number, face in enumerate(result.faces, start=1)]
    return np.array(rows or [_nothing(faces=0)])


def moment_rows(moment: Moment) -> np.ndarray:
    """The faces of a frame, or one row that says that there is none: float64 (rows, STORED)."""
    rows, count, room = [], len(moment.people), moment.room
    for number, person in enumerate(moment.people, start=1):
        reading = moment.readings[person.id]
        indices = (reading.index, reading.deviation, room.index, room.deviation)
        over_time = dict(zip((*SMOOTHED, *INDEX), (*person.smoothed.consensus, *indices)))
        over_time |= {"seconds": moment.seconds, "person": person.id}
        rows.append(_row(person.measured, person.smoothed, number, count, **over_time))
    return np.array(rows or [_nothing(seconds=moment.seconds, faces=0)])


def failed_row() -> np.ndarray:
    """The row of a file that could not be read."""
    return np.array([_nothing()])


def _nothing(**known: float) -> list[float]:
    return [float(known.get(name, math.nan)) for name in STORED]


def _row(face: Face, smoothed: Face, number: int, count: int, **known: float) -> list[float]:
    known |= {"faces": count, "face": number, "score": face.detection.score}
    known |= zip(BOX, face.detection.box)
    known["search"] = SEARCHES.index(face.detection.search)
    known["issues"] = sum(1 << ISSUES.index(issue) for issue in face.issues)
    known |= zip(FER, face.probabilities)
    if face.crowd is not None:
        known |= zip(CROWD_NAMES, face.crowd)
    # Averages stay after age and gender were switched off; they are not to be told then.
    if face.age_distribution is not None:
        known |= zip(("age", "age_first", "age_last"), (smoothed.age, *smoothed.age_range))
    if face.gender is not None:
        known |= zip(GENDER_NAMES, smoothed.gender)
    if face.quality is not None:
        known |= {name: angle for name in HEAD if (angle := getattr(face.quality, name)) is not None}
    return _nothing(**known)


def columns(rows: np.ndarray, file: str | None = None, error: str | None = None) -> dict[str, list]:
    """Rows of STORED as the columns that COLUMNS describe.

    Returns:
        Lists of str, bool, int or float by name, in order, with None where there is none.
    """
    stored = dict(zip(STORED, rows.T.astype(np.float64)))

    def together(names: Iterable[str]) -> np.ndarray:
        return np.stack([stored[name] for name in names], axis=1)

    fer, crowd = together(FER), together(CROWD_NAMES)
    shown = np.where(np.isnan(crowd[:, :1]), fer, consensus(fer, crowd))
    stored |= zip(EMOTIONS, shown.T)
    found: dict[str, list] = {"file": [file] * len(rows), "error": [error] * len(rows)}
    found["shown"], found["sure"] = _leading(shown, EMOTIONS, NOT_SURE)
    found["fer_emotion"], _ = _leading(fer, EMOTIONS, NOT_SURE)
    found["smoothed_shown"], found["smoothed_sure"] = _leading(together(SMOOTHED), EMOTIONS, NOT_SURE)
    found["apparent_gender"], found["gender_sure"] = _leading(together(GENDER_NAMES), GENDERS, GENDER_SURE)
    found["age_sure"] = _each(stored["age_last"] - stored["age_first"], lambda span: span <= WIDEST_AGE_RANGE)
    found["search"] = _each(stored["search"], lambda place: SEARCHES[int(place)])
    found["issues"] = _each(
        stored["issues"], lambda bits: " ".join(issue for n, issue in enumerate(ISSUES) if int(bits) >> n & 1)
    )
    for column in COLUMNS:
        if column.type == "integer":
            found[column.name] = _each(stored[column.name], int)
        elif column.type == "number":
            found[column.name] = _each(stored[column.name].round(int(column.form[-2])), float)
    return {name: found[name] for name in NAMES}


def _each(values: np.ndarray, say: Callable) -> list:
    return [None if value != value else say(value) for value in values.tolist()]


def _leading(distributions: np.ndarray, labels: tuple[str, ...], least: float) -> tuple[list, list]:
    """The likeliest label of each row (rows, labels), and whether its probability is at least so large."""
    highest, likeliest = distributions.max(axis=1), distributions.argmax(axis=1)
    names = _each(np.where(np.isnan(highest), np.nan, likeliest), lambda place: labels[int(place)])
    return names, _each(highest, lambda probability: probability >= least)


SEPARATORS = (",", ";")
"""Between the cells of a CSV, without and with decimal commas."""


def csv_header(decimal_comma: bool = False) -> str:
    """The first line; see `csv_lines`."""
    return ("\ufeff" if decimal_comma else "") + _csv([NAMES], decimal_comma)


def csv_lines(table: Mapping[str, list], decimal_comma: bool = False) -> str:
    """What `columns` gives as lines of a CSV in UTF-8, without the header.

    A name that a spreadsheet would take for a formula has ./ before it, which names the same file.

    Args:
        table: of COLUMNS.
        decimal_comma: as spreadsheets read it where the decimal mark is a comma: semicolons stand between the cells then, and a
            byte order mark before the header. Otherwise as programs read it, RFC 4180.
    """
    return _csv(zip(*(_cells(column, table[column.name], decimal_comma) for column in COLUMNS)), decimal_comma)


def csv_with_curves(rows: list[list[str]], curves: Mapping[int, np.ndarray], decimal_comma: bool = False) -> str:
    """Cells of `csv_lines` as lines of the same length, with the figures of `Timeline.curves` for those of INDEX.

    Args:
        rows: of whole frames of one video, in order.
    """
    place = NAMES.index(INDEX[0])
    known = [NAMES.index("seconds"), NAMES.index("person"), place, place + 1]
    numbers = [[float(row[at].replace(",", ".") or "nan") for at in known] for row in rows]
    seconds, people, *readings = np.array(numbers, np.float64).reshape(-1, len(known)).T
    figures = read_off(curves, seconds, people, np.stack(readings, axis=1)).T
    new = zip(*(_cells(COLUMNS[place + at], _each(values, float), decimal_comma) for at, values in enumerate(figures)))
    changed = (row[:place] + list(cells) + row[place + len(INDEX) :] for row, cells in zip(rows, new))
    return _csv(changed, decimal_comma)


def _cells(column: Column, values: list, decimal_comma: bool) -> list:
    match column.type:
        case "number":
            texts = ["" if value is None else f"{value:{column.form}}" for value in values]
            return [text.replace(".", ",") for text in texts] if decimal_comma else texts
        case "yes or no":
            return ["" if value is None else str(value).upper() for value in values]
    if column.name == "file":
        return [f"./{name}" if name and name.startswith(("=", "+", "-", "@", "\t", "\r")) else name for name in values]
    return values


def _csv(rows: Iterable[Iterable], decimal_comma: bool) -> str:
    text = StringIO()
    csv.writer(text, delimiter=SEPARATORS[decimal_comma]).writerows(rows)
    return text.getvalue()


CHUNK_ROWS = 2048
MAX_ROWS = 200_000
"""Rows that a session keeps in memory, 36 MB: two hours of one face at 25 frames a second."""


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
        """Keep what `moment_rows` made of a frame, in single precision."""
        for row in rows:
            if self._used == CHUNK_ROWS:
                self._chunks.append(np.empty((CHUNK_ROWS, len(STORED)), np.float32))
                self._used = 0
                if len(self._chunks) * CHUNK_ROWS > MAX_ROWS:
                    self._chunks.pop(0)
                    self.dropped += CHUNK_ROWS
            self._chunks[-1][self._used] = row
            self._used += 1

    def columns(self, curves: Mapping[int, np.ndarray] | None = None) -> Iterator[dict[str, list]]:
        """What `columns` gives, in parts of at most CHUNK_ROWS rows: all rows that are there at the call, whatever is added
        later; with the figures of `Timeline.curves` where those are given."""
        parts = [
            chunk[: self._used] if number == len(self._chunks) else chunk
            for number, chunk in enumerate(self._chunks, 1)
        ]
        if curves is not None and parts:
            seconds, people = (
                np.concatenate([part[:, STORED.index(name)] for part in parts]) for name in ("seconds", "person")
            )
            readings = np.concatenate([part[:, READINGS][:, :2] for part in parts])
            figures = read_off(curves, seconds, people, readings)
            parts = list(map(_with_readings, parts, np.split(figures, range(CHUNK_ROWS, len(figures), CHUNK_ROWS))))
        return map(columns, parts)

    def csv(self, curves: Mapping[int, np.ndarray] | None = None, decimal_comma: bool = False) -> Iterator[str]:
        """The same as a CSV in parts, see `csv_lines`."""
        lines = (csv_lines(part, decimal_comma) for part in self.columns(curves))
        return itertools.chain([csv_header(decimal_comma)], lines)


def with_curves(rows: np.ndarray, curves: Mapping[int, np.ndarray]) -> np.ndarray:
    """Rows of whole frames of one video, in order, with the figures of `Timeline.curves` for those of INDEX."""
    seconds, people = (rows[:, STORED.index(name)] for name in ("seconds", "person"))
    return _with_readings(rows, read_off(curves, seconds, people, rows[:, READINGS][:, :2]))


def _with_readings(rows: np.ndarray, figures: np.ndarray) -> np.ndarray:
    rows = rows.copy()
    rows[:, READINGS] = figures
    return rows


def arrow_schema():
    """COLUMNS as a pyarrow.Schema: `pyarrow.Table.from_pydict(columns(rows), arrow_schema())`. Unit, range and meaning of each
    column are its field's metadata."""
    import pyarrow  # which nothing else needs

    types = {
        "text": pyarrow.string(),
        "yes or no": pyarrow.bool_(),
        "integer": pyarrow.int32(),
        "number": pyarrow.float64(),
    }
    return pyarrow.schema(
        pyarrow.field(
            column.name,
            types[column.type],
            metadata={"unit": column.unit, "range": column.range, "meaning": column.meaning},
        )
        for column in COLUMNS
    )


def markdown() -> str:
    """COLUMNS as a table; neighbours that differ in nothing but their names share a line."""
    lines = ["| column | type | unit | range | what it is |", "|---|---|---|---|---|"]
    for (type_, range_, meaning, unit, _), group in itertools.groupby(COLUMNS, lambda column: astuple(column)[1:]):
        names = " ".join(f"`{column.name}`" for column in group)
        lines.append(f"| {names} | {type_} | {unit} | {range_} | {meaning} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())
