"""An emotion network is trained on the right faces and targets."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from networks import assert_same_run
from training.emotion.data import SPLITS, Faces, crowd_distribution, training_and_validation
from training.emotion.recipes import RECIPES, STRANGE
from training.emotion.train import EmotionSampler, main, mix
from training.run import read_history

OUTPUTS = ["probabilities", "crowd"]
"""The outputs of a network with two heads."""

pytestmark = pytest.mark.usefixtures("float32", "small_vgg7", "eagerly")


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

    def test_votes_are_needed(self, vgg7_arguments, synthetic_dir, tmp_path, call, capsys):
        shutil.copy(synthetic_dir / "fer2013.csv", tmp_path)
        arguments = [tmp_path if argument == synthetic_dir else argument for argument in vgg7_arguments]
        assert call(main, *arguments, "--out", tmp_path / "run") == 1
        assert "needs FERPlus' fer2013new.csv" in capsys.readouterr().err

    def test_targets(self, synthetic):
        """Smoothed labels, and the votes as distributions; the faces and their targets stay together."""
        faces = synthetic.split("Training").select(np.arange(30, 40))
        images, targets, _ = EmotionSampler(RECIPES["vgg7"], {"seed": 0, "epochs": 2}, OUTPUTS).epoch(faces, 0)
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


def test_faces_shown_worse_keep_their_targets(synthetic):
    """A part of the faces is distorted further, in place, and nothing else changes."""
    faces = synthetic.split("Training")
    images = {}
    for share in (0.0, 0.4):
        recipe = replace(RECIPES["vgg7"], beyond=STRANGE, beyond_share=share, sizes=((48, 0.0),))
        images[share], targets, _ = EmotionSampler(recipe, {"seed": 0, "epochs": 1}, OUTPUTS).epoch(faces, 0)
        order = np.random.default_rng((0, 0)).permutation(len(faces))
        np.testing.assert_array_equal(targets["probabilities"].argmax(axis=1), faces.labels[order])
    changed = (images[0.0] != images[0.4]).any(axis=(1, 2, 3)).mean()
    assert changed == pytest.approx(0.4, abs=0.12)
