"""Detector, crop, classifier and analyzer on the example photographs."""

import hashlib
import json
import math
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import inference.model_files
import inference.session
from inference.age_gender import AgeGenderEstimator
from inference.alignment import align_face, crop_geometry, cut_square
from inference.analyzer import FaceAnalyzer, reading_order
from inference.detector import FaceDetector
from inference.drawing import annotate
from inference.emotion import EmotionClassifier
from inference.images import load_image
from inference.model_files import MODELS, ModelError, read_model
from inference.quality import tempered
from inference.session import Session
from inference.types import CLASS_SHARES, CROWD, EMOTIONS, PRIOR_CORRECTION, Detection, Face, consensus

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


def many_faces(face: np.ndarray, rows: int, columns: int, width: int) -> np.ndarray:
    """A scene with the same head again and again, `width` pixels wide."""
    head = cv2.resize(face[20:240, 120:320], (width, round(width * 1.1)), interpolation=cv2.INTER_AREA)
    return np.tile(head, (rows, columns, 1))


def covers(box, point) -> bool:
    return box[0] < point[0] < box[2] and box[1] < point[1] < box[3]


# Detector


@pytest.mark.parametrize("searching", [True, False])
def test_finds_the_face_and_its_eyes(astronaut, searching):
    (found,) = FaceDetector(searching).detect(astronaut)
    assert covers(found.box, (223, 120))  # the nose
    assert found.score > 0.5
    assert math.dist(found.left_eye, (203, 104)) < 8 and math.dist(found.right_eye, (246, 106)) < 8


def test_no_face_in_a_cat(cat):
    assert FaceDetector().detect(cat) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (10, 20_000, 3), (20_000, 10, 3), (2, 500, 3)])
def test_odd_shapes_have_no_face(analyzer, shape):
    result = analyzer.analyze(np.zeros(shape, np.uint8))
    assert result.faces == [] and (result.height, result.width) == shape[:2]


@pytest.mark.parametrize(
    "image",
    [np.zeros((9, 9, 2), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8)],
)
def test_other_arrays_are_refused(analyzer, image, astronaut):
    with pytest.raises(ValueError, match="uint8"):
        analyzer.analyze(image)
    assert len(analyzer.analyze(astronaut).faces) == 1  # and the detector still works


def test_a_closed_detector_says_so(astronaut):
    detector = FaceDetector()
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


def test_of_a_large_picture_no_more_than_the_square_is_touched():
    huge = np.broadcast_to(np.array([10, 100, 200], np.uint8), (10**6, 10**6, 3))  # three bytes
    crop, matrix = cut_square(huge, (5e5, 6e5), 700, 0.3, 96)
    assert (crop == (10, 100, 200)).all()
    assert np.allclose(matrix @ (5e5, 6e5, 1), 48)


def test_grey_crops_are_those_of_the_grey_picture(astronaut):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)
    for x, y, side in ((225, 110, 90), (500, 20, 150)):
        assert (
            align_face(astronaut, face_at((x, y), side), grey=True) == align_face(grey, face_at((x, y), side))
        ).all()


@pytest.mark.parametrize("border", [cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE])
def test_colors_are_cut_as_each_of_them_alone_within_and_beyond_the_picture(border):
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (150, 200, 3), np.uint8), (0, 0), 2)
    for x, y, side, roll in rng.uniform((-60, -60, 20, -3), (260, 210, 400, 3), (50, 4)):
        colors, _ = cut_square(image, (x, y), side, roll, 48, border)
        alone = [cut_square(image[..., number], (x, y), side, roll, 48, border)[0] for number in range(3)]
        assert (colors == np.dstack(alone)).all()


# Classifier, session, model files


def test_all_faces_in_one_call_answer_as_one_by_one(analyzer, astronaut, monkeypatch):
    scene = many_faces(astronaut, 2, 3, 200)
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
        for name, values in original(analyzer.classifier, face.crop[None]).items():
            assert np.abs(values[0] - getattr(face, name)).max() < 1e-4
    assert len({face.detection.box for face in result.faces}) == 6


def test_fifty_faces(analyzer, astronaut):
    result = analyzer.analyze(many_faces(astronaut, 5, 10, 160))
    assert 49 <= len(result.faces) <= 51


def test_a_smile_is_happy_and_the_dictionary_says_so(analyzer, astronaut):
    result = analyzer.analyze(astronaut).to_dict()
    assert set(result) >= {"width", "height", "faces", "provider", "milliseconds"}
    assert (result["width"], result["height"]) == (512, 512)
    assert result["provider"] in ("CPUExecutionProvider", "CUDAExecutionProvider") and result["milliseconds"] > 0
    (face,) = result["faces"]
    assert face["emotion"] == "happy" == max(face["probabilities"], key=face["probabilities"].get)
    assert face["shown"] == "happy" == max(face["consensus"], key=face["consensus"].get) and face["sure"] is True
    assert list(face["probabilities"]) == list(face["consensus"]) == list(EMOTIONS)
    assert ("crowd" in face) == ("crowd" in analyzer.classifier.outputs)
    assert all(isinstance(value, int) for value in face["box"]) and len(face["box"]) == 4


def test_grey_and_rgb_faces_and_none(analyzer):
    classifier = analyzer.classifier
    grey = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)
    rgb = np.repeat(grey[..., None], 3, axis=3)
    assert np.abs(classifier.predict(grey)["probabilities"] - classifier.predict(rgb)["probabilities"]).max() < 1e-6
    assert classifier.predict(grey[:0])["probabilities"].shape == (0, 7)


def small_model(path: Path, outputs=("activation", "crowd", "probabilities"), **metadata) -> Path:
    """An emotion model for faces of 8 pixels: a random linear map of each quarter, with the given outputs."""
    random = np.random.default_rng(0)
    weights = {
        "kernel": random.normal(0, 0.002, (7, 1, 4, 4)).astype(np.float32),
        "to_crowd": random.normal(0, 1, (7, 8)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel"], ["maps"], strides=[4, 4]),
        helper.make_node("Transpose", ["maps"], ["activation"], perm=[0, 2, 3, 1]),
        helper.make_node("ReduceMean", ["activation"], ["logits"], axes=[1, 2], keepdims=0),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
        helper.make_node("MatMul", ["probabilities", "to_crowd"], ["crowd_logits"]),
        helper.make_node("Softmax", ["crowd_logits"], ["crowd"]),
    ]
    shapes = {"activation": ["N", 2, 2, 7], "crowd": ["N", 8], "probabilities": ["N", 7]}
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 8, 8, 1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"labels": json.dumps(EMOTIONS), "input_size": "8", **metadata})
    onnx.save(model, path)
    return path


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def test_all_answers_come_from_one_run(tmp_path, monkeypatch):
    classifier = EmotionClassifier(small_model(tmp_path / "three.onnx", crowd_labels=json.dumps(CROWD)))
    assert classifier.outputs == ("probabilities", "crowd", "activation")
    faces = np.random.default_rng(1).integers(0, 256, (5, 8, 8), np.uint8)
    runs, run = [], classifier.session.run
    monkeypatch.setattr(
        classifier.session, "run", lambda names, feed: runs.append(len(feed["image"])) or run(names, feed)
    )
    answers = classifier.predict(faces)
    assert runs == [5]
    assert {name: values.shape for name, values in answers.items()} == {
        "probabilities": (5, 7),
        "crowd": (5, 8),
        "activation": (5, 2, 2, 7),
    }
    assert np.abs(softmax(answers["activation"].mean(axis=(1, 2))) - answers["probabilities"]).max() < 1e-5
    assert np.array_equal(classifier.predict(faces, ["probabilities"])["probabilities"], answers["probabilities"])
    assert {name: values.shape for name, values in classifier.predict(faces[:0]).items()} == {
        "probabilities": (0, 7),
        "crowd": (0, 8),
        "activation": (0, 2, 2, 7),
    }


def test_a_model_without_the_later_outputs(tmp_path):
    classifier = EmotionClassifier(small_model(tmp_path / "one.onnx", ["probabilities"]))
    assert classifier.outputs == ("probabilities",)
    assert set(classifier.predict(np.zeros((2, 8, 8), np.uint8))) == {"probabilities"}
    # The labels of a crowd that is not there do not matter.
    EmotionClassifier(small_model(tmp_path / "one.onnx", ["probabilities"], crowd_labels='["joy"]'))


def test_a_crowd_in_another_order_is_refused(tmp_path):
    EmotionClassifier(small_model(tmp_path / "unsaid.onnx"))
    with pytest.raises(ModelError, match="other.onnx"):
        EmotionClassifier(small_model(tmp_path / "other.onnx", crowd_labels=json.dumps(CROWD[::-1])))


@pytest.mark.parametrize("outputs", [("activation", "crowd", "probabilities"), ("probabilities",)])
def test_every_face_gets_its_own_answers(tmp_path, astronaut, outputs):
    classifier = EmotionClassifier(small_model(tmp_path / "small.onnx", outputs))
    scene = np.hstack([astronaut, astronaut // 3])
    faces = FaceAnalyzer(FaceDetector(), classifier).analyze(scene).faces
    assert len(faces) == 2 and np.abs(faces[0].probabilities - faces[1].probabilities).max() > 0.01
    for face in faces:
        answers = classifier.predict(face.crop[None])
        for name in ("probabilities", "crowd", "activation"):
            if name in outputs:
                expected = answers[name]
                if name != "activation":
                    expected = tempered(expected, np.array([face.quality.certainty]))
                assert np.allclose(getattr(face, name), expected[0], atol=1e-4)
            else:
                assert getattr(face, name) is None


# Consensus


def one_hot(size: int, index: int) -> np.ndarray:
    return np.eye(size, dtype=np.float32)[index]


def face_saying(probabilities, crowd=None, box=(0, 0, 90, 90)) -> Face:
    crowd = None if crowd is None else np.asarray(crowd, np.float32)
    detection = Detection(box, 0.9, (30, 40), (60, 40))
    return Face(detection, np.zeros((48, 48), np.uint8), np.asarray(probabilities, np.float32), crowd)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("anger", "angry"),
        ("happiness", "happy"),
        ("sadness", "sad"),
        *((name, name) for name in EMOTIONS if name in CROWD),
    ],
)
def test_each_answer_of_the_crowd_counts_for_its_class(said, means):
    """Its share goes to that class alone: the others stay as they were among themselves."""
    probabilities = np.random.default_rng(0).dirichlet(np.ones(7)).astype(np.float32)
    result, without = (consensus(probabilities, crowd) for crowd in (one_hot(8, CROWD.index(said)), contempt()))
    named, others = EMOTIONS.index(means), np.arange(7) != EMOTIONS.index(means)
    assert result[named] > without[named]
    assert result[others] / result[others].sum() == pytest.approx(without[others] / without[others].sum(), abs=1e-5)


def contempt() -> np.ndarray:
    return one_hot(8, CROWD.index("contempt"))


def test_a_rare_class_counts_more():
    """Of two classes that both answers call equally likely the rarer one is shown."""
    either = (one_hot(7, EMOTIONS.index("disgust")) + one_hot(7, EMOTIONS.index("happy"))) / 2
    both = (one_hot(8, CROWD.index("disgust")) + one_hot(8, CROWD.index("happiness"))) / 2
    shown = consensus(either, both)
    rarity = CLASS_SHARES[EMOTIONS.index("happy")] / CLASS_SHARES[EMOTIONS.index("disgust")]
    assert shown[1] / shown[3] == pytest.approx(rarity**PRIOR_CORRECTION, rel=1e-4)
    assert shown[1] + shown[3] == pytest.approx(1)


def test_frequencies_are_those_of_the_training_split(fer2013):
    labels = fer2013.labels[fer2013.splits == 0]
    assert np.bincount(labels) / len(labels) == pytest.approx(CLASS_SHARES, abs=5e-5)


def test_contempt_has_no_say():
    votes = one_hot(8, CROWD.index("contempt")) * 0.6 + one_hot(8, CROWD.index("fear")) * 0.4
    assert consensus(one_hot(7, 0), votes) == pytest.approx(consensus(one_hot(7, 0), one_hot(8, CROWD.index("fear"))))
    nothing_else = consensus(one_hot(7, 0), contempt())
    assert abs(nothing_else.sum() - 1) < 1e-6 and nothing_else.argmax() == 0


def test_consensus_of_many_faces_and_without_a_crowd():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(7), (4, 3)).astype(np.float32)
    crowd = random.dirichlet(np.ones(8), (4, 3)).astype(np.float32)
    together = consensus(probabilities, crowd)
    assert together.shape == (4, 3, 7) and together.dtype == np.float32 and np.allclose(together.sum(axis=-1), 1)
    assert np.allclose(together[2, 1], consensus(probabilities[2, 1], crowd[2, 1]))
    assert np.array_equal(consensus(probabilities, None), probabilities)


def test_what_is_shown_may_differ_from_the_benchmarked_answer():
    face = face_saying([0.05, 0, 0, 0.45, 0.5, 0, 0], [0.1, 0.9, 0, 0, 0, 0, 0, 0])
    assert (face.emotion, face.shown, face.sure) == ("sad", "happy", True)
    fields = face.to_dict()
    assert (fields["emotion"], fields["shown"], fields["sure"]) == ("sad", "happy", True)
    assert fields["probabilities"]["sad"] == 0.5 and fields["crowd"] == {
        **dict.fromkeys(CROWD, 0),
        "neutral": 0.1,
        "happiness": 0.9,
    }
    # The crowd has a quarter of the say; a class counts by the root of its frequency, and the temperature is 0.94.
    assert abs(fields["consensus"]["happy"] - 0.5226) < 1e-3
    assert json.loads(json.dumps(fields)) == fields
    assert "crowd" not in face_saying(face.probabilities).to_dict()


def test_half_is_sure_and_less_is_not():
    assert face_saying([0.5, 0.3, 0.2, 0, 0, 0, 0]).sure
    assert not face_saying([0.499, 0.3, 0.201, 0, 0, 0, 0]).sure
    # It is the consensus that counts.
    assert not face_saying(one_hot(7, 3) * 0.6 + 0.4 / 7, one_hot(8, CROWD.index("fear")) * 0.9 + 0.1 / 8).sure


def test_labels_in_the_picture_are_what_is_shown(monkeypatch):
    texts = []
    monkeypatch.setattr(cv2, "putText", lambda scene, text, *rest: texts.append(text))
    sure = face_saying([0, 0, 0, 0.4, 0.6, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0])
    annotate(np.zeros((100, 100, 3), np.uint8), [sure, face_saying([0.4, 0.3, 0.3, 0, 0, 0, 0])])
    assert texts == ["1 happy", "2 angry?"]


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


@pytest.mark.parametrize("load", [EmotionClassifier, AgeGenderEstimator])
@pytest.mark.parametrize(
    ("key", "value"),
    [("input_size", None), ("input_size", "many"), ("labels", "one, two"), ("labels", "7"), ("labels", None)],
)
def test_a_model_whose_metadata_are_damaged_is_named(tmp_path, load, key, value):
    released = "emotion.onnx" if load is EmotionClassifier else "age_gender.onnx"
    model = onnx.load(MODELS / released)
    metadata = {entry.key: entry.value for entry in model.metadata_props} | {key: value}
    del model.metadata_props[:]
    helper.set_model_props(model, {name: text for name, text in metadata.items() if text is not None})
    onnx.save(model, tmp_path / "damaged.onnx")
    with pytest.raises(ModelError, match="damaged.onnx is not an"):
        load(tmp_path / "damaged.onnx")


def test_cuda_is_used_only_where_a_run_on_it_succeeds(monkeypatch):
    """A machine that lists CUDA and has a driver, but no GPU that works: the session is on the CPU and answers."""
    monkeypatch.setattr(inference.session, "_has_nvidia_gpu", lambda: True)
    session = Session("emotion.onnx")
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    assert session.provider == "CPUExecutionProvider"
    assert session.run(["probabilities"], {"image": np.zeros((1, 48, 48, 1), np.float32)})[0].shape == (1, 7)


def test_cuda_runs_where_there_is_a_gpu():
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers() or not Path("/dev/nvidia0").exists():
        pytest.skip("no NVIDIA GPU, or onnxruntime without CUDA")
    assert Session("emotion.onnx").provider == "CUDAExecutionProvider"


def test_a_session_without_a_gpu_is_silent():
    code = "import inference.session as s; s._has_nvidia_gpu = lambda: True; s.Session('emotion.onnx')"
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
