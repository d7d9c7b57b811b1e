"""What happens when something fails: model files, the face detector, writing."""

import concurrent.futures
import contextlib
import gc
import io
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import mediapipe
import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

import app
from benchmarks import screenshot
from clips import write_face_clip
from inference import __main__ as command_line
from inference import age_gender, blazeface, face_check, model_files, search
from inference.analyzer import FaceAnalyzer
from inference.blazeface import BlazeFace, DetectorError
from inference.detector import FaceDetector
from inference.images import load_image
from inference.model_files import MODELS
from inference.video_writer import VideoWriter
from webui.bodies import Bodies
from webui.limits import Limits
from webui.live import LiveServer
from webui.photo import PhotoServer
from webui.server import build_sessions, build_video_server

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return load_image(EXAMPLES / "astronaut.jpg")


# Model files

USED = (
    "emotion.onnx",
    "emotion_int8.onnx",
    "age_gender.onnx",
    blazeface.FILE,
    blazeface.ONNX_FILE,
    search.FILE,
    face_check.FILE,
)
"""What the page opens."""


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def alter(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def break_line(path: Path) -> None:
    path.write_text(path.read_text().replace("  ", ""))


def add_binary(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\xff\xfe\0")


def lose_line(path: Path) -> None:
    path.write_text("".join(line for line in path.open() if "emotion.onnx" not in line))


DAMAGES = [("emotion.onnx", cut_off), *((name, damage) for name in USED for damage in (Path.unlink, alter))]
DAMAGES.remove(("age_gender.onnx", Path.unlink))  # which may be left out
DAMAGES += [("SHA256SUMS", damage) for damage in (Path.unlink, break_line, add_binary, lose_line, empty)]


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    """A copy of models/, which is used instead."""
    copy = tmp_path / "models"
    shutil.copytree(MODELS, copy)
    monkeypatch.setattr(model_files, "MODELS", copy)
    monkeypatch.setattr(model_files, "CHECKSUMS", copy / "SHA256SUMS")
    monkeypatch.setattr(age_gender, "MODELS", copy)
    return copy


@pytest.mark.parametrize(("name", "damage"), DAMAGES)
def test_a_damaged_model_file_ends_the_start_of_the_page(models, name, damage):
    damage(models / name)
    with pytest.raises(SystemExit) as end:
        app.main()
    message = end.value.code
    assert message.startswith("error: ") and "\n" not in message and "git checkout -- models" in message
    named = "emotion.onnx" if damage is lose_line else name
    assert str(models / named) in message
    if name == "age_gender.onnx":
        assert "delete age_gender.onnx" in message


@pytest.mark.parametrize(
    "name",
    [
        "emotion.onnx",
        "age_gender.onnx",
        blazeface.FILE,
        blazeface.ONNX_FILE,
        search.FILE,
        face_check.FILE,
        "SHA256SUMS",
    ],
)
def test_a_damaged_model_file_ends_the_command(models, name, call, capsys):
    alter(models / name)
    if name == "SHA256SUMS":
        empty(models / name)
    assert call(command_line.main, EXAMPLES / "astronaut.jpg") == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1 and str(models) in err


@pytest.mark.parametrize("arguments", [("app.py",), ("-m", "inference", "examples")])
def test_a_damaged_detector_is_one_line_and_no_traceback(tmp_path, arguments):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "runs", "build", "docs", "tests", ".*"))
    cut_off(copy / "models" / "face_detection_short_range.tflite")
    environment = {**os.environ, "PYTHONPATH": "", "GRADIO_SERVER_PORT": str(screenshot.free_port())}
    result = subprocess.run(
        [sys.executable, *arguments], cwd=copy, capture_output=True, text=True, env=environment, timeout=120
    )
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith("error: ") and "face_detection_short_range.tflite" in result.stderr


def test_a_model_file_that_is_a_link_is_checked_too(models, tmp_path):
    (models / "emotion.onnx").rename(tmp_path / "stored")
    (models / "emotion.onnx").symlink_to(tmp_path / "stored")
    assert model_files.read_model("emotion.onnx") == (tmp_path / "stored").read_bytes()
    alter(tmp_path / "stored")
    with pytest.raises(model_files.ModelError, match="sha256"):
        model_files.read_model("emotion.onnx")


def test_a_detector_that_mediapipe_cannot_use_is_named(models):
    path = models / "face_detection_short_range.tflite"
    path.write_text("no model")
    model_files.write_checksums()
    with pytest.raises(model_files.ModelError, match="short_range.tflite is not a model that MediaPipe can use"):
        FaceDetector()


# The face detector

GRAY = mediapipe.Image(mediapipe.ImageFormat.GRAY8, np.zeros((100, 100), np.uint8))


def poison(faces: FaceDetector) -> None:
    """Make MediaPipe's detector fail for good, as one grey image does."""
    with pytest.raises(RuntimeError):
        faces.near._current[0].detect(GRAY)


def test_a_detector_that_failed_for_good_is_replaced(astronaut, caplog):
    with_faults = FaceDetector()
    expected = with_faults.detect(astronaut)
    poison(with_faults)
    with pytest.raises(RuntimeError, match="Graph has errors"):
        blazeface.run_model(with_faults.near._current[0], astronaut)
    with caplog.at_level(logging.WARNING):
        assert with_faults.detect(astronaut) == expected and len(expected) == 1
    assert [record.message.split(":")[0] for record in caplog.records] == ["The face detector failed"]
    assert with_faults.follow(astronaut, expected, True)
    with_faults.close()


def test_a_detector_that_fails_again_and_again_is_given_up(astronaut, monkeypatch):
    monkeypatch.setattr(blazeface, "MAX_FAILED", 1)
    with_faults = FaceDetector()
    poison(with_faults)
    assert with_faults.detect(astronaut)
    poison(with_faults)
    with pytest.raises(DetectorError, match="started again"):
        with_faults.detect(astronaut)
    assert len(with_faults.near._failed) == 1
    with_faults.close()


def test_a_detector_that_is_collected_in_the_middle_of_another_is_closed_later(astronaut):
    """The garbage collector may run inside MediaPipe's own calls, which hold locks that closing needs."""
    unused, used = FaceDetector(), FaceDetector()
    native = unused.near._current[0]
    cycle = [unused]
    cycle.append(cycle)
    del unused, cycle
    gc.disable()
    try:
        with concurrent.futures.thread._global_shutdown_lock:
            gc.collect()
    finally:
        gc.enable()
    assert native in blazeface._dropped and native._handle
    assert used.detect(astronaut)
    used.close()
    FaceDetector().close()
    assert not blazeface._dropped and not native._handle


@pytest.fixture
def fails_on(monkeypatch):
    """A function that makes MediaPipe fail on the pictures for which a condition holds, also after it was replaced: each of
    them is shown to it as the grey image that it does not bear. It bears the black ones with which it is opened."""
    real = blazeface.run_model

    def arrange(condition) -> None:
        def run_model(model, image):
            return model.detect(GRAY) if image.any() and condition(image) else real(model, image)

        monkeypatch.setattr(blazeface, "run_model", run_model)

    return arrange


def test_a_photo_on_which_the_detector_fails_is_one_sentence(fails_on, call, capsys, tmp_path, astronaut):
    fails_on(lambda image: 20 < image.mean() < 70)
    Image.fromarray(astronaut // 3).save(tmp_path / "a.png")
    Image.fromarray(astronaut).save(tmp_path / "b.png")
    assert call(command_line.main, tmp_path, "--json", tmp_path / "faces.json") == 1
    out, err = capsys.readouterr()
    assert "a.png: not read: The face detector failed on this picture." in err and "Traceback" not in err
    assert "b.png: 1 happy" in out
    first, second = json.loads((tmp_path / "faces.json").read_text())
    assert "failed" in first["error"] and len(second["faces"]) == 1


def test_a_picture_on_which_the_detector_fails_fails_no_other_thread(monkeypatch, astronaut):
    faces, real, failing, moments = BlazeFace(), blazeface.run_model, astronaut // 3, [1, 2]
    expected = faces.look(astronaut)

    def run_model(model, image):
        if image is failing:
            return model.detect(GRAY)
        if image is astronaut and moments:
            moments.pop()
            with pytest.raises(DetectorError, match="failed on this picture"):
                faces.look(failing)  # what another thread may do at this moment
        return real(model, image)

    monkeypatch.setattr(blazeface, "run_model", run_model)
    assert faces.look(astronaut) == expected and not moments
    faces.close()


def test_a_photo_on_which_the_detector_fails_in_the_page(fails_on, astronaut):
    analyzer, photo = FaceAnalyzer(), (EXAMPLES / "astronaut.jpg").read_bytes()
    with TestClient(Starlette(routes=PhotoServer(analyzer, Bodies()).routes())) as client:
        fails_on(lambda image: image.shape == astronaut.shape)
        answer = client.post("/analyze", content=photo)
        assert answer.status_code == 500
        assert answer.json()["error"].startswith("The face detector failed on this picture.")
        fails_on(lambda image: False)
        assert len(client.post("/analyze", content=photo).json()["faces"]) == 1


def test_the_live_stream_goes_on_after_a_frame_on_which_the_detector_fails(fails_on, astronaut):
    sessions = build_sessions()
    routes = sessions.routes() + LiveServer(sessions).routes()

    def send(seconds: float, frame: np.ndarray = astronaut):
        content = io.BytesIO()
        Image.fromarray(frame).save(content, "JPEG", quality=95)
        headers = {"X-Session": token, "X-Seconds": str(seconds), "X-Camera": "512x512"}
        return client.post("/live/frame", headers=headers, content=content.getvalue())

    with TestClient(Starlette(routes=routes, lifespan=sessions.lifespan)) as client:
        token = client.post("/session/start").json()["session"]
        for seconds in (1000, 1000.2):
            (before,) = send(seconds).json()["people"]
        fails_on(lambda image: True)
        another = astronaut.copy()  # another large face beside her
        another[250:450, 20:200] = astronaut[10:210, 140:320]
        answer = send(1000.4, another)
        assert answer.status_code == 500 and "The face detector failed on this picture." in answer.json()["error"]
        fails_on(lambda image: False)
        (after,) = send(1000.5).json()["people"]
        assert after["id"] == before["id"] and after["shown"] == "happy"


def test_a_video_goes_on_after_frames_on_which_the_detector_fails(fails_on, call, capsys, tmp_path, monkeypatch):
    clip = write_face_clip(tmp_path / "clip.mp4", [number / 25 for number in range(50)])
    frames, follow = [], FaceDetector.follow

    def counted(self, image, *arguments):
        frames.append(image)
        return follow(self, image, *arguments)

    monkeypatch.setattr(FaceDetector, "follow", counted)
    fails_on(lambda image: len(frames) in (1, 2))
    assert call(command_line.main, clip, "--csv", tmp_path / "faces.csv") == 1
    out, err = capsys.readouterr()
    assert "18 frames up to 1.9 s, 1 person" in out
    assert "clip.mp4: the face detector failed on 2 of the frames; they are left out" in err
    assert len((tmp_path / "faces.csv").read_text().splitlines()) == 19


# Writing


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a disk with room for so many kB."""
    mounted = []

    def mount(kilobytes: int) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        try:
            command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("only root may mount a small disk")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def one_line(text: str, path: Path, reason: str) -> bool:
    return text.startswith(f"error: cannot write {path}: {reason}") and text.count("\n") == 1


@pytest.mark.parametrize("option", ["--json", "--csv"])
@pytest.mark.parametrize(
    ("place", "reason"), [("/dev/full", "No space left"), ("folder", "Is a directory"), ("none/x", "No such file")]
)
def test_results_that_cannot_be_written_are_one_line(call, capsys, tmp_path, option, place, reason):
    (tmp_path / "folder").mkdir()
    if place == "/dev/full" and not Path(place).exists():
        pytest.skip("there is no /dev/full")
    assert call(command_line.main, EXAMPLES / "astronaut.jpg", option, tmp_path / place) == 1
    assert one_line(capsys.readouterr().err, tmp_path / place, reason)


def test_a_full_disk_leaves_whole_results(call, capsys, small_disk, tmp_path):
    """As many photos as it takes to fill the disk; what is in the files was written before that, and is complete."""
    disk, album = small_disk(16), tmp_path / "album"
    album.mkdir()
    for number in range(12):
        shutil.copy(EXAMPLES / "astronaut.jpg", album / f"{number:02}.jpg")
    assert call(command_line.main, album, "--json", disk / "faces.json", "--csv", disk / "faces.csv") == 1
    err = capsys.readouterr().err
    assert any(one_line(err[err.index("error") :], disk / f"faces.{kind}", "No space left") for kind in ("json", "csv"))
    entries = json.loads((disk / "faces.json").read_text())
    lines = (disk / "faces.csv").read_text().splitlines()
    assert 2 < len(entries) < 12 and len(entries) - 1 <= len(lines) - 1 <= len(entries)
    assert len({line.count(",") for line in lines}) == 1
    shutil.rmtree(disk / "none", ignore_errors=True)


def test_a_full_disk_leaves_no_half_picture_and_a_video_up_to_there(call, capsys, small_disk, tmp_path):
    disk = small_disk(160)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (600, 800, 3), np.uint8)).save(tmp_path / "noise.png")
    assert call(command_line.main, tmp_path / "noise.png", "--annotate", disk / "boxes") == 1
    assert one_line(capsys.readouterr().err, disk / "boxes" / "noise.png.jpg", "No space left")
    assert [path for path in disk.rglob("*") if path.is_file()] == []
    # A second of noise does not fit.
    clip = tmp_path / "noise.mp4"
    with VideoWriter(clip, 320, 240) as writer:
        for number in range(20):
            writer.write(rng.integers(0, 256, (240, 320, 3), np.uint8), number / 10)
    assert call(command_line.main, clip, "--annotate", disk / "boxes.mp4", "--csv", tmp_path / "faces.csv") == 1
    assert one_line(capsys.readouterr().err, disk / "boxes.mp4", "No space left")


@pytest.mark.parametrize("option", ["--json", "--csv", "--annotate"])
def test_a_disk_that_is_full_already_is_told_before_the_work(call, capsys, small_disk, monkeypatch, option):
    disk = small_disk(64)
    (disk / "file").write_text("file,face,x1\n")  # an earlier report, which stays
    with contextlib.suppress(OSError), open(disk / "filling", "wb", buffering=0) as file:
        while file.write(bytes(1024)):
            pass
    monkeypatch.setattr(command_line.Run, "file", lambda *_: pytest.fail("work was begun"))
    target = disk / ("boxes" if option == "--annotate" else "file" if option == "--csv" else "new")
    assert call(command_line.main, EXAMPLES / "astronaut.jpg", option, target) == 1
    assert one_line(capsys.readouterr().err, target, "No space left")
    assert (disk / "file").read_text() == "file,face,x1\n"


def test_an_annotated_copy_that_cannot_be_written_is_one_line(call, capsys, tmp_path):
    (tmp_path / "taken").write_text("a file")
    assert call(command_line.main, EXAMPLES / "astronaut.jpg", "--annotate", tmp_path / "taken") == 1
    assert one_line(capsys.readouterr().err, tmp_path / "taken", "File exists")


def test_a_video_for_which_the_server_has_no_room(small_disk, tmp_path, monkeypatch):
    sessions = build_sessions()
    server = build_video_server(sessions)
    clip = write_face_clip(tmp_path / "clip.mp4", [number / 25 for number in range(10)]).read_bytes()
    disk = small_disk(2 * len(clip) // 1000)
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    routes = sessions.routes() + server.routes()
    with TestClient(Starlette(routes=routes, lifespan=server.lifespan)) as client:
        for _ in range(Limits.videos + 1):  # none of them keeps a place
            headers = {"X-Session": client.post("/session/start").json()["session"]}
            answer = client.post("/video/analyze", content=clip + bytes(3 * len(clip)), headers=headers)
            assert answer.status_code == 507 and "no room" in answer.json()["error"]
        assert list(disk.iterdir()) == [] and shutil.disk_usage(disk).used == 0
        monkeypatch.setattr("tempfile.tempdir", str(disk / "gone"))
        answer = client.post("/video/analyze", content=clip, headers=headers)
        assert answer.status_code == 507 and not server._jobs
        monkeypatch.setattr("tempfile.tempdir", str(disk))
        assert client.post("/video/analyze", content=clip, headers=headers).status_code == 200
        client.post("/session/delete", headers=headers)


# Folders that may not be written

WITHOUT_TEMPORARY_FOLDER = """
import runpy, sys, tempfile
tempfile._candidate_tempdir_list = lambda: ["/nowhere"]  # /tmp and the like cannot be taken away from a test
sys.argv = ["start", *sys.argv[1:]]
"""


def unprivileged(*command) -> list[str]:
    """A command for which folders that may not be written cannot be written, as root's could by itself."""
    if os.name == "nt" or (os.getuid() == 0 and shutil.which("setpriv") is None):
        pytest.skip("needs setpriv (util-linux), or not to be root")
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"] if os.getuid() == 0 else []
    return [*drop, *map(str, command)]


@pytest.fixture
def unreadable(tmp_path):
    """A copy of the project in which nobody may read the model, the list of them, a photo and a video."""
    if subprocess.run(unprivileged("true"), capture_output=True).returncode:
        pytest.skip("setpriv may not take privileges away here")
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "runs", "build", "docs", "tests", ".*"))
    shutil.copy(EXAMPLES / "astronaut.jpg", copy / "photo.jpg")
    (copy / "video.mp4").write_bytes(b"")

    def take_away(name: str) -> Path:
        (copy / name).chmod(0)
        if subprocess.run(unprivileged("cat", copy / name), capture_output=True).returncode == 0:
            pytest.skip("this user reads files that nobody may read")
        return copy / name

    yield copy, take_away
    for path in copy.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def run_in(folder: Path, *arguments) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": "", "GRADIO_SERVER_PORT": str(screenshot.free_port())}
    command = unprivileged(sys.executable, *arguments)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, timeout=120)


@pytest.mark.parametrize("name", ["emotion.onnx", blazeface.FILE, blazeface.ONNX_FILE, search.FILE])
def test_a_model_file_that_may_not_be_read_ends_the_start(unreadable, name):
    folder, take_away = unreadable
    path = take_away(f"models/{name}")
    result = run_in(folder, "app.py")
    assert (result.returncode, result.stdout) == (1, "") and "Traceback" not in result.stderr
    last = result.stderr.splitlines()[-1]  # a detector that is open by then has its own lines
    assert last.startswith("error: ") and f"{path} cannot be read (Permission denied)" in last


def test_a_photo_and_a_video_that_may_not_be_read_are_named_and_skipped(unreadable):
    folder, take_away = unreadable
    take_away("photo.jpg"), take_away("video.mp4")
    files = ("photo.jpg", "video.mp4", "examples/astronaut.jpg")
    result = run_in(folder, "-m", "inference", *files, "--csv", "faces.csv")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert (
        result.stderr.count("Permission denied") == 2 and "photo.jpg" in result.stderr and "video.mp4" in result.stderr
    )
    assert (folder / "faces.csv").read_text().count("astronaut.jpg") == 1


@pytest.fixture
def locked(tmp_path):
    """A folder that may not be written, and what it does not have."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    if subprocess.run(unprivileged("touch", folder / "x"), capture_output=True).returncode == 0:
        pytest.skip("this user writes into folders that may not be written")
    yield folder
    folder.chmod(0o755)


def test_the_page_works_in_a_folder_that_may_not_be_written(tmp_path, locked, monkeypatch):
    """The project, the home folder and that of matplotlib may not be written, and TMPDIR names no folder."""
    copy = locked / "copy"
    locked.chmod(0o755)
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "runs", "build", "docs", "tests", ".*", "*.pyc"))
    for path in (*copy.rglob("*"), copy, locked):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (tmp_path / "uploads").mkdir()
    environment = {
        **{"HOME": str(locked), "MPLCONFIGDIR": str(locked / "m"), "XDG_CACHE_HOME": "", "TMPDIR": str(locked / "no")},
        **{"GRADIO_TEMP_DIR": str(tmp_path / "uploads"), "PYTHONPATH": "", "PYTHONUNBUFFERED": "1"},
    }
    real = subprocess.Popen
    monkeypatch.setattr(
        screenshot.subprocess, "Popen", lambda command, **options: real(unprivileged(*command), **options)
    )
    monkeypatch.setattr(screenshot, "ROOT", copy)
    try:
        log = open(tmp_path / "log", "w+b")
        with log, screenshot.page_process(screenshot.free_port(), environment, folder=copy, log=log) as (address, _):
            client = Client(address, verbose=False)
            (face,) = client.predict(handle_file(EXAMPLES / "astronaut.jpg"), api_name="/analyze")["faces"]
            assert face["shown"] == "happy"
            assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        for path in (locked, copy, *copy.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_the_command_works_where_the_home_folder_may_not_be_written(locked, tmp_path):
    environment = {**os.environ, "HOME": str(locked), "MPLCONFIGDIR": str(locked / "m"), "XDG_CACHE_HOME": ""}
    command = unprivileged(
        sys.executable, "-m", "inference", EXAMPLES / "astronaut.jpg", "--csv", tmp_path / "faces.csv"
    )
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0 and "1 happy" in result.stdout and "Traceback" not in result.stderr
    command[-1] = str(locked / "faces.csv")
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert one_line(result.stderr[result.stderr.index("error: ") :], locked / "faces.csv", "Permission denied")


PAGE, COMMAND = "runpy.run_path('app.py', run_name='__main__')", "runpy.run_module('inference', run_name='__main__')"


@pytest.mark.parametrize(("missing", "start"), [("all", PAGE), ("gradio", PAGE), ("all", COMMAND)])
def test_a_start_without_a_folder_for_temporary_files_says_what_to_do(locked, missing, start):
    code = (WITHOUT_TEMPORARY_FOLDER if missing == "all" else "import runpy; ") + start
    environment = {name: value for name, value in os.environ.items() if name != "GRADIO_TEMP_DIR"}
    environment["GRADIO_SERVER_PORT"] = str(screenshot.free_port())
    if missing == "gradio":
        environment["GRADIO_TEMP_DIR"] = str(locked / "uploads")
    command = unprivileged(sys.executable, "-c", code)
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1 and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert f"set {'TMPDIR' if missing == 'all' else 'GRADIO_TEMP_DIR'} to" in result.stderr


def test_nothing_is_written_into_the_home_folder_or_told_to_others(tmp_path):
    """onnxruntime would write the number of a device, with which it sends usage data."""
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": "", "PYTHONPATH": ""}
    code = "import inference.session as s; s.Session('emotion_int8.onnx')"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=120)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


SENDS = """
import os, socket, sys, time
import numpy as np
from inference import blazeface
if sys.argv[1] == "unconfined":
    blazeface.open_no_sockets = lambda: True
elif sys.argv[1] == "without seccomp":
    blazeface.open_no_sockets = lambda: False
proxy = os.environ["https_proxy"]
faces = blazeface.BlazeFace()
assert faces.look(np.zeros((64, 64, 3), np.uint8)) == []
faces.close()
time.sleep(1.5)
assert os.environ["https_proxy"] == proxy
socket.create_connection(("127.0.0.1", int(proxy.rpartition(":")[2]))).sendall(b"the program's own")
"""


@pytest.mark.parametrize(
    ("how", "calls"),
    [
        ("unconfined", [b"CONNECT play.googleapis.com:443", b"the program's own"]),
        ("confined", [b"the program's own"]),
        ("without seccomp", [b"the program's own"]),
    ],
)
def test_mediapipe_reports_to_nobody_and_the_program_keeps_its_proxy(how, calls):
    """MediaPipe's library would ask https_proxy, which is this test, for the way to Google."""
    if how == "confined" and not sys.platform.startswith("linux"):
        pytest.skip("seccomp is Linux's")
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(60)
        environment = {**os.environ, "https_proxy": f"http://127.0.0.1:{proxy.getsockname()[1]}", "no_proxy": ""}
        process = subprocess.Popen([sys.executable, "-c", SENDS, how], cwd=ROOT, env=environment)
        heard = []
        while heard[-1:] != calls[-1:]:
            connection, _ = proxy.accept()
            with connection:
                connection.settimeout(30)
                heard.append(connection.recv(31))
        assert process.wait(60) == 0
    assert [call.startswith(expected) for call, expected in zip(heard, calls)] == [True] * len(heard)
    assert len(heard) == len(calls)
