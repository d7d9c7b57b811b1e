"""The exported file follows the contract, answers as the network does, and is not written where it does not."""

import hashlib
import json
import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers

from export import to_onnx, verify
from export.to_onnx import convert, with_temperature
from export.verify import VerificationError
from inference.emotion import EmotionClassifier
from inference.model_files import CHECKSUMS, MODELS
from inference.types import EMOTIONS
from training.evaluate import fit_temperature, score

RELEASED = MODELS / "emotion.onnx"


@pytest.fixture
def released():
    return RELEASED


@pytest.fixture(params=["exported", "released"])
def model_file(request):
    """The export of the small trained network, and the released model."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def network(trained) -> keras.Model:
    return keras.models.load_model(trained / "model.keras", compile=False)


def answers(path, images: np.ndarray) -> np.ndarray:
    """What ONNX Runtime says of uint8 (N, 48, 48), without any code of the project."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # threads of its own would wait for busy processors
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"image": images[..., None].astype(np.float32)})[0]


def shape(node: onnx.ValueInfoProto) -> list[str | int]:
    return [axis.dim_param or axis.dim_value for axis in node.type.tensor_type.shape.dim]


def metadata_of(path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    powers = np.exp(np.log(probabilities.astype(np.float64)) / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def alter(path_or_graph, change) -> onnx.ModelProto:
    """The model with change(array) for its largest weight array."""
    graph = path_or_graph if isinstance(path_or_graph, onnx.ModelProto) else onnx.load(path_or_graph)
    largest = max(graph.graph.initializer, key=lambda weights: int(np.prod(weights.dims)))
    largest.CopyFrom(onnx.numpy_helper.from_array(change(onnx.numpy_helper.to_array(largest)), largest.name))
    return graph


class TestContract:
    def test_inputs_and_outputs(self, model_file):
        model = onnx.load(model_file)
        onnx.checker.check_model(model, full_check=True)
        (image,), (probabilities,) = model.graph.input, model.graph.output
        assert (image.name, probabilities.name) == ("image", "probabilities")
        assert shape(image) == ["N", 48, 48, 1] and shape(probabilities) == ["N", 7]
        assert image.type.tensor_type.elem_type == probabilities.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        assert {entry.domain: entry.version for entry in model.opset_import}[""] == 17
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
        assert model_file.stat().st_size < 10_000_000

    def test_metadata(self, model_file):
        metadata = metadata_of(model_file)
        assert json.loads(metadata["labels"]) == list(EMOTIONS)
        assert (metadata["input_size"], metadata["channels"]) == ("48", "1")
        assert 0.25 <= float(metadata["temperature"]) <= 4.1
        assert int(metadata["parameters"]) > 0 and metadata["recipe"] and metadata["dataset"] and metadata["version"]
        report = json.loads((model_file.parent / "metrics.json").read_text())
        assert report["metrics"] == json.loads(metadata["metrics"])
        assert report["labels"] == list(EMOTIONS) and report["temperature"] == metadata["temperature"]
        assert {"PublicTest", "PrivateTest", "PrivateTest without near-duplicates of Training"} <= set(
            report["metrics"]
        )

    @pytest.mark.parametrize("count", [1, 3, 256])
    def test_any_batch(self, model_file, synthetic, count):
        """A face gets the same answer in every batch, and every answer sums to 1."""
        images = np.resize(synthetic.images, (count, 48, 48))
        found = answers(model_file, images)
        assert found.shape == (count, 7) and found.dtype == np.float32
        assert found.sum(axis=1) == pytest.approx(1, abs=1e-5) and (found >= 0).all()
        alone = np.concatenate([answers(model_file, images[i : i + 1]) for i in (0, count // 2, count - 1)])
        np.testing.assert_allclose(found[[0, count // 2, count - 1]], alone, atol=1e-5)

    def test_classifier_opens_it(self, model_file, synthetic):
        classifier = EmotionClassifier(model_file, cuda=False)
        assert classifier.input_size == 48 and classifier.metrics["PrivateTest"]["faces"] > 0
        expected = answers(model_file, synthetic.images[:9])
        np.testing.assert_allclose(classifier.predict(synthetic.images[:9]), expected, atol=1e-5)


class TestExported:
    @pytest.mark.parametrize("count", [1, 3, 182])
    def test_answers_are_the_networks_at_the_temperature(self, exported, network, synthetic, count):
        images = synthetic.images[-count:]
        metadata = metadata_of(exported)
        plain = network.predict(images[..., None], verbose=0)
        np.testing.assert_allclose(
            answers(exported, images), at_temperature(plain, float(metadata["temperature"])), atol=1e-4
        )

    def test_temperature_was_fitted_on_public_test(self, exported, network, synthetic):
        public = synthetic.split("PublicTest")
        fitted = fit_temperature(network.predict(public.images[..., None], verbose=0), public.labels)
        metadata = metadata_of(exported)
        assert float(metadata["temperature"]) == pytest.approx(fitted, abs=1e-4)
        assert fitted != pytest.approx(1, abs=0.05), "this network shows nothing about the temperature"

    def test_metrics_are_those_of_the_file(self, exported, synthetic):
        metrics = json.loads((exported.parent / "metrics.json").read_text())["metrics"]
        private = synthetic.split("PrivateTest")
        expected = score(answers(exported, private.images), private.labels)
        for name in ("faces", "accuracy", "macro_f1", "ece", "nll"):
            assert metrics["PrivateTest"][name] == pytest.approx(expected[name], abs=2e-4)
        assert "confusion" not in metrics["PrivateTest"]

    def test_metadata_of_the_network(self, exported, network):
        metadata = metadata_of(exported)
        assert metadata["parameters"] == str(network.count_params()) == "2345607"
        assert metadata["recipe"] == "paper" and "FER-2013" in metadata["dataset"]

    @pytest.mark.parametrize("temperature", [0.5, 2.5])
    def test_with_temperature(self, network, synthetic, tmp_path, temperature):
        path = tmp_path / "model.onnx"
        onnx.save(convert(with_temperature(network, temperature), {}), path)
        plain = network.predict(synthetic.images[:20, ..., None], verbose=0)
        expected = at_temperature(plain, temperature)
        assert np.abs(expected - plain).max() > 1e-3
        np.testing.assert_allclose(answers(path, synthetic.images[:20]), expected, atol=1e-5)

    def test_temperature_needs_a_softmax(self):
        model = keras.Sequential([keras.Input((48, 48, 1)), layers.Flatten(), layers.Dense(7, "softmax")])
        with pytest.raises(ValueError, match="must be a Softmax, not Dense"):
            with_temperature(model, 1.0)


@pytest.fixture(scope="module")
def tie():
    """Two networks: one answers angry to everything, by a hair, the other disgust."""
    models = []
    for biases in ([1e-5, 0, -9, -9, -9, -9, -9], [0, 1e-5, -9, -9, -9, -9, -9]):
        model = keras.Sequential([keras.Input((48, 48, 1)), layers.Flatten(), layers.Dense(7), layers.Softmax()])
        model.layers[1].set_weights([np.zeros((48 * 48, 7)), np.array(biases)])
        models.append(model)
    return models


class TestVerify:
    def test_agreement(self, network, exported, synthetic):
        metadata = metadata_of(exported)
        line = verify.verify(with_temperature(network, float(metadata["temperature"])), exported, synthetic.images)
        assert "agree" in line and "256 random and 182 real faces" in line

    @pytest.mark.parametrize(
        "change", [lambda weights: weights * np.float32(1.5), lambda weights: weights * np.float32(np.nan)]
    )
    def test_altered_weights(self, network, synthetic, tmp_path, change):
        onnx.save(alter(convert(network, {}), change), tmp_path / "model.onnx")
        with pytest.raises(VerificationError, match="a probability differs by"):
            verify.verify(network, tmp_path / "model.onnx", synthetic.images)

    def test_another_class(self, tie, synthetic, tmp_path):
        """Probabilities that differ by a few millionths are still refused where the answer becomes another."""
        angry, disgusted = tie
        onnx.save(convert(disgusted, {}), tmp_path / "model.onnx")
        assert "agree" in verify.verify(disgusted, tmp_path / "model.onnx", synthetic.images)
        with pytest.raises(VerificationError, match="182 of 182 real faces get another class"):
            verify.verify(angry, tmp_path / "model.onnx", synthetic.images)

    def test_no_faces(self, network, exported, synthetic):
        with pytest.raises(VerificationError, match="no test faces"):
            verify.verify(network, exported, synthetic.images[:0])

    def test_command(self, trained, exported, synthetic_dir, tmp_path, call, capsys):
        data = ("--data", synthetic_dir, "--unofficial")
        assert call(verify.main, trained / "model.keras", exported, *data) == 0
        assert "Keras and ONNX Runtime agree" in capsys.readouterr().out
        onnx.save(alter(exported, lambda weights: weights * np.float32(1.5)), tmp_path / "altered.onnx")
        assert call(verify.main, trained / "model.keras", tmp_path / "altered.onnx", *data) == 1
        assert "error: on random faces a probability differs by" in capsys.readouterr().err
        (tmp_path / "broken.onnx").write_bytes(b"no model")
        for name in ("broken.onnx", "missing.onnx"):
            assert call(verify.main, trained / "model.keras", tmp_path / name, *data) == 1
            assert name in capsys.readouterr().err


class TestRefusal:
    def test_nothing_is_written_where_onnx_differs(self, trained, synthetic_dir, tmp_path, call, capsys, monkeypatch):
        monkeypatch.setattr(
            to_onnx, "convert", lambda *arguments: alter(convert(*arguments), lambda weights: weights * np.float32(1.5))
        )
        out = tmp_path / "models" / "emotion.onnx"
        arguments = (trained / "model.keras", out, "--data", synthetic_dir, "--unofficial")
        assert call(to_onnx.main, *arguments) == 1
        assert "error: not exported: on random faces a probability differs" in capsys.readouterr().err
        assert not out.parent.exists()

    @pytest.mark.parametrize("content", [None, b"PK\3\4 cut off"])
    def test_bad_model(self, tmp_path, call, capsys, content):
        if content:
            (tmp_path / "model.keras").write_bytes(content)
        assert call(to_onnx.main, tmp_path / "model.keras", tmp_path / "out.onnx") == 1
        assert capsys.readouterr().err.startswith("error: ") and not (tmp_path / "out.onnx").exists()

    def test_subset_needs_unofficial(self, trained, synthetic_dir, tmp_path, call, capsys):
        arguments = (trained / "model.keras", tmp_path / "out.onnx", "--data", synthetic_dir)
        assert call(to_onnx.main, *arguments) == 1
        assert "--unofficial" in capsys.readouterr().err and not (tmp_path / "out.onnx").exists()


class TestReleased:
    def test_checksum(self, released):
        assert f"{hashlib.sha256(released.read_bytes()).hexdigest()}  {released.name}\n" in CHECKSUMS.read_text()

    def test_accuracy(self, released, fer2013):
        """models/metrics.json holds what ONNX Runtime alone gets on the pixels of PrivateTest."""
        private = fer2013.split("PrivateTest")
        batches = [private.images[i : i + 256] for i in range(0, len(private), 256)]
        found = np.concatenate([answers(released, batch) for batch in batches]).argmax(axis=1)
        stated = json.loads((MODELS / "metrics.json").read_text())["metrics"]["PrivateTest"]
        assert stated["faces"] == len(private) == 3589
        assert (found == private.labels).mean() == pytest.approx(stated["accuracy"], abs=1e-4)
