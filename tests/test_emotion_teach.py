"""What teachers say is kept, and students learn from it."""

import json
import shutil

import numpy as np
import pytest

from networks import call_main
from training.emotion import teach
from training.emotion.data import training_and_validation
from training.emotion.recipes import RECIPES
from training.emotion.train import EmotionSampler, main
from training.layers import load_network as load

pytestmark = pytest.mark.usefixtures("float32", "small_vgg7", "eagerly")


class TestTeacher:
    @pytest.fixture(scope="class")
    def answers(self, tmp_path_factory, vgg7_run, synthetic_dir):
        """Two views, made in two parts; shared, so only to be read."""
        out = tmp_path_factory.mktemp("teacher")
        data = ("--data", synthetic_dir, "--unofficial", "--recipe", "vgg7", "--views", 2, "--out", out)
        for part in ("1/2", "2/2"):
            assert call_main(teach.main, vgg7_run / "model.keras", *data, "--part", part) == 0
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
        teacher = teach.Teacher(answers, training)
        sampler = EmotionSampler(RECIPES["vgg7"], {"seed": 0, "epochs": 3}, ["probabilities", "crowd"], teacher)
        images, targets, _ = sampler.epoch(training, 2)
        order = np.random.default_rng((0, 2)).permutation(len(training))
        view, kept = teacher.view(2, training.images)
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
