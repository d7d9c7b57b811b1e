"""Measure an emotion model on the test splits of FER-2013, or an age and gender model on FairFace and UTKFace.

    python -m training.evaluate MODEL.keras|MODEL.onnx --data DIR [--out DIR]
    python -m training.evaluate MODEL.keras|MODEL.onnx --fairface DIR --utkface DIR [--out DIR]

The first writes report.json, report.md and confusion.png. PublicTest is what models are chosen on; PrivateTest is to be
read once for each released model. Some test faces also stand in Training, so PrivateTest is reported without them as well.
The second writes report.json and report.md; `training.demographic_report` says what is in them.
"""

import argparse
import json
import numpy as np
import sys
from pathlib import Path
from typing import Callable

from inference.types import COLUMNS_IN_CROWD, CROWD, EMOTIONS, consensus
from training import demographic_report
from training.data import DataError, Faces, add_data_arguments, load_fer2013, near_duplicates
from training.demographics import add_demographics_arguments, load_portraits
from training.robustness import robustness

ECE_BINS = 15
ROBUSTNESS_STEP = 4
"""Every so many-th face of a set is disturbed: all disturbances of all faces take half an hour on one processor."""
NOT_SURE_THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def predictor(model: str | Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Open a .keras or .onnx model.

    Returns:
        A function from faces uint8 (N, 48, 48) to answers: `probabilities` float32 (N, 7), and `crowd` (N, 8) where the
        model has a second head.
    """
    if Path(model).suffix == ".onnx":
        from inference.emotion import EmotionClassifier

        classifier = EmotionClassifier(Path(model).resolve())

        def predict(images: np.ndarray) -> dict[str, np.ndarray]:
            answers = [classifier.answers(images[i : i + 256]) for i in range(0, len(images), 256)]
            return {
                name: np.concatenate([each[name] for each in answers])
                for name in ("probabilities", "crowd")
                if name in answers[0]
            }

        return predict
    import keras

    network = keras.models.load_model(model, compile=False)
    return lambda images: network.predict(images[..., None], batch_size=256, verbose=0)


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


def majority(votes: np.ndarray) -> np.ndarray:
    """The answer that most of FERPlus' ten people gave to each face: int (N,), an index into CROWD, or -1.

    -1 stands where two answers share the first place or where it is "unknown" or "not a face".
    """
    first = votes.argmax(axis=1)
    clear = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
    return np.where(clear & (first < len(CROWD)), first, -1)


def crowd_agreement(answers: dict[str, np.ndarray], votes: np.ndarray) -> dict:
    """How often the first answer is the one that most people gave.

    Args:
        answers: outputs by name, (N, K).
        votes: FERPlus votes (N, 10).

    Returns:
        faces: how many have a clear majority; and by distribution the part of them, 0 to 1: probabilities, and, of a model
        with a second head, crowd and consensus. FER-2013 has no contempt, so only the crowd can name it.
    """
    most = majority(votes)
    voted = most >= 0
    figures = {"faces": int(voted.sum())}
    for name, values in distributions(answers).items():
        first = values.argmax(axis=1)
        right = (first if name == "crowd" else np.array(COLUMNS_IN_CROWD)[first]) == most
        figures[name] = round(float(right[voted].mean()), 4)
    return figures


def by_label(
    answers: dict[str, np.ndarray], labels: np.ndarray, votes: np.ndarray | None
) -> dict[str, dict[str, dict]]:
    """What each of the answers is worth by each kind of label, over the seven classes.

    Args:
        answers: outputs by name, (N, K).
        labels: (N,) indices into EMOTIONS.
        votes: FERPlus votes (N, 10), or None.

    Returns:
        By "FER-2013" and, where there are votes, "FERPlus" (its majority, where that is one of the seven classes), and by
        the names of `distributions`: faces, accuracy, mean_recall over the classes that occur, ece (see `score`), and
        recall by class, None of a class that does not occur. A crowd answers without contempt.
    """
    kinds = {"FER-2013": labels.astype(int)}
    if votes is not None:
        column = {place: index for index, place in enumerate(COLUMNS_IN_CROWD)}
        kinds["FERPlus"] = np.array([column.get(place, -1) for place in majority(votes)])
    rows = {}
    for kind, truth in kinds.items():
        known, rows[kind] = truth >= 0, {}
        for name, values in distributions(answers).items():
            seven = values[known][:, COLUMNS_IN_CROWD] if name == "crowd" else values[known]
            figures = score(seven / seven.sum(axis=1, keepdims=True), truth[known])
            occur = np.isin(np.arange(len(EMOTIONS)), truth[known])
            recall = {label: figures["recall"][label] if some else None for label, some in zip(EMOTIONS, occur)}
            mean = round(float(np.mean([value for value in recall.values() if value is not None])), 4)
            rows[kind][name] = {key: figures[key] for key in ("faces", "accuracy")}
            rows[kind][name] |= {"mean_recall": mean, "ece": figures["ece"], "recall": recall}
    return rows


def distributions(answers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The distributions that the page could show: probabilities; with a second head also crowd and consensus."""
    if "crowd" not in answers:
        return {"probabilities": answers["probabilities"]}
    both = answers["probabilities"], answers["crowd"]
    return {"probabilities": both[0], "crowd": both[1], "consensus": consensus(*both)}


def coverage(probabilities: np.ndarray, labels: np.ndarray) -> list[dict]:
    """What thresholds of "not sure" do: for each, the part of the faces that is answered and the accuracy on it."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    rows = []
    for threshold in NOT_SURE_THRESHOLDS:
        answered = confidence >= threshold
        accuracy = round(float(right[answered].mean()), 4) if answered.any() else None
        rows.append({"threshold": threshold, "answered": round(float(answered.mean()), 4), "accuracy": accuracy})
    return rows


def evaluate(model: str | Path, faces: Faces) -> dict[str, dict]:
    """The figures of `score` for each of `test_sets`, which are those of `probabilities`.

    Of a model with a second head also consensus_accuracy and `by_label`; where FERPlus' votes are at hand also `crowd_agreement`.

    Raises:
        DataError: the data has no test faces.
    """
    sets = test_sets(faces)
    if not sets:
        raise DataError("The data has none of the splits PublicTest, PrivateTest and Test.")
    tested = np.flatnonzero(np.logical_or.reduce(list(sets.values())))
    answers = predictor(model)(faces.images[tested])
    results = {}
    for name, mask in sets.items():
        chosen = mask[tested]
        results[name] = score(answers["probabilities"][chosen], faces.labels[mask])
        of_set = {output: values[chosen] for output, values in answers.items()}
        if "crowd" in answers:
            right = distributions(of_set)["consensus"].argmax(axis=1) == faces.labels[mask]
            results[name]["consensus_accuracy"] = round(float(right.mean()), 4)
        if faces.votes is not None and (majority(faces.votes[mask]) >= 0).any():
            results[name]["crowd_agreement"] = crowd_agreement(of_set, faces.votes[mask])
        if "crowd" in answers:
            votes = None if faces.votes is None else faces.votes[mask]
            results[name]["by_label"] = by_label(of_set, faces.labels[mask], votes)
    return results


def stress(model: str | Path, faces: Faces) -> dict:
    """What `evaluate` leaves out, on the last of the test splits that the data has.

    Returns:
        set: its name; calibration: ECE and NLL (see `score`) at temperature 1 and at the one fitted on PublicTest;
        coverage of what the page shows (the consensus where there is one); robustness, on every fourth face.
    """
    name = next(name for name in ("PrivateTest", "Test", "PublicTest") if len(faces.split(name)))
    test = faces.split(name)
    predict = predictor(model)
    answers = predict(test.images)
    shown = list(distributions(answers).values())[-1]
    return {
        "set": name,
        "calibration": _calibration(model, predict, answers["probabilities"], test.labels, faces.split("PublicTest")),
        "coverage": coverage(shown, test.labels),
        "robustness": robustness(
            lambda images: predict(images)["probabilities"],
            test.images[::ROBUSTNESS_STEP],
            test.labels[::ROBUSTNESS_STEP],
        ),
    }


def _calibration(
    model: str | Path, predict: Callable, probabilities: np.ndarray, labels: np.ndarray, public: Faces
) -> dict:
    """A .keras file answers at temperature 1; in an .onnx file the fitted temperature is at work already."""
    if Path(model).suffix == ".onnx":
        from inference.emotion import EmotionClassifier

        temperature = EmotionClassifier(Path(model).resolve()).temperature
        before, after = at_temperature(probabilities, 1 / temperature), probabilities
    else:
        temperature = fit_temperature(predict(public.images)["probabilities"], public.labels) if len(public) else 1.0
        before, after = probabilities, at_temperature(probabilities, temperature)
    rows = {key: score(values, labels) for key, values in (("before", before), ("after", after))}
    return {"temperature": round(temperature, 4)} | {
        key: {"ece": row["ece"], "nll": row["nll"]} for key, row in rows.items()
    }


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(log(probabilities) / temperature), float64 (N, K)."""
    powers = np.clip(probabilities, 1e-12, 1).astype(np.float64) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


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


def to_markdown(model: str, results: dict[str, dict], stress: dict | None = None) -> str:
    """The report as Markdown tables: the results of `evaluate` and, if given, those of `stress`."""
    lines = [f"# {model} on FER-2013", "", *accuracy_table(results), ""]
    for metric in ("recall", "precision"):
        lines += [f"## {metric.capitalize()} by class", "", f"| set | {' | '.join(EMOTIONS)} |", "|---" * 8 + "|"]
        for name, figures in results.items():
            lines.append(f"| {name} | " + " | ".join(f"{figures[metric][label]:.1%}" for label in EMOTIONS) + " |")
        lines.append("")
    if any("by_label" in figures for figures in results.values()):
        lines += ["## Recall of each answer by each kind of label", "", *recall_table(results), ""]
    if stress:
        lines += ["## Calibration, doubt and disturbances", "", *stress_tables(stress)]
    return "\n".join(lines)


def accuracy_table(results: dict[str, dict]) -> list[str]:
    """Accuracy, macro-F1, calibration and agreement with FERPlus' majority of every set, as lines of Markdown."""
    last = list(results.values())[-1]
    agreements = [name for name in ("probabilities", "crowd", "consensus") if name in last.get("crowd_agreement", {})]
    consensus_column = "consensus_accuracy" in last
    heads = ["set", "faces", "accuracy", *["accuracy of the consensus"] * consensus_column, "macro-F1", "ECE", "NLL"]
    heads += [f"FER+ by {name}" for name in agreements]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, row in results.items():
        cells = [name, f"{row['faces']:,}", f"{row['accuracy']:.2%} ± {row['standard_error']:.2%}"]
        cells += [f"{row['consensus_accuracy']:.2%}"] if consensus_column else []
        cells += [f"{row['macro_f1']:.3f}", f"{row['ece']:.3f}", f"{row['nll']:.3f}"]
        cells += [f"{row['crowd_agreement'][agreement]:.1%}" for agreement in agreements]
        lines.append(f"| {' | '.join(cells)} |")
    notes = ["± is one standard error. ECE: expected calibration error, 15 equal bins of the top class. NLL in nats."]
    if agreements:
        notes.append(
            "FER+: how often the first answer is the one that most of FERPlus' ten people gave, on the faces that have a "
            f"clear one ({last['crowd_agreement']['faces']:,} in the last set)."
        )
    if consensus_column:
        notes.append(
            "Consensus: what people are shown, `probabilities` and `crowd` together (`inference.types.consensus`)."
        )
    return [*lines, "", " ".join(notes)]


def recall_table(results: dict[str, dict]) -> list[str]:
    """What `by_label` says of every set that has it, as lines of Markdown."""
    heads = ["set and labels", "answer", "accuracy", "mean recall", "ECE", *EMOTIONS]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, figures in results.items():
        for kind, answers in figures.get("by_label", {}).items():
            for answer, row in answers.items():
                cells = [f"{name}, {kind}", f"`{answer}`", f"{row['accuracy']:.1%}", f"{row['mean_recall']:.1%}"]
                cells += [f"{row['ece']:.3f}"]
                cells += ["" if recall is None else f"{recall:.1%}" for recall in row["recall"].values()]
                lines.append(f"| {' | '.join(cells)} |")
    return lines


def stress_tables(stress: dict) -> list[str]:
    """The results of `stress` as lines of Markdown."""
    calibration, rows = stress["calibration"], stress["robustness"]
    lines = [
        f"On {stress['set']}. The temperature {calibration['temperature']:.3f}, fitted on PublicTest, takes the ECE from "
        f"{calibration['before']['ece']:.3f} to {calibration['after']['ece']:.3f} and the NLL from "
        f"{calibration['before']['nll']:.3f} to {calibration['after']['nll']:.3f}.",
        "",
        '| "not sure" below | faces answered | accuracy on them |',
        "|---|---|---|",
    ]
    for row in stress["coverage"]:
        accuracy = "" if row["accuracy"] is None else f"{row['accuracy']:.1%}"
        lines.append(f"| {row['threshold']:.0%} | {row['answered']:.1%} | {accuracy} |")
    lines += ["", f"On every {ROBUSTNESS_STEP}th of these faces:", ""]
    lines += ["| disturbance | accuracy at each strength |", "|---|---|"]
    for name in dict.fromkeys(row["disturbance"] for row in rows):
        cells = [f"{row['strength']:g}: {row['accuracy']:.1%}" for row in rows if row["disturbance"] == name]
        lines.append(f"| {name} | {', '.join(cells)} |")
    return lines


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
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description="Measure a model on test faces.")
    parser.add_argument("model", type=Path, help=".keras or .onnx")
    add_data_arguments(parser, required=False)
    parser.set_defaults(data=None)  # whatever the environment names, FER-2013 is for the models that --data is given to
    add_demographics_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the report goes (default: runs/evaluate/MODEL)")
    args = parser.parse_args()
    if not args.model.is_file():
        print(f"error: {args.model}: no such model file.", file=sys.stderr)
        return 1
    out = args.out or Path("runs/evaluate") / args.model.stem
    try:
        if args.data:
            faces = load_fer2013(args.data, official=not args.unofficial)
            results, stressed = evaluate(args.model, faces), stress(args.model, faces)
            report = to_markdown(args.model.name, results, stressed)
        else:
            portraits, _ = load_portraits(args.fairface, args.utkface, args.crops)
            predict = demographic_report.predictor(args.model)
            results = demographic_report.evaluate(predict, portraits)
            stressed = demographic_report.disturbed(predict, portraits)
            title = f"# {args.model.name} on FairFace and UTKFace"
            report = "\n".join([title, "", *demographic_report.to_markdown(results, stressed), ""])
    except (ValueError, RuntimeError, OSError) as error:  # DataError, ModelError and what Keras raises on a bad file
        print(f"error: {error}", file=sys.stderr)
        return 1
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(
        json.dumps({"model": args.model.name, "sets": results, "stress": stressed}, indent=2) + "\n"
    )
    (out / "report.md").write_text(report)
    written = ["report.json", "report.md"]
    if args.data:
        plot_confusion(results, out / "confusion.png")
        written.append("confusion.png")
    print(report)
    print(f"Written to {out}: {', '.join(written)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
