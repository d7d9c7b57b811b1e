"""ONNX Runtime sessions: a GPU that fails in the middle of the work, and processors by a container's quota."""

import logging
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from starlette.applications import Starlette
from starlette.testclient import TestClient

from inference import session as session_module
from inference.analyzer import FaceAnalyzer
from inference.emotion import LIVE_MODEL, EmotionClassifier, live_model
from inference.images import load_image
from inference.model_files import MODELS
from inference.native import native_stderr
from inference.processors import usable_memory, usable_processors
from inference.providers import COMPARED, MEASURED, differences
from inference.session import CPU, CUDA, Session
from webui.bodies import Bodies
from webui.photo import PhotoServer

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
LOOSER = {"activation": 10, "bbox": 10, "kps": 10}
"""Factors on the tolerance of outputs, by the beginnings of their names, that are logits and cells instead of probabilities."""
FACES = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)


class FailingGpu:
    """What onnxruntime gives for a GPU that answered at first and now fails. There is none here to be unplugged, so it is
    a real session, and so a real failure of onnxruntime, of a model that cannot be run; only its name says CUDA."""

    def __init__(self):
        vector = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", "H", "W", 1])
        shape = helper.make_tensor("shape", TensorProto.INT64, [1], [7])
        graph = helper.make_graph(
            [helper.make_node("Reshape", ["image", "shape"], ["probabilities"])],
            "failing",
            [vector],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [7])],
            [shape],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), providers=[CPU])
        self.runs = 0

    def get_providers(self):
        return [CUDA, CPU]

    def run(self, outputs, feed, options=None):
        self.runs += 1
        return self._session.run(["probabilities"], feed)


def put_on_failing_gpu(session: Session) -> FailingGpu:
    session._data = session_module.read_model("emotion.onnx")
    session._session, session.cuda_problem = FailingGpu(), None
    return session._session


def test_a_gpu_that_fails_in_the_middle_is_followed_by_the_cpu_and_nothing_is_lost(caplog):
    classifier = EmotionClassifier()
    expected = classifier.predict(FACES)
    gpu = put_on_failing_gpu(classifier.session)
    assert classifier.session.provider == CUDA
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail):  # the stand-in really fails
        gpu.run(None, {"image": classifier.preprocess(FACES)})
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: classifier.predict(FACES), range(12)))
    for answer in (*answers, classifier.predict(FACES)):
        assert all(np.abs(answer[name] - expected[name]).max() < 1e-6 for name in expected)
    assert classifier.session.provider == CPU and classifier.session.cuda_failed
    assert "Reshape" in classifier.session.cuda_problem
    assert [record.message for record in caplog.records] == [
        f"The CPU goes on without CUDA: {classifier.session.cuda_problem}"
    ]
    used = gpu.runs
    classifier.predict(FACES)
    assert gpu.runs == used  # it is not tried again


MEMORY = """
import re
from pathlib import Path
import numpy as np
from inference.session import Session

def held():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

session = Session("age_gender.onnx", threads=2, cuda=False)
few, many = ({"image": np.zeros((count, 64, 64, 3), np.float32)} for count in (1, 128))
session.run(None, few)
before = held()
session.run(None, many)
print(held() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.skipif(not (MODELS / "age_gender.onnx").exists(), reason="age_gender.onnx was left out")
def test_a_large_batch_leaves_no_memory_behind():
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 20  # megabytes; the session would keep more than 60


SHARED = """
import re
from pathlib import Path
import numpy as np
from inference.session import MANY, Session, return_memory

def held():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

sessions = [Session("age_gender.onnx", threads=2, cuda=False) for _ in range(3)]
one, some = ({"image": np.zeros((count, 64, 64, 3), np.float32)} for count in (1, MANY))
for session in sessions:
    session.run(None, one)
before = held()
for number in (1, 3):
    for session in sessions[:number]:
        session.run(None, some)
    print(held() - before)
return_memory()
print(held() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.skipif(not (MODELS / "age_gender.onnx").exists(), reason="age_gender.onnx was left out")
def test_sessions_share_memory_that_can_be_returned():
    done = subprocess.run([sys.executable, "-c", SHARED], capture_output=True, text=True, check=True)
    kept, shared, returned = map(float, done.stdout.split())  # megabytes
    assert kept > 30 and shared < 1.2 * kept and returned < 20


def test_input_that_no_provider_takes_does_not_give_up_the_gpu():
    session = Session("emotion.onnx")
    gpu = put_on_failing_gpu(session)
    with pytest.raises(Exception, match="invalid dimensions"):
        session.run(None, {"image": np.zeros((1, 3, 3, 1), np.float32)})
    assert session._session is gpu and not session.cuda_failed


def test_an_analysis_tells_the_provider_that_answered():
    analyzer, photo = FaceAnalyzer(), load_image(EXAMPLES / "astronaut.jpg")
    put_on_failing_gpu(analyzer.classifier.session)
    result = analyzer.analyze(photo)
    assert result.provider == CPU and [face.shown for face in result.faces] == ["happy"]
    analyzer.detector.close()


def test_the_page_is_told_that_the_gpu_failed():
    analyzer, photo = FaceAnalyzer(), (EXAMPLES / "astronaut.jpg").read_bytes()
    with TestClient(Starlette(routes=PhotoServer(analyzer, Bodies()).routes())) as client:
        assert "gpu_failed" not in client.post("/analyze", content=photo).json()
        put_on_failing_gpu(analyzer.classifier.session)
        answer = client.post("/analyze", content=photo).json()
    assert len(answer["faces"]) == 1 and answer["provider"] == CPU and answer["gpu_failed"] is True
    analyzer.detector.close()


def test_why_cuda_is_not_used_is_onnxruntimes_own_reason(monkeypatch):
    if CUDA not in onnxruntime.get_available_providers() or list(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("needs an onnxruntime with CUDA and no GPU")
    assert "no NVIDIA GPU" in Session("emotion.onnx").cuda_problem
    monkeypatch.setattr(session_module, "_has_nvidia_gpu", lambda: True)
    problem = Session("emotion.onnx").cuda_problem
    assert re.search(r"lib\w+\.so|CUDA|driver", problem) and "\n" not in problem


def test_a_network_of_8_bit_integers_stays_on_the_cpu_where_there_is_a_gpu(monkeypatch):
    tried = []
    monkeypatch.setattr(
        session_module, "_open_on_cuda", lambda *model: tried.append(model) or (None, "none in this test")
    )
    for name in ("emotion.onnx", "face_check.onnx", "yunet_n_dynamic.onnx"):
        assert Session(name).cuda_problem == "none in this test"
    assert len(tried) == 3
    for name in ("emotion_int8.onnx", "age_gender.onnx"):
        session = Session(name)
        assert session.provider == CPU and session.cuda_problem.startswith("the file is for the CPU alone")
    assert len(tried) == 3


def test_cuda_and_the_cpu_give_the_same_answers():
    if CUDA not in onnxruntime.get_available_providers() or not Path("/dev/nvidia0").exists():
        pytest.skip("no NVIDIA GPU, or onnxruntime without CUDA")
    for name in COMPARED:
        for output, apart in differences(Session(name), Session(name, cuda=False)).items():
            looser = next((factor for part, factor in LOOSER.items() if output.startswith(part)), 1)
            assert apart < 1e-3 * looser, (name, output, apart)


def test_differences_tell_two_networks_from_one():
    exact, again = (Session("emotion.onnx", threads, cuda=False) for threads in (1, 2))
    assert max(differences(exact, again).values()) < 1e-4
    assert 1e-3 < differences(exact, Session("emotion_int8.onnx", cuda=False))["probabilities"] < 1


def test_frames_of_cameras_and_videos_are_shown_to_the_float_network_where_it_is_on_cuda():
    analyzer = FaceAnalyzer()
    if analyzer.classifier.session.provider == CPU:
        assert live_model(analyzer.classifier) == LIVE_MODEL == "emotion_int8.onnx"
    put_on_failing_gpu(analyzer.classifier.session)
    assert live_model(analyzer.classifier) == "emotion.onnx"
    analyzer.detector.close()


def test_native_stderr_is_kept_from_the_terminal_and_given(capfd):
    with native_stderr() as said:
        os.write(2, b"from native code\n")
        assert said() == "from native code\n"
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_the_command_tells_what_works(run):
    result = run("inference.providers")
    assert result.returncode == 0, result.stderr
    assert f"Processors: {usable_processors()} may be used" in result.stdout
    for name in MEASURED:
        times = re.search(
            rf"^{re.escape(name)} +CPUExecutionProvider +([\d.]+) +([\d.]+)$", result.stdout, re.MULTILINE
        )
        assert times and all(0 < float(time) < 1000 for time in times.groups())
    assert all(
        re.search(rf"^{re.escape(name)} +\S", result.stdout.partition("differences")[2], re.M) for name in COMPARED
    )
    if not list(Path("/dev").glob("nvidia[0-9]*")):
        assert result.stdout.count("no CUDA here: ") == len(COMPARED)
        assert "CUDA is not used: " in result.stdout and "requirements-gpu.txt" in result.stdout


# Processors


def made_up(root: Path, membership: str, files: dict[str, str]) -> Path:
    """A file system with control groups: what /proc/self/cgroup says, and files below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("membership", "files", "processors"),
    [
        ("0::/\n", {}, 64),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 64),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "1000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "9900000 100000\n"}, 64),
        ("0::/\n", {"cpu.max": "nonsense\n"}, 64),
        ("0::/\n", {"cpu.max": "100000 0\n"}, 64),
        # The strictest of all around it holds.
        ("0::/a/b\n", {"cpu.max": "800000 100000", "a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "max 100000", "a/b/cpu.max": "50000 10000", "other/cpu.max": "10000 10000"}, 5),
        # The host's path, which is not there in the container.
        ("0::/kubepods/pod1/abc\n", {"cpu.max": "400000 100000\n"}, 4),
        # Version 1.
        ("4:memory:/x\n", {"cpu/x/cpu.cfs_quota_us": "100000", "cpu/x/cpu.cfs_period_us": "100000"}, 64),
        ("3:cpu,cpuacct:/\n", {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 64),
        ("3:cpu,cpuacct:/\n", {"cpu,cpuacct/cpu.cfs_quota_us": "350000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 4),
        ("3:cpu:/d/e\n", {"cpu/d/cpu.cfs_quota_us": "50000", "cpu/d/cpu.cfs_period_us": "50000"}, 1),
        # Both at once: version 2 has no controllers then.
        ("1:cpu:/\n0::/\n", {"cpu/cpu.cfs_quota_us": "600000", "cpu/cpu.cfs_period_us": "100000"}, 6),
        ("1:memory:/\n0::/\n", {"unified/cpu.max": "700000 100000"}, 7),
        ("broken\n", {}, 64),
    ],
)
def test_processors_by_the_quota_of_control_groups(tmp_path, monkeypatch, membership, files, processors):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert usable_processors(made_up(tmp_path, membership, files)) == processors


def test_processors_by_affinity_and_without_any_control_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert usable_processors(tmp_path) == 2
    assert usable_processors(made_up(tmp_path, "0::/\n", {"cpu.max": "800000 100000\n"})) == 2


@pytest.mark.parametrize(
    ("membership", "files", "megabytes"),
    [
        ("0::/\n", {}, 4096),
        ("0::/\n", {"memory.max": "max\n"}, 4096),
        ("0::/a/b\n", {"memory.max": "max", "a/memory.max": "1073741824", "a/b/memory.max": "2147483648"}, 1024),
        ("0::/\n", {"memory.max": "99999999999999\n"}, 4096),
        ("5:memory:/x\n", {"memory/x/memory.limit_in_bytes": "536870912"}, 512),
        ("5:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, 4096),
    ],
)
def test_memory_by_the_limits_of_control_groups(tmp_path, monkeypatch, membership, files, megabytes):
    monkeypatch.setattr(
        os, "sysconf", lambda name: {"SC_PHYS_PAGES": 2**20, "SC_PAGE_SIZE": 2**12}[name], raising=False
    )
    assert usable_memory(made_up(tmp_path, membership, files)) == megabytes * 2**20


def test_memory_where_the_system_does_not_say(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert usable_memory(tmp_path) == float("inf")
