"""How well age and gender are told, and how the networks for it were trained.

    python -m benchmarks.age_gender [runs/age-fairface ...] [--docs]

writes docs/results/age_gender.md from the files that `python -m export.age_gender` left in models/. Every epoch and the
settings of the runs that are named are added to those in docs/results/age_gender_runs.json, which stand in its last table.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.results import RESULTS, read_figures, to_json, write_result
from benchmarks.runs import read_run
from benchmarks.speed import BATCHES, median_milliseconds, processor
from inference.age_gender import AgeGenderEstimator
from inference.model_files import MODELS
from training.age_gender.evaluate import tables
from training.report import read_report, report_path

RUNS = "age_gender_runs"
"""The name of the records of training runs in docs/results."""
TTA = "age_gender_tta"
"""The name of the comparison of views for test-time augmentation in docs/results."""
FILES = ("age_gender.onnx", "age_gender_fairface.onnx")
"""The model that is served and the one of freer terms."""


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
        cells = [
            f"`{report['model']}`",
            report["metadata"]["dataset"],
            *_figures(utkface["all"], fairface["all"]),
            f"{worst:.1%}",
        ]
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


def runs_table(runs: dict[str, dict]) -> list[str]:
    """Training runs, of `read_run`, as lines of Markdown."""
    lines = [
        "| run | recipe | began with | taught by | epochs | best epoch | validation: gender | likeliest group | mean error, years | minutes |",
        "|---" * 10 + "|",
    ]
    for name, run in sorted(runs.items()):
        settings, history = run["settings"], run["history"]
        best = max(history, key=lambda row: row["val_accuracy"])
        error = "not known" if best["val_error"] is None else f"{best['val_error']:.2f}"
        start = " + ".join(f"`{model}`" for model in settings["start"]) or "chance"
        teachers = (settings["teacher"] or {}).get("teachers", {})
        cells = [
            name,
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
        f"{median_milliseconds(lambda: estimator.predict(faces[:batch]), repeats, time.thread_time) / batch:.2f} in a batch of {batch}"
        for batch in BATCHES
    )


def tta(report: dict) -> str:
    """The test-time augmentation of the networks of a report, and where others were compared, with an earlier network."""
    chosen = f"; [others, with an earlier network]({TTA}.md)" if (RESULTS / f"{TTA}.md").is_file() else ""
    return (
        f"shown as {report['metadata']['views']} pixels (m: the mirror image{chosen}), "
        if "views" in report["metadata"]
        else ""
    )


def integers(report: dict) -> str:
    """What stands behind the number of parameters."""
    return " in 8-bit integers" if report["metadata"].get("weights") == "int8" else ""


def _groups(report: dict) -> list[str]:
    return tables(report["metrics"], report.get("disturbed"))


def section(reports: list[dict], runs: dict[str, dict]) -> str:
    """The page in docs/results."""
    served = reports[0]
    metadata, name = served["metadata"], report_path(MODELS / served["model"]).name
    return "\n".join(
        [
            *headline(reports),
            "",
            f"`{served['model']}`, from {metadata['runs']}: {int(metadata['parameters']):,} parameters{integers(served)}, {metadata['input_size']} pixels, "
            f"{tta(served)}trained on "
            f"{metadata['dataset']} ({metadata['terms']}). Epoch, calibration and this choice were made on faces taken from "
            "the training parts; nothing was chosen on the faces below, measured by `python -m export.age_gender`, which "
            f"writes [models/{name}](../../models/{name}). An age group is right where the age that is "
            "shown lies in it.",
            "",
            f"Median milliseconds of processor time a face on one thread of {processor()}: {speed(served)}.",
            "",
            *(line for report in reports for line in (f"## {report['model']}", "", *_groups(report), "")),
            "## The runs",
            "",
            *runs_table(runs),
            "",
            "Minutes are wall time on one or two threads of a shared processor, pauses included. Every epoch and all settings are in "
            f"[{RUNS}.json]({RUNS}.json). `python -m benchmarks.age_gender --docs` writes this page.",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.age_gender", description="How age and gender are told.")
    parser.add_argument("runs", nargs="*", type=Path, metavar="DIR", help="--out folders of training runs to keep")
    parser.add_argument("--docs", action="store_true", help="write docs/results/age_gender.md")
    args = parser.parse_args()
    try:
        runs = read_figures(RUNS) | {run.name: read_run(run) for run in args.runs}
        text = section([read_report(report_path(MODELS / name)) for name in FILES if (MODELS / name).is_file()], runs)
    except (OSError, IndexError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(text)
    if args.docs:
        write_result("age_gender", "Apparent age and gender", text)
        (RESULTS / f"{RUNS}.json").write_text(to_json(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
