"""What a fresh machine sees: missing system libraries, a missing model, the Space's front matter."""

import os
import pytest
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from inference.system_libraries import DEBIAN_PACKAGES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
FRONT_MATTER = dict(re.findall(r"^(\w+): (.+)$", README.split("---")[1], re.MULTILINE))

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
    environment = {**os.environ, "PYTHONPATH": ""}
    result = subprocess.run(
        [sys.executable, "app.py"], cwd=copy, capture_output=True, text=True, env=environment, timeout=120
    )
    assert result.returncode == 1
    assert "emotion.onnx" in result.stderr and "Traceback" not in result.stderr and result.stderr.count("\n") == 1


def test_front_matter_suits_a_space():
    assert FRONT_MATTER["sdk"] == "gradio" and FRONT_MATTER["app_file"] == "app.py"
    assert len(FRONT_MATTER["short_description"]) <= 60
    requirement = re.search(r"^gradio(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[1]
    low, high = re.fullmatch(r">=([\d.]+),<([\d.]+)", requirement).groups()

    def numbers(text):
        return [int(part) for part in text.split(".")]

    assert numbers(low) <= numbers(FRONT_MATTER["sdk_version"]) < numbers(high)
    assert numbers(version("gradio")) >= numbers(FRONT_MATTER["sdk_version"])


def test_both_opencv_packages_are_the_same_version():
    pins = re.findall(r"^opencv-\w*-?python==(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert len(pins) == 2 and len(set(pins)) == 1
    assert version("opencv-python") == version("opencv-contrib-python") == pins[0]


def test_every_generated_section_of_the_readme_is_filled():
    sections = re.findall(r"<!-- begin (\w+) -->\n(.*?)<!-- end \1 -->", README, re.DOTALL)
    assert {name for name, _ in sections} == {
        "accuracy",
        "age_gender",
        "trunk",
        "speed",
        "alignment",
        "detection",
        "tracking",
        "live",
        "reproduction",
        "runs",
        "studies",
    }
    assert all(len(text) > 100 for _, text in sections)


def test_every_file_the_readme_points_to_is_there():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links and all((ROOT / link).exists() for link in links)
