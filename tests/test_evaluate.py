"""One command reports on networks of both kinds."""

import json

import pytest

from synthetic import write_csv
from training.emotion.evaluate import evaluate, measure
from training.evaluate import main


class TestCommand:
    def test_report(self, plain, synthetic, synthetic_dir, tmp_path, call, capsys):
        out = tmp_path / "report"
        assert call(main, plain, "--data", synthetic_dir, "--unofficial", "--out", out) == 0
        assert {file.name for file in out.iterdir()} == {"report.json", "report.md", "confusion.png"}
        report = json.loads((out / "report.json").read_text())
        results = evaluate(plain, synthetic)
        head = {"model": "plain.onnx", "command": "python -m training.evaluate", "metadata": {}}
        assert report == head | json.loads(json.dumps(measure(plain, synthetic)))
        assert report["metrics"] == results
        text = (out / "report.md").read_text()
        assert text in capsys.readouterr().out
        for name, figures in results.items():
            assert f"| {name} | {figures['faces']} | {figures['accuracy']:.2%} ± " in text
        assert (out / "confusion.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")

    def test_subprocess(self, plain, synthetic_dir, tmp_path, run):
        result = run("training.evaluate", plain, "--data", synthetic_dir, "--unofficial", "--out", tmp_path / "report")
        assert result.returncode == 0, result.stderr
        assert "PrivateTest without near-duplicates of Training" in result.stdout

    @pytest.mark.parametrize("name", ["missing.keras", "missing.onnx", "broken.keras", "broken.onnx"])
    def test_bad_model(self, name, synthetic_dir, tmp_path, call, capsys):
        if name.startswith("broken"):
            (tmp_path / name).write_bytes(b"PK\3\4 cut off")
        status = call(main, tmp_path / name, "--data", synthetic_dir, "--unofficial", "--out", tmp_path / "report")
        assert status == 1 and capsys.readouterr().err.startswith("error: ")
        assert not (tmp_path / "report").exists()

    def test_bad_data(self, plain, synthetic, tmp_path, call, capsys):
        assert call(main, plain, "--data", tmp_path / "nowhere") == 1
        assert "no such file or folder" in capsys.readouterr().err
        path = write_csv(tmp_path / "training", synthetic.select(synthetic.splits == 0))
        assert call(main, plain, "--data", path, "--unofficial", "--out", tmp_path / "report") == 1
        assert "none of the splits" in capsys.readouterr().err

    def test_report_of_age_and_gender(self, exported_age_gender, demographics_arguments, tmp_path, call, capsys):
        out = tmp_path / "report"
        assert call(main, exported_age_gender, *demographics_arguments, "--out", out) == 0
        report = json.loads((out / "report.json").read_text())
        assert (
            report["metrics"]
            == json.loads((exported_age_gender.parent / "age_gender_metrics.json").read_text())["metrics"]
        )
        text = (out / "report.md").read_text()
        assert "a fifth of UTKFace, held out" in text and "| under 18 |" in text
        assert call(main, exported_age_gender, "--out", out) == 1
        assert "Neither a folder of FairFace" in capsys.readouterr().err
