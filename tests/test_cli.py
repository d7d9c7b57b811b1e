"""`python -m inference` as a person uses it."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.report import CsvReport
from inference.run import summary
from inference.satisfaction import Timeline
from inference.stream import Moment
from inference.tables import NAMES
from inference.tracker import TrackedFace
from inference.types import AGES, EMOTIONS, Analysis, Detection, Face

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture
def album(tmp_path) -> Path:
    """A folder with a smile, a cat, a broken file, a text that is no photo, and a copy of the smile further down."""
    album = tmp_path / "album"
    (album / "deep" / "er").mkdir(parents=True)
    shutil.copy(EXAMPLES / "astronaut.jpg", album / "a smile.jpg")
    shutil.copy(EXAMPLES / "cat.jpg", album / "cat.JPG")
    (album / "broken.jpg").write_bytes((EXAMPLES / "astronaut.jpg").read_bytes()[:9000])
    (album / "notes.txt").write_text("not a photo")
    Image.open(EXAMPLES / "astronaut.jpg").save(album / "deep" / "er" / "smile.png")
    return album


def test_folder_with_a_broken_file(run, album, tmp_path):
    paths = {name: tmp_path / f"faces.{name}" for name in ("json", "csv")}
    result = run("inference", album, "--json", paths["json"], "--csv", paths["csv"], "--annotate", tmp_path / "boxes")
    assert result.returncode == 1
    assert "broken.jpg" in result.stderr and "1 of 4 files" in result.stderr and "Traceback" not in result.stderr
    assert "a smile.jpg: 1 happy" in result.stdout and "cat.JPG: no face found" in result.stdout

    entries = {Path(entry["file"]).name: entry for entry in json.loads(paths["json"].read_text())}
    assert set(entries) == {"a smile.jpg", "cat.JPG", "broken.jpg", "smile.png"}
    assert "damaged" in entries["broken.jpg"]["error"] and entries["cat.JPG"]["faces"] == []
    (face,) = entries["a smile.jpg"]["faces"]
    assert face["emotion"] == face["shown"] == "happy" and set(face["probabilities"]) == set(EMOTIONS)

    with open(paths["csv"], newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == NAMES and len(rows) == 4
    by_name = {Path(row["file"]).name: row for row in rows}
    row = by_name["a smile.jpg"]
    assert [float(row[name]) for name in ("x1", "y1", "x2", "y2")] == pytest.approx(face["box"], abs=0.5)
    assert (row["faces"], row["face"], row["shown"], row["search"]) == ("1", "1", "happy", face["search"])
    for name, field, label in (("fer_happy", "probabilities", "happy"), ("happy", "consensus", "happy")):
        assert float(row[name]) == pytest.approx(face[field][label], abs=1e-5)
    assert float(row["crowd_happiness"]) == pytest.approx(face["crowd"]["happiness"], abs=1e-5)
    # A photo without a face and a file that cannot be read have a row that says so, and no more.
    for name, said in (("cat.JPG", {"faces": "0"}), ("broken.jpg", {"error": by_name["broken.jpg"]["error"]})):
        assert {key: value for key, value in by_name[name].items() if value and key != "file"} == said
    assert "damaged" in by_name["broken.jpg"]["error"]

    boxes = sorted(path.relative_to(tmp_path / "boxes").as_posix() for path in (tmp_path / "boxes").rglob("*.*"))
    assert boxes == ["album/a smile.jpg", "album/cat.JPG.jpg", "album/deep/er/smile.png.jpg"]
    with Image.open(tmp_path / "boxes" / "album" / "a smile.jpg") as annotated:
        assert annotated.size == (512, 512)


def analysis(*faces: Face) -> Analysis:
    return Analysis(100, 100, list(faces), "CPUExecutionProvider", 1.0, 1.0)


def face_saying(probabilities, crowd=None) -> Face:
    detection = Detection((0, 0, 90, 90), 0.9, (30, 40), (60, 40))
    crowd = None if crowd is None else np.array(crowd)
    return Face(detection, np.zeros((48, 48), np.uint8), np.array(probabilities), crowd)


def test_line_of_a_photo_tells_the_consensus_and_doubts():
    sad_or_happy = face_saying([0, 0, 0, 0.45, 0.55, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0])
    unsure = face_saying([0.4, 0.3, 0.3, 0, 0, 0, 0])
    assert summary(analysis(sad_or_happy, unsure)) == "1 happy 54%, 2 angry 40% (not sure)"


@pytest.mark.parametrize("decimal_comma", [False, True])
def test_a_video_that_is_over_has_its_finished_curve_in_the_table(tmp_path, monkeypatch, decimal_comma):
    """In rows of the same length, whole frames at a time; what went before and comes after stays."""
    monkeypatch.setattr("inference.report.CHUNK_ROWS", 7)
    report = CsvReport(tmp_path / "faces.csv", decimal_comma)
    names = ('a "clip",\nof two.mp4', "=\udcff.mp4")
    timelines, lengths = [], []
    report.add("photo.jpg", analysis(face_saying([1, 0, 0, 0, 0, 0, 0])))
    for name in names:
        timeline = Timeline()
        for number in range(50):
            distribution = [0, 0, 0, 1, 0, 0, 0] if number < 25 else [0, 0, 0, 0, 1, 0, 0]
            faces = [face_saying(distribution), face_saying(distribution[::-1])][: min(number % 4, 2)]
            people = [TrackedFace(id_, face, face, 1.0) for id_, face in enumerate(faces, 1)]
            report.add_moment(name, Moment(number / 10, people, *timeline.add(number / 10, people)))
        timeline.finished = True
        lengths.append((tmp_path / "faces.csv").stat().st_size)
        report.end_video(timeline)
        timelines.append(timeline)
        assert (tmp_path / "faces.csv").stat().st_size == lengths[-1]
    report.add("photo.jpg", analysis(face_saying([1, 0, 0, 0, 0, 0, 0])))
    report.end_video(Timeline())  # of a video that had no face
    report.close()
    text = (tmp_path / "faces.csv").read_text("utf-8-sig")
    text = text.replace(",", ".") if decimal_comma else text
    first, *rows, last = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if decimal_comma else ",")
    assert first == last and first["fer_emotion"] == "angry" and len(rows) == 2 * 74
    for number, (timeline, part) in enumerate(zip(timelines, (rows[:74], rows[74:]))):
        assert {row["file"] for row in part} == [
            {names[0].replace(",", "." if decimal_comma else ",")},
            {"./=\\udcff.mp4"},
        ][number]
        curves = timeline.curves()
        assert [row["seconds"] for row in part if row["faces"] == "0"] == [
            f"{number / 10:.3f}" for number in range(0, 50, 4)
        ]
        for row in part:
            if row["faces"] == "0":
                assert row["person"] == row["index"] == row["index_room"] == ""
                continue
            seconds, index, deviation = curves[int(row["person"])]
            assert float(row["index"]) == pytest.approx(np.interp(float(row["seconds"]), seconds, index), abs=5e-5)
            assert float(row["index_deviation"]) == pytest.approx(
                np.interp(float(row["seconds"]), seconds, deviation), abs=5e-5
            )
            here = [float(other["index"]) for other in part if other["seconds"] == row["seconds"]]
            assert float(row["index_room"]) == pytest.approx(np.mean(here), abs=1.1e-4)


def test_line_of_a_photo_tells_apparent_age_and_gender():
    years = np.eye(AGES)[31:39].mean(axis=0)
    asked = replace(face_saying(np.eye(7)[3]), age_distribution=years, gender=np.array([0.87, 0.13]))
    line = summary(analysis(asked, face_saying(np.eye(7)[3])))
    assert line == "1 happy 100%; apparent age 31 to 38; apparent gender: woman 0.87, 2 happy 100%"


def test_age_and_gender_only_where_asked_for(run, tmp_path):
    plain = run("inference", EXAMPLES / "astronaut.jpg", "--json", tmp_path / "plain.json")
    asked = run("inference", EXAMPLES / "astronaut.jpg", "--age-gender", "--json", tmp_path / "asked.json")
    assert "apparent" not in plain.stdout and "apparent age" in asked.stdout and "apparent gender" in asked.stdout
    faces = [json.loads((tmp_path / f"{name}.json").read_text())[0]["faces"][0] for name in ("plain", "asked")]
    assert set(faces[1]) - set(faces[0]) == {
        *("age", "age_range", "age_sure", "age_distribution", "apparent_gender", "gender_sure", "gender"),
    }


def test_single_photo_prints_its_answer_and_no_more(run):
    result = run("inference", EXAMPLES / "astronaut.jpg")
    assert result.returncode == 0 and "1 happy" in result.stdout
    assert result.stderr == ""


def test_copies_of_photos_with_the_same_name_do_not_overwrite_one_another(run, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(EXAMPLES / "astronaut.jpg", tmp_path / name / "photo.jpg")
    sources = [tmp_path / "one" / "photo.jpg", tmp_path / "two" / "photo.jpg"]
    assert run("inference", *sources, "--annotate", tmp_path / "boxes").returncode == 0
    assert sorted(path.name for path in (tmp_path / "boxes").iterdir()) == ["photo.jpg", "photo_2.jpg"]


def test_heic_and_avif_in_a_folder(run, tmp_path):
    """Upside down in the file, with the sign to turn it."""
    exif = Image.Exif()
    exif[274] = 3
    upside_down = Image.open(EXAMPLES / "astronaut.jpg").rotate(180)
    for name, format in (("one.HEIC", "HEIF"), ("two.heif", "HEIF"), ("three.avif", "AVIF")):
        upside_down.save(tmp_path / name, format, exif=exif.tobytes(), quality=90)
    result = run("inference", tmp_path)
    assert result.returncode == 0 and result.stdout.count(": 1 happy") == 3


def test_what_is_no_file_is_not_opened(command, tmp_path):
    for name in ("pipe.jpg", "pipe.mp4"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "again").symlink_to(tmp_path)
    shutil.copy(EXAMPLES / "astronaut.jpg", tmp_path / "photo.jpg")
    named = [tmp_path / "pipe.jpg", tmp_path / "pipe.mp4", tmp_path / "loop.jpg", "/dev/zero", tmp_path]
    arguments = command("inference", *named, "--annotate", tmp_path / "boxes")
    result = subprocess.run(**arguments, capture_output=True, timeout=120)
    assert result.returncode == 1 and result.stderr.count("not read: cannot be read (") == 4
    assert (
        "4 of 5 files" in result.stderr and "photo.jpg: 1 happy" in result.stdout and "Traceback" not in result.stderr
    )


def test_names_that_are_no_plain_text(run, tmp_path):
    """Line breaks, commands to a terminal, and bytes that are no UTF-8: shown harmlessly, and the tables name the files."""
    album = tmp_path / "album"
    album.mkdir()
    names = [b"two\nlines.jpg", b"clear\x1b[2J.jpg", b"latin \xfc.jpg", "Gr\u00fc\u00dfe.jpg".encode()]
    for name in names:
        shutil.copy(EXAMPLES / "astronaut.jpg", os.fsencode(album) + b"/" + name)
    (album / "broken\n.jpg").write_bytes(b"text")
    table, entries = tmp_path / "faces.csv", tmp_path / "faces.json"
    result = run("inference", album, "--csv", table, "--json", entries, "--annotate", tmp_path / "boxes")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 4 and all(": 1 happy" in line for line in lines) and "\x1b" not in result.stdout
    for shown in ("two\\nlines.jpg", "clear\\x1b[2J.jpg", "latin \\udcfc.jpg", "Gr\u00fc\u00dfe.jpg"):
        assert any(f"{shown}: " in line for line in lines)
    assert "broken\\n.jpg: not read: This is not a photo" in result.stderr
    with open(table, newline="", encoding="utf-8") as file:
        files = {Path(row["file"]).name for row in csv.DictReader(file)}
    assert files == {"two\nlines.jpg", "clear\x1b[2J.jpg", "latin \\udcfc.jpg", "Gr\u00fc\u00dfe.jpg", "broken\n.jpg"}
    assert {os.fsencode(Path(entry["file"]).name) for entry in json.loads(entries.read_text())} == {
        *names,
        b"broken\n.jpg",
    }


@pytest.fixture
def plain(album) -> Path:
    """The cat's place in the album taken by a picture that is one grey."""
    Image.new("RGB", (320, 240), "gray").save(album / "cat.JPG", "JPEG")
    return album / "cat.JPG"


def test_a_run_ends_with_what_was_done(run, album, plain, tmp_path):
    (tmp_path / "empty").mkdir()
    shutil.copy(plain, tmp_path / "plain.jpg")
    arguments = ("inference", album, tmp_path / "empty", tmp_path / "plain.jpg")
    result = run(*arguments)
    assert result.returncode == 1 and f"{tmp_path / 'empty'}: no photo or video in it." in result.stderr.splitlines()
    totals = "4 photos, 2 faces, 0 videos, 1 failed"
    assert result.stderr.splitlines()[-1].startswith(f"{totals}: 1 of 5 files could not be read")
    (album / "broken.jpg").unlink()
    result = run(*arguments)
    assert result.returncode == 0 and result.stderr.splitlines()[-1] == "4 photos, 2 faces, 0 videos, 0 failed"


def test_a_file_is_read_once_however_often_it_is_named(run, tmp_path):
    photo = shutil.copy(EXAMPLES / "astronaut.jpg", tmp_path)
    result = run("inference", photo, tmp_path, photo, tmp_path, "--annotate", tmp_path / "boxes")
    assert result.returncode == 0 and result.stdout.count(": 1 happy") == 1 and "1 photo, " not in result.stderr
    assert [path.name for path in (tmp_path / "boxes").iterdir()] == ["astronaut.jpg"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp1254", "iso-8859-9"])
def test_a_name_that_the_terminal_cannot_write_is_written_otherwise(command, tmp_path, encoding):
    names = ["\u0131\u015f\u0131k.jpg", "smile \U0001f600.jpg", "\u7b11.jpg", "plain.jpg"]
    for name in names:
        shutil.copy(EXAMPLES / "astronaut.jpg", tmp_path / name)
    arguments = {**command("inference", tmp_path, PYTHONIOENCODING=encoding), "encoding": encoding}
    result = subprocess.run(**arguments, capture_output=True)
    assert result.returncode == 0 and result.stdout.count(": 1 happy") == 4 and "Traceback" not in result.stderr
    for name in names:
        assert f"{tmp_path}{os.sep}{name.encode(encoding, 'backslashreplace').decode(encoding)}: " in result.stdout


def test_names_under_a_locale_of_ascii_alone(command, tmp_path):
    for name in (b"latin \xfc.jpg", "Gr\u00fc\u00dfe.jpg".encode()):
        shutil.copy(EXAMPLES / "astronaut.jpg", os.fsencode(tmp_path) + b"/" + name)
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    arguments = command("inference", tmp_path, "--annotate", tmp_path / "boxes", **environment)
    result = subprocess.run(**arguments, capture_output=True)
    assert result.returncode == 0 and result.stdout.count(": 1 happy") == 2 and "Traceback" not in result.stderr
    copies = os.listdir(os.fsencode(tmp_path / "boxes" / tmp_path.name))
    assert set(copies) == {b"latin \xfc.jpg", "Gr\u00fc\u00dfe.jpg".encode()}


def test_one_bad_name_is_told_and_the_rest_is_done(run, tmp_path):
    album = tmp_path / "album"
    (album / "sub").mkdir(parents=True)
    shutil.copy(EXAMPLES / "astronaut.jpg", album / "good.jpg")
    (album / "broken.jpg").symlink_to("nowhere.jpg")
    (album / "loop.png").symlink_to("loop.png")
    (album / "again").symlink_to(".")
    (album / "._good.jpg").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    (album / "sub" / "._real.jpg").write_bytes((EXAMPLES / "astronaut.jpg").read_bytes())
    long = f"{'a' * 300}.jpg"
    result = run("inference", long, "a/" * 2500 + "b.jpg", album, "--json", tmp_path / "faces.json")
    assert result.returncode == 1 and "Traceback" not in result.stderr and result.stdout.count(": 1 happy") == 2
    lines = result.stderr.splitlines()
    assert f"{long}: not read: cannot be read (File name too long)." in lines
    assert f"{album / 'broken.jpg'}: not read: no such file." in lines
    assert f"{album / 'loop.png'}: not read: cannot be read (Too many levels of symbolic links)." in lines
    assert any(line.startswith(f"{album / 'again'}: a link to a folder is not followed") for line in lines)
    assert any(line.startswith(f"{album}: left out") and line.endswith(" ._good.jpg.") for line in lines)
    assert lines[-1].startswith("2 photos, 2 faces, 0 videos, 4 failed: 4 of 6 files")
    entries = {entry["file"]: entry for entry in json.loads((tmp_path / "faces.json").read_text())}
    assert len(entries) == 6 and "too long" in entries[long]["error"]


def test_a_folder_without_permission_is_told_and_the_rest_is_done(command, album, plain, tmp_path):
    if shutil.which("setpriv") is None and os.getuid() == 0:
        pytest.skip("needs setpriv (util-linux), or not to be root")
    (album / "deep" / "er").chmod(0)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"] if os.getuid() == 0 else []
    arguments = command("inference", album)
    try:
        result = subprocess.run(**{**arguments, "args": [*drop, *arguments["args"]]}, capture_output=True)
    finally:
        (album / "deep" / "er").chmod(0o755)
    if "setpriv" in result.stderr:
        pytest.skip("setpriv may not take privileges away here")
    assert result.returncode == 1
    assert f"{album / 'deep' / 'er'}: not read: cannot be read (Permission denied)." in result.stderr.splitlines()
    assert "2 photos, 1 face, 0 videos, 2 failed" in result.stderr and "a smile.jpg: 1 happy" in result.stdout


def test_a_copy_whose_name_the_disk_does_not_take_is_told_and_the_rest_is_done(run, album, plain, tmp_path):
    shutil.copy(EXAMPLES / "astronaut.jpg", album / f"{'x' * 250}.JPG")
    result = run("inference", album, "--annotate", tmp_path / "boxes", "--csv", tmp_path / "faces.csv")
    assert result.returncode == 1 and result.stdout.count(": 1 happy") == 3
    assert any(
        "x: no annotated copy: " in line.replace(".JPG", "") and line.endswith("(File name too long).")
        for line in result.stderr.splitlines()
    )
    assert "4 photos, 3 faces, 0 videos, 2 failed" in result.stderr
    assert (tmp_path / "faces.csv").read_text().count("x.JPG,,1,1,") == 1
    assert len([path for path in (tmp_path / "boxes").rglob("*") if path.is_file()]) == 3


def test_copies_are_apart_also_where_upper_and_lower_case_are_one(run, tmp_path):
    for folder, name in (("one", "Photo.jpg"), ("two", "photo.jpg"), ("Two", "PHOTO.jpg")):
        (tmp_path / folder).mkdir()
        shutil.copy(EXAMPLES / "astronaut.jpg", tmp_path / folder / name)
    sources = [tmp_path / "one" / "Photo.jpg", tmp_path / "two" / "photo.jpg", tmp_path / "Two" / "PHOTO.jpg"]
    assert run("inference", *sources, "--annotate", tmp_path / "boxes").returncode == 0
    names = [path.name for path in (tmp_path / "boxes").iterdir()]
    assert sorted(names) == ["PHOTO_3.jpg", "Photo.jpg", "photo_2.jpg"]


def test_missing_file_and_empty_folder(run, tmp_path):
    missing = run("inference", tmp_path / "nowhere.jpg", EXAMPLES / "astronaut.jpg")
    assert missing.returncode == 1 and "nowhere.jpg: not read: no such file" in missing.stderr
    assert "1 happy" in missing.stdout
    empty = run("inference", tmp_path)
    assert empty.returncode == 1 and "no photo or video in" in empty.stderr and "Traceback" not in empty.stderr


def test_results_that_cannot_be_written(run, tmp_path):
    result = run("inference", EXAMPLES / "astronaut.jpg", "--json", tmp_path / "no" / "such" / "folder.json")
    assert result.returncode == 1 and "folder.json" in result.stderr and "Traceback" not in result.stderr
    (tmp_path / "file").write_text("in the way")
    result = run("inference", EXAMPLES / "astronaut.jpg", "--annotate", tmp_path / "file")
    assert result.returncode == 1 and "cannot write" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_nothing_written_is_lost(interrupt, tmp_path, kill):
    album = tmp_path / "many"
    album.mkdir()
    for number in range(400):
        (album / f"{number:03}.jpg").symlink_to(EXAMPLES / "astronaut.jpg")
    target, table = tmp_path / "faces.json", tmp_path / "faces.csv"
    status, stderr = interrupt(kill, table, 6, album, "--json", target)
    entries = json.loads(target.read_text())
    assert 5 <= len(entries) < 400
    assert abs(len(entries) - (table.read_text().count("\n") - 1)) <= 1
    if kill == signal.SIGINT:
        assert status in (130, -signal.SIGINT) and "Traceback" not in stderr
