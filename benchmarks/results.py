"""docs/results: what was measured, a page for people and the figures that it was written from.

Every command in this folder writes its own, with --docs; `python -m benchmarks.readme` writes what follows from them.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"


def write_result(name: str, title: str, markdown: str, figures: Mapping | Sequence | None = None) -> None:
    """Write docs/results/NAME.md and, where there are figures, docs/results/NAME.json.

    Args:
        name: of the files.
        title: heading of the page.
        markdown: the page below it; its links are relative to docs/results.
        figures: what the page was written from.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.md").write_text(f"# {title}\n\n{markdown.strip()}\n", encoding="utf-8")
    if figures is not None:
        (RESULTS / f"{name}.json").write_text(to_json(figures), encoding="utf-8")


def read_figures(name: str) -> Any:
    """The figures of docs/results/NAME.json.

    Raises:
        OSError: there are none; the command that measures them was not run with --docs.
    """
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def to_json(figures: Mapping | Sequence) -> str:
    """JSON in which the innermost objects and lists, a row of a table each, stand on one line."""
    text = json.dumps(figures, indent=2, default=float)
    # A text in JSON has no ends of lines.
    innermost = re.compile(r"([\[{])\n\s*([^\[\]{}]*?)\n\s*([\]}])")
    return innermost.sub(lambda row: row[1] + re.sub(r"\n\s*", " ", row[2]) + row[3], text) + "\n"
