"""How well age and gender are told, and how the networks for it were trained.

    python -m benchmarks.age_gender [runs/age-fairface ...] [--readme]

writes the README's section from the files that `python -m export.age_gender` left in models/, and keeps history.csv and
settings of the runs that are named in docs/age_gender/.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.readme import ROOT, write_section
from benchmarks.speed import BATCHES, median_milliseconds, processor
from inference.age_gender import AgeGenderEstimator
from inference.model_files import MODELS
from training.demographic_report import to_markdown
from training.train import read_history

DOCS = ROOT / "docs" / "age_gender"
VIEWS = DOCS / "views.md"
FILES = ("age_gender_metrics.json", "age_gender_fairface_metrics.json")
"""The reports of the model that is served and of the one of freer terms."""


def headline(reports: list[dict]) -> list[str]:
    """All models side by side, as lines of Markdown."""
    lines = [
        "| model | trained on | UTKFace: mean error, years | gender | FairFace: exact group | within one group | gender | "
        "gender, worst race group | size |",
        "|---" * 9 + "|",
    ]
    for report in reports:
        utkface, fairface = (report["metrics"][name] for name in ("UTKFace", "FairFace"))
        worst = fairface["race"][fairface["gap"]["race"]["gender"]["worst"]]["gender"]
        cells = [f"`{report['model']}`", report["dataset"], *_figures(utkface["all"], fairface["all"]), f"{worst:.1%}"]
        cells.append(f"{(MODELS / report['model']).stat().st_size / 1e6:.1f} MB")
        lines.append(f"| {' | '.join(cells)} |")
    for report in reports:
        utkface, fairface = (report["validation"][name] for name in ("UTKFace", "FairFace"))
        cells = [f"`{report['model']}`, on the validation faces", "", *_figures(utkface, fairface), "", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _figures(utkface: dict, fairface: dict) -> list[str]:
    groups = [f"{fairface[name]:.1%}" for name in ("exact_group", "within_one_group", "gender")]
    return [f"{utkface['mae']:.2f}", f"{utkface['gender']:.1%}", *groups]


def runs_table() -> list[str]:
    """The runs kept in DOCS, as lines of Markdown."""
    lines = [
        "| run | recipe | began with | taught by | epochs | best epoch | validation: gender | likeliest group | mean error, years | minutes |",
        "|---" * 10 + "|",
    ]
    for file in sorted(DOCS.glob("*/run.json")):
        settings, history = json.loads(file.read_text()), read_history(file.parent)
        best = max(history, key=lambda row: row["val_accuracy"])
        error = f"{best['val_error']:.2f}" if best["val_error"] == best["val_error"] else "not known"
        start = " + ".join(f"`{model}`" for model in settings["start"]) or "chance"
        teachers = (settings["teacher"] or {}).get("teachers", {})
        cells = [
            file.parent.name,
            f"`{settings['recipe']}`",
            start,
            " + ".join(f"`{model}`" for model in teachers) or "labels alone",
            f"{len(history)} of {settings['epochs']}",
            best["epoch"],
        ]
        cells += [f"{best['val_gender']:.1%}", f"{best['val_group']:.1%}", error]
        cells.append(f"{sum(row['seconds'] for row in history) / 60:.0f}")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def speed(report: dict, repeats: int = 30) -> str:
    """Milliseconds of processor time a face at several batch sizes, on one thread, whatever else the processor does."""
    estimator = AgeGenderEstimator(report["model"], threads=1, cuda=False)
    faces = np.random.default_rng(0).integers(0, 256, (max(BATCHES), *[estimator.input_size] * 2, 3), np.uint8)
    return ", ".join(
        f"{median_milliseconds(lambda: estimator.answers(faces[:batch]), repeats, time.thread_time) / batch:.2f} in a batch of {batch}"
        for batch in BATCHES
    )


def views(report: dict) -> str:
    """In which sizes the networks of a report look at a face, and what that was chosen by, where the report says so."""
    chosen = f"; [compared](docs/age_gender/{VIEWS.name})" if VIEWS.is_file() else ""
    return f"shown as {report['views']} pixels (m: the mirror image{chosen}), " if "views" in report else ""


def integers(report: dict) -> str:
    """What stands behind the number of parameters."""
    return " in 8-bit integers" if report.get("weights") == "int8" else ""


def section(reports: list[dict]) -> str:
    """The README's section."""
    served = reports[0]
    return "\n".join(
        [
            *headline(reports),
            "",
            f"`{served['model']}`, from {served['runs']}: {int(served['parameters']):,} parameters{integers(served)}, {served['input_size']} pixels, "
            f"{views(served)}trained on "
            f"{served['dataset']} ({served['terms']}). Epoch, calibration and this choice were made on faces taken from "
            "the training parts; nothing was chosen on the faces below, measured by `python -m export.age_gender`, which "
            f"writes [models/{served['model'].replace('.onnx', '_metrics.json')}]"
            f"(models/{served['model'].replace('.onnx', '_metrics.json')}). An age group is right where the age that is "
            "shown lies in it.",
            "",
            f"Median milliseconds of processor time a face on one thread of {processor()}: {speed(served)}.",
            "",
            *to_markdown(served["metrics"], served["disturbed"]),
            "",
            *runs_table(),
            "",
            "Minutes are wall time on one or two threads of a shared processor, pauses included. Every epoch and all settings are in "
            "[docs/age_gender](docs/age_gender). `python -m benchmarks.age_gender` writes this section.",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.age_gender", description="How age and gender are told.")
    parser.add_argument("runs", nargs="*", type=Path, metavar="DIR", help="--out folders of training runs to keep")
    parser.add_argument("--readme", action="store_true", help="write the section into README.md")
    args = parser.parse_args()
    try:
        for run in args.runs:
            (DOCS / run.name).mkdir(parents=True, exist_ok=True)
            for name in ("history.csv", "run.json"):
                shutil.copy(run / name, DOCS / run.name / name)
        text = section([json.loads((MODELS / name).read_text()) for name in FILES if (MODELS / name).is_file()])
    except (OSError, IndexError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(text)
    if args.readme:
        write_section("age_gender", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
