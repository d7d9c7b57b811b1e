"""A study trains every setting once, resumes, and says what each gave."""

import json
from dataclasses import replace

import keras
import pytest

from training.emotion import study
from training.emotion.evaluate import predictor
from training.emotion.model import plain_cnn
from training.emotion.recipes import RECIPES


@pytest.fixture(autouse=True)
def float32():
    """A run within this process sets Keras's dtype policy."""
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def small_study(monkeypatch):
    """Three settings of a small network."""
    recipe = replace(RECIPES["vgg7"], build=lambda: plain_cnn("small", ((4,), (8,), (8,))), batch_size=32)
    settings = {
        study.UNCHANGED: recipe,
        "no mixing": replace(recipe, mixup=0.0),
        "large steps": replace(recipe, batch_size=64),
    }
    monkeypatch.setitem(study.STUDIES, "paper", lambda: settings)


@pytest.mark.usefixtures("eagerly")
def test_study(small_study, synthetic, synthetic_dir, tmp_path, call, capsys):
    out = tmp_path / "study"
    arguments = ("paper", "--data", synthetic_dir, "--unofficial", "--out", out, "--epochs", 2, "--faces", 60)
    assert call(study.main, *arguments, "--part", "1/2") == 0
    assert {file.name for file in out.iterdir()} == {"unchanged", "large_steps"}
    checkpoint = (out / "unchanged" / "checkpoint.keras").stat().st_mtime_ns
    assert call(study.main, *arguments) == 0
    assert (out / "unchanged" / "checkpoint.keras").stat().st_mtime_ns == checkpoint, "it was trained again"
    results = json.loads((out / "results.json").read_text())
    assert list(results["settings"]) == ["unchanged", "no mixing", "large steps"]
    assert (results["epochs"], results["training_faces"], results["validation_faces"]) == (2, 60, 21)
    # The same network, data and seed: the same result, so that a difference comes from the setting.
    unchanged, same = ({**results["settings"][name], "minutes": 0} for name in ("unchanged", "no mixing"))
    assert unchanged == same
    network = predictor(out / "unchanged" / "model.keras")
    public = synthetic.split("PublicTest")
    found = (network(public.images)["probabilities"].argmax(axis=1) == public.labels).mean()
    assert unchanged["accuracy"] == pytest.approx(found, abs=1e-5)
    assert (out / "results.png").read_bytes().startswith(b"\x89PNG")
    text = (out / "results.md").read_text()
    assert text in capsys.readouterr().out and "| large steps | " in text and "60 faces" in text


def test_bad_part(small_study, synthetic_dir, tmp_path, call, capsys):
    with pytest.raises(SystemExit):
        call(study.main, "paper", "--data", synthetic_dir, "--out", tmp_path / "study", "--part", "half")
    assert "--part must look like 1/2" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(study.STUDIES))
def test_every_setting_changes_one_thing(name):
    """Each differs from the unchanged recipe, and builds."""
    settings = study.STUDIES[name]()
    unchanged = settings.pop(study.UNCHANGED)
    assert unchanged == RECIPES[name]
    for setting, recipe in settings.items():
        differing = [field for field in vars(recipe) if getattr(recipe, field) != getattr(unchanged, field)]
        assert len(differing) == 1, (setting, differing)
        assert recipe.build().output_names and recipe.optimizer(100)
