"""The paper's network, and runs that survive being killed, interrupted and damaged."""

import importlib.util
import json
import keras
import numpy as np
import pytest
import shutil
import signal
import subprocess
import time
from keras import layers

from inference.types import EMOTIONS
from training.data import SPLITS, Faces
from training.model import RECIPES, paper_cnn
from training.train import main, read_history, training_and_validation

FILES = {"model.keras", "checkpoint.keras", "history.csv", "curves.png", "run.json"}
METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


@pytest.fixture(autouse=True)
def float32():
    """A run within this process sets Keras's dtype policy."""
    yield
    keras.config.set_dtype_policy("float32")


def load(path) -> keras.Model:
    return keras.models.load_model(path, compile=False)


def assert_same_run(out, reference) -> None:
    """The same history and the same weights, up to the rounding of sums in another order."""
    history, expected = read_history(out), read_history(reference)
    assert [row["epoch"] for row in history] == [row["epoch"] for row in expected]
    for row, other in zip(history, expected):
        assert [row[metric] for metric in METRICS] == pytest.approx([other[metric] for metric in METRICS], abs=1e-4)
    for name in ("checkpoint.keras", "model.keras"):
        for weight, other in zip(load(out / name).get_weights(), load(reference / name).get_weights(), strict=True):
            np.testing.assert_allclose(weight, other, rtol=0, atol=2e-5)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return paper_cnn()


class TestPaperNetwork:
    def test_layers(self, network):
        assert network.count_params() == 2_345_607
        described = []
        for layer in network.layers:
            config = layer.get_config()
            if isinstance(layer, layers.Conv2D):
                assert config["kernel_size"] == (3, 3) and config["strides"] == (1, 1)
                described.append(("Conv2D", config["filters"], config["padding"], config["activation"]))
            elif isinstance(layer, layers.MaxPooling2D):
                described.append(("MaxPooling2D", *config["pool_size"], *config["strides"], config["padding"]))
            elif isinstance(layer, layers.Dense):
                described.append(("Dense", config["units"], config["activation"]))
            elif isinstance(layer, layers.Dropout):
                described.append(("Dropout", config["rate"]))
            else:
                described.append(type(layer).__name__)
        assert described == [
            "Rescaling",
            ("Conv2D", 32, "valid", "relu"),
            ("Conv2D", 64, "valid", "relu"),
            ("MaxPooling2D", 2, 2, 2, 2, "valid"),
            ("Dropout", 0.25),
            ("Conv2D", 128, "valid", "relu"),
            ("MaxPooling2D", 2, 2, 2, 2, "valid"),
            ("Conv2D", 128, "valid", "relu"),
            ("MaxPooling2D", 2, 2, 2, 2, "valid"),
            ("Dropout", 0.25),
            "Flatten",
            ("Dense", 1024, "relu"),
            ("Dropout", 0.5),
            ("Dense", 7, "linear"),
            "Softmax",
        ]

    def test_form(self, network, synthetic):
        assert network.input_shape == (None, 48, 48, 1) and network.output_shape == (None, len(EMOTIONS))
        sides = [layer.output.shape[1] for layer in network.layers if len(layer.output.shape) == 4]
        assert sides == [48, 46, 44, 22, 22, 20, 10, 8, 4, 4]
        probabilities = network.predict(synthetic.images[:9, ..., None], verbose=0)
        assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5) and (probabilities >= 0).all()

    def test_rescaling_is_inside(self, network, synthetic):
        """Grey values 0..255 go in: behind the first layer the network sees 0..1."""
        images = synthetic.images[:9, ..., None].astype(np.float32)
        rest = keras.Sequential([keras.Input((48, 48, 1)), *network.layers[1:]])
        difference = network.predict(images, verbose=0) - rest.predict(images / 255, verbose=0)
        assert np.abs(difference).max() < 1e-5
        assert np.abs(network.predict(images, verbose=0) - rest.predict(images, verbose=0)).max() > 1e-2

    def test_recipe(self):
        recipe = RECIPES["paper"]
        assert (recipe.epochs, recipe.batch_size) == (102, 128) and recipe.augmentation.flip
        assert recipe.build is paper_cnn and isinstance(recipe.optimizer(), keras.optimizers.Adam)


class TestTrainingAndValidation:
    def test_official_splits(self, synthetic):
        training, validation = training_and_validation(synthetic, seed=0)
        assert len(training) == 139  # without the blank one
        assert (training.images.max(axis=(1, 2)) > 0).all()
        np.testing.assert_array_equal(validation.images, synthetic.split("PublicTest").images)

    def test_without_public_test(self, synthetic):
        """Test faces are never chosen on: a tenth of Training is held out instead."""
        splits = np.where(synthetic.splits > 0, SPLITS.index("Test"), 0)
        faces = Faces(synthetic.images, synthetic.labels, splits)
        training, validation = training_and_validation(faces, seed=0)
        assert (len(training), len(validation)) == (126, 13)
        kinds = [{image.tobytes() for image in part.images} for part in (training, validation, faces.split("Test"))]
        assert not kinds[0] & kinds[1] and not (kinds[0] | kinds[1]) & kinds[2]
        again, other = training_and_validation(faces, seed=0)[1], training_and_validation(faces, seed=1)[1]
        np.testing.assert_array_equal(validation.images, again.images)
        assert (validation.images != other.images).any()


class TestRun:
    def test_output(self, trained):
        assert {file.name for file in trained.iterdir()} == FILES
        history = read_history(trained)
        assert [row["epoch"] for row in history] == [1, 2, 3]
        assert all(np.isfinite(list(row.values())).all() for row in history)
        assert history[-1]["loss"] < history[0]["loss"]
        assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        settings = json.loads((trained / "run.json").read_text())
        assert (settings["epochs"], settings["training_faces"], settings["validation_faces"]) == (3, 139, 21)

    def test_model_is_of_the_best_epoch(self, trained, synthetic):
        validation = synthetic.split("PublicTest")
        found = load(trained / "model.keras").predict(validation.images[..., None], verbose=0).argmax(axis=1)
        best = max(row["val_accuracy"] for row in read_history(trained))
        assert (found == validation.labels).mean() == pytest.approx(best, abs=1e-5)

    def test_finished_run_is_left_alone(self, trained, train_arguments, tmp_path, call, capsys):
        out = shutil.copytree(trained, tmp_path / "run")
        assert call(main, *train_arguments, "--out", out) == 0
        assert "validation accuracy" in capsys.readouterr().out
        assert (out / "history.csv").read_text() == (trained / "history.csv").read_text()
        assert_same_run(out, trained)

    def test_bfloat16(self, train_arguments, tmp_path, call):
        """Leftovers of a killed write do no harm, and the model is float32 all the same."""
        out = tmp_path / "run"
        out.mkdir()
        leftovers = [f".{name}.partial{name[name.index('.') :]}" for name in FILES - {"curves.png"}]
        for name in leftovers:
            (out / name).write_bytes(b"PK\3\4 cut off")
        assert call(main, *train_arguments, "--out", out, "--epochs", 2, "--precision", "mixed_bfloat16") == 0
        keras.config.set_dtype_policy("float32")
        assert [row["epoch"] for row in read_history(out)] == [1, 2]
        assert {file.name for file in out.iterdir()} == FILES
        assert load(out / "checkpoint.keras").layers[1].dtype_policy.name == "mixed_bfloat16"
        model = load(out / "model.keras")
        assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
        assert {str(weight.dtype) for weight in model.get_weights()} == {"float32"}
        assert model.predict(np.zeros((1, 48, 48, 1), np.float32), verbose=0).dtype == np.float32

    @pytest.mark.parametrize("epochs", ["0", "-1"])
    def test_no_epochs(self, train_arguments, tmp_path, call, capsys, epochs):
        with pytest.raises(SystemExit) as caught:
            call(main, *train_arguments, "--out", tmp_path / "run", "--epochs", epochs)
        assert caught.value.code == 2 and "--epochs must be at least 1" in capsys.readouterr().err

    def test_bad_data(self, tmp_path, call, capsys):
        assert call(main, "--recipe", "paper", "--data", tmp_path / "none", "--out", tmp_path / "run") == 1
        assert "no such file or folder" in capsys.readouterr().err
        assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def killed(tmp_path_factory, command, train_arguments):
    """The folder of a run that got SIGKILL as soon as its first checkpoint was there; shared, so only to be read."""
    out = tmp_path_factory.mktemp("killed")
    arguments = command("training.train", *train_arguments, "--out", out)
    with subprocess.Popen(**arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (out / "checkpoint.keras").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        errors = process.communicate()[1]
    assert process.returncode == -signal.SIGKILL, errors
    assert 1 <= len(read_history(out)) < 3 and not (out / "curves.png").exists()
    return out


class TestResume:
    def test_killed_run_ends_as_an_uninterrupted_one(self, killed, trained, train_arguments, tmp_path, run):
        out = shutil.copytree(killed, tmp_path / "run")
        first = read_history(out)[0]
        result = run("training.train", *train_arguments, "--out", out)
        assert result.returncode == 0, result.stderr
        assert read_history(out)[0] == first, "the first epoch was done again"
        assert {file.name for file in out.iterdir() if not file.name.startswith(".")} == FILES
        assert_same_run(out, trained)

    def test_killed_between_history_and_checkpoint(self, killed, trained, train_arguments, tmp_path, call):
        """The epoch whose checkpoint is missing is done again."""
        out = shutil.copytree(killed, tmp_path / "run")
        done = int(keras.models.load_model(out / "checkpoint.keras").optimizer.iterations) // 2
        rows = (out / "history.csv").read_text().splitlines()[: done + 1]
        (out / "history.csv").write_text("\n".join([*rows, f"{done + 1},9.9,1.0,9.9,1.0,1.0"]) + "\n")
        assert call(main, *train_arguments, "--out", out) == 0
        assert_same_run(out, trained)

    @pytest.mark.parametrize("option", [("--seed", 1), ("--epochs", 4), ("--precision", "mixed_bfloat16")])
    def test_other_settings(self, killed, train_arguments, tmp_path, call, option):
        out = shutil.copytree(killed, tmp_path / "run")
        before = {file.name: file.read_bytes() for file in out.iterdir()}
        with pytest.raises(SystemExit) as caught:
            call(main, *train_arguments, "--out", out, *option)
        message = caught.value.code
        assert f"{out} holds a run with other settings ({option[0].strip('-')})" in message and "--out" in message
        assert {file.name: file.read_bytes() for file in out.iterdir()} == before

    @pytest.mark.parametrize(
        ("name", "damage"),
        # Without a checkpoint there is no run to resume: it starts anew.
        [("checkpoint.keras", "cut"), ("checkpoint.keras", "garbage")]
        + [(name, damage) for name in ("history.csv", "run.json") for damage in ("cut", "garbage", "missing")],
    )
    def test_damaged_run(self, killed, train_arguments, tmp_path, call, name, damage):
        out = shutil.copytree(killed, tmp_path / "run")
        content = (out / name).read_bytes()
        if damage == "missing":
            (out / name).unlink()
        else:
            (out / name).write_bytes(content[: len(content) // 2] if damage == "cut" else b"\0garbage," * 99)
        with pytest.raises(SystemExit) as caught:
            call(main, *train_arguments, "--out", out)
        message = caught.value.code
        assert f"error: {out / name} of the run to resume is damaged" in message and "delete the folder" in message


def test_interrupted_in_the_first_epoch(train_arguments, tmp_path, command):
    """Ctrl-C leaves a model that can be used."""
    out = tmp_path / "run"
    arguments = command("training.train", *train_arguments, "--out", out, "--epochs", 50)
    with subprocess.Popen(**arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            for line in process.stdout:
                if "training faces" in line:
                    break
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 130, errors
    assert "model.keras is usable" in errors and "Traceback" not in errors
    assert not (out / "history.csv").exists(), "an epoch was finished: this test was too slow"
    probabilities = load(out / "model.keras").predict(np.zeros((2, 48, 48, 1), np.uint8), verbose=0)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_jax(train_arguments, tmp_path, run, synthetic):
    """The same code trains under jax, and its model loads under TensorFlow."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed: pip install jax")
    out = tmp_path / "run"
    result = run("training.train", *train_arguments, "--out", out, "--epochs", 1, KERAS_BACKEND="jax")
    assert result.returncode == 0, result.stderr
    assert "Keras on jax" in result.stdout
    (row,) = read_history(out)
    found = load(out / "model.keras").predict(synthetic.split("PublicTest").images[..., None], verbose=0).argmax(axis=1)
    assert (found == synthetic.split("PublicTest").labels).mean() == pytest.approx(row["val_accuracy"], abs=1e-5)
