"""Fixtures: FER-2013 where it is at hand, a small synthetic stand-in, and a network trained on that."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# There are as many test processes as processors: threads would only wait for each other.
for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import ctypes
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from filelock import FileLock
from pillow_heif import register_heif_opener

from benchmarks.camera import camera_arguments
from benchmarks.screenshot import CHROMIUM_ARGUMENTS, find_chromium, served_page
from inference.types import EMOTIONS
from synthetic import make_faces, write_csv, write_fairface, write_folders, write_utkface
from training.age_gender.data import Portraits, load_portraits
from training.emotion.data import Faces, load_fer2013

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

PAGE = {"page_address", "chromium", "firefox"}
"""Fixtures that start the page or a browser, directly or in another."""
TRAINED = {
    "trained",
    "vgg7_run",
    "trained_age_gender",
    "small_age_gender",
    "float32",
    "train_arguments",
    "vgg7_arguments",
}
"""Fixtures of tests in which a network is trained."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its group, `page`, `slow` or `unit`, and begin with the files that take longest.

    A file that comes last and takes minutes would leave all processes but its own without work.
    """
    files: dict[Path, set[str]] = {}
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        slow = fixtures & TRAINED or item.get_closest_marker("slow")
        group = "page" if fixtures & PAGE else "slow" if slow else "unit"
        item.add_marker(group)
        files.setdefault(item.path, set()).add(group)
    items.sort(key=lambda item: files[item.path] == {"unit"})


@pytest.fixture(scope="session")
def fer2013(tmp_path_factory) -> Faces:
    """The official FER-2013, which is read as text once for all test processes."""
    folder = os.environ.get("FER2013_DIR")
    if not folder or not (Path(folder) / "fer2013.csv").is_file():
        pytest.skip("set FER2013_DIR to a folder with fer2013.csv")

    def read(kept: Path) -> None:
        np.savez(kept / "faces.npz", **vars(load_fer2013(folder)))

    with np.load(made_once(tmp_path_factory, "fer2013", read) / "faces.npz") as faces:
        return Faces(**faces)


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

    def make(folder: Path) -> None:
        write_fairface(folder / "fairface")
        write_utkface(folder / "utkface")

    root = made_once(tmp_path_factory, "demographics", make)
    return root / "fairface", root / "utkface"


@pytest.fixture(scope="session")
def demographics_arguments(demographics_dirs, tmp_path_factory) -> tuple:
    """The options that name the made-up data sets and a cache that the tests share."""
    fairface, utkface = demographics_dirs
    return (
        "--fairface",
        fairface,
        "--utkface",
        utkface,
        "--crops",
        made_once(tmp_path_factory, "crops", lambda folder: None),
    )


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
    from training import run

    def run_main(main, *arguments):
        write_file = run.replace_file

        def stop_after_the_first_checkpoint(path, write):
            write_file(path, write)
            if path.name == "checkpoint.keras":
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(run, "replace_file", stop_after_the_first_checkpoint)
            return call(main, *arguments)

    return run_main


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder that make(folder) has filled, shared by all test processes: the first that needs it makes it."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with FileLock(root / f"{name}.lock"):
        if not (root / name).exists():
            (root / f"{name}.partial").mkdir()
            make(root / f"{name}.partial")
            (root / f"{name}.partial").rename(root / name)
    return root / name


@pytest.fixture
def float32() -> Iterator[None]:
    """A run within this process sets Keras's dtype policy: it is set back."""
    import keras

    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def train_arguments(synthetic_dir) -> tuple:
    """What `python -m training.emotion` is given in the tests, without --out."""
    return ("--recipe", "paper", "--data", synthetic_dir, "--unofficial", "--epochs", 3)


@pytest.fixture(scope="session")
def vgg7_arguments(synthetic_dir) -> tuple:
    """A short run of the recipe vgg7, whose second epoch and third are at another size than its first."""
    return ("--recipe", "vgg7", "--data", synthetic_dir, "--unofficial", "--epochs", 3)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, train_arguments) -> Path:
    """The folder of an uninterrupted run of three epochs on the synthetic faces; shared, so only to be read."""
    return _trained(tmp_path_factory, "trained", train_arguments)


@pytest.fixture(scope="session")
def vgg7_run(tmp_path_factory, vgg7_arguments) -> Path:
    """The same of a small network with two heads, see `small_vgg7`."""
    return _trained(tmp_path_factory, "vgg7", vgg7_arguments)


@pytest.fixture(scope="module")
def small_vgg7() -> Iterator[None]:
    """The recipe vgg7 trains in seconds."""
    from networks import small_emotion_recipe

    with small_emotion_recipe():
        yield


def _trained(factory: pytest.TempPathFactory, name: str, arguments: tuple) -> Path:
    def make(folder: Path) -> None:
        from networks import call_main, run_eagerly, small_emotion_recipe
        from training.emotion.train import main

        with small_emotion_recipe(), run_eagerly():
            assert call_main(main, *arguments, "--out", folder) == 0

    return made_once(factory, name, make)


@pytest.fixture(scope="session")
def exported(tmp_path_factory, trained, synthetic_dir) -> Path:
    """The trained network as emotion.onnx, with its report beside it; shared, so only to be read."""

    def make(folder: Path) -> None:
        from export.emotion import main
        from networks import call_main

        path = folder / "emotion.onnx"
        assert call_main(main, trained / "model.keras", path, "--data", synthetic_dir, "--unofficial") == 0

    return made_once(tmp_path_factory, "exported", make) / "emotion.onnx"


@pytest.fixture(scope="session")
def plain(trained, tmp_path_factory) -> Path:
    """The trained network as ONNX at temperature 1; shared, so only to be read."""

    def make(folder: Path) -> None:
        import onnx

        from export.emotion import serving_network
        from export.onnx_graph import convert
        from training.layers import load_network

        metadata = {"labels": json.dumps(EMOTIONS), "input_size": "48", "temperature": "1"}
        onnx.save(convert(serving_network([load_network(trained / "model.keras")]), metadata), folder / "plain.onnx")

    return made_once(tmp_path_factory, "plain", make) / "plain.onnx"


@pytest.fixture(scope="module")
def small_age_gender() -> Iterator[None]:
    """Recipes of age and gender that train in seconds."""
    from networks import small_age_gender_recipes

    with small_age_gender_recipes():
        yield


@pytest.fixture(scope="session")
def trained_age_gender(tmp_path_factory, demographics_arguments) -> Path:
    """The folder of an uninterrupted run on the made-up FairFace and UTKFace; shared, so only to be read."""

    def make(folder: Path) -> None:
        from networks import call_main, small_age_gender_recipes
        from training.age_gender.train import main

        with small_age_gender_recipes():
            arguments = ("--recipe", "both", *demographics_arguments, "--epochs", 6, "--out", folder)
            assert call_main(main, *arguments) == 0

    return made_once(tmp_path_factory, "age_gender", make)


@pytest.fixture(scope="session")
def exported_age_gender(tmp_path_factory, trained_age_gender, demographics_arguments) -> Path:
    """The trained network as ONNX, with its report beside it; shared, so only to be read."""

    def make(folder: Path) -> None:
        from export.age_gender import main
        from networks import call_main, small_age_gender_recipes

        with small_age_gender_recipes():
            path = folder / "age_gender.onnx"
            assert call_main(main, trained_age_gender / "model.keras", path, *demographics_arguments) == 0

    return made_once(tmp_path_factory, "exported_age_gender", make) / "age_gender.onnx"


@pytest.fixture(scope="session")
def exported_smaller(tmp_path_factory, trained_age_gender, demographics_arguments) -> dict[str, Path]:
    """The same in 8-bit integers ("int8") and in float16 ("half"); shared, so only to be read."""

    def make(folder: Path) -> None:
        from export import age_gender
        from networks import call_main, small_age_gender_recipes

        for kind, options in (("int8", ["--int8"]), ("half", [])):
            with small_age_gender_recipes(), pytest.MonkeyPatch.context() as patch:
                patch.setattr(age_gender, "LARGEST_FILE", 1000)
                arguments = (trained_age_gender / "model.keras", folder / f"{kind}.onnx", *demographics_arguments)
                assert call_main(age_gender.main, *arguments, *options) == 0

    folder = made_once(tmp_path_factory, "exported_smaller", make)
    return {kind: folder / f"{kind}.onnx" for kind in ("int8", "half")}


@pytest.fixture
def eagerly() -> Iterator[None]:
    """See `networks.run_eagerly`."""
    from networks import run_eagerly

    with run_eagerly():
        yield


@pytest.fixture(scope="session")
def portraits(demographics_dirs, demographics_arguments) -> Portraits:
    """The faces of the made-up FairFace and UTKFace; shared, so only to be read."""
    return load_portraits(*demographics_dirs, demographics_arguments[-1])[0]


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
