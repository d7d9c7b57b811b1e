"""Calibrated ages are right for the young and the old, in NumPy and in the graph."""

import numpy as np
import onnx
import pytest

from benchmarks.age_bands import expected_held
from export import age_calibration
from export import age_gender as export_age_gender
from export.age_calibration import AgeCalibration, Answered, append, calibrated, fit, from_metadata
from inference.age_gender import AgeGenderEstimator
from inference.types import AGE_COVERAGE, AGES, central_age
from synthetic import portraits_of
from training.age_gender.evaluate import by_band, covered

pytestmark = pytest.mark.usefixtures("small_age_gender")


def normal(centers: np.ndarray, deviation: float) -> np.ndarray:
    """Age distributions about centers (N,), in years."""
    values = np.exp(-((np.arange(AGES) - centers[:, None]) ** 2) / (2 * deviation**2))
    return values / values.sum(axis=1, keepdims=True)


class TestCalibration:
    @pytest.fixture
    def steps(self, monkeypatch):
        monkeypatch.setattr(age_calibration, "STEPS", (0.5, 0.1, 0.03))

    @pytest.mark.parametrize("claimed", (4, 14))
    def test_the_range_holds_what_it_is_to(self, claimed, steps):
        """Of a network that is too sure, or too unsure, of ages that it tells with a deviation of 8 years."""
        rng = np.random.default_rng(0)
        true = rng.integers(25, 75, 4000)
        answer, faces = normal(true + rng.normal(0, 8, 4000), claimed), portraits_of(true, true)
        before = covered(answer, faces).mean()
        assert abs(before - AGE_COVERAGE) > 0.1
        after = covered(calibrated(answer, fit([Answered(answer, faces)])), faces)
        for group in range(3, 7):
            assert after[faces.age_groups == group].mean() == pytest.approx(AGE_COVERAGE, abs=0.04)

    def test_the_old_are_no_longer_taken_for_younger(self, steps):
        """A network that draws all ages a third of the way toward 35, as an unsure one does."""
        rng = np.random.default_rng(0)
        true = rng.integers(20, 90, 5000)
        answer, faces = normal(35 + (true + rng.normal(0, 5, 5000) - 35) * 2 / 3, 8), portraits_of(true, true)
        found = calibrated(answer, fit([Answered(answer, faces)]))
        before, after = (by_band({"age_distribution": each}, faces) for each in (answer, found))
        assert before["60-69"]["bias"] < -9 and before["more than 70"]["bias"] < -12
        assert abs(after["60-69"]["bias"]) < 3.5 and abs(after["more than 70"]["bias"]) < 5
        assert after["all"]["mae"] < before["all"]["mae"]

    def test_the_graph_computes_it(self, exported_age_gender, portraits, tmp_path):
        """Its ages are those of the calibrated distribution, and another calibration takes the place of the first."""
        graph, file = onnx.load(exported_age_gender), tmp_path / "file.onnx"
        answers = []
        count = len(graph.graph.node)
        other = AgeCalibration(weights=tuple(np.linspace(-1, 2, 9)), sharpness=tuple(np.linspace(0.3, -0.4, 9)))
        for calibration in (AgeCalibration(), other):
            append(graph, calibration)
            onnx.save(graph, file)
            answers.append(AgeGenderEstimator(file).predict(portraits.images[:16]))
            assert len(graph.graph.node) == count
            metadata = {entry.key: entry.value for entry in graph.metadata_props}
            assert from_metadata(metadata["age_calibration"]) == calibration
        raw, found = answers
        expected = calibrated(raw["age_distribution"], other)
        assert np.abs(expected - raw["age_distribution"]).max() > 0.01
        np.testing.assert_allclose(found["age_distribution"], expected, atol=1e-5)
        np.testing.assert_allclose(found["age"], central_age(expected), atol=1e-3)
        np.testing.assert_array_equal(found["gender"], raw["gender"])

    def test_a_file_is_calibrated_anew(self, exported_age_gender, demographics_arguments, tmp_path, call):
        """What was fitted is found again, whatever stood in its place."""
        graph, file = onnx.load(exported_age_gender), tmp_path / "age_gender.onnx"
        wanted = {entry.key: entry.value for entry in graph.metadata_props}["age_calibration"]
        append(graph, AgeCalibration())
        onnx.save(graph, file)
        assert call(export_age_gender.main, "--again", "--calibrate", file, *demographics_arguments) == 0
        assert {entry.key: entry.value for entry in onnx.load(file).metadata_props}["age_calibration"] == wanted


def test_how_many_groups_hold_by_chance():
    """Of 100 faces a part of 80 % has a standard error of 4 points, within one of which it lies 68 times of a hundred."""
    assert expected_held([{"faces": 100}]) == pytest.approx(0.6827, abs=1e-3)
    assert expected_held([{"faces": 100}, {"faces": 10**7}]) == pytest.approx(1.6827, abs=1e-3)
