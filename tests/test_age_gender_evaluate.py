"""The figures of age and gender are right, by group too, and mean the same for a network and its export."""

from dataclasses import replace

import numpy as np
import pytest

from inference.model_files import MODELS
from inference.types import central_age
from synthetic import portraits_of, years
from training.age_gender import evaluate
from training.age_gender.data import AGE_GROUPS, PARTS
from training.age_gender.evaluate import by_band, by_groups, disturbed, likeliest_group, score, shown_group

RELEASED = MODELS / "age_gender.onnx"


def _constant(images: np.ndarray) -> dict[str, np.ndarray]:
    return {"age_distribution": np.repeat(years(30), len(images), axis=0), "gender": np.full((len(images), 2), 0.5)}


class TestReport:
    def test_by_hand(self):
        """True ages 10, 25, 40 and 72 answered as 14, 31, 40 and 55."""
        faces = portraits_of([10, 25, 40, 72], [10, 25, 40, 72], genders=[0, 0, 1, 1])
        answers = {"age_distribution": years(14, 31, 40, 55), "gender": np.eye(2)[[0, 1, 1, 1]]}
        figures = score(answers, faces)
        assert figures["faces"] == 4 and figures["gender"] == 0.75
        assert figures["mae"] == pytest.approx((4 + 6 + 0 + 17) / 4) and figures["within_5_years"] == 0.5
        assert figures["exact_group"] == 0.5 and figures["within_one_group"] == 0.75
        assert figures["coverage"] == 0.25
        groups = by_groups(answers, faces)
        assert groups["under_18"]["mae"] == 4 and groups["from_18"]["faces"] == 3
        assert groups["gender"]["female"]["gender"] == 0.5 and groups["age_group"]["more than 70"]["mae"] == 17
        assert sum(row["faces"] for row in groups["age_group"].values()) == 4

    def test_groups_have_no_mean_error(self):
        faces = portraits_of([20, 70], [29, 100], races=[0, 1])
        answers = {"age_distribution": (years(25, 75) + years(35, 75)) / 2, "gender": np.eye(2)[[0, 0]]}
        figures = score(answers, faces)
        assert "mae" not in figures and "under_18" not in by_groups(answers, faces)
        # 25 to 35 has half of the group's ten years; 75 alone one of ten.
        assert figures["coverage"] == pytest.approx((0.5 + 0.1) / 2)

    def test_most_probable_group(self):
        """The group with the largest sum, not that of the most probable year."""
        spread = 0.4 * years(70)[0] + sum(0.06 * years(year)[0] for year in range(20, 30))
        assert list(AGE_GROUPS)[likeliest_group(spread[None])[0]] == "20-29"

    def test_the_group_that_counts_is_that_of_the_age_that_is_shown(self):
        """Not the most probable one, which here lies two groups off for most."""
        spread = 0.4 * years(25)[0] + 0.3 * years(39)[0] + 0.3 * years(45)[0]
        faces = portraits_of([25, 35, 45], [25, 35, 45])
        answers = {"age_distribution": np.stack([spread] * 3), "gender": np.eye(2)[[0, 0, 0]]}
        assert list(AGE_GROUPS)[likeliest_group(spread[None])[0]] == "20-29"
        figures = score(answers, faces)
        assert (figures["exact_group"], figures["within_one_group"]) == (pytest.approx(1 / 3, abs=1e-4), 1)
        edges = np.concatenate([years(first) for first, _ in AGE_GROUPS.values()])
        assert shown_group(edges).tolist() == list(range(len(AGE_GROUPS)))

    def test_bands_by_hand(self):
        """Years too old and too young, what the range holds, and minors whose range is that of an adult."""
        faces = portraits_of([10, 17, 15, 20, 60], [10, 17, 15, 29, 60])
        distribution = np.concatenate([years(12, 24), years(10, 14, 15, 16), years(58)])
        distribution = np.stack([distribution[0], distribution[1], distribution[2:6].mean(axis=0), *years(22, 58)])
        rows = by_band({"age_distribution": distribution}, faces)
        young = rows["10-19"]
        assert young["faces"] == young["minors"] == 3 and young["adult_range"] == pytest.approx(1 / 3, abs=1e-4)
        assert young["bias"] == pytest.approx((2 + 7 - 0.5) / 3, abs=0.02)
        assert young["coverage"] == pytest.approx(1 / 3, abs=1e-4)
        assert rows["20-29"]["bias"] == -2.5 and rows["20-29"]["coverage"] == 0.1 and "minors" not in rows["20-29"]
        assert (
            rows["60-69"]["bias"] == -2
            and rows["all"]["faces"] == 5
            and set(rows) == {*("10-19", "20-29", "60-69", "all")}
        )

    def test_gap_counts_large_groups_only(self):
        ages = [25] * 130
        faces = portraits_of(ages, ages, races=[0] * 60 + [1] * 60 + [2] * 10)
        right = np.array([0] * 60 + [0] * 45 + [1] * 15 + [1] * 10)
        answers = {"age_distribution": np.repeat(years(25), 130, axis=0), "gender": np.eye(2)[right]}
        gap = by_groups(answers, faces)["gap"]["race"]["gender"]
        assert gap == {"best": "White", "worst": "Black", "gap": 0.25}

    def test_missed_faces_and_twins(self, portraits):
        """All made-up pictures are missed by the detector, and counted so; twins of training pictures are left out."""
        test = np.flatnonzero((portraits.parts == PARTS.index("test")) & (portraits.sources == 1))
        images = portraits.images.copy()
        images[test[0]] = portraits.part("training").images[0]
        predict = evaluate.predictor(RELEASED) if RELEASED.exists() else None
        altered = replace(portraits, images=images)
        results = evaluate.evaluate(predict or _constant, altered)
        before = evaluate.evaluate(predict or _constant, portraits)
        assert results["UTKFace"]["not_found_by_detector"] == int((~portraits.found[test]).sum())
        alone = [result["UTKFace"]["without_near_duplicates"]["faces"] for result in (before, results)]
        assert alone[1] == alone[0] - 1

    def test_disturbed(self, portraits):
        """The disturbances reach the crops: a darker picture is darker, a smaller box shows more of the middle."""
        seen = {}

        def predict(images):
            seen[len(seen)] = images
            return _constant(images)

        found = replace(portraits, found=np.ones(len(portraits), bool))
        rows = disturbed(predict, found)
        assert set(rows) == {"FairFace", "UTKFace"}
        names = list(rows["FairFace"])
        assert names[1:] == list(evaluate.DISTURBANCES)
        crops = dict(zip(names, seen.values()))
        original = crops["undisturbed"].astype(float)
        assert crops["darkened to 40 %"].mean() == pytest.approx(0.4 * original.mean(), rel=0.02)
        for name in names[1:]:
            assert np.abs(crops[name] - original).mean() > 1, name
            assert rows["FairFace"][name]["years"] == 0 and rows["FairFace"][name]["other_gender"] == 0

    def test_keras_and_onnx_are_measured_alike(self, exported_age_gender, trained_age_gender, portraits):
        test = portraits.part("test")
        one, other = (
            evaluate.predictor(path)(test.images) for path in (trained_age_gender / "model.keras", exported_age_gender)
        )
        # The file has calibrated means over mirror images: much the same order, not the same values.
        assert (one["gender"].argmax(axis=1) == other["gender"].argmax(axis=1)).mean() > 0.9
        ages = [central_age(answers["age_distribution"]) for answers in (one, other)]
        assert np.corrcoef(*ages)[0, 1] > 0.6
