"""A network made of an exported file answers as the file does, and training goes on from it."""

import contextlib
import io
import json
import re
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from export import restore as export_restore
from inference.model_files import MODELS
from networks import call_main
from training.age_gender import train
from training.run import read_history

pytestmark = pytest.mark.usefixtures("small_age_gender")


def differences(printed: str) -> tuple[float, float]:
    """In years and in parts of a gender, as the command prints them."""
    return tuple(map(float, re.search(r"faces ([\d.]+) years and ([\d.]+) of", printed).groups()))


class TestRestore:
    def restored(self, model: Path, out: Path, *arguments) -> tuple[str, keras.Model]:
        """What the command prints, and the network that it wrote."""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert call_main(export_restore.main, model, out / "model.keras", *arguments) == 0
        return printed.getvalue(), keras.models.load_model(out / "model.keras", compile=False)

    def test_it_answers_as_the_network_did(
        self, exported_age_gender, trained_age_gender, demographics_arguments, portraits, tmp_path
    ):
        printed, network = self.restored(exported_age_gender, tmp_path, *demographics_arguments)
        years, parts = differences(printed)
        assert years < 0.01 and parts < 0.001
        faces = portraits.part("validation").images
        wanted = keras.models.load_model(trained_age_gender / "model.keras", compile=False).predict(faces, verbose=0)
        for name, answer in network.predict(faces, verbose=0).items():
            np.testing.assert_allclose(answer, wanted[name], atol=1e-3)

    def test_its_batch_norms_know_the_faces(self, exported_age_gender, demographics_arguments, portraits, tmp_path):
        """In training, where they go by the batch, the network answers about as it does afterwards."""
        _, network = self.restored(exported_age_gender, tmp_path, *demographics_arguments)
        faces = portraits.part("training").images[:256]
        for layer in network.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0
        answers = [keras.ops.convert_to_numpy(network(faces, training=mode)["gender"]) for mode in (True, False)]
        assert np.abs(answers[0] - answers[1]).mean() < 0.05

    @pytest.mark.usefixtures("eagerly")
    def test_training_goes_on_from_it(self, exported_age_gender, demographics_arguments, tmp_path):
        self.restored(exported_age_gender, tmp_path / "restored", *demographics_arguments)
        start = ("--start", tmp_path / "restored" / "model.keras", "--epochs", 1, "--out", tmp_path / "run")
        assert call_main(train.main, "--recipe", "both", *demographics_arguments, *start) == 0
        assert read_history(tmp_path / "run")[0]["accuracy"] > 0.9

    @pytest.mark.parametrize("kind", ("int8", "half"))
    def test_integers_and_halves(self, kind, exported_smaller, demographics_arguments, tmp_path):
        file = exported_smaller[kind]
        printed, network = self.restored(file, tmp_path, *demographics_arguments)
        years, parts = differences(printed)
        assert years < 1 and parts < 0.02
        assert json.loads((tmp_path / "run.json").read_text())["restored"] == file.name

    @pytest.mark.parametrize("content", [b"", b"not a graph", "emotion.onnx", "age_gender.onnx"])
    def test_other_files(self, content, demographics_arguments, tmp_path, capsys):
        file = tmp_path / "other.onnx"
        if isinstance(content, str):
            graph = onnx.load(MODELS / content)
            kept = [entry for entry in graph.metadata_props if entry.key != "views"]
            del graph.metadata_props[:]
            graph.metadata_props.extend(kept)
            onnx.save(graph, file)
        else:
            file.write_bytes(content)
        assert call_main(export_restore.main, file, tmp_path / "model.keras", *demographics_arguments) == 1
        assert str(file) in capsys.readouterr().err and not (tmp_path / "model.keras").exists()
