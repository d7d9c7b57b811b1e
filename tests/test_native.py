"""Locales, forked processes and closed streams, each in a process of its own."""

import json
import locale
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from benchmarks.screenshot import free_port, page_process
from inference.analyzer import FaceAnalyzer

ROOT = Path(__file__).resolve().parent.parent
PHOTO = ROOT / "examples" / "astronaut.jpg"
LOCALES = (
    "tr_TR.UTF-8",
    "tr_TR.ISO-8859-9",
    "az_AZ.UTF-8",
    "ku_TR.UTF-8",
    "crh_UA.UTF-8",
    "de_DE.UTF-8",
    "fr_FR.UTF-8",
)


def there(name: str) -> bool:
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, name)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_ALL, before)
    return True


@pytest.fixture(params=LOCALES)
def name(request) -> str:
    if not there(request.param):
        pytest.skip(f"the locale {request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def expected():
    """The face of the photo as this process sees it."""
    analyzer = FaceAnalyzer()
    (face,) = analyzer.analyze(PHOTO, True).faces
    analyzer.detector.close()
    assert face.shown == "happy" and 150 < face.detection.box[0] < 200
    return face


def python(code: str, timeout: float = 100, **options) -> str:
    """What a program prints that ends by itself and without an error."""
    options = {"capture_output": True, "text": True, "cwd": ROOT} | options
    done = subprocess.run([sys.executable, "-c", code], timeout=timeout, **options)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return done.stdout


def variables(**changed: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "LANG" and not name.startswith("LC_")}
    return kept | changed


# Locales


ANSWERS = """
import locale, sys
before, after = sys.argv[1:]
locale.setlocale(locale.LC_ALL, before)
from inference.analyzer import FaceAnalyzer
from inference.images import load_image

def answer():
    analyzer = FaceAnalyzer()
    (face,) = analyzer.analyze(photo, True).faces
    analyzer.detector.close()
    return face.detection, face.consensus.tolist(), face.age

photo = load_image("examples/astronaut.jpg")
print(answer())
locale.setlocale(locale.LC_ALL, after)
print(answer())
assert locale.setlocale(locale.LC_ALL) == after
"""


def test_a_program_gets_the_same_answers_before_and_after_it_sets_its_locale(name, expected):
    def answers(*names: str) -> set[str]:
        done = subprocess.run([sys.executable, "-c", ANSWERS, *names], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return set(done.stdout.splitlines())

    both = answers(name, "C") | answers("C", name)
    assert len(both) == 1 and repr(expected.detection) in both.pop()


def test_the_command_line_answers_the_same_in_every_locale(name, tmp_path, expected):
    variable = "LC_CTYPE" if name.startswith("az") else "LANG" if name.startswith("tr") else "LC_ALL"
    table = tmp_path / "table.csv"
    done = subprocess.run(
        [sys.executable, "-m", "inference", PHOTO, "--age-gender", "--csv", table, "--json", tmp_path / "report.json"],
        cwd=ROOT,
        env=variables(**{variable: name}),
        capture_output=True,
        timeout=100,
    )
    assert done.returncode == 0 and f"happy {expected.consensus.max():.0%}".encode() in done.stdout, done.stderr
    (entry,) = json.loads((tmp_path / "report.json").read_text("utf-8"))
    (face,) = entry["faces"]
    row = table.read_text("utf-8-sig").splitlines()[1].split(",")
    assert face == json.loads(json.dumps(expected.to_dict())) and f"{face['probabilities']['happy']:.5f}" in row


# One of each kind: another encoding and another small "I", that "I" alone, a comma. The command line runs in all of them.
@pytest.mark.parametrize("name", ["tr_TR.ISO-8859-9", "az_AZ.UTF-8", "fr_FR.UTF-8"], indirect=True)
def test_the_page_starts_in_every_kind_of_locale(name, tmp_path):
    with (
        open(tmp_path / "log", "w+b") as log,
        page_process(free_port(), variables(LC_ALL=name), log=log) as (address, _),
    ):
        assert json.load(urllib.request.urlopen(f"{address}health"))["status"] == "ok"
        # "Türkçe" stands in the files of the page, whatever the locale's encoding.
        config = json.load(urllib.request.urlopen(f"{address}config"))
        assert "Türkçe" in json.dumps(config, ensure_ascii=False) and "TÃ" not in json.dumps(config, ensure_ascii=False)


# Forks


FORK = """
import os, sys, threading, time
from inference.analyzer import FaceAnalyzer
from inference.follow import FaceFollower
from inference.images import load_image
photo = load_image("examples/astronaut.jpg")

def in_child(work, leave=os._exit):
    sys.stdout.flush()
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
    else:
        status = 1
        try:
            print("child", work(), flush=True)
            status = 0
        finally:
            leave(status)

def look(analyzer):
    (face,) = analyzer.analyze(photo, True).faces
    return face.shown, face.detection, face.age
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    "code",
    [
        "a = FaceAnalyzer(); print('parent', look(a)); in_child(lambda: look(a)); in_child(lambda: look(a)); print('parent', look(a))",
        "a = FaceAnalyzer(); in_child(lambda: look(a)); print('parent', look(a))",
        "a = FaceAnalyzer(); print('parent', look(a)); in_child(lambda: look(FaceAnalyzer())); print('parent', look(a))",
        # Children of children, and an ordinary end with all that is done at exit.
        "a = FaceAnalyzer(); print('parent', look(a)); in_child(lambda: (in_child(lambda: look(a)), look(a))[1], sys.exit)",
        # The child ends without having used it, or drops it.
        "a = FaceAnalyzer(); print('parent', look(a)); in_child(lambda: None, sys.exit); in_child(lambda: globals().pop('a') and None, sys.exit)",
        "a = FaceAnalyzer(); print('parent', look(a)); in_child(lambda: (look(a), a.detector.close())[0], sys.exit); a.detector.close()",
        # Other threads are in the middle of something.
        "a = FaceAnalyzer(); print('parent', look(a))\n"
        "end = threading.Event()\n"
        "def work():\n"
        "    while not end.is_set(): look(a)\n"
        "threads = [threading.Thread(target=work) for _ in range(3)]\n"
        "for thread in threads: thread.start()\n"
        "for _ in range(4): time.sleep(0.03); in_child(lambda: look(a))\n"
        "end.set(); [thread.join() for thread in threads]",
        "import multiprocessing\n"
        "a = FaceAnalyzer(); print('parent', look(a))\n"
        "def work(number): return look(a)\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool: print(*('child %s' % (w,) for w in pool.map(work, range(4))), sep=chr(10))",
    ],
    ids=["used", "unused", "its own", "grandchild", "left alone", "closed", "threads", "pool"],
)
def test_a_forked_process_looks_for_faces_itself(code, expected):
    lines = python(FORK + code).splitlines()
    found = {line.partition(" ")[2] for line in lines} - {"None"}
    assert len(found) == 1 and repr(expected.detection) in found.pop() and any("child" in line for line in lines)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("threads", [1, 4])
def test_a_forked_process_runs_the_models_itself(threads):
    code = f"""
import numpy as np
from inference.session import Session
session = Session("emotion.onnx", threads={threads})
faces = dict(image=np.random.default_rng(0).integers(0, 256, (64, 48, 48, 1)).astype(np.float32))
run = lambda: session.run(None, faces)[0].sum(0).round(3).tolist()
print("parent", run())
in_child(run)
in_child(lambda: (session.provider, run())[1], sys.exit)
in_child(lambda: session.__dict__.clear(), sys.exit)  # which would wait for the threads of the parent
print("parent", run())
"""
    lines = python(FORK + code).splitlines()
    assert len({line.partition(" ")[2] for line in lines} - {"None"}) == 1 and len(lines) == 5


# Streams


CLOSED = {
    "None": "sys.stderr = None",
    "closed": "sys.stderr.close()",
    "descriptor": "os.close(2)",
    "both": "os.close(1); os.close(2); sys.stdout = sys.stderr = None",
    "no flush": "sys.stderr = type('Log', (), {'write': lambda self, text: len(text)})()",
    "all": "sys.stdin.close(); os.close(2); sys.stderr = None; sys.executable = ''",
}


@pytest.mark.parametrize("close", CLOSED.values(), ids=CLOSED)
def test_a_program_without_standard_error_gets_its_answers(close, tmp_path):
    """What native code says must not end up in a file that happens to have number 2."""
    out = tmp_path / "out.txt"
    code = f"""
import os, sys
{close}
from inference.analyzer import FaceAnalyzer
with open({str(out)!r}, "w") as file:
    file.write(FaceAnalyzer().analyze("examples/astronaut.jpg").faces[0].shown)
    try:
        os.write(2, b"what native code says at another time")
    except OSError:  # nobody opened it again
        pass
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=100)
    assert done.returncode in (0, 120) and out.read_text() == "happy", done.stderr  # 120: stdout could not be flushed


@pytest.mark.parametrize("close", CLOSED.values(), ids=CLOSED)
def test_the_command_line_works_without_standard_streams(close, tmp_path):
    table = tmp_path / "table.csv"
    code = f"""
import os, runpy, sys
{close}
sys.argv = ["inference", "examples/astronaut.jpg", "--csv", {str(table)!r}]
runpy.run_module("inference", run_name="__main__", alter_sys=True)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=100)
    assert done.returncode in (0, 120) and b"Traceback" not in done.stderr, done.stderr
    assert len(table.read_text("utf-8-sig").splitlines()) == 2
