"""How much does each training parameter matter? Trains a recipe again and again, with one thing changed each time.

    python -m training.emotion.study paper --data DIR --out runs/study/paper [--epochs N] [--faces N] [--part I/N]

The same command goes on where it was stopped, and trains what was added to the list. It writes results.json, results.md and
results.png into --out: the accuracy of every setting on PublicTest, beside the unchanged recipe's, and on the same faces at
half resolution and with noise. The studies are short on purpose: they compare settings, and say little about a full
schedule. Several processes share the work with --part; the command without it gathers the results.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from training.augment import Augmentation, add_noise, shrink
from training.datasets import DataError
from training.emotion.data import Faces, add_data_arguments, load_fer2013, training_and_validation
from training.emotion.evaluate import predictor
from training.emotion.model import VGG7, paper_cnn, plain_cnn
from training.emotion.recipes import RECIPES, EmotionRecipe
from training.emotion.train import EmotionRun
from training.recipe import sgd
from training.run import PRECISIONS, run_settings

UNCHANGED = "unchanged"


def _paper_study() -> dict[str, EmotionRecipe]:
    """The parameters that the paper names: batch size, dropout, optimizer, filters, augmentation."""
    paper = RECIPES["paper"]
    augmentation = paper.augmentation
    return {
        UNCHANGED: paper,
        "batch size 32": replace(paper, batch_size=32),
        "batch size 512": replace(paper, batch_size=512),
        "no dropout": replace(paper, build=lambda: paper_cnn(dropout=0.0)),
        "half the dropout": replace(paper, build=lambda: paper_cnn(dropout=0.5)),
        "SGD, 0.01, Nesterov momentum 0.9": replace(
            paper, optimizer=lambda steps: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)
        ),
        "RMSprop, 0.001": replace(paper, optimizer=lambda steps: keras.optimizers.RMSprop(1e-3)),
        "Adam, 0.0003": replace(paper, optimizer=lambda steps: keras.optimizers.Adam(3e-4)),
        "half the filters": replace(paper, build=lambda: paper_cnn(width=0.5)),
        "twice the filters": replace(paper, build=lambda: paper_cnn(width=2.0)),
        "no augmentation": replace(paper, augmentation=Augmentation()),
        "flip alone": replace(paper, augmentation=Augmentation(flip=True)),
        "twice the augmentation": replace(paper, augmentation=replace(augmentation, stretch=0.2, shift=0.2)),
    }


def _vgg7_study() -> dict[str, EmotionRecipe]:
    """What each ingredient of the recipe vgg7 gives: it is left out, or another is put in."""
    vgg7 = RECIPES["vgg7"]
    webcam = vgg7.augmentation
    framing = replace(webcam, degraded=0.0, erased=0.0, brightness=0.0, contrast=0.0)
    return {
        UNCHANGED: vgg7,
        "without the crowd's head": replace(vgg7, build=lambda: plain_cnn("vgg7", VGG7, crowd=False)),
        "without degraded faces": replace(vgg7, augmentation=replace(webcam, degraded=0.0)),
        "without erasing": replace(vgg7, augmentation=replace(webcam, erased=0.0)),
        "framing and flip alone": replace(vgg7, augmentation=framing),
        "flip alone": replace(vgg7, augmentation=Augmentation(flip=True)),
        "without label smoothing": replace(vgg7, label_smoothing=0.0),
        "without the running average": replace(vgg7, optimizer=sgd(0.1, average=0)),
        "without normalising each face": replace(vgg7, build=lambda: plain_cnn("vgg7", VGG7, normalized=False)),
        "48 pixels all along": replace(vgg7, sizes=((48, 0.0),)),
        "with mixup 0.2": replace(vgg7, mixup=0.2),
        "Adam, 0.001": replace(vgg7, optimizer=lambda steps: keras.optimizers.Adam(1e-3)),
        "half the filters": replace(
            vgg7, build=lambda: plain_cnn("vgg7", tuple(tuple(w // 2 for w in widths) for widths in VGG7))
        ),
    }


STUDIES = {"paper": _paper_study, "vgg7": _vgg7_study}


def measure(run: EmotionRun, validation: Faces) -> dict:
    """The figures of one finished run, at its best epoch."""
    best = max(run.history, key=lambda row: row["val_accuracy"])
    predict = predictor(run.out / "model.keras")
    rng = np.random.default_rng(0)
    disturbed = {
        "half_resolution": np.stack([shrink(image, 0.5) for image in validation.images]),
        "noise_10": add_noise(validation.images, 10, rng),
    }
    return {
        "accuracy": best["val_accuracy"],
        "training_accuracy": best["accuracy"],
        **{
            name: round(float((predict(images)["probabilities"].argmax(axis=1) == validation.labels).mean()), 4)
            for name, images in disturbed.items()
        },
        "minutes": round(sum(row["seconds"] for row in run.history) / 60, 1),
    }


def to_markdown(results: dict) -> str:
    """A table of the study, best first."""
    rows = sorted(results["settings"].items(), key=lambda item: -item[1]["accuracy"])
    base = results["settings"][UNCHANGED]["accuracy"]
    error = np.sqrt(base * (1 - base) / results["validation_faces"])
    lines = [
        "| setting | PublicTest | against unchanged | half resolution | noise 10 | in training | minutes |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows:
        lines.append(
            f"| {name} | {row['accuracy']:.1%} | {100 * (row['accuracy'] - base):+.1f} | {row['half_resolution']:.1%} | "
            f"{row['noise_10']:.1%} | {row['training_accuracy']:.1%} | {row['minutes']:.1f} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"Recipe `{results['study']}`, {results['epochs']} epochs on {results['training_faces']:,} faces of Training, seed "
            f"{results['seed']}, one run a setting; accuracy on the {results['validation_faces']:,} faces of PublicTest at the "
            f"best epoch. One standard error is {error:.1%}, so differences under about twice that are no finding.",
        ]
    )


def plot(results: dict, path: Path) -> None:
    """One bar a setting, best at the top, with standard errors and a line at the unchanged recipe."""
    from matplotlib.figure import Figure

    rows = sorted(results["settings"].items(), key=lambda item: item[1]["accuracy"])
    accuracies = np.array([row["accuracy"] for _, row in rows])
    errors = np.sqrt(accuracies * (1 - accuracies) / results["validation_faces"])
    figure = Figure(figsize=(8, 1.2 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    colors = ["#d98200" if name == UNCHANGED else "#4c78a8" for name, _ in rows]
    axes.barh([name for name, _ in rows], 100 * accuracies, xerr=100 * errors, color=colors, ecolor="#555555")
    axes.axvline(100 * results["settings"][UNCHANGED]["accuracy"], color="#d98200", linewidth=1)
    axes.set_xlim(left=max(0, 100 * accuracies.min() - 5))
    axes.set(
        xlabel="accuracy on PublicTest, percent (bars: one standard error)",
        title=f"{results['study']}: {results['epochs']} epochs on {results['training_faces']:,} faces",
    )
    figure.savefig(path, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.emotion.study", description="How much does each training parameter matter?"
    )
    parser.add_argument("study", choices=sorted(STUDIES))
    add_data_arguments(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a folder for each run, and the results")
    parser.add_argument("--epochs", type=int, default=10, help="of every run (default: 10)")
    parser.add_argument("--faces", type=int, help="train on so many faces, drawn at random (default: all)")
    parser.add_argument("--part", metavar="I/N", help="train every N-th setting, beginning with the I-th, and no more")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.set_defaults(start=[])
    args = parser.parse_args()
    recipes = STUDIES[args.study]()
    if args.part:
        try:
            part, parts = (int(number) for number in args.part.split("/"))
        except ValueError:
            parser.error("--part must look like 1/2")
        recipes = dict(list(recipes.items())[part - 1 :: parts])
    try:
        faces = load_fer2013(args.data, official=not args.unofficial)
        training, validation = training_and_validation(faces, args.seed)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if args.faces and args.faces < len(training):
        drawn = np.random.default_rng(args.seed).choice(len(training), args.faces, replace=False)
        training = training.select(np.sort(drawn))
    results = {
        "study": args.study,
        "epochs": args.epochs,
        "seed": args.seed,
        "training_faces": len(training),
        "validation_faces": len(validation),
        "settings": {},
    }
    for name, recipe in recipes.items():
        print(f"{args.study}, {name}", flush=True)
        settings = run_settings(f"{args.study}, {name}", recipe, args, training, validation)
        out = args.out / name.replace(" ", "_").replace(",", "")
        run = EmotionRun(recipe, out, settings)
        run.train(training, validation)
        results["settings"][name] = measure(run, validation)
        keras.backend.clear_session()
    if args.part:
        return 0
    (args.out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (args.out / "results.md").write_text(to_markdown(results) + "\n")
    plot(results, args.out / "results.png")
    print(to_markdown(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
