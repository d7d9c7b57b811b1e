"""The one table: the same columns with the same meaning of photos, videos and sessions, for programs and for spreadsheets."""

import csv
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pandas
import pytest

from inference import tables
from inference.satisfaction import VALENCE, Reading, Timeline
from inference.stream import Moment
from inference.tables import (
    AGE_GENDER,
    COLUMNS,
    INDEX,
    NAMES,
    SMOOTHED,
    FrameTable,
    columns,
    csv_header,
    csv_lines,
    failed_row,
    moment_rows,
    photo_rows,
)
from inference.tracker import TrackedFace
from inference.types import AGES, CROWD, EMOTIONS, Analysis, Detection, Face, Quality

DATA = Path(__file__).resolve().parent.parent / "docs" / "data.md"
HAPPY = np.eye(7)[EMOTIONS.index("happy")]
OVER_TIME = ("seconds", "person", "smoothed_shown", "smoothed_sure", *SMOOTHED, *INDEX)


def face_saying(probabilities, crowd=None, **more) -> Face:
    detection = Detection((10.26, 0, 90, 95.5), 0.9, (30, 40), (60, 40), search="yunet")
    crowd = None if crowd is None else np.array(crowd)
    return Face(detection, np.zeros((48, 48), np.uint8), np.array(probabilities, np.float64), crowd, **more)


def analysis(*faces: Face) -> Analysis:
    return Analysis(100, 100, list(faces), "CPUExecutionProvider", 1.0, 1.0)


def one_row(table: dict[str, list], row: int = 0) -> dict:
    """What stands in a row, without what is empty."""
    return {name: values[row] for name, values in table.items() if values[row] is not None}


def moment_of(timeline: Timeline, seconds: float, faces: dict[int, np.ndarray]) -> Moment:
    """A frame of people who show distributions, by id."""
    people = [TrackedFace(id_, face_saying(shown), face_saying(shown), 1.0) for id_, shown in faces.items()]
    return Moment(seconds, people, *timeline.add(seconds, people))


def rows_of(text: str) -> list[dict]:
    return list(csv.DictReader(StringIO(text, newline="")))


# What a row says


def test_every_column_of_a_photo():
    probabilities, crowd = np.arange(1, 8) / 28, np.array([1, 22, 2, 3, 3, 1, 3, 5]) / 40
    quality = Quality(90, -12.34, None, 3.0, 1.0, 90.0, 30.0, 0.0, 0.0, ("blurred", "cut_off"), 1.0)
    faces = (face_saying(probabilities, crowd, quality=quality), face_saying(HAPPY))
    table = columns(photo_rows(analysis(*faces)), "photo.jpg")
    assert tuple(table) == NAMES and {len(values) for values in table.values()} == {2}
    with_crowd, without = one_row(table), one_row(table, 1)
    assert set(NAMES) - set(with_crowd) == {*OVER_TIME, *AGE_GENDER, "pitch", "error"}
    assert [with_crowd[name] for name in ("file", "faces", "face")] == ["photo.jpg", 2, 1] and without["face"] == 2
    assert [with_crowd[name] for name in ("x1", "y1", "x2", "y2", "score")] == [10.3, 0.0, 90.0, 95.5, 0.9]
    assert (with_crowd["yaw"], with_crowd["roll"], with_crowd["issues"]) == (-12.3, 3.0, "blurred cut_off")
    assert (with_crowd["fer_emotion"], with_crowd["shown"], with_crowd["sure"]) == ("neutral", "happy", False)
    assert (without["shown"], without["sure"], without["search"], without["issues"]) == ("happy", True, "yunet", "")
    fields = faces[0].to_dict()
    for label in EMOTIONS:
        assert with_crowd[f"fer_{label}"] == pytest.approx(fields["probabilities"][label], abs=1e-5)
        assert with_crowd[label] == pytest.approx(fields["consensus"][label], abs=1e-5)
        assert without[label] == without[f"fer_{label}"] == (label == "happy")
    for label in CROWD:
        assert with_crowd[f"crowd_{label}"] == pytest.approx(fields["crowd"][label], abs=1e-5)
        assert f"crowd_{label}" not in without


def test_every_column_of_a_frame():
    crowd = np.array([2, 11, 3, 4, 5, 1, 6, 8]) / 40
    measured, smoothed = face_saying(np.arange(1, 8) / 28, crowd), face_saying([0.1, 0, 0, 0.2, 0.7, 0, 0])
    people = [TrackedFace(7, measured, smoothed, 1.0), TrackedFace(9, smoothed, measured, 1.0)]
    readings = {7: Reading(-0.25, 0.125), 9: Reading(0.5, 0.25)}
    table = columns(moment_rows(Moment(12.3456, people, Reading(0.0625, 0.1), readings)), "clip.mp4")
    first, second = one_row(table), one_row(table, 1)
    assert [first[name] for name in ("file", "seconds", "faces", "face", "person")] == ["clip.mp4", 12.346, 2, 1, 7]
    assert (second["face"], second["person"]) == (2, 9)
    # The face of this frame is described as a photo's is; what is known over time stands beside it.
    photo = one_row(columns(photo_rows(analysis(measured, smoothed)), "clip.mp4"))
    assert {name: value for name, value in first.items() if name not in OVER_TIME} == photo
    assert (first["smoothed_shown"], first["smoothed_sure"], second["smoothed_sure"]) == ("sad", True, False)
    assert [first[name] for name in SMOOTHED] == [0.1, 0, 0, 0.2, 0.7, 0, 0]
    assert [first[name] for name in INDEX] == [-0.25, 0.125, 0.0625, 0.1]


def test_a_picture_without_a_face_and_a_file_that_cannot_be_read_have_a_row_that_says_so():
    assert one_row(columns(photo_rows(analysis()), "cat.jpg")) == {"file": "cat.jpg", "faces": 0}
    assert one_row(columns(moment_rows(Moment(2.5, [], None, {})))) == {"seconds": 2.5, "faces": 0}
    assert one_row(columns(failed_row(), "x.jpg", "It is cut off.")) == {"file": "x.jpg", "error": "It is cut off."}


def test_age_and_gender_of_a_photo_and_of_a_frame():
    """In a stream they are the person's averages, and only where they were asked for in this frame."""
    years = np.eye(AGES)[31:39].mean(axis=0)
    asked, other = (
        face_saying(HAPPY, age_distribution=ages, gender=np.array(gender))
        for ages, gender in ((years, [0.87, 0.13]), (np.eye(AGES)[20:60].mean(axis=0), [0.3, 0.7]))
    )
    said = {"age_first": 31, "age_last": 38, "age_sure": True, "apparent_gender": "female", "gender_sure": True}
    said |= {"age": asked.to_dict()["age"], "gender_female": 0.87, "gender_male": 0.13}
    table = columns(photo_rows(analysis(asked, face_saying(HAPPY))))
    assert {name: one_row(table)[name] for name in AGE_GENDER} == said
    assert not {*one_row(table, 1)} & {*AGE_GENDER}
    reading = Reading(0.5, 0.1)
    people = [TrackedFace(1, other, asked, 1.0), TrackedFace(2, face_saying(HAPPY), asked, 1.0)]
    table = columns(moment_rows(Moment(1.0, people, reading, {1: reading, 2: reading})))
    assert {name: one_row(table)[name] for name in AGE_GENDER} == said
    assert not {*one_row(table, 1)} & {*AGE_GENDER}
    unsure = one_row(columns(photo_rows(analysis(other))))
    assert (unsure["age_sure"], unsure["apparent_gender"], unsure["gender_sure"]) == (False, "male", False)


# How it is written and read


@pytest.fixture
def table() -> dict[str, list]:
    """Faces of two people, with age and gender, and a frame without anybody."""
    timeline = Timeline()
    known = {"age_distribution": np.eye(AGES)[30:40].mean(axis=0), "gender": np.array([0.4, 0.6])}
    face = face_saying([0.05, 0.05, 0.1, 0.5, 0.1, 0.1, 0.1], np.full(8, 0.125), **known)
    people = [TrackedFace(id_, face, face, 1.0) for id_ in (1, 2)]
    moments = [Moment(0.0, people, *timeline.add(0.0, people)), Moment(0.125, [], None, {})]
    return columns(np.concatenate([moment_rows(moment) for moment in moments]), "Gr\u00fc\u00dfe, \u0130zmir; 1.mp4")


@pytest.mark.parametrize("decimal_comma", [False, True])
def test_pandas_reads_every_type(table, decimal_comma):
    text = csv_header(decimal_comma) + csv_lines(table, decimal_comma)
    options = {"sep": ";", "decimal": ",", "encoding": "utf-8-sig"} if decimal_comma else {}
    read = pandas.read_csv(StringIO(text.removeprefix("\ufeff"), newline=""), **options)
    assert tuple(read.columns) == NAMES and len(read) == 3
    assert read["faces"].tolist() == [2, 2, 0] and read["file"].unique().tolist() == [
        "Gr\u00fc\u00dfe, \u0130zmir; 1.mp4"
    ]
    for column in COLUMNS:
        known = read[column.name].dropna()
        assert known.tolist() == pytest.approx([value for value in table[column.name] if value not in (None, "")])
        if column.type in ("number", "integer"):
            assert pandas.api.types.is_numeric_dtype(read[column.name]), column.name
        elif column.type == "yes or no":
            assert {type(value) for value in known} <= {bool}, column.name


def test_a_spreadsheet_whose_decimal_mark_is_a_comma_gets_no_points(table):
    """A German or Turkish one takes 0.125 for a text, 1.234 for a thousand and 1.5 for the first of May."""
    text = csv_header(True) + csv_lines(table, True)
    assert text.startswith("\ufefffile;seconds;faces;")
    numbers = [place for place, column in enumerate(COLUMNS) if column.type == "number"]
    head, *rows = csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";")
    assert {len(row) for row in rows} == {len(NAMES)}
    assert not any("." in row[place] for row in rows for place in numbers) and rows[2][1] == "0,125"
    points = [row for row in csv.reader(StringIO(csv_lines(table), newline=""))]
    assert [[row[place].replace(",", ".") for place in numbers] for row in rows] == [
        [row[place] for place in numbers] for row in points
    ]


@pytest.mark.parametrize("name", ["=1+1.jpg", "+1.jpg", "-1.jpg", "@SUM(A1).jpg", "\t=1.jpg"])
def test_no_name_is_a_formula_in_a_csv(name):
    for file, written in ((name, f"./{name}"), (f"album/{name}", f"album/{name}")):
        table = columns(photo_rows(analysis()), file)
        assert table["file"] == [file]
        assert [row["file"] for row in rows_of(csv_header() + csv_lines(table))] == [written]


def test_the_columns_are_json(table):
    assert json.loads(json.dumps(table, allow_nan=False)) == table


def test_parquet_keeps_types_and_says_what_the_columns_mean(table, tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    parquet.write_table(pyarrow.Table.from_pydict(table, tables.arrow_schema()), tmp_path / "faces.parquet")
    read = parquet.read_table(tmp_path / "faces.parquet")
    assert read.to_pydict() == table
    age = read.schema.field("age")
    assert age.type == pyarrow.float64() and (age.metadata[b"unit"], age.metadata[b"range"]) == (b"years", b"0 to 101")
    assert read.schema.field("sure").type == pyarrow.bool_() and read.schema.field("faces").type == pyarrow.int32()


def test_the_documentation_has_these_columns():
    """`python -m inference.tables` prints them."""
    assert tables.markdown() in DATA.read_text("utf-8")
    assert all(f"`{name}`" in tables.markdown() for name in NAMES)


def test_names_are_unique_and_the_answer_comes_first():
    assert len(set(NAMES)) == len(NAMES)
    assert NAMES[:12] == (
        "file",
        "seconds",
        "faces",
        "face",
        "person",
        "x1",
        "y1",
        "x2",
        "y2",
        "score",
        "search",
        "shown",
    )
    assert NAMES[12:21] == ("sure", "issues", *EMOTIONS)


# The rows of a session


def test_table_curve_and_report_of_a_finished_session_agree():
    timeline, table, rng = Timeline(), FrameTable(), np.random.default_rng(3)
    times = 20 + np.cumsum(rng.choice([0.02, 0.05, 0.1, 0.7], 300) * rng.uniform(0.5, 1.5, 300))
    for number, seconds in enumerate(times):
        ids = [1, 2] if number < 100 or number > 150 else [2] if number != 120 else []
        table.add(moment_rows(moment_of(timeline, seconds, dict(zip(ids, rng.dirichlet(np.full(7, 0.5), 2))))))
    timeline.finished = True
    for weights in (VALENCE, {**dict.fromkeys(EMOTIONS, 0.0), "happy": 1.0, "sad": -1.0}):
        timeline.set_weights(weights)
        report, rows = timeline.report(), rows_of("".join(table.csv(timeline.finished_curves())))
        for id_ in (1, 2):
            own = [row for row in rows if row["person"] == str(id_)]
            line = [
                (point["seconds"], *point["people"][str(id_)])
                for point in report["curve"]
                if str(id_) in point["people"]
            ]
            seconds, *values = np.transpose(line)
            at = [float(row["seconds"]) for row in own]
            for name, value in zip(INDEX, values):
                assert [float(row[name]) for row in own] == pytest.approx(np.interp(at, seconds, value), abs=2e-3)
            index = values[0]
            assert report["people"][id_ - 1]["highest"]["index"] == pytest.approx(index.max(), abs=1e-4)
            assert report["people"][id_ - 1]["end"] == pytest.approx(index[-1], abs=1e-4)
        (nobody,) = [row for row in rows if row["faces"] == "0"]
        assert nobody["index"] == nobody["index_room"] == "" and float(nobody["seconds"]) == pytest.approx(
            times[120], abs=1e-3
        )
        for row in rows:
            here = [float(other["index"]) for other in rows if other["seconds"] == row["seconds"] and other["index"]]
            assert not here or float(row["index_room"]) == pytest.approx(np.mean(here), abs=1.1e-4)
    assert report["smoothed"] and not Timeline().report()["smoothed"]


def test_a_row_for_each_face_of_each_frame_in_parts():
    mixed = (0.9 * HAPPY + 0.1 / 7 + 0.9 * np.eye(7)[EMOTIONS.index("sad")] + 0.1 / 7) / 2
    timeline, table, exact = Timeline(), FrameTable(), []
    for number in range(5000):
        rows = moment_rows(moment_of(timeline, number / 20, {1: HAPPY, 2: mixed} if number % 2 else {1: HAPPY}))
        table.add(rows)
        exact.append(rows)
    parts = list(table.columns())
    assert len(table) == 7500 and [len(part["file"]) for part in parts] == [2048] * 3 + [7500 - 3 * 2048]
    last = one_row(parts[-1], -1)
    assert [last[name] for name in ("seconds", "faces", "face", "person")] == [249.95, 2, 2, 2]
    # What is kept is rounded to single precision.
    exact = columns(np.concatenate(exact))
    for column in COLUMNS:
        ours = [value for part in parts for value in part[column.name]]
        if column.type == "number":
            ours, theirs = (np.array(values, np.float64) for values in (ours, exact[column.name]))
            assert ours == pytest.approx(theirs, abs=2e-3, nan_ok=True), column.name
        else:
            assert ours == exact[column.name], column.name
    assert len(rows_of("".join(table.csv()))) == 7500


def test_a_download_has_the_rows_of_its_beginning():
    timeline, table = Timeline(), FrameTable()
    table.add(moment_rows(moment_of(timeline, 0, {1: HAPPY})))
    text = table.csv()
    table.add(moment_rows(moment_of(timeline, 1, {1: HAPPY})))
    assert len(rows_of("".join(text))) == 1


def test_the_oldest_rows_go_first(monkeypatch):
    monkeypatch.setattr(tables, "MAX_ROWS", 3 * 2048)
    table, row = FrameTable(), moment_rows(Moment(0.0, [], None, {}))
    for number in range(4 * 2048 + 100):
        row[0, 0] = number
        table.add(row)
    seconds = [second for part in table.columns() for second in part["seconds"]]
    assert table.dropped == 2 * 2048 and len(seconds) == len(table) == 2 * 2048 + 100
    assert seconds[0] == 4096 and seconds[-1] == 4 * 2048 + 99
