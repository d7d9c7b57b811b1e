"""Many photos: several processes, Parquet in parts, runs that are killed and resumed, blurred copies, and Arrow tables."""

import csv
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow
import pyarrow.dataset
import pyarrow.parquet
import pytest
from PIL import Image

from clips import face_scene, write_clip, write_face_clip
from inference.__main__ import main
from inference.analyzer import FaceAnalyzer
from inference.batch import FACE, AnalyzePhotos
from inference.copies import blur_all
from inference.emotion import EmotionClassifier, live_model
from inference.follow import FaceFollower
from inference.images import ImageError, Photograph, load_image
from inference.model_files import MODELS
from inference.parquet import ParquetReport, files_done, parts, settings
from inference.report import CsvReport
from inference.run import Networks, Run
from inference.tables import NAMES, arrow_schema
from inference.types import Detection
from inference.video import VideoReader
from inference.workers import Job, Photo, Processes, WorkerError, photos_ahead, photos_by_threads, usual_processes

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
FACES = EXAMPLES / "astronaut.jpg"


@pytest.fixture(scope="module")
def analyzer() -> Iterator[FaceAnalyzer]:
    analyzer = FaceAnalyzer()
    yield analyzer
    analyzer.detector.close()


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    """Twelve small photos, a broken one, a video, a photo with a video's name and a video with a photo's."""
    album = tmp_path_factory.mktemp("album")
    photo = Image.open(FACES)
    for number in range(12):
        photo.resize((200 + 8 * number,) * 2).save(album / f"{number:02}.jpg")
    Image.new("RGB", (320, 240), "gray").save(album / "empty.png")
    (album / "broken.jpg").write_bytes(FACES.read_bytes()[:9000])
    write_face_clip(album / "clip.mp4", [number / 10 for number in range(5)])
    shutil.copy(album / "03.jpg", album / "photo.mkv")
    shutil.copy(album / "clip.mp4", album / "video.webp")
    return album


@pytest.fixture(scope="module")
def sequential(run, album, tmp_path_factory) -> Path:
    """What one process writes of the album; shared, so only to be read."""
    out = tmp_path_factory.mktemp("sequential")
    result = run("inference", album, *everything(out))
    assert result.returncode == 1, result.stderr
    (out / "stdout").write_text(result.stdout)
    return out


def everything(out: Path) -> list:
    options = {
        "--csv": "faces.csv",
        "--json": "faces.json",
        "--parquet": "parts",
        "--annotate": "boxes",
        "--blur": "blurred",
    }
    return [word for option, name in options.items() for word in (option, out / name)]


def table(folder: Path) -> pyarrow.Table:
    return pyarrow.dataset.dataset(folder).to_table()


def without_times(path: Path) -> list[dict]:
    entries = json.loads(path.read_text())
    return [{name: value for name, value in entry.items() if "milliseconds" not in name} for entry in entries]


def test_several_processes_write_what_one_does(run, album, sequential, tmp_path):
    result = run("inference", album, *everything(tmp_path), "--workers", 2)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "14 photos, 13 faces, 2 videos, 1 failed: 1 of 17 files" in result.stderr.splitlines()[-1]
    assert result.stdout == (sequential / "stdout").read_text()
    assert (tmp_path / "faces.csv").read_bytes() == (sequential / "faces.csv").read_bytes()
    assert without_times(tmp_path / "faces.json") == without_times(sequential / "faces.json")
    assert table(tmp_path / "parts").equals(table(sequential / "parts"), check_metadata=True)
    for kind in ("boxes", "blurred"):
        copies = [sorted(path for path in (out / kind).rglob("*.jpg")) for out in (tmp_path, sequential)]
        assert len(copies[0]) == len(copies[1]) == 14
        assert [path.read_bytes() for path in copies[0]] == [path.read_bytes() for path in copies[1]]


def test_parquet_says_what_the_csv_says(sequential):
    found = table(sequential / "parts")
    assert found.schema.equals(arrow_schema()) and found.schema.names == list(NAMES)
    assert found.schema.field("age").metadata[b"unit"] == b"years"
    with open(sequential / "faces.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found.num_rows == 12 + 1 + 1 + 5 + 1 + 5
    for row, cells in zip(found.to_pylist(), rows):
        for name, value in row.items():
            if isinstance(value, bool) or value is None:
                assert cells[name] == ("" if value is None else str(value).upper())
            elif isinstance(value, float):
                assert float(cells[name]) == pytest.approx(value, abs=1e-6)
            else:
                assert cells[name] == str(value)
    assert [Path(row["file"]).name for row in rows if row["error"]] == ["broken.jpg"]


def wait_until(condition, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_there(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


PARTS_AT_ONCE = (
    "import runpy, inference.parquet; inference.parquet.PART_SECONDS = 0; "
    "runpy.run_module('inference', run_name='__main__', alter_sys=True)"
)
"""`python -m inference` with a part for each file."""


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_ended_is_resumed_with_what_is_missing(command, call, capsys, album, sequential, tmp_path, kill):
    out = tmp_path / "parts"
    arguments = (album, "--parquet", out, "--workers", 2, "--blur", tmp_path / "blurred")
    started = command("inference", *arguments)
    started["args"][1:3] = ["-c", PARTS_AT_ONCE]
    process = subprocess.Popen(
        **started,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_until(lambda: len(parts(out)) >= 3 or process.poll() is not None)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.send_signal(kill)
    process.wait(60)
    stderr = process.stderr.read()
    assert "Traceback" not in stderr and process.returncode in (-kill, 130)
    wait_until(lambda: not any(is_there(child) for child in children), 30)
    done = files_done(out, settings(False, 10))
    assert 3 <= len(done) < 17
    assert call(main, *arguments, "--resume") == int("broken.jpg" not in " ".join(done))
    told = capsys.readouterr()
    assert f"{len(done)} of 17 files are done already." in told.err.splitlines()
    assert len(told.out.splitlines()) + ("not read" in told.err) == 17 - len(done)
    assert table(out).equals(table(sequential / "parts"), check_metadata=True)
    assert not [path for path in out.iterdir() if path.suffix != ".parquet"]
    copies = [{path.name for path in (folder / "blurred").rglob("*.*")} for folder in (tmp_path, sequential)]
    assert copies[0] == copies[1]
    assert call(main, *arguments, "--resume") == 0
    told = capsys.readouterr()
    assert told.out == "" and "17 of 17 files are done already." in told.err


def test_what_cannot_be_resumed_is_refused_before_any_work(call, capsys, album, sequential, tmp_path):
    out = tmp_path / "parts"
    shutil.copytree(sequential / "parts", out)
    photo = tmp_path / "photo.jpg"
    shutil.copy(FACES, photo)
    (tmp_path / "other.parquet").write_bytes(b"PAR1 of somebody else")
    for arguments, says in (
        ((album, "--parquet", out), "parts of an earlier run are there"),
        ((album, "--parquet", out, "--resume", "--age-gender"), "was written otherwise (age_gender False)"),
        ((album, "--parquet", out, "--resume", "--csv", tmp_path / "o.csv"), "leave out --json and --csv"),
        ((photo, "--parquet", out, "--resume"), "none of the 17 files"),
        ((photo, "--resume"), "Name that folder"),
        ((photo, "--parquet", tmp_path / "o.parquet", "--resume"), "Name that folder"),
        ((photo, "--parquet", tmp_path / "other.parquet"), "which this command did not write"),
        ((photo, "--parquet", tmp_path / "o.csv"), "another kind of file"),
        ((photo, "--blur", tmp_path / "o.mp4"), "--blur FILE.mp4 is for one video"),
        ((photo, "--blur", tmp_path), "--blur would overwrite"),
        ((photo, "--workers", 0), "from 1 to 256"),
    ):
        with pytest.raises(SystemExit) as ended:
            call(main, *arguments)
        told = capsys.readouterr()
        assert ended.value.code == 2 and says in told.err and told.out == "", (arguments, told.err)
    assert table(out).equals(table(sequential / "parts"))
    (out / "part-000000.parquet").write_bytes(b"PAR1")
    with pytest.raises(SystemExit):
        call(main, album, "--parquet", out, "--resume")
    assert "part-000000.parquet is not a part that this command wrote" in capsys.readouterr().err


def test_one_parquet_file_is_put_in_place_when_it_is_whole(call, tmp_path):
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(FACES, tmp_path / name)
    out = tmp_path / "faces.parquet"
    for sources in (["a.jpg", "b.jpg"], ["b.jpg"]):  # over an earlier one
        assert call(main, *(tmp_path / name for name in sources), "--parquet", out) == 0
        assert [Path(name).name for name in pyarrow.parquet.read_table(out)["file"].to_pylist()] == sources
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "b.jpg", "faces.parquet"]


def test_a_file_whose_name_is_no_text_is_done_once(tmp_path):
    name = os.fsdecode(b"latin \xfc.jpg")
    report = ParquetReport(tmp_path, asked := settings(False, 10))
    report.add_error(name, "why")
    report.close()
    assert files_done(tmp_path, asked) == {"latin \\udcfc.jpg"}


def test_a_full_disk_leaves_no_part(tmp_path, monkeypatch):
    report = ParquetReport(tmp_path, settings(False, 10))
    report.add_error("a.jpg", "why")

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("inference.parquet.os.fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        report.close()
    assert caught.value.filename == str(tmp_path / "part-000000.parquet")
    report.close()
    assert list(tmp_path.iterdir()) == []


def test_a_video_has_the_figures_of_its_finished_curve_in_any_number_of_pieces(tmp_path, monkeypatch):
    """As the CSV has them; and of one that was not read to its end a folder of parts has nothing."""
    clip = write_face_clip(tmp_path / "clip.mp4", [number / 10 for number in range(12)])
    monkeypatch.setattr("inference.parquet.CHUNK_ROWS", 5)
    monkeypatch.setattr("inference.parquet.GROUP_ROWS", 3)
    tables = [CsvReport(tmp_path / "o.csv"), ParquetReport(tmp_path / "parts.parquet", {})]
    (tmp_path / "cut").mkdir()
    cut = ParquetReport(tmp_path / "cut", {})
    networks = Networks(None, videos=True)
    Run(networks, Job(), None, tables, 10).file(clip, Path("clip"))
    find = FaceFollower.find

    def interrupted(follower, image, seconds, **options):
        if seconds > 0.55:
            raise KeyboardInterrupt
        return find(follower, image, seconds, **options)

    monkeypatch.setattr(FaceFollower, "find", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Run(networks, Job(), None, [cut], 10).file(clip, Path("clip"))
    for report in (*tables, cut):
        report.close()
    with open(tmp_path / "o.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    found = pyarrow.parquet.read_table(tmp_path / "parts.parquet").to_pylist()
    for name in ("seconds", "index", "index_deviation", "index_room"):
        assert [row[name] for row in found] == pytest.approx([float(row[name]) for row in rows], abs=1.1e-4)
    assert len(found) == 12 and list((tmp_path / "cut").iterdir()) == []


@dataclass(frozen=True)
class Deadly(Job):
    """A photo of one color ends the process."""

    everything: bool = False

    def do(self, photo: Photograph, analyzer: FaceAnalyzer) -> Photo:
        if self.everything or photo.pixels.std() == 0:
            os._exit(9)
        return super().do(photo, analyzer)


def test_a_process_that_ends_costs_one_photo(album):
    paths = [
        album / name for name in ("00.jpg", "empty.png", "broken.jpg", "01.jpg", "clip.mp4", "video.webp", "02.jpg")
    ]
    with Processes(1) as processes:
        first, fatal, broken, second, *videos, third = photos_ahead(paths, Deadly(), processes)
    assert [len(photo.result.faces) for photo in (first, second, third)] == [1, 1, 1]
    assert isinstance(fatal, WorkerError) and "for want of memory" in str(fatal)
    assert isinstance(broken, ImageError) and videos == [None, None]


LACKS = """
import sys
from pathlib import Path
from inference import model_files
model_files.MODELS = Path(sys.argv.pop(1))
from inference.__main__ import main
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
@pytest.mark.parametrize(
    ("lacking", "options", "code", "said"),
    [
        ("emotion.onnx", [], 1, "emotion.onnx"),
        ("age_gender.onnx", ["--age-gender"], 1, "--age-gender needs"),
        ("age_gender.onnx", [], 0, "1 happy"),
    ],
)
def test_a_model_that_processes_lack_is_told_before_anything_is_written(tmp_path, lacking, options, code, said):
    (tmp_path / "models").mkdir()
    for file in MODELS.iterdir():
        if file.is_file() and file.name not in (lacking, "SHA256SUMS"):
            shutil.copy(file, tmp_path / "models")
    words = [tmp_path / "models", FACES, "--csv", tmp_path / "o.csv", "--workers", 2, *options]
    command = [sys.executable, "-c", LACKS, *map(str, words)]
    done = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == code and said in done.stdout + done.stderr, done.stderr
    assert "Traceback" not in done.stderr and (tmp_path / "o.csv").exists() == (code == 0)


def test_videos_are_shown_to_the_network_of_cameras():
    networks = Networks(1, videos=True)
    photos, videos = networks.of_photos, networks.of_videos
    assert videos.classifier.metrics != photos.classifier.metrics
    assert videos.classifier.metrics == EmotionClassifier(live_model(photos.classifier)).metrics
    assert (videos.detector, videos.estimator) == (photos.detector, photos.estimator)
    photos.detector.close()


def test_processes_that_always_end_end_the_run(album, monkeypatch):
    monkeypatch.setattr("inference.workers.MAX_ENDED", 2)
    paths = [album / f"{number:02}.jpg" for number in range(8)]
    with Processes(1) as processes, pytest.raises(WorkerError, match="Use fewer --workers"):
        list(photos_ahead(paths, Deadly(everything=True), processes))


def test_no_more_is_read_ahead_than_has_its_turn_soon(album):
    asked = []
    paths = (asked.append(number) or album / f"{number % 12:02}.jpg" for number in range(100))
    with Processes(1) as processes:
        ahead = photos_ahead(paths, Job(), processes)
        next(ahead)
        assert 2 <= len(asked) <= 9
        ahead.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("photos", "processors", "gigabytes", "cuda", "processes"),
    [(100, 2, 16, False, 2), (99, 2, 16, False, 0), (100, 1, 16, False, 0), (100, 64, 16, False, 8)]
    + [(100, 8, 2, False, 3), (100, 8, 1, False, 0), (100, 8, 16, True, 0), (100, 4, float("inf"), False, 4)],
)
def test_processes_where_they_pay(monkeypatch, photos, processors, gigabytes, cuda, processes):
    monkeypatch.setattr("inference.workers.usable_processors", lambda: processors)
    monkeypatch.setattr("inference.workers.usable_memory", lambda: gigabytes * 10**9)
    monkeypatch.setattr("inference.workers.may_use_cuda", lambda: cuda)
    assert usual_processes(photos) == processes


def test_many_photos_are_done_by_processes_without_being_asked(call, album, sequential, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("inference.workers.MANY_PHOTOS", 10)
    monkeypatch.setattr("inference.workers.usable_processors", lambda: 2)
    monkeypatch.setattr("inference.workers.usable_memory", lambda: 10**10)
    monkeypatch.setattr("inference.__main__.Processes", lambda count: started.append(count) or Processes(count))
    assert call(main, album, *everything(tmp_path)) == 1 and started == [2]
    assert (tmp_path / "faces.csv").read_bytes() == (sequential / "faces.csv").read_bytes()
    assert without_times(tmp_path / "faces.json") == without_times(sequential / "faces.json")
    assert not multiprocessing.active_children()


def test_opencv_has_one_thread_while_others_analyse_photos(album, analyzer):
    before = cv2.getNumThreads()
    ahead = photos_by_threads([album / "00.jpg", album / "01.jpg"], Job(), analyzer, 2)
    next(ahead)
    assert cv2.getNumThreads() == 1
    ahead.close()
    assert cv2.getNumThreads() == before


@dataclass(frozen=True)
class Together(Job):
    """No photo is done before another one is begun."""

    meeting: threading.Barrier = threading.Barrier(2, timeout=60)

    def do(self, photo: Photograph, analyzer: FaceAnalyzer) -> Photo:
        self.meeting.wait()
        return super().do(photo, analyzer)


def test_threads_analyse_photos_at_once_and_hand_them_over_in_order(album, analyzer):
    names = ("00.jpg", "clip.mp4", "broken.jpg", "03.jpg", "video.webp", "05.jpg", "07.jpg")
    first, clip, broken, second, video, *rest = photos_by_threads(
        [album / name for name in names], Together(), analyzer, 2
    )
    assert [photo.result.width for photo in (first, second, *rest)] == [200, 224, 240, 256]
    assert isinstance(broken, ImageError) and clip is video is None
    assert first.result.picture is None  # no pixels wait with it


def test_the_command_analyses_a_folder_by_as_many_threads_as_there_are_processors(album, call, monkeypatch, tmp_path):
    monkeypatch.setattr("inference.__main__.usable_processors", lambda: 2)
    monkeypatch.setattr("inference.__main__.Job", Together)
    assert call(main, album / "00.jpg", album / "01.jpg", "--csv", tmp_path / "faces.csv") == 0


def test_nobody_is_found_in_a_blurred_photo(analyzer, sequential):
    for copy in sorted((sequential / "blurred").rglob("*.jpg")):
        image = load_image(copy)
        assert analyzer.detector.detect(image) == [], copy
        assert image.std() > 20 or "empty" in copy.name  # there is a picture still
    assert len(list((sequential / "boxes").rglob("*.jpg"))) == 14


def test_nobody_is_found_in_a_blurred_video(analyzer, call, tmp_path):
    """Also of those who were not followed: two more faces, one in the second half and very small."""
    pictures = [np.hstack([face_scene(number / 5), face_scene(0)[:, ::-1]]) for number in range(8)]
    for picture in pictures[4:]:
        picture[200:236, 300:336] = face_scene(0)[40:76, 140:176]
    clip, copy = write_clip(tmp_path / "clip.mp4", [number / 5 for number in range(8)], pictures), tmp_path / "out.mp4"
    assert call(main, clip, "--blur", copy) == 0
    with VideoReader(copy, rate=1000) as blurred:
        frames = list(blurred)
    assert [frame.seconds for frame in frames] == pytest.approx([number / 5 for number in range(8)], abs=0.001)
    for frame, picture in zip(frames, pictures):
        assert len(analyzer.detector.detect(picture)) >= 2 and analyzer.detector.detect(frame.image) == []
        assert np.abs(frame.image[-20:, :40].astype(int) - picture[-20:, :40]).mean() < 6  # the rest is as it was


def test_what_the_detector_still_finds_is_blurred_too_and_at_last_all_of_the_picture():
    class Detector:
        def __init__(self, times):
            self.times = times

        def detect(self, image):
            self.times -= 1
            return [Detection((10, 10, 30, 30), 0.9, (15, 15), (25, 15))] if self.times >= 0 else []

    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    once = blur_all(image, [], Detector(1))
    assert once[12:28, 12:28].std() < 20 and (once[40:] == image[40:]).all()
    assert (blur_all(image, [], Detector(99)) == image.mean(axis=(0, 1)).astype(np.uint8)).mean() > 0.5
    assert len(np.unique(blur_all(image, [], Detector(99)).reshape(-1, 3), axis=0)) == 1


@pytest.fixture(scope="module")
def photos(album) -> pyarrow.Table:
    """A table with a photo of a face, one without, one that is broken, and none at all."""
    names = ["05.jpg", "empty.png", "broken.jpg"]
    return pyarrow.table(
        {
            "id": pyarrow.array([7, 8, 9, 10], pyarrow.int64()),
            "path": [*(str(album / name) for name in names), None],
            "bytes": pyarrow.array([*((album / name).read_bytes() for name in names), None], pyarrow.large_binary()),
        }
    )


@pytest.mark.parametrize("image", ["bytes", "path"])
def test_arrow_to_arrow_has_a_row_a_photo_and_the_answers_of_the_table(photos, sequential, image):
    analyze = pickle.loads(pickle.dumps(AnalyzePhotos(image)))
    answers = analyze(photos)
    kept = ["id", "path"] if image == "bytes" else ["id", "path", "bytes"]
    assert answers.schema.names == [*kept, "width", "height", "faces", "error"]
    assert answers.schema.equals(analyze.schema(photos.schema), check_metadata=True)
    assert answers["id"].to_pylist() == [7, 8, 9, 10]
    face, nobody, broken, nothing = answers.to_pylist()
    (row,) = [row for row in table(sequential / "parts").to_pylist() if row["file"].endswith("05.jpg")]
    assert face["faces"] == [{field.name: row[field.name] for field in FACE}] and face["error"] is None
    assert (face["width"], face["height"]) == (240, 240)
    assert nobody["faces"] == [] and nobody["error"] is None and nobody["width"] == 320
    assert "damaged" in broken["error"] and broken["faces"] is None and broken["width"] is None
    assert nothing["error"] == "There is no photo in this row."
    (batch,) = photos.slice(0, 1).combine_chunks().to_batches()
    assert analyze(batch).to_pylist() == answers.slice(0, 1).to_pylist()  # a RecordBatch, as Spark gives them
