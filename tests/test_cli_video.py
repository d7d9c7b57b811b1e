"""`python -m inference` on videos: rows against known truth, and what is left of a run or a file that ends early."""

import csv
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from clips import PHOTO, face_at, face_scene, write_face_clip
from inference.tables import NAMES
from inference.types import EMOTIONS
from inference.video import VideoReader

SEED = 35  # of times that stay clear of the limits between tenths of a second, so that rounding decides nothing
TIMES = [number / 25 for number in range(100)]


def read_rows(path: Path) -> list[dict]:
    with open(path, newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames) == NAMES
        return list(reader)


def middle(row: dict) -> np.ndarray:
    return np.array([float(row["x1"]) + float(row["x2"]), float(row["y1"]) + float(row["y2"])]) / 2


def uneven_times() -> list[float]:
    return np.cumsum(np.random.default_rng(SEED).uniform(0.02, 0.1, 80)).tolist()


@pytest.mark.parametrize(
    ("name", "times", "turned"),
    [("steady.mp4", TIMES, False), ("phone.mov", uneven_times(), True), ("uneven.mkv", uneven_times(), False)],
)
def test_rows_against_the_truth(run, tmp_path, name, times, turned):
    clip, table, report = write_face_clip(tmp_path / name, times, turned), tmp_path / "o.csv", tmp_path / "o.json"
    result = run("inference", clip, "--csv", table, "--json", report)
    assert result.returncode == 0, result.stderr
    assert f"{clip}: " in result.stdout and "1 person" in result.stdout and "happy" in result.stdout
    rows = read_rows(table)
    starts = [second - times[0] for second in times]
    taken = [float(row["seconds"]) for row in rows]
    # A row for the first frame in every tenth of a second, at that frame's own time.
    expected = [min(second for second in starts if int((second + 0.001) * 10) == part) for part in
                sorted({int((second + 0.001) * 10) for second in starts})]  # fmt: skip
    assert taken == pytest.approx(expected, abs=0.002)
    for row in rows:
        assert np.abs(middle(row) - face_at(float(row["seconds"]) + times[0])).max() < 4
        assert row["file"] == str(clip) and row["face"] == row["person"] == "1"
        assert row["fer_emotion"] == row["shown"] == row["smoothed_shown"] == "happy" and row["smoothed_sure"] == "TRUE"
        assert sum(float(row[f"smoothed_{label}"]) for label in EMOTIONS) == pytest.approx(1, abs=1e-3)
        assert float(row["index"]) == float(row["index_room"]) > 0.3 and 0 < float(row["index_deviation"]) < 0.5
    (entry,) = json.loads(report.read_text())
    assert entry["file"] == str(clip) and entry["incomplete"] is None and entry["rate"] == 10
    assert (entry["width"], entry["height"]) == (320, 240) and entry["frames"] == len(rows)
    assert entry["duration"] == pytest.approx(starts[-1], abs=0.15)
    (person,) = entry["people"]
    assert person["from"] == 0 and person["to"] == pytest.approx(taken[-1], abs=0.002)
    assert entry["room"]["dwell"]["happy"] == pytest.approx(taken[-1], abs=0.1)
    # The table is read off the report's curve, at every frame.
    points, line = zip(*((point["seconds"], point["people"]["1"]) for point in entry["curve"]))
    for place, name in enumerate(("index", "index_deviation")):
        values = [reading[place] for reading in line]
        assert [float(row[name]) for row in rows] == pytest.approx(np.interp(taken, points, values), abs=1e-3)
    assert entry["smoothed"] and (points[0], points[-1]) == pytest.approx((0, taken[-1]), abs=0.002)


@pytest.mark.parametrize("rate", [1, 25])
def test_people_stay_themselves_at_any_rate(run, tmp_path, rate):
    clip, table = write_face_clip(tmp_path / "clip.mp4", TIMES), tmp_path / "o.csv"
    assert run("inference", clip, "--csv", table, "--rate", rate).returncode == 0
    rows = read_rows(table)
    assert [float(row["seconds"]) for row in rows] == pytest.approx(np.arange(0, 4, 1 / rate), abs=0.001)
    assert {row["person"] for row in rows} == {"1"}


def test_annotated_copy_of_a_video(run, tmp_path):
    times = uneven_times()
    clip, copy = write_face_clip(tmp_path / "clip.mp4", times), tmp_path / "out.mp4"
    assert run("inference", clip, "--annotate", copy, "--rate", 25).returncode == 0
    with VideoReader(clip, rate=25) as source, VideoReader(copy, rate=1000) as annotated:
        frames, copies = list(source), list(annotated)
        assert (annotated.width, annotated.height) == (320, 240)
    assert [frame.seconds for frame in copies] == pytest.approx([frame.seconds for frame in frames], abs=0.001)
    for frame, drawn in zip(frames, copies):
        changed = np.abs(frame.image.astype(int) - drawn.image).max(axis=2) > 60
        rows, columns = np.nonzero(changed)
        x, y = face_at(frame.seconds + times[0])
        # Something was drawn around the face, and nothing far from it.
        assert changed.sum() > 100 and columns.min() < x - 15 and columns.max() > x + 15
        assert x - 60 < columns.min() and columns.max() < x + 60 and rows.max() < y + 60


def test_photos_and_videos_together(run, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    shutil.copy(PHOTO, album / "photo.jpg")
    write_face_clip(album / "clip.mp4", TIMES[:25])
    write_face_clip(album / "clip.mkv", TIMES[:25])
    (album / "broken.mov").write_bytes((album / "clip.mp4").read_bytes()[:3000])
    (album / "script.ts").write_text("const video: number = 1;")
    options = {"--json": tmp_path / "o.json", "--csv": tmp_path / "o.csv", "--annotate": tmp_path / "boxes"}
    result = run("inference", album, *(word for option in options.items() for word in option))
    assert result.returncode == 1 and "1 of 4 files" in result.stderr and "Traceback" not in result.stderr
    assert f"{album / 'broken.mov'}: not read: " in result.stderr and "index is missing" in result.stderr
    entries = {Path(entry["file"]).name: entry for entry in json.loads(options["--json"].read_text())}
    assert set(entries) == {"photo.jpg", "clip.mp4", "clip.mkv", "broken.mov"}
    assert len(entries["photo.jpg"]["faces"]) == 1 and entries["clip.mkv"]["frames"] == 10
    assert "index" in entries["broken.mov"]["error"]
    rows = read_rows(options["--csv"])
    by_file = {name: [row for row in rows if row["file"].endswith(name)] for name in entries}
    assert [len(by_file[name]) for name in ("photo.jpg", "clip.mp4", "clip.mkv", "broken.mov")] == [1, 10, 10, 1]
    (photo,) = by_file["photo.jpg"]
    over_time = ("seconds", "person", *(name for name in NAMES if name.startswith(("smoothed_", "index"))))
    assert photo["shown"] == "happy" and {photo[name] for name in over_time} == {""}
    (broken,) = by_file["broken.mov"]
    assert "index is missing" in broken["error"] and broken["faces"] == ""
    copies = sorted(path.relative_to(tmp_path / "boxes").as_posix() for path in (tmp_path / "boxes").rglob("*.*"))
    assert copies == ["album/clip.mkv.mp4", "album/clip.mp4", "album/photo.jpg"]


def test_contents_count_more_than_names(run, tmp_path):
    shutil.copy(PHOTO, tmp_path / "photo.mp4")
    write_face_clip(tmp_path / "clip.mp4", TIMES[:25]).rename(tmp_path / "clip")
    result = run("inference", tmp_path / "photo.mp4", tmp_path / "clip")
    assert result.returncode == 0, result.stderr
    assert f"{tmp_path / 'photo.mp4'}: 1 happy" in result.stdout and f"{tmp_path / 'clip'}: 10 frames" in result.stdout


def test_a_cut_video_gives_what_it_has(run, tmp_path):
    clip = write_face_clip(tmp_path / "clip.mp4", TIMES, movflags="faststart")
    clip.write_bytes(clip.read_bytes()[: int(clip.stat().st_size * 0.6)])
    table, report, copy = tmp_path / "o.csv", tmp_path / "o.json", tmp_path / "out.mp4"
    result = run("inference", clip, "--csv", table, "--json", report, "--annotate", copy)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith(str(clip))]
    last = float(read_rows(table)[-1]["seconds"])
    assert "not read to its end: The file ends after " in line and "of 4 seconds" in line
    assert 1 < last < 3 and float(line.split("ends after ")[1].split()[0]) == pytest.approx(last, abs=0.1)
    assert "happy" in result.stdout
    (entry,) = json.loads(report.read_text())
    assert entry["incomplete"] in line and entry["people"][0]["to"] == pytest.approx(last)
    with VideoReader(copy) as annotated:
        assert len(list(annotated)) == len(read_rows(table)) and annotated.incomplete is None


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_valid_files(interrupt, tmp_path, kill):
    clip = write_face_clip(tmp_path / "clip.mkv", [number / 25 for number in range(250)])
    table, report = tmp_path / "o.csv", tmp_path / "o.json"
    arguments = (PHOTO, clip, "--json", report, "--annotate", tmp_path / "boxes", "--rate", 25)
    status, stderr = interrupt(kill, table, 150, *arguments)
    rows = read_rows(table)
    assert 140 < len(rows) < 251 and all(row["index_room_deviation"] for row in rows if row["seconds"])
    with VideoReader(tmp_path / "boxes" / "clip.mkv.mp4", rate=25) as copy:
        frames = list(copy)
    entries = json.loads(report.read_text())
    if kill == signal.SIGINT:
        assert status in (130, -signal.SIGINT) and "Traceback" not in stderr and "Interrupted" in stderr
        assert copy.incomplete is None and len(rows) - 1 <= len(frames) <= len(rows)  # one row is the photo's
        assert entries[1]["incomplete"].startswith("Reading was ended after") and entries[1]["frames"] >= len(rows) - 2
    else:
        assert len(entries) == 1 and len(frames) >= 40  # the photo, and all but the last seconds of the copy


def test_wrong_usage(run, tmp_path):
    clip = write_face_clip(tmp_path / "clip.mp4", TIMES[:25])
    content = clip.read_bytes()
    for arguments, says in (
        ((clip, "--rate", "0"), "from 1 to 1000"),
        ((clip, "--rate", "fast"), "--rate"),
        ((clip, PHOTO, "--annotate", tmp_path / "out.mp4"), "one video"),
        ((clip, "--annotate", clip), "would overwrite"),
        ((clip, "--annotate", tmp_path), "would overwrite"),
    ):
        result = run("inference", *arguments)
        assert result.returncode == 2 and says in result.stderr and "Traceback" not in result.stderr
    assert clip.read_bytes() == content
    result = run("inference", clip, "--annotate", tmp_path / "clip.mp4" / "out.mp4")
    assert result.returncode == 1 and "cannot write" in result.stderr and "Traceback" not in result.stderr


def test_the_truth_is_what_the_pictures_show():
    image = face_scene(1)
    x, y = (round(value) for value in face_at(1))
    face = image[y - 20 : y + 20, x - 15 : x + 15].astype(int)
    assert (face[..., 0] > face[..., 2]).mean() > 0.9, "skin is redder than blue"
