"""Students learn from faces without labels what teachers say of them."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from networks import call_main
from training.age_gender.data import SOURCES
from training.emotion import further, teach
from training.emotion.data import training_and_validation
from training.emotion.recipes import RECIPES, WEBCAM
from training.emotion.train import EmotionRun, main
from training.layers import load_network as load

pytestmark = pytest.mark.usefixtures("float32", "small_vgg7")


class TestFurtherFaces:
    """Of made-up FairFace and UTKFace; the teacher is a network that was not trained."""

    @pytest.fixture(scope="class")
    def kept(self, tmp_path_factory, demographics_arguments):
        """The folder of the answers and the teacher; shared, so only to be read."""
        root = tmp_path_factory.mktemp("further")
        RECIPES["vgg7"].build().save(root / "teacher.keras")
        out = ("--out", root / "answers")
        assert call_main(further.main, root / "teacher.keras", *demographics_arguments, *out) == 0
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
            expected = teach.predict([kept[1]], images)
            for name in ("probabilities", "crowd"):
                np.testing.assert_allclose(answers[name], expected[name], atol=2e-3)

    def test_a_student_sees_them_among_its_own_with_their_answers(self, kept, faces, synthetic, tmp_path):
        training, _ = training_and_validation(synthetic, 0)
        recipe = replace(RECIPES["vgg7"], further=0.5, sizes=((48, 0.0),))
        settings = {"seed": 0, "epochs": 1, "start": [], "precision": "float32", "training_faces": len(training)}
        prepared = EmotionRun(recipe, tmp_path / "run", settings, further=faces)
        images, targets = prepared.epoch_data(training, 0)
        assert len(images) == len(training) + round(len(training) / 2)
        assert prepared.steps() == -(-len(images) // recipe.batch_size)
        every = teach.distort(faces.images, WEBCAM, further.SEED, 0)
        found = [
            index
            for index, image in enumerate(images[..., 0])
            if (image == every).all(axis=(1, 2)).any() or (image[:, ::-1] == every).all(axis=(1, 2)).any()
        ]
        assert len(found) == round(len(training) / 2) and np.ptp(found) > len(training), "not mixed"
        expected = teach.predict([kept[1]], images[found, ..., 0])
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
