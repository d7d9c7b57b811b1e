"""Fixtures: FER-2013 where it is at hand, a small synthetic stand-in, and a network trained on that."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import ctypes
import cv2
import pytest
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pillow_heif import register_heif_opener

from benchmarks.camera import camera_arguments
from synthetic import make_faces, write_csv, write_fairface, write_folders, write_utkface
from training.data import Faces, load_fer2013
from benchmarks.screenshot import CHROMIUM_ARGUMENTS, find_chromium, served_page

register_heif_opener()  # for the tests that write such files
ROOT = Path(__file__).resolve().parent.parent
PR_CAPBSET_DROP, CAP_SYS_NICE, CAPABILITY_VERSION = 24, 23, 0x20080522  # of linux/prctl.h and linux/capability.h


def forbid_real_time() -> None:
    """Let nothing here, nor what is started from here, claim real-time priority, where the tests are root's on Linux.

    An encoder of AV1 does for the threads that use it, and so do then browsers and servers that these start: they can hold two
    processors for minutes, waiting for each other.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, their first 32 bits and then the others
    if system.capget(header, sets) == 0:
        for place in range(3):
            sets[place] &= ~(1 << CAP_SYS_NICE)
        system.capset(header, sets)


forbid_real_time()  # before there are other threads


@pytest.fixture(scope="session")
def fer2013() -> Faces:
    """The official FER-2013."""
    folder = os.environ.get("FER2013_DIR")
    if not folder or not (Path(folder) / "fer2013.csv").is_file():
        pytest.skip("set FER2013_DIR to a folder with fer2013.csv")
    return load_fer2013(folder)


@pytest.fixture(scope="session")
def synthetic() -> Faces:
    """The synthetic faces in memory."""
    return make_faces()


@pytest.fixture(scope="session")
def synthetic_dir(tmp_path_factory, synthetic) -> Path:
    """A folder with the synthetic fer2013.csv and fer2013new.csv; shared, so only to be read."""
    return write_csv(tmp_path_factory.mktemp("synthetic"), synthetic).parent


@pytest.fixture(scope="session")
def demographics_dirs(tmp_path_factory) -> tuple[Path, Path]:
    """Folders with a made-up FairFace and a made-up UTKFace; shared, so only to be read."""
    root = tmp_path_factory.mktemp("demographics")
    return write_fairface(root / "fairface"), write_utkface(root / "utkface")


@pytest.fixture(scope="session")
def demographics_arguments(demographics_dirs, tmp_path_factory) -> tuple:
    """The options that name the made-up data sets and a cache that the tests share."""
    fairface, utkface = demographics_dirs
    return ("--fairface", fairface, "--utkface", utkface, "--crops", tmp_path_factory.mktemp("crops"))


@pytest.fixture
def csv_file(tmp_path, synthetic) -> Path:
    """The synthetic fer2013.csv, with fer2013new.csv beside it, in the test's own folder."""
    return write_csv(tmp_path / "data", synthetic)


@pytest.fixture
def image_folders(tmp_path, synthetic) -> Path:
    """The synthetic faces as image folders (png), in the test's own folder."""
    return write_folders(tmp_path / "images", synthetic)


@pytest.fixture(scope="session")
def command():
    """A function that builds the command line and environment of `python -m MODULE ...` for subprocess."""

    def build(module: str, *arguments, **environment: str) -> dict:
        named = ("FER2013_DIR", "FAIRFACE_DIR", "UTKFACE_DIR", "KERAS_BACKEND")
        inherited = {name: value for name, value in os.environ.items() if name not in named}
        return {
            "args": [sys.executable, "-m", module, *map(str, arguments)],
            "cwd": ROOT,
            "env": {**inherited, "PYTHONUNBUFFERED": "1", **environment},
            "text": True,
            "encoding": "utf-8",
        }

    return build


@pytest.fixture(scope="session")
def run(command):
    """A function that runs `python -m MODULE ...` to its end and returns status, stdout and stderr."""
    return lambda *arguments, **environment: subprocess.run(**command(*arguments, **environment), capture_output=True)


@pytest.fixture(scope="session")
def interrupt(command):
    """A function that runs `python -m inference ... --csv TABLE`, sends it a signal once the table has some lines, and
    returns status and stderr."""

    def run_until(kill: signal.Signals, table: Path, lines: int, *arguments) -> tuple[int, str]:
        process = subprocess.Popen(
            **command("inference", *arguments, "--csv", table),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # A test runner in the background ignores Ctrl-C, and its children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        deadline = time.monotonic() + 120
        while not table.exists() or table.read_text().count("\n") < lines:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(kill)
        return process.wait(60), process.communicate()[1]

    return run_until


@pytest.fixture
def call(monkeypatch):
    """A function that calls main() of a command within this process: call(main, argument, ...)."""
    for name in ("FER2013_DIR", "FAIRFACE_DIR", "UTKFACE_DIR"):
        monkeypatch.delenv(name, raising=False)

    def run_main(main, *arguments):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        return main()

    return run_main


@pytest.fixture
def call_interrupted(call, monkeypatch):
    """A function like `call` for the main() of a training, stopped when the first epoch's checkpoint is written."""
    from training import train

    def run_main(main, *arguments):
        write_file = train.replace_file

        def stop_after_the_first_checkpoint(path, write):
            write_file(path, write)
            if path.name == "checkpoint.keras":
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(train, "replace_file", stop_after_the_first_checkpoint)
            return call(main, *arguments)

    return run_main


@pytest.fixture(scope="session")
def train_arguments(synthetic_dir) -> tuple:
    """What `python -m training.train` is given in the tests, without --out."""
    return ("--recipe", "paper", "--data", synthetic_dir, "--unofficial", "--epochs", 3)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, run, train_arguments) -> Path:
    """The folder of an uninterrupted run of three epochs on the synthetic faces; shared, so only to be read."""
    out = tmp_path_factory.mktemp("trained")
    result = run("training.train", *train_arguments, "--out", out)
    assert result.returncode == 0, result.stderr
    return out


@pytest.fixture(scope="session")
def exported(tmp_path_factory, run, trained, synthetic_dir) -> Path:
    """The trained network as emotion.onnx, with metrics.json beside it; shared, so only to be read."""
    path = tmp_path_factory.mktemp("exported") / "emotion.onnx"
    result = run("export.to_onnx", trained / "model.keras", path, "--data", synthetic_dir, "--unofficial")
    assert result.returncode == 0, result.stderr
    return path


@pytest.fixture(scope="session")
def page_address() -> Iterator[str]:
    """The address of `python app.py`, running."""
    with served_page() as address:
        yield address


@pytest.fixture(scope="session")
def playwright() -> Iterator:
    """What drives Chromium; a process can have only one."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # there may be one busy core
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium found: install it, or name it in CHROMIUM")
    return path


@pytest.fixture(scope="session")
def browser(playwright, chromium, tmp_path_factory) -> Iterator:
    """Headless Chromium whose camera shows the example photograph."""
    video = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    frame = cv2.resize(cv2.imread(str(ROOT / "examples" / "astronaut.jpg")), (640, 640))[:480]
    video.write_bytes(cv2.imencode(".jpg", frame)[1].tobytes() * 30)
    browser = playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM_ARGUMENTS, *camera_arguments(video)])
    yield browser
    browser.close()
