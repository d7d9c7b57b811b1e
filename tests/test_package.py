"""What a program or a notebook has of `import ifade`, which is the folder inference/ here."""

import ast
import base64
import importlib
import json
import os
import pickle
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pandas
import pytest
from PIL import Image

import inference
from inference.analyzer import FaceAnalyzer
from inference.detector import FaceDetector
from inference.images import ImageError, load_image
from inference.session import CPU, Session
from inference.tables import NAMES
from inference.types import EMOTIONS, Analysis

ROOT = Path(__file__).resolve().parent.parent
ASTRONAUT, CAT = ROOT / "examples" / "astronaut.jpg", ROOT / "examples" / "cat.jpg"
NOTEBOOK = ROOT / "docs" / "ifade.ipynb"
PUBLIC = ("probabilities", "crowd", "age_distribution", "gender")


@pytest.fixture(scope="module")
def result() -> Analysis:
    return inference.analyze(ASTRONAUT, age_gender=True)


def test_the_import_waits_for_nothing_large():
    code = "import sys, inference; print([m for m in ('numpy', 'cv2', 'PIL', 'onnxruntime', 'mediapipe') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_every_public_name_is_there_and_known_to_type_checkers():
    tree = ast.parse((ROOT / "inference" / "__init__.py").read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    names = [alias.name for node in checked.body for alias in node.names]
    assert sorted(names) == sorted(inference.__all__) == sorted(inference._HOMES)
    for name in inference.__all__:
        assert getattr(inference, name) is getattr(importlib.import_module(f"inference.{inference._HOMES[name]}"), name)
    assert set(inference.__all__) <= set(dir(inference))
    with pytest.raises(AttributeError, match="analyse"):
        inference.analyse


def test_a_path_a_pil_image_and_arrays_in_either_order_of_colors_are_answered_alike(result):
    (face,) = result.faces
    pixels = load_image(ASTRONAUT)
    given = [Image.open(ASTRONAUT), pixels, str(ASTRONAUT), ASTRONAUT.read_bytes()]
    for same in [*inference.analyze_many(given), inference.analyze(pixels[..., ::-1], bgr=True)]:
        np.testing.assert_allclose(same.faces[0].probabilities, face.probabilities, atol=1e-6)
    with pytest.raises(ImageError):
        inference.analyze(ROOT / "nothing.jpg")
    with pytest.raises(TypeError):
        inference.analyze(ASTRONAUT, True)


def test_a_batch_is_answered_as_one_by_one_in_one_run_of_each_network(monkeypatch):
    pixels = load_image(ASTRONAUT)
    pictures = [pixels, CAT, np.hstack([pixels, pixels[:, ::-1]]), pixels[:, ::-1]]
    analyzer = FaceAnalyzer()
    single = [analyzer.analyze(picture, age_gender=True) for picture in pictures]
    runs, run = [], Session.run
    networks = (analyzer.classifier.session, analyzer.estimator.session)
    monkeypatch.setattr(Session, "run", lambda self, *args: (runs.append(self), run(self, *args))[1])
    batch = analyzer.analyze_many(iter(pictures), age_gender=True)
    assert [session for session in runs if session in networks] == list(networks)
    assert [len(found.faces) for found in batch] == [1, 0, 2, 1]
    for one, other in zip(single, batch, strict=True):
        assert (one.width, one.height) == (other.width, other.height)
        for face, same in zip(one.faces, other.faces, strict=True):
            assert face.detection == same.detection and face.quality == same.quality
            for name in PUBLIC:
                np.testing.assert_allclose(getattr(face, name), getattr(same, name), atol=1e-5)
    assert analyzer.analyze_many([]) == []


def test_threads_and_provider_are_told_to_each_network():
    analyzer = FaceAnalyzer(threads=1, provider="cpu")
    for part in (analyzer.classifier, analyzer.estimator):
        assert part.session.provider == CPU and part.session.cuda_problem == "it was not asked for"
        assert part.session._options.intra_op_num_threads == 1
    with pytest.raises(ValueError, match="cpu, cuda"):
        FaceAnalyzer(provider="tpu")


def test_cuda_that_is_demanded_and_not_there_is_an_error():
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers() and list(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("an NVIDIA GPU is here")
    with pytest.raises(RuntimeError, match="CUDA is demanded and cannot be used: .+"):
        FaceAnalyzer(provider="cuda")


def test_a_result_is_a_line_a_face(result):
    first, line = repr(result).splitlines()
    assert first == f"{ASTRONAUT}: 512 x 512 pixels, 1 face"
    assert re.match(r"1: Face\(happy \d+%; apparent age.*; apparent gender.*; box 1\d\d \d+ 2\d\d 1\d\d\)$", line)
    assert repr(inference.analyze(load_image(CAT))) == "451 x 300 pixels, no face"


def test_a_result_is_a_table_with_or_without_pandas(result, monkeypatch):
    frame = result.to_frame()
    assert tuple(frame.columns) == NAMES and len(frame) == 1
    assert (frame["file"][0], frame["shown"][0], frame["faces"][0]) == (str(ASTRONAUT), "happy", 1)
    np.testing.assert_allclose(frame[list(EMOTIONS)].to_numpy()[0], result.faces[0].consensus, atol=1e-5)
    both = pandas.concat([frame, inference.analyze(CAT).to_frame()], ignore_index=True)
    assert both["faces"].tolist() == [1, 0] and both["happy"].isna().tolist() == [False, True]
    assert (both.dtypes == frame.dtypes).all() and both.dtypes["sure"] == "boolean"
    monkeypatch.setitem(sys.modules, "pandas", None)
    table = result.to_frame()
    assert tuple(table) == NAMES and table["shown"] == ["happy"] and table["person"] == [None]


def test_a_notebook_shows_the_picture_and_seven_bars_and_loads_nothing(result):
    html, plain = result._repr_html_(), load_image(ASTRONAUT)
    values = re.findall(r"<tr><td>(\w+)</td>.*?width:([\d.]+)%.*?</tr>", html)
    assert [name for name, _ in values] == list(EMOTIONS)
    np.testing.assert_allclose([float(value) / 100 for _, value in values], result.faces[0].consensus, atol=6e-4)
    data = re.search(r'src="data:image/jpeg;base64,([^"]+)"', html)[1]
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR_RGB)
    away = [
        np.abs(picture - known.astype(float)).mean() for known in (inference.annotate(ASTRONAUT, result.faces), plain)
    ]
    assert away[0] < 3 < away[1]  # of grey values: the box is in it
    assert not re.search(r"<script|https?:|src=\"(?!data:)|url\(", html)


def test_a_notebook_escapes_the_name_of_a_file_and_does_without_it(tmp_path):
    path = tmp_path / '"><script>alert(1)<'
    path.write_bytes(ASTRONAUT.read_bytes())
    result = inference.analyze(path)
    assert "<script" not in result._repr_html_() and f"{path.name}: " in unescape(result._repr_html_())
    path.unlink()
    html = result._repr_html_()
    assert "<script" not in html and "<img" not in html and "happy" in html


def test_another_process_gets_a_path_along_but_no_picture(result):
    copy = pickle.loads(pickle.dumps(result))
    assert repr(copy) == repr(result) and np.array_equal(copy.picture(), load_image(ASTRONAUT))
    pixels = load_image(ASTRONAUT)
    data = pickle.dumps(inference.analyze(pixels))
    assert len(data) < pixels.nbytes / 50 and pickle.loads(data).picture is None


def photos() -> list[Path]:
    folder = Path(os.environ.get("PHOTOS_DIR") or ROOT / "nothing", "people")
    return [ASTRONAUT, folder / "group_meeting.jpg"]


@pytest.mark.parametrize("path", photos(), ids=lambda path: path.stem)
def test_the_detector_finds_no_face_where_faces_were_blurred(path):
    if not path.is_file():
        pytest.skip("PHOTOS_DIR is not set")
    image, analyzer = load_image(path), FaceAnalyzer()
    faces = analyzer.analyze(image).faces
    assert faces
    blurred = inference.blur_faces(path, faces)
    assert FaceDetector().detect(blurred) == []
    x1, y1, x2, y2 = (int(value) for value in faces[0].detection.box)
    # No more is left of a face than two by two means.
    assert np.linalg.matrix_rank(blurred[y1:y2, x1:x2, 0] - blurred[y1:y2, x1:x2, 0].mean(), tol=300) <= 2
    far = np.ones(image.shape[:2], bool)
    for x1, y1, x2, y2 in (face.detection.box for face in faces):
        reach = max(x2 - x1, y2 - y1)
        far[max(int(y1 - reach), 0) : int(y2 + reach), max(int(x1 - reach), 0) : int(x2 + reach)] = False
    assert np.array_equal(blurred[far], image[far])


def test_the_notebook_runs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert "ifade.analyze(" in code
    program = f"import os, sys, inference\nsys.modules['ifade'] = inference\nos.chdir('docs')\n{code}\n"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
