"""The 8-bit network answers nearly as the one it was made from."""

import json
import sys

import numpy as np
import onnx
import pytest

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


def test_faces_are_normalized_by_sums_that_are_the_same_on_every_processor(synthetic, tmp_path):
    """The same answers as by means of floats, from whole numbers alone."""
    onnx.save(quantize.keep_part(onnx.load(MODELS / "emotion.onnx"), 1), tmp_path / "one.onnx")
    quantize.quant_pre_process(tmp_path / "one.onnx", tmp_path / "floats.onnx", skip_symbolic_shape=True)
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


def test_one_part_of_a_mean(synthetic, tmp_path):
    """The mean of two networks that differ, of which each can be had alone."""
    from export.emotion import serving_network
    from export.onnx_graph import convert
    from training.emotion.model import plain_cnn

    def answers(model: onnx.ModelProto) -> dict:
        onnx.save(model, tmp_path / "model.onnx")
        return EmotionClassifier(tmp_path / "model.onnx", threads=1).predict(synthetic.images)

    networks = [plain_cnn(name, ((8,), (8,))) for name in ("one", "two")]
    metadata = {"labels": json.dumps(EMOTIONS), "input_size": "48", "channels": "1", "recipe": "one + two"}
    both = convert(serving_network(networks, 0.02, 0.02), metadata)
    for number, network in enumerate(networks, 1):
        kept = quantize.keep_part(both, number)
        alone = convert(serving_network([network], 0.02, 0.02), metadata)
        for name, expected in answers(alone).items():
            assert np.abs(answers(kept)[name] - expected).max() < 1e-5 * np.abs(expected).max(), name
            assert np.abs(answers(both)[name] - expected).max() > 1e-4 * np.abs(expected).max(), name
        assert len(kept.graph.initializer) < len(both.graph.initializer)
        assert {entry.key: entry.value for entry in kept.metadata_props}["recipe"] == network.name


def test_the_face_without_its_mirror_image(synthetic, tmp_path):
    from export.emotion import serving_network
    from export.onnx_graph import convert
    from training.emotion.model import plain_cnn

    network = plain_cnn("one", ((8,), (8,)))
    metadata = {
        "labels": json.dumps(EMOTIONS),
        "input_size": "48",
        "channels": "1",
        "recipe": "one",
        "mirrored": "true",
    }
    kept = quantize.keep_part(convert(serving_network([network], 0.02, 0.02, mirrored=True), metadata), 1)
    properties = {entry.key: entry.value for entry in kept.metadata_props}
    assert (properties["recipe"], properties["mirrored"]) == ("one", "false")
    onnx.save(kept, tmp_path / "kept.onnx")
    found = EmotionClassifier(tmp_path / "kept.onnx", threads=1).predict(synthetic.images)["probabilities"]
    logits = np.log(network.predict(synthetic.images[..., None], verbose=0)["probabilities"]) / 0.02
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(found, powers / powers.sum(axis=1, keepdims=True), atol=1e-3)


def test_of_two_networks_and_their_mirror_images_there_are_four_parts():
    from export.emotion import serving_network
    from export.onnx_graph import convert
    from training.emotion.model import plain_cnn

    networks = [plain_cnn(name, ((8,), (8,))) for name in ("one", "two")]
    with pytest.raises(ValueError, match="mean of two networks or views"):
        quantize.keep_part(convert(serving_network(networks, mirrored=True), {}), 1)


def test_a_graph_of_one_network_and_one_view_has_none_to_choose(exported):
    alone = quantize.keep_part(onnx.load(exported), 1)
    for node in alone.graph.node:
        if node.op_type == "Add" and len(set(node.input)) == 1:  # the mean of a part and itself
            node.op_type = "Identity"
            del node.input[1]
    with pytest.raises(ValueError, match="mean of two networks"):
        quantize.keep_part(alone, 1)


def test_released_quantized_network_keeps_its_figures(fer2013):
    exact, integers = (read_report(report_path(MODELS / name)) for name in ("emotion.onnx", "emotion_int8.onnx"))
    public = fer2013.split("PublicTest")
    classifier = EmotionClassifier("emotion_int8.onnx", threads=1)
    accuracy = score(classifier.predict(public.images)["probabilities"], public.labels)["accuracy"]
    assert accuracy == pytest.approx(integers["metrics"]["PublicTest"]["accuracy"], abs=2e-3)
    assert exact["metrics"]["PublicTest"]["accuracy"] - accuracy <= 0.005 + 2e-3
    assert classifier.metrics == integers["metrics"]
