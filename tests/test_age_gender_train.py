"""The network of age and gender learns what it is shown: labels, teachers, and the right faces often enough."""

import json
import re
from dataclasses import replace

import keras
import numpy as np
import pytest

from inference.types import AGES, GENDERS
from synthetic import portraits_of, years
from training.age_gender import train
from training.age_gender.data import RACES, SIZE, SOURCES
from training.age_gender.model import age_gender_cnn, at_input_size, widened
from training.age_gender.train import AgeGenderSampler, sample
from training.datasets import DataError
from training.layers import interval_loss
from training.run import read_history

pytestmark = pytest.mark.usefixtures("small_age_gender")


class TestTraining:
    def test_it_learns(self, trained_age_gender, portraits):
        history = read_history(trained_age_gender)
        assert [row["epoch"] for row in history] == list(range(1, 7))
        assert history[-1]["loss"] < 0.9 * history[0]["loss"]
        assert history[-1]["accuracy"] > 0.8
        settings = json.loads((trained_age_gender / "run.json").read_text())
        assert settings["data"] == ["FairFace", "UTKFace"]
        assert settings["training_faces"] == len(portraits.part("training"))

    @pytest.mark.usefixtures("eagerly")
    @pytest.mark.parametrize("teachers", (0, 1))
    def test_interrupted_run_ends_as_an_uninterrupted_one(
        self, demographics_arguments, trained_age_gender, tmp_path, call, call_interrupted, teachers
    ):
        arguments = ("--recipe", "both", *demographics_arguments, "--epochs", 2, "--faces", 64)
        if teachers:
            arguments += ("--teacher", trained_age_gender / "model.keras")
        assert call_interrupted(train.main, *arguments, "--out", tmp_path / "one") == 130
        assert len(read_history(tmp_path / "one")) == 1
        for out in ("one", "two"):
            assert call(train.main, *arguments, "--out", tmp_path / out) == 0
        histories = [[{**row, "seconds": 0} for row in read_history(tmp_path / out)] for out in ("one", "two")]
        assert len(histories[0]) == 2
        for one, two in zip(*histories):
            assert one == pytest.approx(two, rel=1e-4, nan_ok=True)

    @pytest.mark.usefixtures("eagerly")
    def test_fairface_alone_sees_nothing_of_utkface(self, demographics_arguments, trained_age_gender, tmp_path, call):
        out = tmp_path / "run"
        start = ("--start", trained_age_gender / "model.keras")
        arguments = ("--recipe", "fairface", *demographics_arguments, "--epochs", 1, *start, "--out", out)
        assert call(train.main, *arguments) == 0
        settings = json.loads((out / "run.json").read_text())
        assert settings["data"] == ["FairFace"] and settings["training_faces"] < 180
        assert np.isnan(read_history(out)[0]["val_error"]), "years are known of UTKFace's faces alone"

    def test_a_wider_network_begins_where_the_narrower_one_ended(self, trained_age_gender, portraits):
        narrow = keras.models.load_model(trained_age_gender / "model.keras", compile=False)
        wide = age_gender_cnn(48, ((8,), (16,), (32, 24), (48,)))
        wide.set_weights(widened(narrow.get_weights(), wide.get_weights()))
        faces = portraits.images[:16]
        answers, same = wide.predict(faces, verbose=0), narrow.predict(faces, verbose=0)
        for name in ("age_distribution", "gender"):
            np.testing.assert_allclose(answers[name], same[name], atol=1e-5)
        # What is new takes part after the first step.
        wide.compile("sgd", {"age_distribution": interval_loss, "gender": "categorical_crossentropy"})
        wide.train_on_batch(faces, {"age_distribution": years(*range(16)), "gender": np.eye(2)[[0, 1] * 8]})
        assert (np.abs(wide.get_layer("gender_logits").get_weights()[0][32:]).max(axis=1) > 0).mean() > 0.5

    def test_targets_of_teachers(self):
        """By hand: within the years that the label admits, its part goes where the teachers' answer goes."""
        labels = {"age_distribution": train.admitted_years(portraits_of([30, 30], [30, 39])), "gender": np.eye(2)}
        answer = np.zeros((2, AGES))
        answer[:, [29, 30, 39]] = 0.5, 0.4, 0.1
        teaching = {"age_distribution": answer, "gender": np.array([[0.6, 0.4], [0.9, 0.1]])}
        targets = train.mixed_targets(labels, teaching)
        np.testing.assert_allclose(targets["gender"], [[0.8, 0.2], [0.45, 0.55]], atol=1e-6)
        expected = [[0.25, 0.5 + 0.2, 0.05], [0.25, 0.4 + 0.2, 0.1 + 0.05]]
        np.testing.assert_allclose(targets["age_distribution"][:, [29, 30, 39]], expected, atol=1e-6)
        np.testing.assert_allclose(targets["age_distribution"].sum(axis=1), 1, atol=1e-6)

    def test_teachers_answer_once(self, trained_age_gender, portraits, tmp_path, monkeypatch):
        other = train.RECIPES["both"].build()
        other.save(tmp_path / "other.keras")
        networks = [keras.models.load_model(trained_age_gender / "model.keras", compile=False), other]
        faces = portraits.images[:60]
        monkeypatch.setattr(train, "augment", lambda images, ranges, rng: images[:, ::-1])
        views = (faces, faces[:, :, ::-1], *[faces[:, ::-1]] * 2)
        answers = [network.predict_on_batch(view) for network in networks for view in views]
        models = [trained_age_gender / "model.keras", tmp_path / "other.keras"]
        teaching = train.teach(models, faces, tmp_path / "run")
        for name, answer in teaching.items():
            np.testing.assert_allclose(answer, np.mean([each[name] for each in answers], axis=0), atol=1e-3)
        asked = []
        monkeypatch.setattr(train, "read_network", lambda model: asked.append(model) or networks[0])
        for name, answer in train.teach(models, faces, tmp_path / "run").items():
            np.testing.assert_array_equal(answer, teaching[name])
        assert not asked
        train.teach(models, faces[:59], tmp_path / "run")
        assert asked == models, "the answers were to other faces"

    def test_teachers_answer_at_several_sizes(self, trained_age_gender, portraits, tmp_path):
        model, faces = trained_age_gender / "model.keras", portraits.images[:60]
        network = keras.models.load_model(model, compile=False)
        sides = (40, 48)
        answers = [
            at_input_size(network, side).predict_on_batch(view) for side in sides for view in (faces, faces[:, :, ::-1])
        ]
        teaching = train.teach([model], faces, tmp_path / "run", 2, sides)
        for name, answer in teaching.items():
            np.testing.assert_allclose(answer, np.mean([each[name] for each in answers], axis=0), atol=1e-3)
        usual = train.teach([model], faces, tmp_path / "run", 2)
        assert np.abs(usual["age_distribution"] - teaching["age_distribution"]).max() > 1e-3
        with pytest.raises(SystemExit, match="--teacher-sizes: this network cannot be shown faces of 96 pixels"):
            train.teach([model], faces, tmp_path / "run", 2, (96,))

    def test_a_student_learns_from_teachers(
        self, demographics_arguments, trained_age_gender, portraits, tmp_path, call
    ):
        """Labels and a teacher of whom all genders are wrong leave a student undecided."""
        wrong = keras.models.load_model(trained_age_gender / "model.keras", compile=False)
        layer = wrong.get_layer("gender_logits")
        layer.set_weights([-weight for weight in layer.get_weights()])
        wrong.save(tmp_path / "wrong.keras")
        out = tmp_path / "run"
        arguments = ("--recipe", "both", *demographics_arguments, "--epochs", 6, "--out", out)
        assert call(train.main, *arguments, "--teacher", tmp_path / "wrong.keras") == 0
        networks = [keras.models.load_model(run / "model.keras", compile=False) for run in (trained_age_gender, out)]
        alone, taught = (each.predict(portraits.images, verbose=0)["gender"].max(axis=1).mean() for each in networks)
        assert taught < 0.5 + (alone - 0.5) / 2
        assert list(json.loads((out / "run.json").read_text())["teacher"]["teachers"]) == [
            str(tmp_path / "wrong.keras")
        ]

    def test_kept_answers_go_to_their_faces(self, portraits, tmp_path):
        portraits = portraits.part("training")  # the test part has pictures of the same names
        names = portraits.names
        order = np.random.default_rng(0).permutation(len(names))
        source, name = np.array([names[index].split("/") for index in order]).T
        np.savez(tmp_path / "names.npz", source=source, name=name)
        ages = np.repeat(order[:, None], AGES, axis=1)
        np.savez(tmp_path / "age_gender.npz", age_distribution=ages, gender=ages[:, :2])
        chosen = np.array([5, 2, 9])
        answers = train.kept_predictions(tmp_path, portraits.select(chosen))
        assert answers["gender"][:, 0].tolist() == answers["age_distribution"][:, 7].tolist() == chosen.tolist()
        np.savez(tmp_path / "names.npz", source=source[1:], name=name[1:])
        missing = re.escape(names[order[0]])
        with pytest.raises(DataError, match=f"1 faces have no answer, {missing} for one"):
            train.kept_predictions(tmp_path, portraits)
        with pytest.raises(DataError, match="holds no answers"):
            train.kept_predictions(tmp_path / "none", portraits)

    @pytest.mark.usefixtures("eagerly")
    def test_epochs_of_fewer_faces(self, trained_age_gender, demographics_arguments, tmp_path, call):
        """An epoch shows as many as asked for, and a run that is resumed knows how many it has done."""
        arguments = ("--recipe", "both", *demographics_arguments, "--faces", 40, "--epochs", 2, "--out", tmp_path)
        start = ("--start", trained_age_gender / "model.keras")
        assert call(train.main, *arguments, *start) == 0
        assert len(read_history(tmp_path)) == 2
        steps = keras.models.load_model(tmp_path / "checkpoint.keras").optimizer.iterations
        assert int(steps) == 2 * -(-40 // train.RECIPES["both"].batch_size)
        assert call(train.main, *arguments, *start) == 0 and len(read_history(tmp_path)) == 2

    @pytest.mark.parametrize("option", ("--start", "--teacher"))
    def test_what_is_no_network(self, demographics_arguments, tmp_path, call, option):
        arguments = ("--recipe", "both", *demographics_arguments, "--epochs", 1, "--out", tmp_path / "run")
        (tmp_path / "none.keras").write_text("none")
        for name in ("none.keras", "missing.keras"):
            with pytest.raises(SystemExit, match=rf"error: .*{name}: cannot be read"):
                call(train.main, *arguments, option, tmp_path / name)

    def test_data_are_needed(self, demographics_dirs, tmp_path, call, capsys):
        arguments = ("--recipe", "both", "--fairface", demographics_dirs[0], "--out", tmp_path / "run")
        assert call(train.main, *arguments) == 1
        assert "needs --utkface or UTKFACE_DIR" in capsys.readouterr().err

    def test_sample(self):
        """All faces of cells of one size alike; those of rare cells more often, as BALANCE says."""
        portraits = portraits_of([25] * 900 + [1] * 100, [25] * 900 + [1] * 100)
        drawn = sample(portraits, np.random.default_rng(0))
        assert len(drawn) == 1000
        times = np.bincount(drawn, minlength=1000)
        ratio = times[900:].mean() / times[:900].mean()
        assert ratio == pytest.approx(9**train.BALANCE, rel=0.1)
        assert times[:900].max() <= 1 and np.ptp(times[900:]) <= 1

    def test_the_hard_group_is_drawn_more(self):
        source, race, factor = train.OVERSAMPLED
        races = np.where(np.arange(1000) < 500, RACES.index(race), RACES.index("White"))
        for name in SOURCES:
            sources = np.full(1000, SOURCES.index(name))
            portraits = portraits_of([25] * 1000, [25] * 1000, races=races, sources=sources)
            times = np.bincount(sample(portraits, np.random.default_rng(0)), minlength=1000)
            expected = factor if name == source else 1
            assert times[:500].sum() / times[500:].sum() == pytest.approx(expected, rel=0.02)

    def test_data_sets_are_drawn_by_the_roots_of_their_sizes(self):
        sources = np.array([0] * 900 + [1] * 100)
        drawn = sample(portraits_of([25] * 1000, [25] * 1000, sources=sources), np.random.default_rng(0))
        assert len(drawn) == 1000 and sources[drawn].sum() == pytest.approx(250, abs=1)

    def test_faces_and_targets_stay_together(self, portraits):
        recipe = train.RECIPES["fairface"]
        recipe = replace(recipe, augmentation=replace(recipe.augmentation, tint=0.0, saturation=0.0))
        sampler = AgeGenderSampler(recipe, {"seed": 0, "training_faces": 180}, {})
        images, targets, _ = sampler.epoch(portraits.part("training"), 0)
        assert images.shape[1:] == (SIZE, SIZE, 3) and images.dtype == np.uint8
        upper = images[:, 6:12].mean(axis=(1, 2))
        female = targets["gender"].argmax(axis=1) == GENDERS.index("female")
        assert ((upper[:, 2] > upper[:, 0]) == female).mean() > 0.99
