"""How the released networks were trained: every epoch of the runs behind them.

    python -m benchmarks.runs runs/vgg7 runs/vgg7-student ... [--docs]

writes docs/results/runs.md, runs.json (every epoch and all settings) and runs.png.
"""

import argparse
import json
import math
import sys
from pathlib import Path

from benchmarks.results import RESULTS, write_result
from training.run import read_history


def read_run(folder: Path) -> dict:
    """The `settings` of a training run and its `history`, a row an epoch; what was not recorded is None.

    Raises:
        OSError: the folder is not that of a run.
    """
    rows = [{name: None if math.isnan(value) else value for name, value in row.items()} for row in read_history(folder)]
    return {"settings": json.loads((folder / "run.json").read_text()), "history": rows}


def plot(runs: dict[str, dict], path: Path) -> None:
    """Accuracy over the epochs, one colour a run: on PublicTest as a line, in training dotted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, (name, run) in enumerate(runs.items()):
        epochs = [row["epoch"] for row in run["history"]]
        tested, trained = (
            [math.nan if row[key] is None else 100 * row[key] for row in run["history"]]
            for key in ("val_accuracy", "accuracy")
        )
        axes.plot(epochs, tested, color=f"C{number}", label=name)
        axes.plot(epochs, trained, color=f"C{number}", linestyle=":", alpha=0.7)
    axes.set(xlabel="epoch", ylabel="accuracy, percent", ylim=(40, None))
    axes.set_title("PublicTest (lines) and distorted training faces (dotted)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def to_markdown(runs: dict[str, dict]) -> str:
    """The page in docs/results."""
    lines = [
        "| run | recipe | epochs | taught by | best epoch | PublicTest there | minutes |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, run in runs.items():
        history, settings = run["history"], run["settings"]
        best = max(history, key=lambda row: row["val_accuracy"])
        teachers = (settings["teacher"] or {}).get("teachers", {})
        names = " + ".join(Path(path).parent.name for path in teachers) or "labels and votes alone"
        minutes = sum(row["seconds"] for row in history) / 60
        lines.append(
            f"| {name} | `{settings['recipe']}` | {len(history)} of {settings['epochs']} | {names} | {best['epoch']} | "
            f"{best['val_accuracy']:.2%} | {minutes:.0f} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            "![Accuracy over the epochs](runs.png)",
            "",
            "A student's accuracy in training counts how often its first answer is its target's, which its teachers mostly "
            "made; null stands for what was not recorded. "
            f"Trained on FER-2013's Training split and its FERPlus votes, in {next(iter(runs.values()))['settings']['precision']}; every epoch and all settings are in "
            f"[runs.json](runs.json). Written by `python -m benchmarks.runs {' '.join(f'runs/{name}' for name in runs)} "
            "--docs`.",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runs", description="How the networks were trained.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="DIR", help="the --out folders of training runs")
    parser.add_argument("--docs", action="store_true", help="write docs/results/runs.md")
    args = parser.parse_args()
    try:
        runs = {run.name: read_run(run) for run in args.runs}
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    section = to_markdown(runs)
    print(section)
    if args.docs:
        write_result("runs", "How emotion networks were trained", section, runs)
        plot(runs, RESULTS / "runs.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
