"""The paper's results beside those of a finished run of the recipe `paper`.

    python -m benchmarks.reproduction runs/paper --data DIR [--docs]

writes docs/results/reproduction.md, reproduction.json (every epoch too), the curves of loss and accuracy, which are the
paper's Figure 3.2, and the confusion matrices. The grid of test faces with the network's answers is left in the
run's folder: FER-2013's pictures may not be redistributed.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before Keras loads TensorFlow

import numpy as np

from benchmarks.results import RESULTS, write_result
from benchmarks.runs import read_run
from inference.types import EMOTIONS
from training.datasets import DataError
from training.emotion.data import Faces, add_data_arguments, load_fer2013
from training.emotion.evaluate import evaluate, plot_confusion, predictor, tables
from training.run import plot_history

# Tables 3.1 and 3.2 of Sahin and Aydemir, "Emotional Analysis with Deep Learning".
PAPER = {
    "first": {"loss": 1.889, "accuracy": 0.2923, "val_loss": 1.5954, "val_accuracy": 0.3842},
    "last": {"loss": 0.8172, "accuracy": 0.6972, "val_loss": 1.1233, "val_accuracy": 0.6297},
}
METRICS = {
    "loss": "training loss",
    "accuracy": "training accuracy",
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
}


def plot_answers(model: Path, faces: Faces, path: Path, columns: int = 7, rows: int = 6) -> None:
    """A grid of PrivateTest faces, drawn at random with a fixed seed, each with its answer, its probability and, where
    the two differ, its label."""
    from matplotlib.figure import Figure

    test = faces.split("PrivateTest")
    test = test.select(np.random.default_rng(0).choice(len(test), columns * rows, replace=False))
    figure = Figure(figsize=(1.7 * columns, 1.95 * rows), layout="constrained")
    for axes, image, label, probabilities in zip(
        figure.subplots(rows, columns).flat, test.images, test.labels, predictor(model)(test.images)["probabilities"]
    ):
        answer = int(probabilities.argmax())
        right = answer == label
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        title = f"{EMOTIONS[answer]} {probabilities[answer]:.0%}"
        axes.set_title(title if right else f"{title}\n(label: {EMOTIONS[label]})", fontsize=8)
        axes.title.set_color("darkgreen" if right else "firebrick")
        axes.axis("off")
    figure.savefig(path, dpi=110)


def section(figures: dict) -> str:
    """The page in docs/results: Tables 3.1 and 3.2 with ours, the test sets, the curves, all figures of the best epoch."""
    history, settings, best, last = (figures[key] for key in ("history", "settings", "best_epoch", "last_epoch"))
    first_row, last_row = history[0], history[-1]
    best_epoch = max(history, key=lambda row: row["val_accuracy"])["epoch"]
    minutes = sum(row["seconds"] for row in history) / 60
    lines = [
        f"| | epoch 1, paper | epoch 1, ours | last epoch, paper | last epoch ({last_row['epoch']}), ours |",
        "|---|---|---|---|---|",
    ]
    for key, name in METRICS.items():
        lines.append(
            f"| {name} | {PAPER['first'][key]:.4f} | {first_row[key]:.4f} | {PAPER['last'][key]:.4f} | {last_row[key]:.4f} |"
        )
    lines += [
        "",
        "The paper validates on all 7,178 test faces; we validate on PublicTest (3,589) and keep the rest for testing. "
        "The same network on every test set, after its last epoch and at the epoch that PublicTest chose:",
        "",
        f"| set | faces | epoch {last_row['epoch']} | epoch {best_epoch} (best on PublicTest) |",
        "|---|---|---|---|",
    ]
    for name in best:
        cells = [f"{figures['accuracy']:.2%} ± {figures['standard_error']:.2%}" for figures in (last[name], best[name])]
        lines.append(f"| {name} | {best[name]['faces']:,} | {cells[0]} | {cells[1]} |")
    lines += [
        "",
        "± is one standard error.",
        "",
        "![Loss and accuracy over the epochs](reproduction.png)",
        "",
        f"{last_row['epoch']} epochs, seed {settings['seed']}, {settings['precision']}, {minutes:.0f} minutes of training. "
        "Written by `python -m benchmarks.reproduction runs/paper --data DIR --docs` from a run of "
        f"`python -m training.emotion --recipe paper --data DIR --out runs/paper --precision {settings['precision']}`; "
        "every epoch is in [reproduction.json](reproduction.json). The same command draws `runs/paper/answers.png`, a grid of test faces with "
        "the network's answers; it is not kept here, because FER-2013's pictures may not be redistributed.",
        "",
        f"## Epoch {best_epoch}",
        "",
        *tables(best)[:-1],
        "",
        "![Confusion matrices](reproduction_confusion.png)",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reproduction", description="The paper's results and ours."
    )
    parser.add_argument("run", type=Path, help="the --out folder of a finished training run")
    add_data_arguments(parser)
    parser.add_argument("--docs", action="store_true", help="write docs/results/reproduction.md")
    args = parser.parse_args()
    try:
        faces = load_fer2013(args.data, official=not args.unofficial)
        figures = read_run(args.run)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    epochs, planned = len(figures["history"]), figures["settings"]["epochs"]
    if epochs < planned:
        print(f"error: {args.run} has {epochs} of {planned} epochs: finish it first.", file=sys.stderr)
        return 1
    for key, name in (("best_epoch", "model.keras"), ("last_epoch", "checkpoint.keras")):
        figures[key] = evaluate(args.run / name, faces)
    plot_answers(args.run / "model.keras", faces, args.run / "answers.png")
    text = section(figures)
    print(text)
    if args.docs:
        write_result("reproduction", "The paper's results and ours", text, figures)
        plot_history(figures["history"], RESULTS / "reproduction.png")
        plot_confusion(figures["best_epoch"], RESULTS / "reproduction_confusion.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
