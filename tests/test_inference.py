"""Detector, crop, classifier and analyzer on the example photographs."""

import cv2
import hashlib
import math
import numpy as np
import onnxruntime
import os
import pytest
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import inference.model_files
import inference.session
from inference.alignment import align_face, crop_geometry
from inference.analyzer import FaceAnalyzer, reading_order
from inference.detector import FaceDetector
from inference.drawing import annotate
from inference.emotion import EmotionClassifier
from inference.images import load_image
from inference.model_files import MODELS, ModelError, read_model
from inference.session import create_session
from inference.types import EMOTIONS, Detection

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return load_image(ROOT / "examples" / "astronaut.jpg")


@pytest.fixture(scope="module")
def cat() -> np.ndarray:
    return load_image(ROOT / "examples" / "cat.jpg")


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer()


def crowd(face: np.ndarray, rows: int, columns: int, width: int) -> np.ndarray:
    """A scene with the same head again and again, `width` pixels wide."""
    head = cv2.resize(face[20:240, 120:320], (width, round(width * 1.1)), interpolation=cv2.INTER_AREA)
    return np.tile(head, (rows, columns, 1))


def covers(box, point) -> bool:
    return box[0] < point[0] < box[2] and box[1] < point[1] < box[3]


# Detector


@pytest.mark.parametrize("model", ["short_range", "full_range"])
@pytest.mark.parametrize("tiled", [False, True])
def test_finds_the_face_and_its_eyes(astronaut, model, tiled):
    (found,) = FaceDetector(model, tiled=tiled).detect(astronaut)
    assert covers(found.box, (223, 120))  # the nose
    assert found.score > 0.5
    assert math.dist(found.left_eye, (203, 104)) < 8 and math.dist(found.right_eye, (246, 106)) < 8


def test_no_face_in_a_cat(cat):
    assert FaceDetector(tiled=True).detect(cat) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (10, 20_000, 3), (20_000, 10, 3), (2, 500, 3)])
def test_odd_shapes_have_no_face(analyzer, shape):
    result = analyzer.analyze(np.zeros(shape, np.uint8))
    assert result.faces == [] and (result.height, result.width) == shape[:2]


@pytest.mark.parametrize(
    "image",
    [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8)],
)
def test_other_arrays_are_refused(analyzer, image, astronaut):
    with pytest.raises(ValueError, match="uint8"):
        analyzer.analyze(image)
    assert len(analyzer.analyze(astronaut).faces) == 1  # and the detector still works


def test_tiles_find_small_faces(astronaut):
    scene = np.full((900, 1280, 3), 128, np.uint8)
    small = cv2.resize(astronaut, (220, 220), interpolation=cv2.INTER_AREA)  # a face of 44 pixels
    scene[640:860, 1000:1220] = small
    assert FaceDetector("full_range").detect(scene) == []
    (found,) = FaceDetector("full_range", tiled=True).detect(scene)
    assert covers(found.box, (1000 + 223 * 0.43, 640 + 120 * 0.43))


def test_a_closed_detector_says_so(astronaut):
    detector = FaceDetector("short_range")
    detector.close()
    with pytest.raises(ValueError, match="closed"):
        detector.detect(astronaut)
    detector.close()  # twice does no harm


def test_detector_is_silent_and_lets_the_program_end():
    code = "from inference.detector import FaceDetector; import numpy as np; d = FaceDetector(); d.detect(np.zeros((9, 9, 3), np.uint8))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


# Crop


def face_at(center, eyes, roll=0.0) -> Detection:
    """A detection with its eyes `eyes` pixels apart around `center`, turned by `roll` radians."""
    dx, dy = math.cos(roll) * eyes / 2, math.sin(roll) * eyes / 2
    x, y = center
    box = (x - eyes, y - eyes, x + eyes, y + eyes)
    return Detection(box, 0.9, (x - dx, y - dy), (x + dx, y + dy))


@pytest.mark.parametrize("roll", [0.0, 0.3, -0.5])
def test_crop_has_level_eyes_where_fer2013_has_them(roll):
    detection = face_at((200, 150), 60, roll)
    image = np.zeros((400, 400), np.uint8)
    for eye in (detection.left_eye, detection.right_eye):
        cv2.circle(image, [round(value) for value in eye], 5, 255, -1)
    crop = align_face(image, detection, 96)
    found = [np.argwhere(half > 60).mean(axis=0) / 96 for half in (crop[:, :48], crop[:, 48:])]
    left, right = found[0], found[1] + (0, 0.5)
    assert abs(left[0] - right[0]) < 0.02
    # Where the eyes stand in FER-2013's mean face, as far as the detector's boxes vary.
    assert 0.28 < left[0] < 0.45 and 0.26 < left[1] < 0.37 and 0.63 < right[1] < 0.74


def test_crop_does_not_depend_on_size_place_or_roll(astronaut):
    detection = FaceDetector().detect(astronaut)[0]
    reference = align_face(astronaut, detection).astype(float)
    height, width = astronaut.shape[:2]
    for angle, scale in ((0, 2.0), (20, 1.0), (-15, 0.8)):
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
        matrix[:, 2] += (200, 150)
        scene = cv2.warpAffine(astronaut, matrix, (width * 2, height * 2), borderMode=cv2.BORDER_REPLICATE)

        def move(point):
            return tuple(matrix @ (*point, 1))

        x1, y1, x2, y2 = detection.box
        (cx, cy), half = move(((x1 + x2) / 2, (y1 + y2) / 2)), (x2 - x1) / 2 * scale
        box = (cx - half, cy - half, cx + half, cy + half)
        moved = Detection(box, 0.9, move(detection.left_eye), move(detection.right_eye))
        assert np.abs(align_face(scene, moved) - reference).mean() < 6


def test_large_faces_are_averaged_not_sampled():
    stripes = np.zeros((2000, 2000), np.uint8)
    stripes[:, ::2] = 255
    crop = align_face(stripes, face_at((1000, 900), 500))
    assert 100 < crop.min() and crop.max() < 155


def test_crop_beyond_the_edge_repeats_the_border():
    image = np.full((50, 50, 3), 90, np.uint8)
    assert (align_face(image, face_at((2, 2), 30)) == 90).all()


def test_coinciding_eyes_still_give_a_crop():
    detection = Detection((10, 10, 50, 50), 0.9, (30, 30), (30, 30))
    assert crop_geometry(detection)[1] >= 20
    assert align_face(np.zeros((60, 60, 3), np.uint8), detection).shape == (48, 48, 3)


# Classifier, session, model files


def test_all_faces_in_one_call_answer_as_one_by_one(analyzer, astronaut, monkeypatch):
    scene = crowd(astronaut, 2, 3, 200)
    calls = []
    original = EmotionClassifier.predict
    monkeypatch.setattr(
        EmotionClassifier, "predict", lambda self, faces: calls.append(len(faces)) or original(self, faces)
    )
    result = analyzer.analyze(scene)
    assert calls == [6]
    for face in result.faces:
        assert face.crop.shape == (48, 48) and face.crop.dtype == np.uint8
        assert face.probabilities.shape == (7,) and abs(face.probabilities.sum() - 1) < 1e-5
        assert np.abs(original(analyzer.classifier, face.crop[None])[0] - face.probabilities).max() < 1e-5
    assert len({face.detection.box for face in result.faces}) == 6


def test_fifty_faces(analyzer, astronaut):
    result = analyzer.analyze(crowd(astronaut, 5, 10, 160))
    assert 49 <= len(result.faces) <= 51


def test_a_smile_is_happy_and_the_dictionary_says_so(analyzer, astronaut):
    result = analyzer.analyze(astronaut).to_dict()
    assert set(result) >= {"width", "height", "faces", "provider", "milliseconds"}
    assert (result["width"], result["height"]) == (512, 512)
    assert result["provider"] in ("CPUExecutionProvider", "CUDAExecutionProvider") and result["milliseconds"] > 0
    (face,) = result["faces"]
    assert face["emotion"] == "happy" == max(face["probabilities"], key=face["probabilities"].get)
    assert list(face["probabilities"]) == list(EMOTIONS)
    assert all(isinstance(value, int) for value in face["box"]) and len(face["box"]) == 4


def test_grey_and_rgb_faces_and_none(analyzer):
    classifier = analyzer.classifier
    grey = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)
    rgb = np.repeat(grey[..., None], 3, axis=3)
    assert np.abs(classifier.predict(grey) - classifier.predict(rgb)).max() < 1e-6
    assert classifier.predict(grey[:0]).shape == (0, 7)


def test_threads_share_one_analyzer(analyzer, astronaut, cat):
    expected = {id(image): [face.to_dict() for face in analyzer.analyze(image).faces] for image in (astronaut, cat)}
    wrong = []

    def work(image):
        for _ in range(5):
            if [face.to_dict() for face in analyzer.analyze(image).faces] != expected[id(image)]:
                wrong.append(id(image))

    threads = [threading.Thread(target=work, args=(image,)) for image in (astronaut, cat) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_model_files_are_those_of_the_checksums():
    for line in (MODELS / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((MODELS / name).read_bytes()).hexdigest() == digest
        assert (MODELS / name).stat().st_size < 10_000_000
        assert read_model(name)


@pytest.mark.parametrize("damage", ["missing", "cut off", "altered", "unknown"])
def test_a_wrong_model_file_is_named(tmp_path, monkeypatch, damage):
    models = tmp_path / "models"
    models.mkdir()
    for file in MODELS.iterdir():
        if file.is_file():
            (models / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(inference.model_files, "MODELS", models)
    monkeypatch.setattr(inference.model_files, "CHECKSUMS", models / "SHA256SUMS")
    target = models / "emotion.onnx"
    data = target.read_bytes()
    if damage == "missing":
        target.unlink()
    elif damage == "cut off":
        target.write_bytes(data[:1000])
    elif damage == "altered":
        target.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    else:
        (models / "SHA256SUMS").write_text("")
    with pytest.raises(ModelError, match="emotion.onnx"):
        EmotionClassifier()


def test_files_that_are_no_emotion_model(tmp_path):
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match="text.onnx"):
        EmotionClassifier(tmp_path / "text.onnx")


def test_cuda_is_used_only_where_a_run_on_it_succeeds(monkeypatch):
    """A machine that lists CUDA and has a driver, but no GPU that works: the session is on the CPU and answers."""
    monkeypatch.setattr(inference.session, "_has_nvidia_gpu", lambda: True)
    session = create_session("emotion.onnx")
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.run(None, {"image": np.zeros((1, 48, 48, 1), np.float32)})[0].shape == (1, 7)


def test_cuda_runs_where_there_is_a_gpu():
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers() or not Path("/dev/nvidia0").exists():
        pytest.skip("no NVIDIA GPU, or onnxruntime without CUDA")
    assert create_session("emotion.onnx").get_providers()[0] == "CUDAExecutionProvider"


def test_a_session_without_a_gpu_is_silent():
    code = "import inference.session as s; s._has_nvidia_gpu = lambda: True; s.create_session('emotion.onnx')"
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")


def test_portraits_of_the_photographs_at_hand(analyzer):
    folder = os.environ.get("PHOTOS_DIR")
    if not folder:
        pytest.skip("set PHOTOS_DIR to a folder with photographs, those without a face named noface_*")
    for path in sorted(Path(folder).glob("*.[jp][pn]g")):
        faces = analyzer.analyze(load_image(path)).faces
        assert len(faces) == (0 if path.name.startswith("noface_") else 1), path.name


def test_faces_are_numbered_as_one_reads():
    centers = [(300, 60), (100, 80), (200, 50), (120, 240), (320, 260)]  # two rows, not quite level
    detections = [Detection((x - 40, y - 40, x + 40, y + 40), 0.9, (x - 10, y), (x + 10, y)) for x, y in centers]
    order = [detections.index(detection) for detection in reading_order(detections[::-1])]
    assert order == [1, 2, 0, 3, 4]
    assert reading_order([]) == []


def test_annotation_leaves_the_picture_alone_and_stays_inside(analyzer, astronaut):
    face = analyzer.analyze(astronaut).faces[0]
    before = astronaut.copy()
    drawn = annotate(astronaut, [face])
    assert (astronaut == before).all() and drawn.shape == astronaut.shape
    changed = np.argwhere((drawn != before).any(axis=2))
    x1, y1, x2, y2 = face.detection.box
    assert changed[:, 1].min() >= x1 - 5 and changed[:, 0].max() <= y2 + 5 and changed[:, 0].min() < y1
    # A face at the top edge has its label inside; boxes larger than a tiny picture do no harm.
    top = replace(face, detection=Detection((0, 0, 90, 90), 0.9, (30, 40), (60, 40)))
    assert (annotate(astronaut, [top])[2:20, 2:40] != before[2:20, 2:40]).any()
    assert annotate(np.zeros((1, 1, 3), np.uint8), [top]).shape == (1, 1, 3)
