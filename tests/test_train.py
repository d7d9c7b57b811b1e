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
from dataclasses import replace
from keras import layers

from inference.types import EMOTIONS
from training.data import SPLITS, Faces, crowd_distribution
from training import further, teach, train
from training.demographics import SOURCES
from training.model import RECIPES, STRANGE, WEBCAM, FusedBatchNormalization, paper_cnn, sgd
from training.train import main, mix, read_history, training_and_validation

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
            "InputLayer",
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
        assert network.input_shape == (None, 48, 48, 1)
        assert {name: output.shape for name, output in network.output.items()} == {
            "probabilities": (None, len(EMOTIONS))
        }
        sides = [layer.output.shape[1] for layer in network.layers if len(layer.output.shape) == 4]
        assert sides == [48, 48, 46, 44, 22, 22, 20, 10, 8, 4, 4]
        probabilities = network.predict(synthetic.images[:9, ..., None], verbose=0)["probabilities"]
        assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5) and (probabilities >= 0).all()

    def test_rescaling_is_inside(self, network, synthetic):
        """Grey values 0..255 go in: behind the first layer the network sees 0..1."""
        images = synthetic.images[:9, ..., None].astype(np.float32)
        rest = keras.Sequential([keras.Input((48, 48, 1)), *network.layers[2:]])
        found = network.predict(images, verbose=0)["probabilities"]
        assert np.abs(found - rest.predict(images / 255, verbose=0)).max() < 1e-5
        assert np.abs(found - rest.predict(images, verbose=0)).max() > 1e-2

    def test_recipe(self):
        recipe = RECIPES["paper"]
        assert (recipe.epochs, recipe.batch_size) == (102, 128) and recipe.augmentation.flip
        assert recipe.build is paper_cnn and isinstance(recipe.optimizer(1000), keras.optimizers.Adam)


class TestOtherNetworks:
    @pytest.mark.parametrize("name", [name for name in RECIPES if name != "paper"])
    def test_form(self, name, synthetic):
        """Two heads over faces of either size that the recipe trains on."""
        recipe = RECIPES[name]
        network = recipe.build()
        assert network.name == name.partition("-")[0]
        for side in sorted({side for side, _ in recipe.sizes}):
            answers = network.predict(np.resize(synthetic.images, (3, side, side, 1)), verbose=0)
            assert answers["probabilities"].shape == (3, 7) and answers["crowd"].shape == (3, 8)
            for values in answers.values():
                assert values.sum(axis=1) == pytest.approx(1, abs=1e-5)

    def test_light_and_gain_do_not_matter(self, synthetic):
        """Each face is normalised within the network."""
        network = RECIPES["vgg7"].build()
        faces = synthetic.images[20:29, ..., None].astype(np.float32)
        found, brighter = (network.predict(images, verbose=0)["crowd"] for images in (faces, faces * 0.8 + 20))
        np.testing.assert_allclose(found, brighter, atol=5e-5)
        assert np.abs(found - found[:1]).max() > 2e-4

    def test_fused_batch_norm_is_batch_norm(self):
        """In training and in use: the same answers and the same running statistics, but for rounding."""
        values = np.random.default_rng(0).normal(1, 2, (64, 6, 6, 5)).astype(np.float32)
        pair = layers.BatchNormalization(scale=False, momentum=0.9), FusedBatchNormalization(scale=False, momentum=0.9)
        trained = [np.array(layer(values, training=True)) for layer in pair]
        np.testing.assert_allclose(*trained, atol=1e-4)
        assert abs(trained[0].mean()) < 1e-4
        used = [np.array(layer(values, training=False)) for layer in pair]
        np.testing.assert_allclose(*used, atol=5e-3)
        assert used[0].mean() > 0.5
        for weight, other in zip(*(layer.get_weights() for layer in pair)):
            np.testing.assert_allclose(weight, other, atol=2e-3)

    def test_learning_rate(self):
        """Up over a twentieth of the steps, and down to zero."""
        schedule = sgd(0.1)(1000)._learning_rate
        rates = np.array([float(schedule(step)) for step in (0, 25, 50, 525, 1000)])
        assert rates == pytest.approx([0, 0.05, 0.1, 0.05, 0], abs=1e-3)

    def test_running_average(self):
        """Over a part of the schedule, however long that is."""
        assert sgd(0.1, average=0.04)(10_000).ema_momentum == pytest.approx(1 - 1 / 400)
        assert not sgd(0.1, average=0)(10_000).use_ema and sgd(0.1)(5).ema_momentum == 0

    def test_sizes(self):
        recipe = RECIPES["vgg7"]
        assert [recipe.side(progress) for progress in (0, 0.59, 0.6, 0.99)] == [40, 40, 48, 48]


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


@pytest.fixture(scope="module")
def vgg7_arguments(synthetic_dir) -> tuple:
    """A short run of the recipe vgg7, whose second epoch and third are at another size than its first."""
    return ("--recipe", "vgg7", "--data", synthetic_dir, "--unofficial", "--epochs", 3)


@pytest.fixture(scope="module")
def vgg7_run(tmp_path_factory, run, vgg7_arguments):
    """The folder of an uninterrupted run; shared, so only to be read."""
    out = tmp_path_factory.mktemp("vgg7")
    result = run("training.train", *vgg7_arguments, "--out", out)
    assert result.returncode == 0, result.stderr
    return out


class TestTwoHeads:
    def test_interrupted_run_ends_as_an_uninterrupted_one(
        self, vgg7_run, vgg7_arguments, tmp_path, call, call_interrupted
    ):
        """With a schedule, momentum, a running average of the weights, and two sizes."""
        out = tmp_path / "run"
        assert call_interrupted(main, *vgg7_arguments, "--out", out) == 130
        assert len(read_history(out)) == 1
        assert call(main, *vgg7_arguments, "--out", out) == 0
        assert_same_run(out, vgg7_run)

    def test_what_is_kept_is_the_running_average(self, vgg7_run, synthetic, tmp_path):
        """The checkpoint goes on with the weights themselves."""
        settings = json.loads((vgg7_run / "run.json").read_text())
        recipe = replace(RECIPES["vgg7"], optimizer=sgd(0.1, average=0.5))
        training, validation = training_and_validation(synthetic, 0)
        train.Run(recipe, tmp_path / "run", settings).train(training, validation)
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

    def test_votes_are_needed(self, vgg7_arguments, synthetic_dir, tmp_path, call, capsys):
        shutil.copy(synthetic_dir / "fer2013.csv", tmp_path)
        arguments = [tmp_path if argument == synthetic_dir else argument for argument in vgg7_arguments]
        assert call(main, *arguments, "--out", tmp_path / "run") == 1
        assert "needs FERPlus' fer2013new.csv" in capsys.readouterr().err

    def test_start(self, vgg7_run, tmp_path):
        """A run can begin with trained weights."""
        settings = json.loads((vgg7_run / "run.json").read_text()) | {"start": [str(vgg7_run / "model.keras")]}
        started = train.Run(RECIPES["vgg7"], tmp_path / "run", settings).model
        for weight, other in zip(started.get_weights(), load(vgg7_run / "model.keras").get_weights(), strict=True):
            np.testing.assert_array_equal(weight, other)

    def test_start_with_the_mean_of_several(self, vgg7_run, tmp_path):
        other = RECIPES["vgg7"].build()
        other.save(tmp_path / "other.keras")
        starts = [str(vgg7_run / "model.keras"), str(tmp_path / "other.keras")]
        settings = json.loads((vgg7_run / "run.json").read_text()) | {"start": starts}
        started = train.Run(RECIPES["vgg7"], tmp_path / "run", settings).model.get_weights()
        for weight, one, two in zip(started, load(starts[0]).get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(weight, (one + two) / 2, atol=1e-6)

    def test_no_mean_of_different_networks(self, vgg7_run, tmp_path):
        RECIPES["paper"].build().save(tmp_path / "other.keras")
        with pytest.raises(SystemExit, match="other.keras and .*model.keras have other layers"):
            train.mean_weights([vgg7_run / "model.keras", tmp_path / "other.keras"])

    def test_targets(self, synthetic):
        """Smoothed labels, and the votes as distributions; the faces and their targets stay together."""
        settings = {"seed": 0, "epochs": 2}
        faces = synthetic.split("Training").select(np.arange(30, 40))
        prepared = train.Run.__new__(train.Run)
        prepared.recipe, prepared.settings = RECIPES["vgg7"], settings
        prepared.teacher = prepared.further = None
        prepared.model = RECIPES["vgg7"].build()
        images, targets = prepared.epoch_data(faces, 0)
        assert images.shape == (10, 40, 40, 1) and images.dtype == np.uint8
        order = np.random.default_rng((0, 0)).permutation(10)
        np.testing.assert_array_equal(targets["probabilities"].argmax(axis=1), faces.labels[order])
        assert targets["probabilities"].max(axis=1) == pytest.approx(0.9 + 0.1 / 7)
        np.testing.assert_allclose(targets["crowd"], crowd_distribution(faces.votes)[order])


def test_mix():
    rng = np.random.default_rng(0)
    images = (np.arange(200, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)).astype(np.uint8)
    targets = {"probabilities": np.eye(200, dtype=np.float32)}
    mixed, answers = mix(images, targets, 0.4, rng)
    assert mixed.dtype == np.uint8 and answers["probabilities"].sum(axis=1) == pytest.approx(1, abs=1e-5)
    # The grey value of a mixture is that of its parts, in the parts that its target says.
    np.testing.assert_allclose(mixed[:, 0, 0], answers["probabilities"] @ np.arange(200), atol=0.51)
    assert (answers["probabilities"].max(axis=1) < 0.9).mean() > 0.3


def test_crowd_distribution():
    votes = np.array([[5, 3, 0, 0, 0, 0, 0, 0, 2, 0], [0, 0, 0, 0, 0, 0, 0, 0, 1, 9]], np.uint8)
    np.testing.assert_allclose(crowd_distribution(votes), [[5 / 8, 3 / 8, 0, 0, 0, 0, 0, 0], [1 / 8] * 8])


class TestTeacher:
    @pytest.fixture(scope="class")
    def answers(self, tmp_path_factory, run, vgg7_run, synthetic_dir):
        """Two views, made in two parts; shared, so only to be read."""
        out = tmp_path_factory.mktemp("teacher")
        data = ("--data", synthetic_dir, "--unofficial", "--recipe", "vgg7", "--views", 2, "--out", out)
        for part in ("1/2", "2/2"):
            result = run("training.teach", vgg7_run / "model.keras", *data, "--part", part)
            assert result.returncode == 0, result.stderr
        return out

    def test_answers_are_the_teachers_to_the_view_and_its_mirror_image(self, answers, vgg7_run, synthetic):
        training, _ = training_and_validation(synthetic, 0)
        network = load(vgg7_run / "model.keras")
        for epoch in (0, 1, 3):
            faces, kept = teach.Teacher(answers, training).view(epoch, training.images)
            both = [network.predict(view[..., None], verbose=0) for view in (faces, faces[:, :, ::-1])]
            for name in ("probabilities", "crowd"):
                np.testing.assert_allclose(kept[name], (both[0][name] + both[1][name]) / 2, atol=2e-3)
        first, again, other = (teach.Teacher(answers, training).view(epoch, training.images)[0] for epoch in (0, 2, 1))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()

    def test_student(self, answers, vgg7_arguments, tmp_path, call, synthetic):
        """Its targets are mostly the teacher's answers, in the order of its faces."""
        out = tmp_path / "student"
        assert call(main, *vgg7_arguments, "--out", out, "--teacher", answers) == 0
        assert json.loads((out / "run.json").read_text())["teacher"]["views"] == 2
        training, _ = training_and_validation(synthetic, 0)
        prepared = train.Run.__new__(train.Run)
        prepared.recipe, prepared.settings = RECIPES["vgg7"], {"seed": 0, "epochs": 3}
        prepared.model, prepared.teacher = RECIPES["vgg7"].build(), teach.Teacher(answers, training)
        prepared.further = None
        images, targets = prepared.epoch_data(training, 2)
        order = np.random.default_rng((0, 2)).permutation(len(training))
        view, kept = prepared.teacher.view(2, training.images)
        same = (images[..., 0] == view[order]).all(axis=(1, 2))
        mirrored = (images[..., 0] == view[order][:, :, ::-1]).all(axis=(1, 2))
        assert (same | mirrored).all() and 0.35 < mirrored.mean() < 0.65
        hard = 0.9 * np.eye(7)[training.labels] + 0.1 / 7
        np.testing.assert_allclose(
            targets["probabilities"], (0.2 * hard + 0.8 * kept["probabilities"])[order], atol=1e-5
        )

    def test_it_goes_on_where_it_was_stopped(self, answers, vgg7_run, synthetic_dir, tmp_path, call, capsys):
        out = shutil.copytree(answers, tmp_path / "teacher")
        (out / "view001.npz").unlink()
        before = (out / "view000.npz").stat().st_mtime_ns
        arguments = ("--data", synthetic_dir, "--unofficial", "--recipe", "vgg7", "--views", 2, "--out", out)
        assert call(teach.main, vgg7_run / "model.keras", *arguments) == 0
        assert "view001.npz" in capsys.readouterr().out and (out / "view000.npz").stat().st_mtime_ns == before
        with np.load(out / "view001.npz") as new, np.load(answers / "view001.npz") as old:
            np.testing.assert_allclose(new["crowd"], old["crowd"], atol=1e-3)
        assert call(teach.main, vgg7_run / "model.keras", *arguments[:-3], 3, "--out", out) == 1
        assert "other teachers" in capsys.readouterr().err

    def test_incomplete_or_of_other_faces(self, answers, vgg7_arguments, tmp_path, call, capsys, synthetic):
        out = shutil.copytree(answers, tmp_path / "teacher")
        (out / "view001.npz").unlink()
        for folder, message in ((out, "1 of 2 views are missing"), (tmp_path / "none", "holds no teacher's answers")):
            assert call(main, *vgg7_arguments, "--out", tmp_path / "run", "--teacher", folder) == 1
            assert message in capsys.readouterr().err
        with pytest.raises(ValueError, match="other training faces"):
            teach.Teacher(answers, synthetic.select(np.arange(50)))


class TestFurtherFaces:
    """Of made-up FairFace and UTKFace; the teacher is a network that was not trained."""

    @pytest.fixture(scope="class")
    def kept(self, tmp_path_factory, run, demographics_arguments):
        """The folder of the answers and the teacher; shared, so only to be read."""
        root = tmp_path_factory.mktemp("further")
        RECIPES["vgg7"].build().save(root / "teacher.keras")
        result = run("training.further", root / "teacher.keras", *demographics_arguments, "--out", root / "answers")
        assert result.returncode == 0, result.stderr
        return root / "answers", load(root / "teacher.keras")

    @pytest.fixture(scope="class")
    def faces(self, kept, demographics_arguments):
        return further.load_further(kept[0], *demographics_arguments[1::2])

    def test_the_answers_are_the_teachers_and_no_face_is_for_testing(self, kept, faces):
        with np.load(kept[0] / "names.npz") as names:
            assert set(names["part"]) == {"training", "validation"} and set(names["source"]) == set(SOURCES)
            count = len(names["name"])
        assert faces.settings == {"faces": count, "views": 2} and faces.images.shape == (count, 48, 48)
        for epoch, view in ((0, 0), (3, 1)):
            images, answers = faces.view(epoch, 40, np.random.default_rng(0))
            every = teach.distort(faces.images, WEBCAM, further.SEED, view)
            assert images.shape == (40, 48, 48) and all((image == every).all(axis=(1, 2)).any() for image in images)
            expected = teach.answer([kept[1]], images)
            for name in ("probabilities", "crowd"):
                np.testing.assert_allclose(answers[name], expected[name], atol=2e-3)

    def test_a_student_sees_them_among_its_own_with_their_answers(self, kept, faces, synthetic, tmp_path):
        training, _ = training_and_validation(synthetic, 0)
        recipe = replace(RECIPES["vgg7"], further=0.5, sizes=((48, 0.0),))
        settings = {"seed": 0, "epochs": 1, "start": [], "precision": "float32", "training_faces": len(training)}
        prepared = train.Run(recipe, tmp_path / "run", settings, further=faces)
        images, targets = prepared.epoch_data(training, 0)
        assert len(images) == len(training) + round(len(training) / 2)
        assert prepared.steps(len(training)) == -(-len(images) // recipe.batch_size)
        every = teach.distort(faces.images, WEBCAM, further.SEED, 0)
        found = [
            index
            for index, image in enumerate(images[..., 0])
            if (image == every).all(axis=(1, 2)).any() or (image[:, ::-1] == every).all(axis=(1, 2)).any()
        ]
        assert len(found) == round(len(training) / 2) and np.ptp(found) > len(training), "not mixed"
        expected = teach.answer([kept[1]], images[found, ..., 0])
        np.testing.assert_allclose(targets["crowd"][found], expected["crowd"], atol=2e-3)

    def test_pictures_that_are_missing(self, kept, demographics_arguments, vgg7_arguments, call, tmp_path, capsys):
        arguments = (*vgg7_arguments, "--out", tmp_path / "run", *demographics_arguments)
        assert call(main, *arguments, "--further", tmp_path) == 1
        assert "holds no answers to further faces" in capsys.readouterr().err
        shutil.copytree(kept[0], tmp_path / "answers")
        with np.load(kept[0] / "names.npz") as names:
            changed = dict(names) | {"name": np.array(["other.jpg", *names["name"][1:]])}
        np.savez(tmp_path / "answers" / "names.npz", **changed)
        assert call(main, *arguments, "--further", tmp_path / "answers") == 1
        assert "1 pictures are missing, FairFace/other.jpg" in capsys.readouterr().err


def test_faces_shown_worse_keep_their_targets(synthetic):
    """A part of the faces is distorted further, in place, and nothing else changes."""
    faces = synthetic.split("Training")
    images = {}
    for share in (0.0, 0.4):
        prepared = train.Run.__new__(train.Run)
        recipe = replace(RECIPES["vgg7"], beyond=STRANGE, beyond_share=share, sizes=((48, 0.0),))
        prepared.recipe, prepared.settings = recipe, {"seed": 0, "epochs": 1}
        prepared.teacher = prepared.further = None
        prepared.model = RECIPES["vgg7"].build()
        images[share], targets = prepared.epoch_data(faces, 0)
        order = np.random.default_rng((0, 0)).permutation(len(faces))
        np.testing.assert_array_equal(targets["probabilities"].argmax(axis=1), faces.labels[order])
    changed = (images[0.0] != images[0.4]).any(axis=(1, 2, 3)).mean()
    assert changed == pytest.approx(0.4, abs=0.12)


def test_other_processes_prepare_the_very_same_epochs(synthetic, tmp_path):
    """With dropout's seed; where a run is resumed too, at its second epoch here."""
    faces = synthetic.split("Training")
    recipe = replace(RECIPES["vgg7"], beyond=STRANGE)
    settings = {"seed": 3, "epochs": 4, "start": [], "precision": "float32", "training_faces": len(faces)}
    found = {}
    for workers in (0, 2):
        prepared = train.Run(recipe, tmp_path / f"run{workers}", settings, workers=workers)
        seeds = []
        prepared._seed_dropout = seeds.append
        found[workers] = [prepared.epoch_data(faces, epoch) for epoch in (1, 2, 3)], seeds
        assert len(prepared._prepared) == 0
    prepared._pool.shutdown()
    assert found[0][1] == found[2][1] and len(set(found[0][1])) == 3
    for (images, targets), (others, answers) in zip(found[0][0], found[2][0], strict=True):
        np.testing.assert_array_equal(images, others)
        for name in targets:
            np.testing.assert_array_equal(targets[name], answers[name])


def test_a_run_with_processes_ends(vgg7_arguments, tmp_path, run):
    result = run("training.train", *vgg7_arguments, "--out", tmp_path / "run", "--workers", 2)
    assert result.returncode == 0, result.stderr
    assert len(read_history(tmp_path / "run")) == 3


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
    probabilities = load(out / "model.keras").predict(np.zeros((2, 48, 48, 1), np.uint8), verbose=0)["probabilities"]
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("recipe", ["paper", "vgg7"])
def test_jax(recipe, synthetic_dir, tmp_path, run, synthetic):
    """The same code trains under jax, and its model loads under TensorFlow."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed: pip install jax")
    out = tmp_path / "run"
    arguments = ("--recipe", recipe, "--data", synthetic_dir, "--unofficial", "--epochs", 2, "--out", out)
    result = run("training.train", *arguments, KERAS_BACKEND="jax")
    assert result.returncode == 0, result.stderr
    assert "Keras on jax" in result.stdout
    best = max(read_history(out), key=lambda row: row["val_accuracy"])
    found = load(out / "model.keras").predict(synthetic.split("PublicTest").images[..., None], verbose=0)
    found = found["probabilities"].argmax(axis=1)
    assert (found == synthetic.split("PublicTest").labels).mean() == pytest.approx(best["val_accuracy"], abs=1e-5)
