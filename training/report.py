"""What was measured on a network, in one form for all: models/*_metrics.json, and report.json of `training.evaluate`.

    model        name of the file
    command      by which this was written
    metadata     what the file says of itself, texts by key; of a .keras file nothing
    validation   figures by set of faces, by which epoch, temperature and calibration were chosen
    metrics      figures by set of test faces
    disturbed    by set, the figures under each disturbance by its name

and what one kind of network has besides, by set too: `calibration` and `not_sure` of emotion, `bands` of age and gender. The
`score` of each network's evaluate.py says what figures there are.
"""

import json
from pathlib import Path


def report_path(model: Path) -> Path:
    """Where the report of an exported network lies: beside it."""
    return model.with_name(f"{model.stem}_metrics.json")


def write_report(path: Path, model: str, command: str, metadata: dict[str, str], measured: dict) -> dict:
    """Write a report.

    Args:
        path: the file.
        model, command, metadata: see above.
        measured: the rest.

    Returns:
        The report.
    """
    report = {"model": model, "command": command, "metadata": metadata, **measured}
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def read_report(path: Path) -> dict:
    """A report that was written.

    Raises:
        OSError, ValueError: there is none.
    """
    return json.loads(path.read_text(encoding="utf-8"))
