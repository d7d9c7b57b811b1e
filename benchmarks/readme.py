"""Sections of README.md that commands write, between <!-- begin NAME --> and <!-- end NAME -->.

    python -m benchmarks.readme

writes the section `accuracy` from models/metrics.json, which the export measured on the exported file.
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def write_section(name: str, markdown: str) -> None:
    """Replace a section of README.md.

    Raises:
        ValueError: README.md has no such section.
    """
    readme = ROOT / "README.md"
    pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    text, count = pattern.subn(lambda match: match[1] + markdown.strip() + "\n" + match[2], readme.read_text())
    if count != 1:
        raise ValueError(f"README.md should have one section {name}, but has {count}.")
    readme.write_text(text)


def accuracy_section() -> str:
    """models/metrics.json as tables."""
    report = json.loads((ROOT / "models" / "metrics.json").read_text())
    rows = ["| set | faces | accuracy | macro-F1 | ECE | NLL |", "|---|---|---|---|---|---|"]
    sets = list(report["metrics"].items())
    sets += [
        (f"{name}, {report['int8']['model']}", row) for name, row in report.get("int8", {}).get("metrics", {}).items()
    ]
    for name, figures in sets:
        rows.append(
            f"| {name} | {figures['faces']:,} | {figures['accuracy']:.2%} ± {figures['standard_error']:.2%} | "
            f"{figures['macro_f1']:.3f} | {figures['ece']:.3f} | {figures['nll']:.3f} |"
        )
    recall = report["metrics"]["PrivateTest"]["recall"]
    rows += ["", f"| recall on PrivateTest | {' | '.join(recall)} |", "|---" * (len(recall) + 1) + "|"]
    rows.append("| | " + " | ".join(f"{value:.1%}" for value in recall.values()) + " |")
    return "\n".join(
        [
            *rows,
            "",
            f"Recipe `{report['recipe']}`, {int(report['parameters']):,} parameters, trained on {report['dataset']}; "
            "epoch and temperature were chosen on PublicTest. ± is one standard error, ECE the expected calibration "
            "error (15 bins), NLL in nats. Measured on the exported file by `python -m export.to_onnx`, which writes "
            "[models/metrics.json](models/metrics.json); `python -m benchmarks.readme` writes this table.",
        ]
    )


if __name__ == "__main__":
    write_section("accuracy", accuracy_section())
