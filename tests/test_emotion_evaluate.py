"""The figures of expressions are right, and mean the same for a network and its export."""

import json

import numpy as np
import pytest

from inference.types import EMOTIONS
from synthetic import rows
from training.emotion.data import Faces
from training.emotion.evaluate import by_label, crowd_agreement, evaluate, majority, predictor, recall_table, score
from training.emotion.evaluate import test_sets as reported_sets  # pytest would take it for a test

METRICS = ("accuracy", "standard_error", "macro_f1", "ece", "nll")
"""The figures of a set that are numbers."""


class TestScore:
    def test_by_hand(self):
        """Classes 0, 0, 1, 3 answered as 0, 1, 1, 1."""
        figures = score(rows((0, 0.9), (1, 0.5), (1, 0.7), (1, 0.3)), np.array([0, 0, 1, 3]))
        assert figures["faces"] == 4
        assert figures["accuracy"] == 0.5
        assert figures["standard_error"] == 0.25  # sqrt(0.5 * 0.5 / 4)
        # F1: class 0 has precision 1, recall 1/2; class 1 precision 1/3, recall 1; class 3 neither.
        assert figures["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3, abs=1e-4)
        assert figures["precision"] == {**dict.fromkeys(EMOTIONS, 0.0), "angry": 1.0, "disgust": 0.3333}
        assert figures["recall"] == {**dict.fromkeys(EMOTIONS, 0.0), "angry": 0.5, "disgust": 1.0}
        # Every face is in a bin of its own: |0.9 - 1|, |0.5 - 0|, |0.7 - 1|, |0.3 - 0|.
        assert figures["ece"] == pytest.approx((0.1 + 0.5 + 0.3 + 0.3) / 4, abs=1e-4)
        likelihoods = [0.9, 0.5 / 6, 0.7, 0.7 / 6]
        assert figures["nll"] == pytest.approx(-np.log(likelihoods).mean(), abs=1e-4)
        expected = np.zeros((7, 7), int)
        expected[0, 0] = expected[0, 1] = expected[1, 1] = expected[3, 1] = 1
        assert figures["confusion"] == expected.tolist()

    def test_perfect(self):
        labels = np.arange(7)
        figures = score(np.eye(7), labels)
        assert [figures[name] for name in METRICS] == [1, 0, 1, 0, 0]
        assert set(figures["precision"].values()) == set(figures["recall"].values()) == {1.0}

    def test_certain_and_wrong(self):
        """A likelihood of zero does not make the NLL infinite."""
        figures = score(np.eye(7)[[1]], np.array([0]))
        assert figures["accuracy"] == 0 and figures["ece"] == 1 and figures["nll"] == pytest.approx(27.631, abs=1e-3)

    def test_calibration_is_by_bin(self):
        """Gaps within a bin cancel out, gaps of two bins do not; the seventh of 15 is 0.4 to 0.467."""
        shared = score(rows((0, 0.41), (0, 0.46)), np.array([0, 1]))
        assert shared["ece"] == pytest.approx(abs(0.41 + 0.46 - 1) / 2, abs=1e-4)
        apart = score(rows((0, 0.41), (0, 0.48)), np.array([0, 1]))
        assert apart["ece"] == pytest.approx((0.59 + 0.48) / 2, abs=1e-4)
        last = score(rows((0, 0.95), (0, 1.0)), np.array([0, 1]))
        assert last["ece"] == pytest.approx((1.95 - 1) / 2, abs=1e-4)

    def test_calibration_by_chance(self):
        """A face answered with a confidence of 0.9 that is right as often: |0.9 - 1| nine times of ten, else |0.9 - 0|."""
        assert score(rows((0, 0.9)), np.array([1]))["ece_if_calibrated"] == pytest.approx(
            0.9 * 0.1 + 0.1 * 0.9, abs=0.06
        )
        many = score(rows(*[(0, 0.9)] * 10_000), np.repeat([0, 1], [9000, 1000]))
        assert many["ece"] == 0 and many["ece_if_calibrated"] == pytest.approx(0.003 * np.sqrt(2 / np.pi), rel=0.2)

    def test_json(self):
        assert json.loads(json.dumps(score(rows((0, 0.9)).astype(np.float32), np.array([0], np.uint8))))["faces"] == 1


class TestCrowd:
    # neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, not a face
    VOTES = np.array(
        [
            [1, 8, 1, 0, 0, 0, 0, 0, 0, 0],  # happiness
            [4, 4, 0, 0, 0, 0, 0, 0, 2, 0],  # a tie
            [1, 0, 0, 0, 1, 0, 0, 8, 0, 0],  # contempt
            [2, 0, 0, 0, 3, 0, 0, 0, 5, 0],  # unknown
            [0, 0, 0, 0, 3, 0, 0, 0, 0, 7],  # not a face
            [1, 0, 0, 0, 7, 0, 1, 0, 1, 0],  # anger
        ],
        np.uint8,
    )

    def test_majority(self):
        assert majority(self.VOTES).tolist() == [1, -1, 7, -1, -1, 4]

    def test_agreement(self):
        """Three faces have a majority; of FER-2013's classes none means contempt."""
        happy_angry = np.eye(7)[[3, 3, 0, 0, 0, 3]]
        assert crowd_agreement({"probabilities": happy_angry}, self.VOTES) == {"faces": 3, "probabilities": 0.3333}
        crowd = np.eye(8)[[0, 0, 7, 0, 0, 4]]
        sure, unsure = np.eye(7)[3], np.array([0.4, 0, 0, 0.6, 0, 0, 0])
        answers = {"probabilities": np.array([sure, sure, sure, sure, sure, unsure]), "crowd": crowd}
        both = crowd_agreement(answers, self.VOTES)
        # Anger of both together; of the first face happiness, of which the crowd's neutral cannot persuade.
        assert both == {"faces": 3, "probabilities": 0.3333, "crowd": 0.6667, "consensus": 0.6667}

    def test_answers_by_label(self):
        """Both kinds of labels, of the seven classes; contempt is none of them."""
        happy_angry = np.eye(7)[[3, 3, 0, 0, 0, 3]]
        crowd = np.eye(8)[[1, 0, 4, 4, 4, 4]]
        labels = np.array([3, 3, 0, 0, 1, 1])
        found = by_label({"probabilities": happy_angry, "crowd": crowd}, labels, self.VOTES)
        assert set(found) == {"FER-2013", "FERPlus"} and list(found["FER-2013"]) == list(found["FERPlus"])
        first, most = found["FER-2013"]["probabilities"], found["FERPlus"]["crowd"]
        assert first["recall"] == dict.fromkeys(EMOTIONS) | {"angry": 1, "disgust": 0, "happy": 1}
        assert first["accuracy"] == first["mean_recall"] == 0.6667 and first["faces"] == 6
        assert most["faces"] == 2 and most["accuracy"] == most["mean_recall"] == 1 and most["ece"] == 0
        assert found["FERPlus"]["probabilities"]["recall"]["angry"] == 0
        table = "\n".join(recall_table({"PublicTest": {"by_label": found}}))
        assert "| PublicTest, FERPlus | `crowd` | 100.0% | 100.0% | 0.000 | 100.0% |  |  | 100.0% |" in table


class TestSets:
    def test_csv(self, synthetic):
        """One face of PrivateTest, at 165, is a twin of one in Training."""
        images = synthetic.images.copy()
        images[165] = images[9]
        sets = reported_sets(Faces(images, synthetic.labels, synthetic.splits))
        expected = {
            "PublicTest": range(140, 161),
            "PrivateTest": range(161, 182),
            "PublicTest and PrivateTest": range(140, 182),
            "PrivateTest without near-duplicates of Training": sorted({*range(161, 182)} - {165}),
        }
        assert list(sets) == list(expected)
        for name, mask in sets.items():
            assert np.flatnonzero(mask).tolist() == list(expected[name])

    def test_folders(self, synthetic):
        images = synthetic.images.copy()
        images[165] = images[9]
        sets = reported_sets(Faces(images, synthetic.labels, np.where(synthetic.splits > 0, 3, 0)))
        assert list(sets) == ["Test", "Test without near-duplicates of Training"]
        assert [mask.sum() for mask in sets.values()] == [42, 41]

    def test_test_faces_alone(self, synthetic):
        assert list(reported_sets(synthetic.split("PrivateTest"))) == ["PrivateTest"]

    def test_nothing_but_twins(self, synthetic):
        """An empty set is not reported."""
        faces = synthetic.select(np.arange(10, 20).repeat(2))
        sets = reported_sets(Faces(faces.images, faces.labels, np.tile([0, 2], 10)))
        assert list(sets) == ["PrivateTest"]

    def test_no_test_faces(self, synthetic, trained):
        with pytest.raises(ValueError, match="none of the splits"):
            evaluate(trained / "model.keras", synthetic.split("Training"))


class TestModels:
    def test_keras_and_onnx_evaluate_alike(self, trained, plain, synthetic):
        one, other = evaluate(trained / "model.keras", synthetic), evaluate(plain, synthetic)
        assert list(one) == list(other) == list(reported_sets(synthetic))
        for name in one:
            assert one[name]["confusion"] == other[name]["confusion"]
            assert [one[name][key] for key in METRICS] == pytest.approx([other[name][key] for key in METRICS], abs=2e-4)

    def test_evaluate_scores_each_set(self, plain, synthetic):
        probabilities = predictor(plain)(synthetic.images)["probabilities"]
        assert probabilities.shape == (182, 7) and probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
        results = evaluate(plain, synthetic)
        for name, mask in reported_sets(synthetic).items():
            figures = dict(results[name])
            agreement = figures.pop("crowd_agreement")
            assert figures == score(probabilities[mask], synthetic.labels[mask])
            assert agreement == crowd_agreement({"probabilities": probabilities[mask]}, synthetic.votes[mask])

    def test_batches(self, plain, synthetic):
        """More faces than one batch holds, in their order."""
        images = np.concatenate([synthetic.images, synthetic.images])
        twice = predictor(plain)(images)["probabilities"]
        np.testing.assert_allclose(twice[:182], twice[182:], atol=1e-6)
