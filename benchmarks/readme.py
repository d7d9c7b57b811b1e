"""Sections of README.md that commands write, between <!-- begin NAME --> and <!-- end NAME -->.

    python -m benchmarks.readme

writes the section `accuracy` from models/metrics.json, which the export measured on the exported file.
"""

import json
import re
from pathlib import Path

from training.evaluate import accuracy_table, recall_table, stress_tables

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
    lines = [
        *accuracy_table(report["metrics"]),
        "",
        "Recall of each answer by each kind of label; FERPlus' is the majority of ten people, where that is clear:",
        "",
        *recall_table({name: report["metrics"][name] for name in ("PublicTest", "PrivateTest")}),
        "",
        f"Recipe `{report['recipe']}`, {int(report['parameters']):,} parameters, trained on {report['dataset']}; epoch and "
        "temperature were chosen on PublicTest. Measured on the exported file by `python -m export.to_onnx`, which writes "
        "[models/metrics.json](models/metrics.json); `python -m benchmarks.readme` writes this section.",
        "",
    ]
    lines += stress_tables(report["stress"])
    if "int8" in report:
        int8 = f"`{report['int8']['model']}`, `{report['int8']['recipe']}` in 8 bits, by `{report['int8']['command']}`:"
        lines += ["", int8, "", *accuracy_table(report["int8"]["metrics"])[:-2]]
    return "\n".join(lines)


if __name__ == "__main__":
    write_section("accuracy", accuracy_section())
