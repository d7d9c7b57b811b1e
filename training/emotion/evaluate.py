"""How often an emotion network is right, how well it knows when it is not, and what disturbs it.

`python -m training.evaluate MODEL --data DIR` and `python -m export.emotion` use it. PublicTest is what models are chosen on;
PrivateTest is to be read once for each released model. Some test faces also stand in Training, so PrivateTest is reported
without them as well.
"""

from pathlib import Path

import numpy as np

from inference.types import COLUMNS_IN_CROWD, CROWD, EMOTIONS, consensus
from training.datasets import near_duplicates
from training.emotion.data import Faces, Fer2013Error
from training.emotion.robustness import robustness
from training.layers import load_network
from training.metrics import Predictor, at_temperature, fit_temperature, in_batches, selective_accuracy

ECE_BINS = 15
"""The number of equal bins of the expected calibration error."""
CALIBRATED_DRAWS = 200
"""So many sets of answers that are right as often as their confidence says are drawn to tell what their ECE is."""

ROBUSTNESS_STEP = 4
"""Every fourth face of a set is disturbed: all disturbances of all faces take half an hour on one processor."""

NOT_SURE_THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The thresholds of "not sure" that are measured."""


def predictor(model: str | Path) -> Predictor:
    """Open a .keras or .onnx model.

    Returns:
        A function from faces uint8 (N, 48, 48) to answers: `probabilities` float32 (N, 7), and `crowd` (N, 8) where the
        model has a second head.
    """
    if Path(model).suffix == ".onnx":
        from inference.emotion import EmotionClassifier

        classifier = EmotionClassifier(Path(model).resolve())

        def predict(images: np.ndarray) -> dict[str, np.ndarray]:
            predictions = in_batches(classifier.predict, images)
            return {name: predictions[name] for name in ("probabilities", "crowd") if name in predictions}

        return predict
    network = load_network(model)
    return lambda images: in_batches(network.predict_on_batch, images[..., None])


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
        of the top class, 15 equal bins: Guo et al. 2017, arXiv:1706.04599); ece_if_calibrated, the mean ECE of so many faces whose
        answers are right just as often as their confidence says, which is no zero by chance; nll (nats); precision and recall by class;
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
    rng = np.random.default_rng(0)
    drawn = (rng.random(count) < confidence for _ in range(CALIBRATED_DRAWS))
    likelihood = np.clip(probabilities[np.arange(count), labels], 1e-12, 1)
    return {
        "faces": count,
        "accuracy": round(accuracy, 4),
        "standard_error": round(float(np.sqrt(accuracy * (1 - accuracy) / count)), 4),
        "macro_f1": round(float(f1[true > 0].mean()), 4),
        "ece": round(_calibration_error(confidence, predicted == labels), 4),
        "ece_if_calibrated": round(float(np.mean([_calibration_error(confidence, each) for each in drawn])), 4),
        "nll": round(float(-np.log(likelihood).mean()), 4),
        "precision": {label: round(float(value), 4) for label, value in zip(EMOTIONS, precision)},
        "recall": {label: round(float(value), 4) for label, value in zip(EMOTIONS, recall)},
        "confusion": confusion.tolist(),
    }


def _calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    return float(np.abs(np.bincount(bins, confidence - right, ECE_BINS)).sum() / len(right))


def majority(votes: np.ndarray) -> np.ndarray:
    """The answer that most of FERPlus' ten people gave to each face: int (N,), an index into CROWD, or -1.

    -1 stands where two answers share the first place or where it is "unknown" or "not a face".
    """
    first = votes.argmax(axis=1)
    clear = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
    return np.where(clear & (first < len(CROWD)), first, -1)


def crowd_agreement(predictions: dict[str, np.ndarray], votes: np.ndarray) -> dict:
    """How often the first answer is the one that most people gave.

    Args:
        predictions: outputs by name, (N, K).
        votes: FERPlus votes (N, 10).

    Returns:
        faces: how many have a clear majority; and by distribution the part of them, 0 to 1: probabilities, and, of a model
        with a second head, crowd and consensus. FER-2013 has no contempt, so only the crowd can name it.
    """
    most = majority(votes)
    voted = most >= 0
    figures: dict[str, float] = {"faces": int(voted.sum())}
    for name, values in distributions(predictions).items():
        first = values.argmax(axis=1)
        right = (first if name == "crowd" else np.array(COLUMNS_IN_CROWD)[first]) == most
        figures[name] = round(float(right[voted].mean()), 4)
    return figures


def by_label(
    predictions: dict[str, np.ndarray], labels: np.ndarray, votes: np.ndarray | None
) -> dict[str, dict[str, dict]]:
    """What each of the answers is worth by each kind of label, over the seven classes.

    Args:
        predictions: outputs by name, (N, K).
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
    rows: dict[str, dict[str, dict]] = {}
    for kind, truth in kinds.items():
        known, rows[kind] = truth >= 0, {}
        for name, values in distributions(predictions).items():
            seven = values[known][:, COLUMNS_IN_CROWD] if name == "crowd" else values[known]
            figures = score(seven / seven.sum(axis=1, keepdims=True), truth[known])
            occur = np.isin(np.arange(len(EMOTIONS)), truth[known])
            recall = {label: figures["recall"][label] if some else None for label, some in zip(EMOTIONS, occur)}
            mean = round(float(np.mean([value for value in recall.values() if value is not None])), 4)
            rows[kind][name] = {key: figures[key] for key in ("faces", "accuracy")}
            rows[kind][name] |= {"mean_recall": mean, "ece": figures["ece"], "recall": recall}
    return rows


def distributions(predictions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The distributions that the page could show: probabilities; with a second head also crowd and consensus."""
    if "crowd" not in predictions:
        return {"probabilities": predictions["probabilities"]}
    both = predictions["probabilities"], predictions["crowd"]
    return {"probabilities": both[0], "crowd": both[1], "consensus": consensus(*both)}


def evaluate(model: str | Path, faces: Faces) -> dict[str, dict]:
    """The figures of `score` for each of `test_sets`, which are those of `probabilities`.

    Of a model with a second head also consensus_accuracy and `by_label`; where FERPlus' votes are at hand also `crowd_agreement`.

    Raises:
        Fer2013Error: the data has no test faces.
    """
    sets = test_sets(faces)
    if not sets:
        raise Fer2013Error("The data has none of the splits PublicTest, PrivateTest and Test.")
    tested = np.flatnonzero(np.logical_or.reduce(list(sets.values())))
    predictions = predictor(model)(faces.images[tested])
    results = {}
    for name, mask in sets.items():
        chosen = mask[tested]
        results[name] = score(predictions["probabilities"][chosen], faces.labels[mask])
        of_set = {output: values[chosen] for output, values in predictions.items()}
        if "crowd" in predictions:
            right = distributions(of_set)["consensus"].argmax(axis=1) == faces.labels[mask]
            results[name]["consensus_accuracy"] = round(float(right.mean()), 4)
        if faces.votes is not None and (majority(faces.votes[mask]) >= 0).any():
            results[name]["crowd_agreement"] = crowd_agreement(of_set, faces.votes[mask])
        if "crowd" in predictions:
            votes = None if faces.votes is None else faces.votes[mask]
            results[name]["by_label"] = by_label(of_set, faces.labels[mask], votes)
    return results


def measure(model: str | Path, faces: Faces) -> dict:
    """All that a report says of a network (`training.report`).

    Returns:
        validation: the figures of PublicTest; metrics: those of `evaluate`; and by the name of the last of the test splits that
        the data has: disturbed, on every fourth of its faces (`robustness`); calibration, ECE and NLL (see `score`) at
        temperature 1 and at the one fitted on PublicTest; not_sure (`selective_accuracy`), of what the page shows, which is
        the consensus where there is one.
    """
    metrics = evaluate(model, faces)
    name = next(name for name in ("PrivateTest", "Test", "PublicTest") if len(faces.split(name)))
    test, predict = faces.split(name), predictor(model)
    predictions = predict(test.images)
    shown = list(distributions(predictions).values())[-1]
    some = slice(None, None, ROBUSTNESS_STEP)
    disturbed = robustness(lambda images: predict(images)["probabilities"], test.images[some], test.labels[some])
    calibration = _calibration(model, predict, predictions["probabilities"], test.labels, faces.split("PublicTest"))
    right = shown.argmax(axis=1) == test.labels
    return {
        "validation": {name: metrics[name] for name in ("PublicTest",) if name in metrics},
        "metrics": metrics,
        "disturbed": {name: disturbed},
        "calibration": {name: calibration},
        "not_sure": {name: selective_accuracy(shown.max(axis=1), right, NOT_SURE_THRESHOLDS)},
    }


def without_confusion(measured: dict) -> dict:
    """What `measure` gave without the confusion matrices, as it is kept with an exported network."""

    def stripped(sets: dict[str, dict]) -> dict[str, dict]:
        return {name: {key: each for key, each in row.items() if key != "confusion"} for name, row in sets.items()}

    return measured | {name: stripped(measured[name]) for name in ("validation", "metrics")}


def _calibration(
    model: str | Path, predict: Predictor, probabilities: np.ndarray, labels: np.ndarray, public: Faces
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


def to_markdown(report: dict) -> str:
    """A report as a page."""
    lines = [f"# {report['model']} on FER-2013", "", *tables(report["metrics"])]
    return "\n".join([*lines, "## Calibration, doubt and disturbances", "", *disturbance_tables(report)])


def tables(results: dict[str, dict]) -> list[str]:
    """The results of `evaluate` as lines of Markdown."""
    lines = [*accuracy_table(results), ""]
    for metric in ("recall", "precision"):
        lines += [f"## {metric.capitalize()} by class", "", f"| set | {' | '.join(EMOTIONS)} |", "|---" * 8 + "|"]
        for name, figures in results.items():
            lines.append(f"| {name} | " + " | ".join(f"{figures[metric][label]:.1%}" for label in EMOTIONS) + " |")
        lines.append("")
    if any("by_label" in figures for figures in results.values()):
        lines += ["## Recall of each answer by each kind of label", "", *recall_table(results), ""]
    return lines


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
        chance = f" ({row['ece_if_calibrated']:.3f})" if "ece_if_calibrated" in row else ""  # earlier reports lack it
        cells += [f"{row['macro_f1']:.3f}", f"{row['ece']:.3f}{chance}", f"{row['nll']:.3f}"]
        cells += [f"{row['crowd_agreement'][agreement]:.1%}" for agreement in agreements]
        lines.append(f"| {' | '.join(cells)} |")
    by_chance = "; in brackets what it would be by chance for answers that are right just as often as they claim"
    notes = [
        "± is one standard error. ECE: expected calibration error, 15 equal bins of the top class"
        f"{by_chance if 'ece_if_calibrated' in last else ''}. NLL in nats."
    ]
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
        for kind, predictions in figures.get("by_label", {}).items():
            for prediction, row in predictions.items():
                cells = [f"{name}, {kind}", f"`{prediction}`", f"{row['accuracy']:.1%}", f"{row['mean_recall']:.1%}"]
                cells += [f"{row['ece']:.3f}"]
                cells += ["" if recall is None else f"{recall:.1%}" for recall in row["recall"].values()]
                lines.append(f"| {' | '.join(cells)} |")
    return lines


def disturbance_tables(report: dict) -> list[str]:
    """Calibration, "not sure" and disturbances of a report as lines of Markdown."""
    ((name, calibration),) = report["calibration"].items()
    rows = report["disturbed"][name]
    lines = [
        f"On {name}. The temperature {calibration['temperature']:.3f}, fitted on PublicTest, takes the ECE from "
        f"{calibration['before']['ece']:.3f} to {calibration['after']['ece']:.3f} and the NLL from "
        f"{calibration['before']['nll']:.3f} to {calibration['after']['nll']:.3f}.",
        "",
        '| "not sure" below | faces answered | accuracy on them |',
        "|---|---|---|",
    ]
    for row in report["not_sure"][name]:
        accuracy = "" if row["accuracy"] is None else f"{row['accuracy']:.1%}"
        lines.append(f"| {row['threshold']:.0%} | {row['answered']:.1%} | {accuracy} |")
    lines += ["", f"On every {ROBUSTNESS_STEP}th of these faces:", ""]
    lines += ["| disturbance | accuracy at each strength |", "|---|---|"]
    kinds: dict[str, list[str]] = {}
    for disturbance, row in rows.items():
        kind, _, strength = disturbance.rpartition(": ")
        if kind:
            kinds.setdefault(kind, []).append(f"{strength}: {row['accuracy']:.1%}")
    return lines + [f"| {kind} | {', '.join(cells)} |" for kind, cells in kinds.items()]


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
