"""The 8-bit network answers nearly as the one it was made from."""

import sys

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export import quantize
from inference.emotion import EmotionClassifier
from inference.model_files import MODELS
from inference.types import EMOTIONS
from training.emotion.evaluate import score
from training.report import read_report, report_path


def test_quantized_network(exported, synthetic, tmp_path):
    target = tmp_path / "int8.onnx"
    quantize.quantize(exported, target, synthetic.split("Training").images[..., None])
    assert target.stat().st_size < exported.stat().st_size / 3
    before, after = (
        EmotionClassifier(path, threads=1).predict(synthetic.images)["probabilities"] for path in (exported, target)
    )
    assert after.shape == (len(synthetic), len(EMOTIONS)) and np.allclose(after.sum(axis=1), 1, atol=1e-4)
    assert 0 < np.abs(after - before).mean() < 0.02


def test_channels_have_the_means_that_they_have_in_floats(exported, synthetic, tmp_path):
    """To the step in which biases are told, of every convolution whose bias is."""
    faces = synthetic.split("Training").images[..., None]
    quantize.quant_pre_process(exported, tmp_path / "exact.onnx", skip_symbolic_shape=True)
    exact, off = onnx.load(tmp_path / "exact.onnx"), {}
    for correct in (False, True):
        quantize.quantize(exported, tmp_path / "int8.onnx", faces, correct=correct)
        graph = onnx.load(tmp_path / "int8.onnx")
        scales = {
            node.output[0]: numpy_helper.to_array(tensor)
            for node in graph.graph.node
            for tensor in graph.graph.initializer
            if node.op_type == "DequantizeLinear" and node.input[1] == tensor.name
        }
        convolutions = [node for node in graph.graph.node if node.op_type == "Conv" and node.input[2] in scales]
        made_by = {name: node for node in exact.graph.node for name in node.output}
        assert all(made_by[node.output[0]].op_type == "Conv" for node in convolutions) and len(convolutions) > 2
        names = [node.output[0] for node in convolutions]
        means = (quantize._channel_means(model, names, faces) for model in (exact, graph))
        steps = [scales[node.input[2]] for node in convolutions]
        off[correct] = [np.abs(a - b) / step for a, b, step in zip(*means, steps)]
    assert max(each.max() for each in off[True]) < 1 < max(each.max() for each in off[False])


def test_a_face_and_its_mirror_image_get_the_same_answer(fer2013):
    """To the last bit: both are computed with the same ranges."""
    faces = fer2013.split("PublicTest").images[:300]
    classifier = EmotionClassifier("emotion_int8.onnx", threads=1)
    found, mirrored = (classifier.predict(side) for side in (faces, faces[:, :, ::-1]))
    np.testing.assert_array_equal(found["probabilities"], mirrored["probabilities"])
    np.testing.assert_array_equal(found["crowd"], mirrored["crowd"])
    np.testing.assert_array_equal(found["activation"], mirrored["activation"][:, :, ::-1])


def test_faces_are_normalized_by_sums_that_are_the_same_on_every_processor(synthetic, tmp_path):
    """The same answers as by means of floats, from whole numbers alone."""
    quantize.quant_pre_process(MODELS / "emotion.onnx", tmp_path / "floats.onnx", skip_symbolic_shape=True)
    model = onnx.load(tmp_path / "floats.onnx")
    quantize.exact_moments(model)
    onnx.save(model, tmp_path / "whole.onnx")
    floats, whole = (
        EmotionClassifier(tmp_path / name, threads=1, cuda=False).predict(synthetic.images[:20])["probabilities"]
        for name in ("floats.onnx", "whole.onnx")
    )
    np.testing.assert_allclose(floats, whole, atol=1e-5)
    released = [onnx.load(MODELS / name).graph for name in ("emotion_int8.onnx", "age_gender.onnx")]
    for graph in (model.graph, *released):
        first = next(number for number, node in enumerate(graph.node) if node.op_type == "Conv")
        assert not [node for node in list(graph.node)[:first] if node.op_type == "ReduceMean"]


def test_nothing_is_written_where_too_much_is_lost(exported, synthetic_dir, tmp_path, monkeypatch, capsys):
    target = tmp_path / "int8.onnx"
    monkeypatch.setattr(quantize, "LARGEST_LOSS", -1.0)
    monkeypatch.setattr(
        sys, "argv", ["quantize", str(exported), str(target), "--data", str(synthetic_dir), "--unofficial"]
    )
    assert quantize.main() == 1
    assert "PublicTest accuracy falls" in capsys.readouterr().err and not target.exists()


def test_released_quantized_network_keeps_its_figures(fer2013):
    exact, integers = (read_report(report_path(MODELS / name)) for name in ("emotion.onnx", "emotion_int8.onnx"))
    public = fer2013.split("PublicTest")
    classifier = EmotionClassifier("emotion_int8.onnx", threads=1)
    accuracy = score(classifier.predict(public.images)["probabilities"], public.labels)["accuracy"]
    assert accuracy == pytest.approx(integers["metrics"]["PublicTest"]["accuracy"], abs=2e-3)
    assert exact["metrics"]["PublicTest"]["accuracy"] - accuracy <= quantize.LARGEST_LOSS + 2e-3
    assert classifier.metrics == integers["metrics"]
