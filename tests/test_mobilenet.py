"""A network that begins with the weights of another program's file computes what that one does."""

import json

import keras
import numpy as np
import onnx
import pytest

from export import age_gender as export_age_gender
from export.onnx_graph import convert, fold_batch_norm
from export.quantize import quantize
from export.restore import restore
from inference.age_gender import AgeGenderEstimator
from training.age_gender.data import SIZE
from training.age_gender.model import age_gender_cnn, age_gender_mobilenet, at_input_size
from training.mobilenet import BLOCKS, SPREAD, load_face_recognition, mobilenet


@pytest.fixture
def network() -> keras.Model:
    image = keras.Input((48, 48, 3), name="image")
    return keras.Model(image, mobilenet(image, 32))


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    """As faceres.json names them: with the batch norms folded in, all but the depthwise ones' scale."""
    rng = np.random.default_rng(0)
    found = {
        "conv1/convolution/merged_input": rng.normal(0, 0.01, (3, 3, 3, 32)),
        "conv1_bn/batchnorm_1/sub": rng.random(32),
    }
    width = 32
    for block, (after, _) in enumerate(BLOCKS, 1):
        found[f"conv_dw_{block}/depthwise_kernel"] = rng.normal(0, 0.4, (3, 3, width, 1))
        found[f"conv_dw_{block}_bn/batchnorm_1/mul"] = rng.uniform(-1, 1, width)
        found[f"conv_dw_{block}_bn/batchnorm_1/sub"] = rng.normal(0, 0.5, width)
        found[f"conv_pw_{block}/convolution/merged_input"] = rng.normal(0, width**-0.5, (1, 1, width, after))
        found[f"conv_pw_{block}_bn/batchnorm_1/sub"] = rng.normal(0, 0.5, after)
        width = after
    return {name: values.astype(np.float16) for name, values in found.items()}


@pytest.fixture
def graph(weights, tmp_path):
    """The file, with a weight of another kind between the others and in two parts."""
    weights = {"age_pred/shape": np.array([1, 100], np.int32)} | weights
    data = b"".join(values.tobytes() for values in weights.values())
    for part, values in (("one.bin", data[:1001]), ("two.bin", data[1001:])):
        (tmp_path / part).write_bytes(values)
    entries = [
        {"name": name, "shape": list(values.shape), "dtype": "int32"}
        if values.dtype == np.int32
        else {"name": name, "shape": list(values.shape), "dtype": "float32", "quantization": {"dtype": "float16"}}
        for name, values in weights.items()
    ]
    path = tmp_path / "faceres.json"
    path.write_text(json.dumps({"weightsManifest": [{"paths": ["one.bin", "two.bin"], "weights": entries}]}))
    return path


def test_it_computes_the_same(network, weights, graph):
    images = np.random.default_rng(1).normal(0, 1, (40, 48, 48, 3)).astype(np.float32)
    load_face_recognition(network, graph, images)
    folded = fold_batch_norm(network)
    for name, values in weights.items():
        layer, _, kind = name.partition("/")
        if kind == "batchnorm_1/sub":
            kernel, bias = folded.get_layer(layer.removesuffix("_bn")).get_weights()
            np.testing.assert_allclose(bias, values, atol=1e-3)
        elif kind == "depthwise_kernel":
            scale = weights[f"{layer}_bn/batchnorm_1/mul"].astype(np.float32)[:, None]
            np.testing.assert_allclose(folded.get_layer(layer).get_weights()[0], values * scale, atol=1e-4)
        elif kind == "convolution/merged_input":
            kernel = folded.get_layer(layer).get_weights()[0]
            expected = values[:, :, ::-1] if layer == "conv1" else values  # made for BGR
            np.testing.assert_allclose(kernel, expected, atol=1e-4)
    np.testing.assert_allclose(folded.predict(images, verbose=0), network.predict(images, verbose=0), atol=1e-3)


def test_its_batch_norms_know_the_images(network, graph):
    images = np.random.default_rng(1).normal(0, 1, (40, 48, 48, 3)).astype(np.float32)
    load_face_recognition(network, graph, images)
    inside = keras.Model(network.input, network.get_layer("conv_pw_3").output).predict(images, verbose=0)
    _, _, mean, variance = network.get_layer("conv_pw_3_bn").get_weights()
    np.testing.assert_allclose(mean, inside.mean(axis=(0, 1, 2)), atol=1e-3)
    np.testing.assert_allclose(variance, inside.var(axis=(0, 1, 2)), rtol=1e-3)
    lengths = np.sqrt((network.get_layer("conv_pw_3").get_weights()[0] ** 2).sum(axis=(0, 1, 2)))
    np.testing.assert_allclose(lengths, np.sqrt(2), rtol=1e-3)


def test_faces_have_the_spread_that_the_weights_know():
    image = keras.Input((8, 8, 3))
    network = keras.Model(image, mobilenet(image, 32))
    scaling = next(layer for layer in network.layers if isinstance(layer, keras.layers.Rescaling))
    assert scaling.scale == SPREAD


@pytest.mark.parametrize("damage", ["other json", "a name is missing", "too short", "missing"])
def test_another_file_is_refused(network, weights, graph, damage):
    images = np.zeros((2, 48, 48, 3), np.float32)
    if damage == "other json":
        graph.write_text("{}")
    elif damage == "a name is missing":
        graph.write_text(graph.read_text().replace("conv_dw_5/", "conv_other/"))
    elif damage == "too short":
        (graph.parent / "two.bin").write_bytes(b"")
    else:
        graph.unlink()
    with pytest.raises(SystemExit, match="faceres"):
        load_face_recognition(network, graph, images)


def test_another_network_is_refused(graph):
    image = keras.Input((48, 48, 3), name="image")
    other = keras.Model(image, keras.layers.Conv2D(4, 3)(image))
    with pytest.raises(SystemExit, match="no mobilenet"):
        load_face_recognition(other, graph, np.zeros((2, 48, 48, 3), np.float32))


@pytest.fixture
def faces() -> np.ndarray:
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 256, (80, 8, 8, 3), np.uint8)
    return coarse.repeat(SIZE // 8, axis=1).repeat(SIZE // 8, axis=2)


@pytest.fixture
def age_gender(graph, faces) -> keras.Model:
    network = age_gender_mobilenet(32)
    load_face_recognition(network, graph, faces)
    for name in ("age_parameters", "gender_logits"):
        kernel, bias = network.get_layer(name).get_weights()
        network.get_layer(name).set_weights([kernel, bias + np.linspace(-0.1, 0.1, len(bias))])
    return network


def test_exported_it_answers_the_same_also_in_integers(age_gender, faces, tmp_path):
    served = export_age_gender.serving_network([age_gender])
    onnx.save(convert(served, export_age_gender.CONTRACT), tmp_path / "float.onnx")
    quantize(tmp_path / "float.onnx", tmp_path / "int8.onnx", faces)
    expected = served.predict(faces, verbose=0)
    for name, apart in (("float.onnx", 1e-4), ("int8.onnx", 0.1)):
        found = AgeGenderEstimator(tmp_path / name, threads=1).predict(faces)
        assert np.abs(found["gender"] - expected["gender"]).max() < apart
    kinds = [node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node]
    assert kinds.count("Conv") == 27 and kinds.count("QuantizeLinear") >= 27


def test_restored_it_answers_as_its_file(age_gender, faces):
    metadata = export_age_gender.CONTRACT | {"views": "32,32m", "runs": "mobilenet"}
    restored = restore(convert(export_age_gender.serving_network([age_gender]), metadata), faces)
    expected = age_gender.predict(faces, verbose=0)
    for name, values in restored.predict(faces, verbose=0).items():
        np.testing.assert_allclose(values, expected[name], atol=1e-3)


def test_in_another_size(age_gender, faces):
    assert export_age_gender.both_sides(age_gender)[0].input_size == 32
    larger = at_input_size(age_gender, 2 * SIZE)
    assert export_age_gender.both_sides(larger)[1].input_size == 2 * SIZE
    with pytest.raises(ValueError, match="cannot be shown faces of 96 pixels"):
        at_input_size(age_gender_cnn(), 96)
