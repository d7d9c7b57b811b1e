"""The estimator of age and gender, and the released files."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from inference.age_gender import AgeGenderEstimator
from inference.analyzer import FaceAnalyzer
from inference.images import load_image
from inference.model_files import CHECKSUMS, MODELS, ModelError
from inference.types import AGES
from training.age_gender.data import SIZE, hash_of, load_portraits, part_of, read_picture, to_detection
from training.age_gender.evaluate import score

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
RELEASED = MODELS / "age_gender.onnx"


class TestEstimator:
    def test_no_faces(self, exported_age_gender):
        answers = AgeGenderEstimator(exported_age_gender).predict(np.zeros((0, SIZE, SIZE, 3), np.uint8))
        assert {name: values.shape for name, values in answers.items()} == {
            "age": (0,),
            "age_distribution": (0, AGES),
            "gender": (0, 2),
        }

    def test_another_model_is_refused(self):
        with pytest.raises(ModelError, match="not an age and gender model"):
            AgeGenderEstimator("emotion.onnx")

    def test_crop_is_the_one_of_training(self, portraits, exported_age_gender):
        """Serving cuts a face out of a picture exactly as training did."""
        estimator = AgeGenderEstimator(exported_age_gender)
        for index in (0, 300):
            picture = read_picture(portraits.paths[index])
            crop = estimator.crop(picture, to_detection(portraits.detections[index]))
            np.testing.assert_array_equal(crop, portraits.images[index])

    def test_everything_else_works_where_the_model_was_left_out(self, tmp_path, monkeypatch, call, capsys):
        from inference import __main__ as command_line
        from inference import age_gender
        from webui.front import settings
        from webui.server import build_sessions

        monkeypatch.setattr(age_gender, "MODELS", tmp_path)
        analyzer = FaceAnalyzer()
        assert analyzer.estimator is None and build_sessions() is not None
        (face,) = analyzer.analyze(load_image(EXAMPLES / "astronaut.jpg"), age_gender=True).faces
        assert face.shown == "happy" and face.age_distribution is None and face.apparent == []
        assert settings(None)["measuredCoverage"] is None
        assert call(command_line.main, EXAMPLES / "astronaut.jpg", "--age-gender") == 1
        assert "age_gender.onnx" in capsys.readouterr().err
        # One that is asked for by name and missing is an error.
        monkeypatch.setenv("AGE_GENDER_MODEL", str(tmp_path / "gone.onnx"))
        with pytest.raises(ModelError, match="gone.onnx"):
            FaceAnalyzer()

    def test_one_run_for_all_faces(self, exported_age_gender):
        """And none where age and gender were not asked for."""
        photo = load_image(EXAMPLES / "astronaut.jpg")
        several = np.concatenate([photo, photo], axis=1)
        analyzer = FaceAnalyzer(estimator=AgeGenderEstimator(exported_age_gender))
        runs, answer = [], analyzer.estimator.predict

        def counted(faces):
            runs.append(len(faces))
            return answer(faces)

        analyzer.estimator.predict = counted
        plain = analyzer.analyze(several)
        assert runs == [] and all(face.age_distribution is face.gender is None for face in plain.faces)
        asked = analyzer.analyze(several, age_gender=True)
        assert runs == [len(asked.faces)] and len(asked.faces) == 2
        for one, other in zip(plain.faces, asked.faces):
            np.testing.assert_array_equal(one.probabilities, other.probabilities)
            assert other.age_distribution.sum() == pytest.approx(1, abs=1e-4) and other.gender.shape == (2,)


class TestReleased:
    def test_known_and_small(self):
        for file in (RELEASED, MODELS / "age_gender_fairface.onnx"):
            assert file.name in CHECKSUMS.read_text() and file.stat().st_size < 10_000_000

    def test_figures(self, tmp_path):
        """The first of the test faces of both data sets are answered about as well as the metrics say of all."""
        folders = [os.environ.get(name) for name in ("FAIRFACE_DIR", "UTKFACE_DIR")]
        if not all(folders):
            pytest.skip("set FAIRFACE_DIR and UTKFACE_DIR to the folders of FairFace and UTKFace")
        fairface, utkface = map(Path, folders)
        for part, count in (("train", 1), ("val", 350)):
            lines = (fairface / f"fairface_label_{part}.csv").read_text().splitlines()
            (tmp_path / f"fairface_label_{part}.csv").write_text("\n".join(lines[: count + 1]) + "\n")
            (tmp_path / part).symlink_to(fairface / part)
        (tmp_path / "UTKFace").mkdir()
        for path in sorted((utkface / "UTKFace").glob("*.jpg"))[::12]:
            if part_of(hash_of(read_picture(path)), "UTKFace") == "test":
                (tmp_path / "UTKFace" / path.name).symlink_to(path)
        portraits, _ = load_portraits(tmp_path, tmp_path, tmp_path / "crops")
        estimator = AgeGenderEstimator(threads=1)
        for source, kept in (("FairFace", "exact_group"), ("UTKFace", "within_5_years")):
            test = portraits.part("test", source)
            figures = score(estimator.predict(test.images), test)
            assert len(test) > 300
            for name in ("gender", kept):
                assert figures[name] == pytest.approx(estimator.metrics[source]["all"][name], abs=0.08), (source, name)

    def test_metrics_file_agrees(self):
        report = json.loads((MODELS / "age_gender_metrics.json").read_text())
        assert AgeGenderEstimator().metrics == report["metrics"]

    def test_women_and_dark_skin(self):
        """What the released model told of the held-out faces; the bounds are what the ones before it reached."""
        fairface, utkface = (AgeGenderEstimator().metrics[name] for name in ("FairFace", "UTKFace"))
        assert fairface["gender"]["female"]["gender"] >= 0.889 and fairface["race"]["Black"]["gender"] >= 0.837
        assert utkface["gender"]["female"]["gender"] >= 0.939 and utkface["under_18"]["gender"] >= 0.76

    def test_the_environment_names_the_model_of_clean_terms(self, monkeypatch):
        monkeypatch.setenv("AGE_GENDER_MODEL", "age_gender_fairface.onnx")
        report = json.loads((MODELS / "age_gender_fairface_metrics.json").read_text())
        assert report["metadata"]["dataset"] == "FairFace" and report["metadata"]["terms"] == "FairFace: CC BY 4.0"
        assert AgeGenderEstimator().metrics == report["metrics"]

    def test_a_grown_woman(self):
        """The example photograph shows Eileen Collins at about 43 (the portrait is of 1999)."""
        (found,) = FaceAnalyzer().analyze(load_image(EXAMPLES / "astronaut.jpg"), age_gender=True).faces
        assert found.apparent_gender == "female"
        assert 20 <= found.age <= 55 and found.age_words.startswith("apparent age")
