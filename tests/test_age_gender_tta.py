"""The views for test-time augmentation are compared by what they cost and by what they are right in."""

import json

import keras
import pytest

from benchmarks import age_gender_tta, results
from export.age_gender import TTAView, parse_tta
from networks import small_network
from training.age_gender.evaluate import score

pytestmark = pytest.mark.usefixtures("small_age_gender")


class TestChoiceOfViews:
    def test_measured_once_and_combined(self, trained_age_gender, portraits):
        """The figures of a pair are those of the mean of what Keras answers to both views."""
        faces = portraits.part("validation")
        network = keras.models.load_model(trained_age_gender / "model.keras", compile=False)
        other = small_network(40)
        measured = age_gender_tta.measure_views([network, other], [48], faces.images, repeats=3)
        assert list(measured) == [
            (index, TTAView(size, mirrored))
            for index, sizes in ((0, (48,)), (1, (40, 48)))
            for size in sizes
            for mirrored in (False, True)
        ]
        parts = [network(faces.images), other(faces.images[:, :, ::-1])]
        mean = {name: (parts[0][name].numpy() + parts[1][name].numpy()) / 2 for name in parts[0]}
        pair = ((0, TTAView(48)), (1, TTAView(40, mirrored=True)))
        row = age_gender_tta.figures(pair, measured, faces)
        assert row["milliseconds"] == sum(measured[view][1] for view in pair) > 0
        everything = score(mean, faces)
        assert row["accuracy"] == (everything["gender"] + everything["exact_group"]) / 2
        of_utkface = faces.sources == 1
        expected = score(
            {name: values[of_utkface] for name, values in mean.items()}, faces.part("validation", "UTKFace")
        )
        assert row["UTKFace"] == pytest.approx(expected, abs=2e-3)

    def test_all_pairs_and_all_sets_are_compared(self):
        views = [
            (index, TTAView(size, mirrored)) for index in (0, 1) for size in (40, 48) for mirrored in (False, True)
        ]
        trained = [[TTAView(48), TTAView(48, True)], [TTAView(40), TTAView(40, True)]]
        pairs, sets = age_gender_tta.choices(dict.fromkeys(views), trained)
        assert len(set(pairs)) == 8 + 8 * 7 / 2
        assert [len(choice) for choice in sets] == [2, 2, 4] and set(sets[:2]) <= set(pairs)

    def test_what_is_shown(self):
        def row(milliseconds, accuracy):
            return {"milliseconds": milliseconds, "accuracy": accuracy}

        small, large, mirrored = ((0, TTAView(40)),), ((0, TTAView(64)),), ((0, TTAView(48, True)),)
        both, slower, better = small + large, large + mirrored, small + mirrored
        rows = {slower: row(3, 0.7), both: row(4, 0.7), small: row(1, 0.6), better: row(2.5, 0.7), large: row(2, 0.5)}
        rows |= {mirrored: row(1.5, 0.55)}
        assert age_gender_tta.worth_showing(rows, [both]) == [small, large, better, both]
        assert age_gender_tta.as_options(both + ((1, TTAView(48, True)),), ["a", "b"]) == {"a": "40,64", "b": "48m"}

    def test_command(self, trained_age_gender, demographics_arguments, tmp_path, call, capsys, monkeypatch):
        monkeypatch.setattr(results, "RESULTS", tmp_path)
        arguments = (trained_age_gender / "model.keras", "--input-sizes", 40, "--docs", *demographics_arguments)
        assert call(age_gender_tta.main, *arguments) == 0
        text = capsys.readouterr().out
        assert (tmp_path / "age_gender_tta.md").read_text().endswith(f"\n\n{text}")
        assert f"| {trained_age_gender.name} 48,48m |" in text and "of all 10 that were compared" in text
        report = json.loads((tmp_path / "age_gender_tta.json").read_text())
        for row in report["rows"]:
            (views,) = row["views"].values()
            assert parse_tta(views) and 0 < row["FairFace"]["gender"] <= 1
