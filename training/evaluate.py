"""Measure an emotion model on the test splits of FER-2013.

    python -m training.evaluate MODEL.keras|MODEL.onnx --data DIR [--out DIR]

writes report.json, report.md and confusion.png. PublicTest is what models are chosen on; PrivateTest is to be read once
for each released model. Some test faces also stand in Training, so PrivateTest is reported without them as well.
"""

import argparse
import json
import numpy as np
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before Keras loads TensorFlow

from inference.types import EMOTIONS
from training.data import DataError, Faces, add_data_arguments, load_fer2013, near_duplicates

ECE_BINS = 15


def predict(model: str | Path, images: np.ndarray) -> np.ndarray:
    """Probabilities float32 (N, 7) of a .keras or .onnx model for uint8 faces (N, 48, 48)."""
    if Path(model).suffix == ".onnx":
        from inference.emotion import EmotionClassifier

        classifier = EmotionClassifier(Path(model).resolve())
        return np.concatenate([classifier.predict(images[i : i + 256]) for i in range(0, len(images), 256)])
    import keras

    return keras.models.load_model(model, compile=False).predict(images[..., None], batch_size=256, verbose=0)


def test_sets(faces: Faces) -> dict[str, np.ndarray]:
    """Names and boolean masks (N,) of the sets that are reported, those that the data has."""
    splits = {
        name: faces.splits == index for index, name in enumerate(("Training", "PublicTest", "PrivateTest", "Test"))
    }
    training = splits.pop("Training")
    sets = {name: mask for name, mask in splits.items() if mask.any()}
    if "PublicTest" in sets and "PrivateTest" in sets:
        sets["PublicTest and PrivateTest"] = sets["PublicTest"] | sets["PrivateTest"]
    last = "PrivateTest" if "PrivateTest" in sets else "Test"
    if last in sets and training.any():
        alone = sets[last].copy()
        alone[alone] = ~near_duplicates(faces.images[alone], faces.images[training])
        if alone.any():
            sets[f"{last} without near-duplicates of Training"] = alone
    return sets


def score(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    """All figures for one set.

    Args:
        probabilities: (N, 7), rows summing to 1.
        labels: (N,) indices into EMOTIONS.

    Returns:
        faces; accuracy and its standard error; macro_f1 (over the classes that occur); ece (expected calibration error
        of the top class, 15 equal bins: Guo et al. 2017, arXiv:1706.04599); nll (nats); precision and recall by class;
        confusion, rows true, columns predicted. All but faces, nll and confusion lie between 0 and 1.
    """
    count, classes = len(labels), len(EMOTIONS)
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (labels, predicted), 1)
    hits, true, answered = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = hits / np.maximum(answered, 1), hits / np.maximum(true, 1)
    f1 = 2 * hits / np.maximum(true + answered, 1)
    accuracy = float(hits.sum() / count)
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(bins, confidence - (predicted == labels), ECE_BINS)
    likelihood = np.clip(probabilities[np.arange(count), labels], 1e-12, 1)
    return {
        "faces": count,
        "accuracy": round(accuracy, 4),
        "standard_error": round(float(np.sqrt(accuracy * (1 - accuracy) / count)), 4),
        "macro_f1": round(float(f1[true > 0].mean()), 4),
        "ece": round(float(np.abs(gaps).sum() / count), 4),
        "nll": round(float(-np.log(likelihood).mean()), 4),
        "precision": {label: round(float(value), 4) for label, value in zip(EMOTIONS, precision)},
        "recall": {label: round(float(value), 4) for label, value in zip(EMOTIONS, recall)},
        "confusion": confusion.tolist(),
    }


def evaluate(model: str | Path, faces: Faces) -> dict[str, dict]:
    """The figures of `score` for each of `test_sets`.

    Raises:
        DataError: the data has no test faces.
    """
    sets = test_sets(faces)
    if not sets:
        raise DataError("The data has none of the splits PublicTest, PrivateTest and Test.")
    any_set = np.logical_or.reduce(list(sets.values()))
    probabilities = np.zeros((len(faces), len(EMOTIONS)), np.float32)
    probabilities[any_set] = predict(model, faces.images[any_set])
    return {name: score(probabilities[mask], faces.labels[mask]) for name, mask in sets.items()}


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The T that minimises the cross-entropy of softmax(log(probabilities) / T): Guo et al. 2017, arXiv:1706.04599.

    Searched between 1/4 and 4 in steps of half a percent; fit it on PublicTest.

    Args:
        probabilities: (N, K).
        targets: labels (N,) or distributions (N, K).
    """
    logits = np.log(np.clip(probabilities, 1e-12, 1)).astype(np.float64)
    if targets.ndim == 1:
        targets = np.eye(logits.shape[1])[targets]

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        return float((np.log(np.exp(scaled).sum(axis=1)) - (scaled * targets).sum(axis=1)).mean())

    return float(min(np.exp(np.arange(-np.log(4), np.log(4), 0.005)), key=loss))


def to_markdown(model: str, results: dict[str, dict]) -> str:
    """The report as Markdown tables."""
    lines = [
        f"# {model} on FER-2013",
        "",
        "| set | faces | accuracy | macro-F1 | ECE | NLL |",
        "|---|---|---|---|---|---|",
    ]
    for name, figures in results.items():
        lines.append(
            f"| {name} | {figures['faces']:,} | {figures['accuracy']:.2%} ± {figures['standard_error']:.2%} | "
            f"{figures['macro_f1']:.4f} | {figures['ece']:.4f} | {figures['nll']:.4f} |"
        )
    lines += ["", "± is one standard error. ECE: 15 equal bins of the top class. NLL in nats.", ""]
    for metric in ("recall", "precision"):
        lines += [f"## {metric.capitalize()} by class", "", f"| set | {' | '.join(EMOTIONS)} |", "|---" * 8 + "|"]
        for name, figures in results.items():
            lines.append(f"| {name} | " + " | ".join(f"{figures[metric][label]:.1%}" for label in EMOTIONS) + " |")
        lines.append("")
    return "\n".join(lines)


def plot_confusion(results: dict[str, dict], path: Path) -> None:
    """One panel a set: rows true, columns predicted, each row in percent of its faces."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(results), 5.4), layout="constrained")
    for axes, (name, figures) in zip(np.atleast_1d(figure.subplots(1, len(results))), results.items()):
        counts = np.array(figures["confusion"])
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(share.shape):
            color = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, f"{share[row, column]:.0%}", ha="center", va="center", color=color, fontsize=8)
        ticks = range(len(EMOTIONS))
        axes.set_xticks(ticks, EMOTIONS, rotation=45)
        axes.set_yticks(ticks, EMOTIONS)
        axes.set(
            xlabel="predicted",
            ylabel="labelled",
            title=f"{name}\n{figures['faces']:,} faces, {figures['accuracy']:.2%}",
        )
        axes.title.set_fontsize(9)
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description="Measure a model on FER-2013.")
    parser.add_argument("model", type=Path, help=".keras or .onnx")
    add_data_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the report goes (default: runs/evaluate/MODEL)")
    args = parser.parse_args()
    if not args.model.is_file():
        print(f"error: {args.model}: no such model file.", file=sys.stderr)
        return 1
    try:
        results = evaluate(args.model, load_fer2013(args.data, official=not args.unofficial))
    except (ValueError, RuntimeError, OSError) as error:  # DataError, ModelError and what Keras raises on a bad file
        print(f"error: {error}", file=sys.stderr)
        return 1
    out = args.out or Path("runs/evaluate") / args.model.stem
    out.mkdir(parents=True, exist_ok=True)
    report = to_markdown(args.model.name, results)
    (out / "report.json").write_text(json.dumps({"model": args.model.name, "sets": results}, indent=2) + "\n")
    (out / "report.md").write_text(report)
    plot_confusion(results, out / "confusion.png")
    print(report)
    print(f"Written to {out}: report.json, report.md, confusion.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
