"""The exported file follows the contract, answers as the network does, and is not written where it does not."""

import hashlib
import json

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers

from export import emotion, verify
from export.emotion import serving_network
from export.onnx_graph import convert, fold_batch_norm, metadata_of
from inference.emotion import EmotionClassifier
from inference.model_files import CHECKSUMS, MODELS
from inference.types import CROWD, EMOTIONS
from networks import alter, call_main
from training.emotion.evaluate import score
from training.emotion.model import plain_cnn, resnet
from training.emotion.recipes import RECIPES
from training.metrics import at_temperature, fit_temperature
from training.report import read_report, report_path

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


def answers(path, images: np.ndarray, output: str = "probabilities") -> np.ndarray:
    """What ONNX Runtime says of uint8 (N, 48, 48), without any code of the project."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # threads of its own would wait for busy processors
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run([output], {"image": images[..., None].astype(np.float32)})[0]


def shape(node: onnx.ValueInfoProto) -> list[str | int]:
    return [axis.dim_param or axis.dim_value for axis in node.type.tensor_type.shape.dim]


class TestContract:
    def test_inputs_and_outputs(self, model_file):
        model = onnx.load(model_file)
        onnx.checker.check_model(model, full_check=True)
        (image,), outputs = model.graph.input, {output.name: shape(output) for output in model.graph.output}
        assert image.name == "image" and shape(image) == ["N", 48, 48, 1]
        assert outputs.pop("probabilities") == ["N", 7]
        assert outputs in ({}, {"crowd": ["N", 8], "activation": ["N", 6, 6, 7]})
        types = {node.type.tensor_type.elem_type for node in (image, *model.graph.output)}
        assert types == {onnx.TensorProto.FLOAT}
        assert {entry.domain: entry.version for entry in model.opset_import}[""] == 17
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
        assert model_file.stat().st_size < 10_000_000

    def test_metadata(self, model_file):
        metadata = metadata_of(onnx.load(model_file))
        assert json.loads(metadata["labels"]) == list(EMOTIONS)
        assert (metadata["input_size"], metadata["channels"]) == ("48", "1")
        assert 0.25 <= float(metadata["temperature"]) <= 4.1
        if "crowd" in {output.name for output in onnx.load(model_file).graph.output}:
            assert json.loads(metadata["crowd_labels"]) == list(CROWD)
            assert 0.25 <= float(metadata["crowd_temperature"]) <= 4.1
        assert int(metadata["parameters"]) > 0 and metadata["recipe"] and metadata["dataset"] and metadata["version"]
        report = read_report(report_path(model_file))
        assert report["metrics"] == json.loads(metadata["metrics"])
        assert report["metadata"] == {key: value for key, value in metadata.items() if key != "metrics"}
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
        np.testing.assert_allclose(classifier.predict(synthetic.images[:9])["probabilities"], expected, atol=1e-5)


def both_sides(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """The mean answer, in logits, to uint8 (N, 48, 48) and their mirror images."""
    sides = [network.predict(side[..., None], verbose=0)["probabilities"] for side in (images, images[:, :, ::-1])]
    powers = np.exp(np.mean(np.log(sides), axis=0))
    return powers / powers.sum(axis=1, keepdims=True)


class TestMirrorImage:
    def test_a_face_and_its_mirror_image_get_the_same_answer(self, model_file, synthetic):
        for output in {node.name for node in onnx.load(model_file).graph.output}:
            face, mirrored = (
                answers(model_file, side, output) for side in (synthetic.images, synthetic.images[:, :, ::-1])
            )
            if output == "activation":  # of logits, and seen in a mirror itself
                np.testing.assert_allclose(face[:, :, ::-1], mirrored, atol=1e-3)
            else:
                np.testing.assert_allclose(face, mirrored, atol=1e-4)

    def test_so_do_real_ones(self, fer2013):
        faces = fer2013.split("PublicTest").images[:200]
        np.testing.assert_allclose(answers(RELEASED, faces), answers(RELEASED, faces[:, :, ::-1]), atol=1e-4)

    def test_one_view_alone(self, trained, network, synthetic, synthetic_dir, tmp_path, call):
        path = tmp_path / "emotion.onnx"
        data = ("--data", synthetic_dir, "--unofficial", "--no-tta")
        assert call(emotion.main, trained / "model.keras", path, *data) == 0
        assert metadata_of(onnx.load(path))["mirrored"] == "false"
        plain = network.predict(synthetic.images[..., None], verbose=0)["probabilities"]
        expected = at_temperature(plain, float(metadata_of(onnx.load(path))["temperature"]))
        np.testing.assert_allclose(answers(path, synthetic.images), expected, atol=1e-4)
        assert call(verify.main, trained / "model.keras", path, "--data", synthetic_dir, "--unofficial") == 0


class TestExported:
    @pytest.mark.parametrize("count", [1, 3, 182])
    def test_answers_are_the_networks_at_the_temperature(self, exported, network, synthetic, count):
        images = synthetic.images[-count:]
        metadata = metadata_of(onnx.load(exported))
        plain = both_sides(network, images)
        np.testing.assert_allclose(
            answers(exported, images), at_temperature(plain, float(metadata["temperature"])), atol=1e-4
        )

    def test_temperature_was_fitted_on_public_test(self, exported, network, synthetic):
        public = synthetic.split("PublicTest")
        fitted = fit_temperature(both_sides(network, public.images), public.labels)
        metadata = metadata_of(onnx.load(exported))
        assert float(metadata["temperature"]) == pytest.approx(fitted, abs=1e-4)
        assert fitted != pytest.approx(1, abs=0.05), "this network shows nothing about the temperature"

    def test_metrics_are_those_of_the_file(self, exported, synthetic):
        metrics = read_report(report_path(exported))["metrics"]
        private = synthetic.split("PrivateTest")
        expected = score(answers(exported, private.images), private.labels)
        for name in ("faces", "accuracy", "macro_f1", "ece", "nll"):
            assert metrics["PrivateTest"][name] == pytest.approx(expected[name], abs=2e-4)
        assert "confusion" not in metrics["PrivateTest"]

    def test_metadata_of_the_network(self, exported, network):
        metadata = metadata_of(onnx.load(exported))
        assert metadata["parameters"] == str(network.count_params()) == "2345607"
        assert metadata["recipe"] == "paper" and "FER-2013" in metadata["dataset"]

    def test_disturbances_are_of_the_file(self, exported, synthetic):
        """What the report says of disturbances and calibration was measured on the file, at its temperature."""
        report = read_report(report_path(exported))
        private = synthetic.split("PrivateTest")
        found = answers(exported, private.images)
        assert report["calibration"]["PrivateTest"]["after"]["nll"] == pytest.approx(
            score(found, private.labels)["nll"], abs=2e-3
        )
        assert len(report["disturbed"]["PrivateTest"]) > 20 and len(report["not_sure"]["PrivateTest"]) > 5

    def test_it_is_measured_again(self, exported, synthetic_dir, tmp_path, call):
        """With the very same figures, which replace what stood in the file, and nothing else in it changed."""
        file = tmp_path / "emotion.onnx"
        graph = onnx.load(exported)
        wanted = metadata_of(graph)
        onnx.helper.set_model_props(graph, wanted | {"metrics": "{}"})
        onnx.save(graph, file)
        assert call(emotion.main, "--again", file, "--data", synthetic_dir, "--unofficial") == 0
        assert onnx.load(file).graph == graph.graph and metadata_of(onnx.load(file)) == wanted
        first, again = (read_report(report_path(path)) for path in (exported, file))
        assert again.pop("command") == "python -m export.emotion --again" != first.pop("command")
        assert first == again


def with_running_statistics(network: keras.Model, seed: int) -> keras.Model:
    """The network with random offsets, means and variances in its batch norms: it has seen no face."""
    rng = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            beta, mean, variance = layer.get_weights()
            shape = beta.shape
            layer.set_weights([rng.normal(0, 0.5, shape), rng.normal(0, 0.5, shape), rng.uniform(0.2, 3, shape)])
    return network


@pytest.fixture(scope="module")
def pair() -> list[keras.Model]:
    """Two small networks of the two kinds, each with two heads."""
    keras.utils.set_random_seed(0)
    plain = plain_cnn("plain", ((4,), (6, 6), (8, 8)))
    residual = resnet("residual", 4, ((6, 1), (8, 2)))
    return [with_running_statistics(network, seed) for seed, network in enumerate((plain, residual))]


def logits(network: keras.Model, name: str, images: np.ndarray) -> np.ndarray:
    return keras.Model(network.inputs, network.get_layer(name).output).predict(images[..., None], verbose=0)


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


class TestServingNetwork:
    @pytest.mark.parametrize("temperature", [0.5, 2.5])
    def test_temperature(self, network, synthetic, tmp_path, temperature):
        path = tmp_path / "model.onnx"
        onnx.save(convert(serving_network([network], temperature), {}), path)
        plain = network.predict(synthetic.images[:20, ..., None], verbose=0)["probabilities"]
        expected = at_temperature(plain, temperature)
        assert np.abs(expected - plain).max() > 1e-3
        np.testing.assert_allclose(answers(path, synthetic.images[:20]), expected, atol=1e-5)

    def test_mean_of_the_logits(self, pair, synthetic, tmp_path):
        """Both heads, each at its own temperature."""
        images, path = synthetic.images[:20], tmp_path / "model.onnx"
        onnx.save(convert(serving_network(pair, 0.7, 1.9), {}), path)
        for output, name, temperature in (("probabilities", "logits", 0.7), ("crowd", "crowd_logits", 1.9)):
            both = [logits(network, name, images) for network in pair]
            assert np.abs(both[0] - both[1]).max() > 0.1
            expected = softmax(np.mean(both, axis=0) / temperature)
            np.testing.assert_allclose(answers(path, images, output), expected, atol=1e-4)

    def test_activation_is_where_the_logits_come_from(self, pair, synthetic, tmp_path):
        images, path = synthetic.images[:20], tmp_path / "model.onnx"
        onnx.save(convert(serving_network(pair[:1], 1.6), {}), path)
        maps = answers(path, images, "activation")
        assert maps.shape == (20, 12, 12, 7) and maps.std(axis=(1, 2)).max() > 1e-2
        np.testing.assert_allclose(maps.mean(axis=(1, 2)), logits(pair[0], "logits", images) / 1.6, atol=1e-4)

    def test_outputs_that_all_can_give(self, network, pair):
        assert set(serving_network(pair).output) == {"probabilities", "crowd"} | {"activation"}
        assert set(serving_network([pair[0], network]).output) == {"probabilities"}

    def test_no_logits(self):
        model = keras.Sequential([keras.Input((48, 48, 1)), layers.Flatten(), layers.Dense(7, "softmax")], name="odd")
        with pytest.raises(ValueError, match="odd has no layer named logits"):
            serving_network([model])

    @pytest.mark.parametrize("number", [0, 1])
    def test_batch_norm_is_folded(self, pair, synthetic, number):
        """Through a max pooling too; the function stays the same."""
        folded = fold_batch_norm(pair[number])
        assert not any(isinstance(layer, layers.BatchNormalization) for layer in folded.layers)
        images = synthetic.images[:20, ..., None]
        before, after = (network.predict(images, verbose=0) for network in (pair[number], folded))
        for name in before:
            assert before[name].std(axis=0).max() > 1e-4
            np.testing.assert_allclose(after[name], before[name], atol=1e-5)

    def test_no_batch_norm_in_the_file(self, pair):
        kinds = [node.op_type for node in convert(serving_network(pair[:1]), {}).graph.node]
        assert "BatchNormalization" not in kinds
        convolutions = kinds.count("Conv")
        assert convolutions == 5 + 1  # those of the network and the head of the map

    @pytest.mark.parametrize("name", [name for name in RECIPES if name not in ("resnet18", "vgg9")])
    def test_every_recipe_that_is_shipped_fits(self, name):
        assert RECIPES[name].build().count_params() * 4 < 11e6


@pytest.fixture(scope="module")
def two_exported(tmp_path_factory, pair, synthetic_dir):
    """The two small networks exported by the command as one file, and their own files."""
    folder = tmp_path_factory.mktemp("pair")
    for network in pair:
        network.save(folder / f"{network.name}.keras")
    sources = [folder / "plain.keras", folder / "residual.keras"]
    path = folder / "out" / "emotion.onnx"
    assert call_main(emotion.main, *sources, path, "--data", synthetic_dir, "--unofficial") == 0
    return path, sources


class TestTwoNetworks:
    def test_metadata(self, two_exported, pair):
        metadata = metadata_of(onnx.load(two_exported[0]))
        assert metadata["recipe"] == "plain + residual" and "FERPlus" in metadata["dataset"]
        assert int(metadata["parameters"]) == sum(network.count_params() for network in pair)

    def test_crowd_temperature_was_fitted_on_the_votes(self, two_exported, pair, synthetic):
        public = synthetic.split("PublicTest")
        mean = np.mean([logits(network, "crowd_logits", public.images) for network in pair], axis=0)
        votes = public.votes[:, :8] / public.votes[:, :8].sum(axis=1, keepdims=True)
        fitted = fit_temperature(softmax(mean), votes)
        assert float(metadata_of(onnx.load(two_exported[0]))["crowd_temperature"]) == pytest.approx(fitted, rel=0.01)

    def test_verify_command(self, two_exported, synthetic_dir, call, capsys):
        path, sources = two_exported
        data = ("--data", synthetic_dir, "--unofficial")
        assert call(verify.main, *sources, path, *data) == 0
        assert "agree" in capsys.readouterr().out
        assert call(verify.main, sources[0], path, *data) == 1
        assert "differs by" in capsys.readouterr().err


class TestRefusal:
    def test_nothing_is_written_where_onnx_differs(self, trained, synthetic_dir, tmp_path, call, capsys, monkeypatch):
        monkeypatch.setattr(
            emotion, "convert", lambda *arguments: alter(convert(*arguments), lambda weights: weights * np.float32(1.5))
        )
        out = tmp_path / "models" / "emotion.onnx"
        arguments = (trained / "model.keras", out, "--data", synthetic_dir, "--unofficial")
        assert call(emotion.main, *arguments) == 1
        assert "error: not exported: on random faces a value of probabilities differs" in capsys.readouterr().err
        assert not out.parent.exists()

    @pytest.mark.parametrize("content", [None, b"PK\3\4 cut off"])
    def test_bad_model(self, tmp_path, call, capsys, content):
        if content:
            (tmp_path / "model.keras").write_bytes(content)
        assert call(emotion.main, tmp_path / "model.keras", tmp_path / "out.onnx") == 1
        assert capsys.readouterr().err.startswith("error: ") and not (tmp_path / "out.onnx").exists()

    def test_subset_needs_unofficial(self, trained, synthetic_dir, tmp_path, call, capsys):
        arguments = (trained / "model.keras", tmp_path / "out.onnx", "--data", synthetic_dir)
        assert call(emotion.main, *arguments) == 1
        assert "--unofficial" in capsys.readouterr().err and not (tmp_path / "out.onnx").exists()

    @pytest.mark.parametrize("content", [b"not a graph", None])
    def test_what_cannot_be_measured_again(self, content, synthetic_dir, tmp_path, call, capsys):
        file = tmp_path / "emotion.onnx"
        if content:
            file.write_bytes(content)
        assert call(emotion.main, "--again", file, "--data", synthetic_dir, "--unofficial") == 1
        assert capsys.readouterr().err.startswith("error: ") and not report_path(file).exists()

    def test_measuring_again_needs_data(self, exported, call, capsys, monkeypatch):
        monkeypatch.delenv("FER2013_DIR", raising=False)
        before = exported.read_bytes()
        assert call(emotion.main, "--again", exported) == 1
        assert "--again measures on FER-2013" in capsys.readouterr().err and exported.read_bytes() == before

    @pytest.mark.parametrize("arguments", [("--again", "model.keras", "out.onnx"), ("out.onnx",)])
    def test_networks_or_again(self, arguments, call, capsys):
        with pytest.raises(SystemExit):
            call(emotion.main, *arguments)
        assert "name the networks, or with --again the exported file alone" in capsys.readouterr().err


class TestReleased:
    def test_checksum(self, released):
        assert f"{hashlib.sha256(released.read_bytes()).hexdigest()}  {released.name}\n" in CHECKSUMS.read_text()

    def test_accuracy(self, released, fer2013):
        """Its report holds what ONNX Runtime alone gets on the pixels of PrivateTest, to the face.

        Of three classes, which are a quarter of the faces: a network of other answers would have to be right about as many of each.
        """
        private = fer2013.split("PrivateTest")
        stated = read_report(report_path(MODELS / "emotion.onnx"))["metrics"]["PrivateTest"]
        assert stated["faces"] == len(private) == 3589
        for name in ("angry", "disgust", "surprise"):
            label = EMOTIONS.index(name)
            found = answers(released, private.images[private.labels == label]).argmax(axis=1)
            assert (found == label).mean() == pytest.approx(stated["recall"][name], abs=1e-4), name
