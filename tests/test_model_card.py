"""MODEL_CARD.md says what was measured, in the form that the Hub reads, and its example runs."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from PIL import Image

from export import model_card
from inference import blazeface, face_check, search
from inference.age_gender import AgeGenderEstimator
from inference.alignment import align_face
from inference.detector import FaceDetector
from inference.images import load_image
from inference.model_files import MODELS
from webui import card

FINDERS = {search.FILE, face_check.FILE, blazeface.ONNX_FILE}
"""What finds faces and says nothing of them."""
ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "MODEL_CARD.md").read_text()
CONSTANTS = {f"{model_card.EYE_LINE:.1%}", f"{model_card.AGE_GENDER_FRAMING['eye_line']:.1%}"}


def reports() -> dict[str, dict]:
    return {file.name: json.loads(file.read_text()) for file in MODELS.glob("*_metrics.json")}


def test_it_is_what_the_command_writes():
    assert TEXT == model_card.card(), "run python -m export.model_card"


def test_every_figure_comes_from_the_reports(tmp_path, monkeypatch):
    def replaced(value):
        if isinstance(value, dict):
            return {key: replaced(each) for key, each in value.items()}
        if isinstance(value, list):
            return [replaced(each) for each in value]
        return 0.1234 if isinstance(value, float) else value

    for file in MODELS.iterdir():
        (tmp_path / file.name).symlink_to(file)
    for name, report in reports().items():
        (tmp_path / name).unlink()
        (tmp_path / name).write_text(json.dumps(replaced(report)))
    monkeypatch.setattr(model_card, "MODELS", tmp_path)
    text = model_card.card()
    # What is left to 100 % is a figure too.
    assert set(re.findall(r"[\d.]+%", text)) == {"12.3%", "12.34%", "87.7%", *CONSTANTS}
    assert set(re.findall(r"(\d+\.\d+) years", text)) == {"0.1"}
    assert {value for value in re.findall(r"value: (.+)", text)} == {"0.1234"}


def test_the_hub_can_read_it():
    data = ModelCard.load(ROOT / "MODEL_CARD.md").data
    assert data.library_name == "onnx" and data.pipeline_tag == "image-classification"
    assert data.license == "other" and data.license_name and (ROOT / data.license_link).is_file()
    assert data.language == "en" and "fer2013" in data.datasets
    found = {(each.dataset_type, each.metric_type, each.metric_value) for each in data.eval_results}
    expression, people = (reports()[name]["metrics"] for name in ("emotion_metrics.json", "age_gender_metrics.json"))
    assert found == {
        ("fer2013", "accuracy", expression["PrivateTest"]["accuracy"]),
        ("fer2013", "accuracy", expression[model_card.ALONE]["accuracy"]),
        ("fairface", "accuracy", people["FairFace"]["all"]["gender"]),
        ("utkface", "mae", people["UTKFace"]["all"]["mae"]),
    }


def test_it_is_short():
    assert len(TEXT.splitlines()) <= 200


def test_every_model_file_stands_in_it_with_its_sha256():
    for file in set(MODELS.glob("*.onnx")) - {MODELS / name for name in FINDERS}:
        (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{file.name}` | `image`")]
        assert hashlib.sha256(file.read_bytes()).hexdigest() in row
    assert all(f"`{name}`" in TEXT for name in FINDERS)


def test_the_terms_of_each_age_and_gender_model_are_told():
    for name, report in reports().items():
        if not name.startswith("emotion"):
            (sentence,) = re.findall(rf"`{re.escape(report['model'])}` was trained on [^.]*", TEXT)
            assert ("non-commercial research only" in sentence) == ("UTKFace" in report["metadata"]["dataset"])
    assert "AGE_GENDER_MODEL=" in TEXT


def test_its_example_runs_and_is_right(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    image = load_image((ROOT / "examples" / "astronaut.jpg").read_bytes())
    (detection,) = FaceDetector().detect(image)
    estimator = AgeGenderEstimator("age_gender_fairface.onnx", threads=1, cuda=False)
    Image.fromarray(estimator.crop(image, detection)).save(tmp_path / "face_for_age.png")
    Image.fromarray(align_face(image, detection)).save(tmp_path / "face_for_emotion.png")
    (tmp_path / "models").symlink_to(MODELS)
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    numbers = [
        [float(each) for each in re.findall(r"\d+\.\d*(?:e-\d+)?", line)] for line in result.stdout.split("None")
    ]
    labels = json.loads(result.stdout[: result.stdout.index("]") + 1])
    assert labels[int(np.argmax(numbers[0]))] == "happy" and sum(numbers[0]) == pytest.approx(1, abs=1e-3)
    *gender, age = numbers[1]
    assert 15 < age < 60 and sum(gender) == pytest.approx(1, abs=1e-3)


def test_what_it_names_is_there():
    tests = re.findall(r"`(tests/\w+\.py)`", TEXT)
    assert tests and all((ROOT / test).is_file() for test in tests)
    links = re.findall(r"\]\((?!http)([^)#]+)\)", TEXT)
    assert links and all((ROOT / link).exists() for link in links)


def test_the_page_shows_it_without_front_matter_and_links_that_lead_nowhere(tmp_path):
    words = "---\nlicense: other\n---\n# A card\n\n| a | b |\n|---|---|\n| 1 | <b>2</b> |\n\n[x](docs/x.md) [y](https://y.org)\n"
    (tmp_path / "CARD.md").write_text(words)
    page = card.model_card(tmp_path / "CARD.md")
    assert "license: other" not in page and "<h1>A card</h1>" in page and "<td>1</td>" in page and "<b>" not in page
    assert "docs/x.md" not in page and '<a href="https://y.org">y</a>' in page and "<p>x " in page


def test_the_page_shows_every_part_of_the_real_one():
    page = card.model_card(ROOT / "MODEL_CARD.md")
    parts = [line.lstrip("#").strip() for line in TEXT.splitlines() if line.startswith("## ")]
    assert parts and all(f"<h2>{part}</h2>" in page for part in parts) and page.count("<table>") >= 3
