"""The exported file of age and gender follows the contract and answers as the networks do."""

import argparse
import json

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from export import age_gender as export_age_gender
from export.age_calibration import AgeCalibration, calibrated, from_metadata
from export.age_gender import parse_tta
from inference.age_gender import AgeGenderEstimator
from inference.types import AGES, GENDERS, central_age
from networks import small_network
from training.age_gender import train
from training.age_gender.data import SIZE
from training.age_gender.model import age_gender_cnn
from training.age_gender.train import AgeGenderRun
from training.metrics import at_temperature
from training.report import read_report, report_path
from training.run import read_history

pytestmark = pytest.mark.usefixtures("small_age_gender")


class TestExport:
    def test_contract(self, exported_age_gender):
        model = onnx.load(exported_age_gender)
        onnx.checker.check_model(model, full_check=True)

        def shape(node):
            return [axis.dim_param or axis.dim_value for axis in node.type.tensor_type.shape.dim]

        assert [(node.name, shape(node)) for node in model.graph.input] == [("image", ["N", SIZE, SIZE, 3])]
        outputs = {node.name: shape(node) for node in model.graph.output}
        assert outputs == {"age": ["N"], "age_distribution": ["N", AGES], "gender": ["N", 2]}
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        assert json.loads(metadata["labels"]) == list(GENDERS) and metadata["channels"] == "3"
        assert metadata["dataset"] == "FairFace and UTKFace" and "non-commercial" in metadata["terms"]
        assert exported_age_gender.stat().st_size < 10_000_000
        report = json.loads((exported_age_gender.parent / "age_gender_metrics.json").read_text())
        assert json.loads(metadata["metrics"]) == report["metrics"] and set(report["metrics"]) == {
            "FairFace",
            "UTKFace",
        }
        assert AgeGenderEstimator(exported_age_gender).metrics == report["metrics"]

    def test_the_file_answers_as_keras_does(self, exported_age_gender, trained_age_gender, portraits):
        """The mean over a face and its mirror image, calibrated, computed here from the network alone."""
        faces = portraits.images[:24]
        network = keras.models.load_model(trained_age_gender / "model.keras", compile=False)
        metadata = {entry.key: entry.value for entry in onnx.load(exported_age_gender).metadata_props}
        session = onnxruntime.InferenceSession(str(exported_age_gender), providers=["CPUExecutionProvider"])
        names = ("age_distribution", "gender", "age")
        found = dict(zip(names, session.run(names, {"image": faces.astype(np.float32)})))
        both = [network.predict(view.astype(np.float32), verbose=0) for view in (faces, faces[:, :, ::-1])]
        means = {name: (both[0][name] + both[1][name]) / 2 for name in both[0]}
        expected = at_temperature(means["gender"], float(metadata["gender_temperature"]))
        np.testing.assert_allclose(found["gender"], expected, atol=1e-4)
        calibration = from_metadata(metadata["age_calibration"])
        assert calibration != AgeCalibration()
        expected = calibrated(means["age_distribution"], calibration)
        np.testing.assert_allclose(found["age_distribution"], expected, atol=1e-4)
        np.testing.assert_allclose(found["age"], central_age(found["age_distribution"]), atol=1e-3)
        mirrored = dict(zip(names, session.run(names, {"image": faces[:, :, ::-1].astype(np.float32)})))
        np.testing.assert_allclose(found["gender"], mirrored["gender"], atol=1e-5)

    def test_several_networks_answer_with_their_mean(self, trained_age_gender, portraits):
        faces = portraits.images[:8].astype(np.float32)
        first = keras.models.load_model(trained_age_gender / "model.keras", compile=False)
        second = train.RECIPES["both"].build()
        one, other, both = (
            export_age_gender.serving_network(networks).predict(faces, verbose=0)
            for networks in ([first], [second], [first, second])
        )
        for name in ("age_distribution", "gender"):
            np.testing.assert_allclose(both[name], (one[name] + other[name]) / 2, atol=1e-5)
        assert np.abs(one["gender"] - other["gender"]).max() > 0.01

    def test_a_checkpoint_of_a_run_in_bfloat16_is_exported_in_float32(self, tmp_path):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            trained = train.RECIPES["both"].build()
        finally:
            keras.config.set_dtype_policy("float32")
        trained.save(tmp_path / "checkpoint.keras")
        network = export_age_gender.averaged(tmp_path / "checkpoint.keras")
        assert {layer.dtype_policy.name for layer in network.layers} == {"float32"}
        for found, expected in zip(network.get_weights(), trained.get_weights(), strict=True):
            assert np.array_equal(found, expected)

    def test_the_mean_of_weights(self, trained_age_gender, portraits):
        """A checkpoint gives the running average, which is what its run measured last."""
        run = AgeGenderRun.__new__(AgeGenderRun)
        found = []
        for load in (export_age_gender.averaged, keras.models.load_model):
            run.model = load(trained_age_gender / "checkpoint.keras")
            found.append(run.validate(portraits.part("validation"))["val_loss"])
        measured = read_history(trained_age_gender)[-1]["val_loss"]
        assert found[0] == pytest.approx(measured, abs=1e-4) and abs(found[1] - measured) > 1e-4
        networks = [export_age_gender.averaged(trained_age_gender / "model.keras") for _ in range(2)]
        weights = networks[0].get_weights()
        networks[1].set_weights([3 * weight for weight in weights])
        for mean, weight in zip(export_age_gender.mean_of(networks).get_weights(), weights):
            np.testing.assert_allclose(mean, 2 * weight, rtol=1e-5)
        with pytest.raises(ValueError, match="--mean: the networks have other layers"):
            export_age_gender.mean_of([networks[0], age_gender_cnn()])

    def test_each_network_has_its_views(self, trained_age_gender, portraits):
        faces = portraits.images[:8].astype(np.float32)
        first = keras.models.load_model(trained_age_gender / "model.keras", compile=False)
        second = age_gender_cnn(40, ((8,), (24,), (32,)))
        larger = small_network(60)
        larger.set_weights(first.get_weights())
        served = export_age_gender.serving_network([first, second], tta=[parse_tta("48,60m"), parse_tta("40m")])
        answers, mirrored = served(faces), faces[:, :, ::-1]
        parts = [first(faces), larger(mirrored), second(mirrored)]
        for name in ("age_distribution", "gender"):
            np.testing.assert_allclose(answers[name], sum(part[name].numpy() for part in parts) / 3, atol=1e-5)
        difference = first(mirrored)["age_distribution"] - larger(mirrored)["age_distribution"]
        assert np.abs(difference).max() > 1e-4

    @pytest.mark.parametrize("text", ["", "m", "48,", "48x", "15", "129m", "48 52m"])
    def test_what_names_no_views(self, text):
        with pytest.raises(argparse.ArgumentTypeError, match="does not name views like 48,52m"):
            parse_tta(text)

    def test_views_are_those_of_all_networks(self, call, capsys, tmp_path):
        with pytest.raises(SystemExit):
            call(export_age_gender.main, "model.keras", tmp_path / "age_gender.onnx", "--tta", "48", "52m")
        assert "the views of 2 networks, and there are 1" in capsys.readouterr().err

    def test_a_large_file_is_stored_in_half_the_bytes(self, exported_age_gender, exported_smaller, portraits, tmp_path):
        """With nearly the same answers, and without work that is not done when the file is loaded."""
        target = exported_smaller["half"]
        sizes = [
            sum(len(tensor.raw_data) for tensor in onnx.load(file).graph.initializer)
            for file in (exported_age_gender, target)
        ]
        assert sizes[1] < 0.65 * sizes[0]
        faces = portraits.images[:64]
        full, half = AgeGenderEstimator(exported_age_gender), AgeGenderEstimator(target)
        assert (full.session.metadata["weights"], half.session.metadata["weights"]) == ("float32", "float16")
        assert half.session.metadata["views"] == full.session.metadata["views"] == "48,48m"
        before, after = full.predict(faces), half.predict(faces)
        for name in ("gender", "age_distribution"):
            assert np.abs(before[name] - after[name]).max() < 0.01, name
        assert np.abs(before["age_distribution"] - after["age_distribution"]).max() > 0
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
        onnxruntime.InferenceSession(str(target), options, providers=["CPUExecutionProvider"])
        kinds = [[node.op_type for node in onnx.load(file).graph.node] for file in (target, tmp_path / "loaded.onnx")]
        assert kinds[0].count("Cast") > 4 and "Cast" not in kinds[1]

    def test_in_integers(self, exported_age_gender, exported_smaller, portraits):
        """A smaller file with nearly the same answers, of which the faces are resized as exactly as before."""
        exact, target = exported_age_gender, exported_smaller["int8"]
        report = read_report(report_path(target))
        assert report["metadata"]["weights"] == "int8" and report["command"] == "python -m export.age_gender --int8"
        graph = onnx.load(target).graph
        kinds = {node.output[0]: node.op_type for node in graph.node}
        convolutions, resizing = ([node for node in graph.node if node.op_type == kind] for kind in ("Conv", "MatMul"))
        integers = [kinds.get(node.input[1]) == "DequantizeLinear" for node in convolutions]
        exact_ones = export_age_gender.EXACT_CONVOLUTIONS
        assert integers == [False] * exact_ones + [True] * (len(integers) - exact_ones) and any(integers)
        assert resizing and all("DequantizeLinear" not in map(kinds.get, node.input) for node in resizing)
        faces = portraits.images[:64]
        before, after = (AgeGenderEstimator(file).predict(faces) for file in (exact, target))
        for name in ("gender", "age_distribution"):
            np.testing.assert_allclose(after[name].sum(axis=1), 1, atol=1e-5)
            assert np.abs(before[name] - after[name]).max() < 0.15, name
        assert np.abs(before["age_distribution"] - after["age_distribution"]).max() > 0

    def test_an_exported_file_is_measured_again(
        self, exported_age_gender, demographics_arguments, portraits, tmp_path, call
    ):
        file = tmp_path / "age_gender.onnx"
        graph = onnx.load(exported_age_gender)
        (metrics,) = [entry for entry in graph.metadata_props if entry.key == "metrics"]
        wanted, metrics.value = json.loads(metrics.value), "{}"
        onnx.save(graph, file)
        assert call(export_age_gender.main, "--again", file, *demographics_arguments) == 0
        before, after = (
            {entry.key: entry.value for entry in onnx.load(each).metadata_props} for each in (exported_age_gender, file)
        )
        assert json.loads(after.pop("metrics")) == wanted and before.pop("metrics") and before == after
        first, again = (
            json.loads((each / "age_gender_metrics.json").read_text())
            for each in (exported_age_gender.parent, tmp_path)
        )
        assert again.pop("command") == "python -m export.age_gender --again" != first.pop("command")
        assert first == again
        faces = portraits.images[:8]
        one, other = (AgeGenderEstimator(each).predict(faces)["gender"] for each in (exported_age_gender, file))
        np.testing.assert_array_equal(one, other)

    @pytest.mark.parametrize("content", [b"not a graph", None])
    def test_what_cannot_be_measured_again(self, content, demographics_arguments, tmp_path, call, capsys):
        file = tmp_path / "age_gender.onnx"
        if content:
            file.write_bytes(content)
        assert call(export_age_gender.main, "--again", file, *demographics_arguments) == 1
        assert capsys.readouterr().err.startswith("error: ") and not (tmp_path / "age_gender_metrics.json").exists()

    @pytest.mark.parametrize("arguments", [("--again", "model.keras", "out.onnx"), ("out.onnx",)])
    def test_networks_or_again(self, arguments, call, capsys):
        with pytest.raises(SystemExit):
            call(export_age_gender.main, *arguments)
        assert "name the networks, or with --again the exported file alone" in capsys.readouterr().err

    def test_nothing_is_written_where_the_integers_cost_too_much(
        self, trained_age_gender, demographics_arguments, tmp_path, call, monkeypatch, capsys
    ):
        monkeypatch.setattr(export_age_gender, "LARGEST_LOSS", -1.0)
        target = tmp_path / "age_gender.onnx"
        assert (
            call(export_age_gender.main, trained_age_gender / "model.keras", target, *demographics_arguments, "--int8")
            == 1
        )
        assert "cost too much accuracy" in capsys.readouterr().err and not list(tmp_path.iterdir())

    def test_nothing_is_written_where_the_file_differs(
        self, trained_age_gender, demographics_arguments, tmp_path, call, monkeypatch, capsys
    ):
        monkeypatch.setattr(export_age_gender, "convert", lambda model, metadata: export_of(model, metadata, 0.5))
        export_of = _export_of_a_brighter_face
        target = tmp_path / "age_gender.onnx"
        assert call(export_age_gender.main, trained_age_gender / "model.keras", target, *demographics_arguments) == 1
        assert "not exported" in capsys.readouterr().err and not list(tmp_path.iterdir())


def _export_of_a_brighter_face(model, metadata, factor):
    from export.onnx_graph import convert

    image = keras.Input(model.input_shape[1:], name="image")
    return convert(keras.Model(image, model(image * factor)), metadata)
