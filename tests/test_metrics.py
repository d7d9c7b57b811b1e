"""Temperatures are found again, and what a threshold leaves out is counted."""

import numpy as np
import pytest

from synthetic import rows
from training.emotion.evaluate import NOT_SURE_THRESHOLDS, disturbance_tables, score
from training.metrics import at_temperature, fit_temperature, selective_accuracy


class TestTemperature:
    @staticmethod
    def softmax(logits):
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    @pytest.mark.parametrize("true", [0.6, 1.0, 1.8])
    def test_known_temperature_is_recovered(self, true):
        """Labels are drawn from softmax(logits / T); the network claims softmax(logits)."""
        rng = np.random.default_rng(0)
        logits = rng.normal(0, 2, (20_000, 7))
        labels = (self.softmax(logits / true).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1).clip(max=6)
        claimed = self.softmax(logits)
        fitted = fit_temperature(claimed.astype(np.float32), labels)
        assert fitted == pytest.approx(true, rel=0.04)
        calibrated = self.softmax(np.log(claimed) / fitted)
        assert score(calibrated, labels)["ece"] < 0.015
        if true != 1:
            assert score(claimed, labels)["ece"] > 0.05

    def test_limits(self):
        """Certain and right, certain and wrong: the ends of the search, not infinity."""
        assert fit_temperature(rows(*[(0, 0.9)] * 9), np.zeros(9, int)) == pytest.approx(0.25)
        assert fit_temperature(np.eye(7)[[1] * 9], np.zeros(9, int)) == pytest.approx(4, rel=0.01)

    def test_distributions_as_targets(self):
        """The temperature at which the answers are nearest to the distributions, and the same as of one-hot labels."""
        rng = np.random.default_rng(0)
        logits = rng.normal(0, 2, (2_000, 8))
        assert fit_temperature(self.softmax(logits), self.softmax(logits / 1.7)) == pytest.approx(1.7, rel=0.01)
        labels = rng.integers(0, 8, 2_000)
        assert fit_temperature(self.softmax(logits), labels) == fit_temperature(self.softmax(logits), np.eye(8)[labels])

    def test_at_temperature(self):
        logits = np.random.default_rng(0).normal(0, 2, (50, 7))
        np.testing.assert_allclose(
            at_temperature(self.softmax(logits), 2.5), self.softmax(logits / 2.5), rtol=0, atol=1e-9
        )


def selective(probabilities: np.ndarray, labels: np.ndarray) -> list[dict]:
    """What the thresholds of the report do."""
    right = probabilities.argmax(axis=1) == labels
    return selective_accuracy(probabilities.max(axis=1), right, NOT_SURE_THRESHOLDS)


class TestCoverage:
    def test_by_hand(self):
        answers = rows((0, 0.35), (1, 0.55), (2, 0.65), (3, 0.95))
        found = {row["threshold"]: row for row in selective(answers, np.array([0, 0, 2, 3]))}
        assert found[0.0] == {"threshold": 0.0, "answered": 1.0, "accuracy": 0.75}
        assert found[0.5] == {"threshold": 0.5, "answered": 0.75, "accuracy": 0.6667}
        assert found[0.6] == {"threshold": 0.6, "answered": 0.5, "accuracy": 1.0}

    def test_nothing_is_answered(self):
        last = selective(rows((0, 0.5)), np.array([0]))[-1]
        assert last["answered"] == 0 and last["accuracy"] is None
        assert "| 90% | 0.0% |  |" in "\n".join(disturbance_tables(self.report(last)))

    @staticmethod
    def report(row):
        calibration = {"temperature": 1.0, "before": {"ece": 0.1, "nll": 1.0}, "after": {"ece": 0.1, "nll": 1.0}}
        return {"calibration": {"Test": calibration}, "not_sure": {"Test": [row]}, "disturbed": {"Test": {}}}
