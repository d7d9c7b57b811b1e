"""What a fresh machine sees: missing system libraries, a missing model, the Space's front matter."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import unicodedata
from importlib.metadata import metadata, version
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard, SpaceHardware

from benchmarks.screenshot import free_port
from inference.start import DEBIAN_PACKAGES

ROOT = Path(__file__).resolve().parent.parent

# Makes the system libraries look missing, as they are on a bare server.
WITHOUT_LIBRARIES = """
import ctypes, runpy, sys
real = ctypes.CDLL
def CDLL(name, *arguments, **options):
    if name in ("libEGL.so.1", "libGL.so.1"):
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")
    return real(name, *arguments, **options)
ctypes.CDLL = CDLL
sys.argv = ["start"]
"""


@pytest.mark.parametrize("start", ["runpy.run_path('app.py', run_name='__main__')", "runpy.run_module('inference')"])
def test_missing_system_libraries_are_one_line_with_the_command(start):
    if not sys.platform.startswith("linux"):
        pytest.skip("the libraries are checked on Linux only")
    result = subprocess.run([sys.executable, "-c", WITHOUT_LIBRARIES + start], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "libEGL.so.1" in result.stderr and "apt-get install libegl1 libgl1" in result.stderr


def test_packages_txt_lists_the_system_packages():
    assert sorted((ROOT / "packages.txt").read_text().split()) == sorted(DEBIAN_PACKAGES.values())


def test_a_missing_model_ends_the_start_with_one_line(tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "runs", "build", "docs", "emotion.onnx"))
    environment = {**os.environ, "PYTHONPATH": "", "GRADIO_SERVER_PORT": str(free_port())}
    result = subprocess.run(
        [sys.executable, "app.py"], cwd=copy, capture_output=True, text=True, env=environment, timeout=120
    )
    assert result.returncode == 1
    assert "emotion.onnx" in result.stderr and "Traceback" not in result.stderr and result.stderr.count("\n") == 1


def test_front_matter_follows_the_rules_of_a_space():
    # https://huggingface.co/docs/hub/spaces-config-reference
    data = SpaceCard.load(ROOT / "README.md").data.to_dict()
    assert set(data) == {
        *("title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "pinned"),
        *("suggested_hardware", "license", "short_description", "models", "tags"),
    }
    assert all(isinstance(data[key], str) and data[key] for key in set(data) - {"pinned", "models", "tags"})
    assert data["sdk"] == "gradio" and (ROOT / data["app_file"]).is_file() and data["pinned"] in (True, False)
    assert len(data["emoji"]) == 1 and unicodedata.category(data["emoji"]) == "So"
    colors = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {data["colorFrom"], data["colorTo"]} <= colors
    assert re.fullmatch(r"3\.\d+(\.\d+)?", data["python_version"])
    assert data["suggested_hardware"] in set(SpaceHardware)
    assert len(data["short_description"]) <= 60
    # Only what is loaded from the Hub may stand there, and nothing is.
    assert data["models"] == []
    assert all(re.fullmatch(r"[a-z0-9-]+", tag) for tag in data["tags"])


def test_gradio_is_the_one_that_a_space_installs():
    (pin,) = re.findall(r"^gradio==(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert SpaceCard.load(ROOT / "README.md").data.sdk_version == pin == version("gradio")


def test_the_repository_is_small_enough_for_a_space():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    sizes = {name: (ROOT / name).stat().st_size for name in listed.stdout.split("\0") if name}
    assert "models/emotion.onnx" in sizes
    # From 10 MB on, the Hub wants a file in LFS; a Space has 1 GB.
    assert {name: size for name, size in sizes.items() if size >= 10_000_000} == {}
    assert sum(sizes.values()) < 100_000_000


def test_both_opencv_packages_are_the_same_version():
    pins = re.findall(r"^opencv-\w*-?python==(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert len(pins) == 2 and len(set(pins)) == 1
    assert version("opencv-python") == version("opencv-contrib-python") == pins[0]


def test_the_gpu_file_adds_nvidia_libraries_to_the_very_same_packages():
    lines = [line for line in (ROOT / "requirements-gpu.txt").read_text().splitlines() if not line.startswith("#")]
    (pin,) = re.findall(r"^onnxruntime-gpu([^;]+);", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert lines == ["-r requirements.txt", f"onnxruntime-gpu[cuda,cudnn]{pin}"]
    assert {"cuda", "cudnn"} <= set(metadata("onnxruntime-gpu").get_all("Provides-Extra"))


def dockerfile() -> list[tuple[str, str]]:
    """Instructions and their arguments, in order."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def container_files() -> list[str]:
    """What .dockerignore lets in: it refuses everything, then names what is let in, then refuses caches again."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*" and lines[-1] == "**/__pycache__"
    assert all(line.startswith("!") for line in lines[1:-1])
    return [line.removeprefix("!") for line in lines[1:-1]]


def test_the_container_runs_the_page_as_an_ordinary_user():
    instructions = dockerfile()
    data = SpaceCard.load(ROOT / "README.md").data
    assert re.fullmatch(rf"python:{re.escape(data.python_version)}\.\d+-slim-\w+", dict(instructions)["FROM"])
    order = [name for name, _ in instructions]
    (user,) = [argument for name, argument in instructions if name == "USER"]
    assert user == "1000" and order.index("USER") < order.index("CMD") and "--chown" not in str(instructions)
    runs = [argument for name, argument in instructions if name == "RUN"]
    assert any("--uid 1000" in run for run in runs)
    (apt,) = [run for run in runs if "apt-get install" in run]
    assert "--arg-file /tmp/packages.txt" in apt and "rm -rf /var/lib/apt/lists/*" in apt
    (pip,) = [run for run in runs if "pip install" in run]
    assert "--no-cache-dir --require-hashes -r /tmp/$REQUIREMENTS" in pip
    assert ("ARG", "REQUIREMENTS=requirements.lock") in instructions
    environment = dict(pair.split("=") for name, argument in instructions if name == "ENV" for pair in argument.split())
    assert ("EXPOSE", environment["GRADIO_SERVER_PORT"]) in instructions
    assert environment["GRADIO_SERVER_NAME"] == "0.0.0.0"
    assert not {".git", "runs", "build", "docs", "tests"} & set(container_files())


def listened_at(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def test_what_the_container_copies_serves_the_page(tmp_path):
    for name in container_files():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    instructions = dict(dockerfile())
    environment = os.environ | dict(pair.split("=") for pair in instructions["ENV"].split())
    port = free_port()
    environment["GRADIO_SERVER_PORT"] = str(port)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    check = instructions["HEALTHCHECK"].partition("CMD ")[2]

    def healthy() -> bool:
        return subprocess.run(check, shell=True, env=environment, capture_output=True).returncode == 0

    assert not healthy()
    with open(tmp_path / "log", "w+") as log:
        page = subprocess.Popen(json.loads(instructions["CMD"]), cwd=tmp_path, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 120
            while not listened_at(port) or not healthy():
                log.seek(0)
                assert page.poll() is None and time.monotonic() < deadline, log.read()
                time.sleep(0.2)
        finally:
            page.terminate()
            page.wait(30)
