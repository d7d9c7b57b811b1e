"""How the released networks were trained: every epoch of the runs behind them.

    python -m benchmarks.runs runs/vgg7 runs/vgg7-student ... [--readme]

writes docs/runs/ (each run's history.csv and settings, and one plot of all) and the README's table.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from benchmarks.readme import ROOT, write_section
from training.train import read_history

DOCS = ROOT / "docs" / "runs"


def plot(histories: dict[str, list[dict]], path: Path) -> None:
    """Accuracy over the epochs, one colour a run: on PublicTest as a line, in training dotted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, (name, history) in enumerate(histories.items()):
        epochs = [row["epoch"] for row in history]
        axes.plot(epochs, [100 * row["val_accuracy"] for row in history], color=f"C{number}", label=name)
        axes.plot(epochs, [100 * row["accuracy"] for row in history], color=f"C{number}", linestyle=":", alpha=0.7)
    axes.set(xlabel="epoch", ylabel="accuracy, percent", ylim=(40, None))
    axes.set_title("PublicTest (lines) and distorted training faces (dotted)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def to_markdown(runs: dict[str, tuple[list[dict], dict]]) -> str:
    """The README's section."""
    lines = [
        "| run | recipe | epochs | taught by | best epoch | PublicTest there | minutes |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (history, settings) in runs.items():
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
            "![Accuracy over the epochs](docs/runs/curves.png)",
            "",
            "A student's accuracy in training counts how often its first answer is its target's, which its teachers mostly "
            "made; nan stands for what was not recorded. "
            f"Trained in {next(iter(runs.values()))[1]['precision']}; every epoch and all settings are in "
            f"[docs/runs](docs/runs). Written by `python -m benchmarks.runs {' '.join(f'runs/{name}' for name in runs)} "
            "--readme`.",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runs", description="How the networks were trained.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="DIR", help="the --out folders of training runs")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    args = parser.parse_args()
    try:
        runs = {run.name: (read_history(run), json.loads((run / "run.json").read_text())) for run in args.runs}
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    DOCS.mkdir(parents=True, exist_ok=True)
    for run in args.runs:
        shutil.copy(run / "history.csv", DOCS / f"{run.name}.csv")
        shutil.copy(run / "run.json", DOCS / f"{run.name}.json")
    plot({name: history for name, (history, _) in runs.items()}, DOCS / "curves.png")
    section = to_markdown(runs)
    print(section)
    if args.readme:
        write_section("runs", section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
