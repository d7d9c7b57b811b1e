"""Runs survive being killed, interrupted and damaged, and end as if nothing had happened."""

import importlib.util
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import asdict, replace

import keras
import numpy as np
import pytest

from networks import FILES, assert_same_run
from training.emotion.data import training_and_validation
from training.emotion.model import paper_cnn
from training.emotion.recipes import RECIPES, STRANGE
from training.emotion.train import EmotionRun, main
from training.layers import load_network as load
from training.recipe import sgd
from training.run import mean_weights, read_history, read_settings

pytestmark = pytest.mark.usefixtures("float32", "small_vgg7")


class TestRun:
    def test_output(self, trained):
        assert {file.name for file in trained.iterdir()} == FILES
        history = read_history(trained)
        assert [row["epoch"] for row in history] == [1, 2, 3]
        assert all(np.isfinite(list(row.values())).all() for row in history)
        assert history[-1]["loss"] < history[0]["loss"]
        # Of all faces, not of the last batch alone, which has 11.
        assert [row["accuracy"] * 139 for row in history] == pytest.approx(
            [round(row["accuracy"] * 139) for row in history], abs=1e-3
        )
        assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        settings = json.loads((trained / "run.json").read_text())
        assert (settings["epochs"], settings["training_faces"], settings["validation_faces"]) == (3, 139, 21)

    def test_model_is_of_the_best_epoch(self, trained, synthetic):
        validation = synthetic.split("PublicTest")
        found = load(trained / "model.keras").predict(validation.images[..., None], verbose=0)
        found = found["probabilities"].argmax(axis=1)
        best = max(row["val_accuracy"] for row in read_history(trained))
        assert (found == validation.labels).mean() == pytest.approx(best, abs=1e-5)

    def test_finished_run_is_left_alone(self, trained, train_arguments, tmp_path, call, capsys):
        out = shutil.copytree(trained, tmp_path / "run")
        assert call(main, *train_arguments, "--out", out) == 0
        assert "validation accuracy" in capsys.readouterr().out
        assert (out / "history.csv").read_text() == (trained / "history.csv").read_text()
        assert_same_run(out, trained)

    @pytest.mark.usefixtures("eagerly")
    def test_bfloat16(self, train_arguments, tmp_path, call, monkeypatch):
        """Leftovers of a killed write do no harm, and the model is float32 all the same."""
        monkeypatch.setitem(RECIPES, "paper", replace(RECIPES["paper"], build=lambda: paper_cnn(width=0.1)))
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
        assert model.predict(np.zeros((1, 48, 48, 1), np.float32), verbose=0)["probabilities"].dtype == np.float32

    @pytest.mark.parametrize("epochs", ["0", "-1"])
    def test_no_epochs(self, train_arguments, tmp_path, call, capsys, epochs):
        with pytest.raises(SystemExit) as caught:
            call(main, *train_arguments, "--out", tmp_path / "run", "--epochs", epochs)
        assert caught.value.code == 2 and "is not a number of epochs" in capsys.readouterr().err

    def test_bad_data(self, tmp_path, call, capsys):
        assert call(main, "--recipe", "paper", "--data", tmp_path / "none", "--out", tmp_path / "run") == 1
        assert "no such file or folder" in capsys.readouterr().err
        assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def killed(tmp_path_factory, command, train_arguments):
    """The folder of a run that got SIGKILL as soon as its first checkpoint was there; shared, so only to be read."""
    out = tmp_path_factory.mktemp("killed")
    arguments = command("training.emotion", *train_arguments, "--out", out)
    with subprocess.Popen(**arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (out / "checkpoint.keras").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        errors = process.communicate()[1]
    assert process.returncode == -signal.SIGKILL, errors
    assert 1 <= len(read_history(out)) < 3 and not (out / "curves.png").exists()
    return out


class TestResume:
    @pytest.mark.usefixtures("eagerly")
    def test_killed_run_ends_as_an_uninterrupted_one(self, killed, trained, train_arguments, tmp_path, call):
        out = shutil.copytree(killed, tmp_path / "run")
        first = read_history(out)[0]
        assert call(main, *train_arguments, "--out", out) == 0
        assert read_history(out)[0] == first, "the first epoch was done again"
        assert {file.name for file in out.iterdir() if not file.name.startswith(".")} == FILES
        assert_same_run(out, trained)

    @pytest.mark.usefixtures("eagerly")
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


class TestStart:
    def test_start(self, vgg7_run, tmp_path):
        """A run can begin with trained weights."""
        settings = json.loads((vgg7_run / "run.json").read_text()) | {"start": [str(vgg7_run / "model.keras")]}
        started = EmotionRun(RECIPES["vgg7"], tmp_path / "run", settings).model
        for weight, other in zip(started.get_weights(), load(vgg7_run / "model.keras").get_weights(), strict=True):
            np.testing.assert_array_equal(weight, other)

    def test_start_with_the_mean_of_several(self, vgg7_run, tmp_path):
        other = RECIPES["vgg7"].build()
        other.save(tmp_path / "other.keras")
        starts = [str(vgg7_run / "model.keras"), str(tmp_path / "other.keras")]
        settings = json.loads((vgg7_run / "run.json").read_text()) | {"start": starts}
        started = EmotionRun(RECIPES["vgg7"], tmp_path / "run", settings).model.get_weights()
        for weight, one, two in zip(started, load(starts[0]).get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(weight, (one + two) / 2, atol=1e-6)

    def test_no_mean_of_different_networks(self, vgg7_run, tmp_path):
        RECIPES["paper"].build().save(tmp_path / "other.keras")
        with pytest.raises(SystemExit, match="other.keras and .*model.keras have other layers"):
            mean_weights([vgg7_run / "model.keras", tmp_path / "other.keras"])


@pytest.mark.usefixtures("eagerly")
def test_what_is_kept_is_the_running_average(vgg7_run, synthetic, tmp_path):
    """The checkpoint goes on with the weights themselves."""
    settings = json.loads((vgg7_run / "run.json").read_text())
    recipe = replace(RECIPES["vgg7"], optimizer=sgd(0.1, average=0.5))
    training, validation = training_and_validation(synthetic, 0)
    EmotionRun(recipe, tmp_path / "run", settings).train(training, validation)
    weights = load(tmp_path / "run" / "checkpoint.keras").get_weights()[0]
    (average,) = (
        variable.numpy()
        for variable in keras.models.load_model(tmp_path / "run" / "checkpoint.keras").optimizer.variables
        if "average" in variable.path and variable.shape == weights.shape
    )
    history = read_history(tmp_path / "run")
    assert history[-1]["val_accuracy"] == max(row["val_accuracy"] for row in history), "the last is not the best"
    np.testing.assert_allclose(load(tmp_path / "run" / "model.keras").get_weights()[0], average, atol=1e-6)
    assert np.abs(average - weights).max() > 1e-4


def test_other_processes_prepare_the_very_same_epochs(synthetic, tmp_path):
    """With dropout's seed; where a run is resumed too, at its second epoch here."""
    faces = synthetic.split("Training")
    recipe = replace(RECIPES["vgg7"], beyond=STRANGE)
    settings = {"seed": 3, "epochs": 4, "start": [], "precision": "float32", "training_faces": len(faces)}
    found = {}
    for workers in (0, 1):
        prepared = EmotionRun(recipe, tmp_path / f"run{workers}", settings, workers=workers)
        seeds = []
        prepared._seed_dropout = seeds.append
        found[workers] = [prepared.epoch_data(faces, epoch) for epoch in (1, 2, 3)], seeds
        assert len(prepared._prepared) == 0
    prepared._pool.shutdown()
    assert found[0][1] == found[1][1] and len(set(found[0][1])) == 3
    for (images, targets), (others, answers) in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_array_equal(images, others)
        for name in targets:
            np.testing.assert_array_equal(targets[name], answers[name])


@pytest.mark.usefixtures("eagerly")
def test_a_run_with_processes_ends(train_arguments, tmp_path, call):
    assert call(main, *train_arguments, "--out", tmp_path / "run", "--epochs", 1, "--workers", 1) == 0
    assert len(read_history(tmp_path / "run")) == 1
    assert multiprocessing.active_children() == [], "the program would wait for it"


def test_settings_of_earlier_versions_have_their_present_names(tmp_path):
    """So that a run that was stopped then goes on."""
    (tmp_path / "run.json").write_text(json.dumps({"seed": 3, "look": 48, "drawn_more": ["FairFace", "Black", 1.5]}))
    assert read_settings(tmp_path) == {"seed": 3, "input_size": 48, "oversampled": ["FairFace", "Black", 1.5]}


def test_distortions_that_earlier_versions_did_not_have_are_not_done(tmp_path):
    """So that a run that was stopped then goes on."""
    now = json.loads(json.dumps(asdict(replace(STRANGE, flip=True))))
    earlier = {name: value for name, value in now.items() if name not in ("scanned", "old", "bleached")}
    (tmp_path / "run.json").write_text(json.dumps({"augmentation": earlier}))
    assert read_settings(tmp_path) == {"augmentation": now}


@pytest.mark.usefixtures("eagerly")
def test_interrupted_in_the_first_epoch(train_arguments, tmp_path, call, capsys, monkeypatch):
    """Ctrl-C in the middle of a step leaves a model that can be used."""
    out, step = tmp_path / "run", keras.Model.train_on_batch

    def interrupted_step(*arguments, **options):
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()
        return step(*arguments, **options)

    monkeypatch.setattr(keras.Model, "train_on_batch", interrupted_step)
    assert call(main, *train_arguments, "--out", out) == 130
    assert "model.keras is usable" in capsys.readouterr().err
    assert not (out / "history.csv").exists()
    probabilities = load(out / "model.keras").predict(np.zeros((2, 48, 48, 1), np.uint8), verbose=0)["probabilities"]
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("recipe", ["paper", "vgg7"])
def test_jax(recipe, synthetic_dir, tmp_path, run, synthetic):
    """The same code trains under jax, and its model loads under TensorFlow."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed: pip install jax")
    out = tmp_path / "run"
    arguments = ("--recipe", recipe, "--data", synthetic_dir, "--unofficial", "--epochs", 2, "--out", out)
    result = run("training.emotion", *arguments, KERAS_BACKEND="jax")
    assert result.returncode == 0, result.stderr
    assert "Keras on jax" in result.stdout
    best = max(read_history(out), key=lambda row: row["val_accuracy"])
    found = load(out / "model.keras").predict(synthetic.split("PublicTest").images[..., None], verbose=0)
    found = found["probabilities"].argmax(axis=1)
    assert (found == synthetic.split("PublicTest").labels).mean() == pytest.approx(best["val_accuracy"], abs=1e-5)
