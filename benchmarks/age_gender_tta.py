"""In which sizes should trained age and gender networks be shown a face and its mirror image (test-time augmentation)?

    python -m benchmarks.age_gender_tta MODEL.keras [MODEL.keras ...] --fairface DIR --utkface DIR [--input-sizes 40 44 ...] [--docs]

Measures every view (network, pixels, mirrored or not) once on the validation faces, which were taken from the training
parts, and the mean of every two of them: their figures, and the milliseconds of processor time a face on one thread of
ONNX Runtime. Of all these it shows the single views of the face; each set of networks with the face and its mirror image
as trained; and every choice that is more accurate than all that are as fast. The last column is what `python -m
export.age_gender` takes as --tta. Nothing is chosen on the test faces. --docs writes docs/results/age_gender_tta.md.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import onnx

from benchmarks.age_gender import TTA
from benchmarks.results import write_result
from benchmarks.speed import median_milliseconds, processor
from export.age_gender import CONTRACT, SMALLEST_INPUT, TTAView, both_sides, serving_network
from export.onnx_graph import convert
from inference.age_gender import AgeGenderEstimator
from training.age_gender.data import SIZE, SOURCES, Portraits, add_demographics_arguments, load_portraits
from training.age_gender.evaluate import score
from training.datasets import DataError
from training.layers import load_network
from training.metrics import in_batches

INPUT_SIZES = tuple(range(40, 65, 4))
"""The sides in pixels that are tried."""
BATCH = 8
"""The number of faces in each of the runs that are timed."""

Choice = tuple[tuple[int, TTAView], ...]
"""Views, each with the index of its network."""


def measure_views(
    networks: list[keras.Model], input_sizes: Iterable[int], images: np.ndarray, repeats: int = 30
) -> dict[tuple[int, TTAView], tuple[dict[str, np.ndarray], float]]:
    """What every view answers to faces uint8 (N, S, S, 3), and how many milliseconds of processor time it takes for one.

    Args:
        networks: built by `training.age_gender.model`.
        input_sizes: sides in pixels, beside those that the networks were trained at.
        images: the faces.
        repeats: of the run that is timed.
    """
    measured = {}
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    for index, network in enumerate(networks):
        for input_size in sorted({*input_sizes, both_sides(network)[0].input_size}):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "view.onnx"
                onnx.save(convert(serving_network([network], tta=[[TTAView(input_size)]]), CONTRACT), file)
                estimator = AgeGenderEstimator(file, threads=1, cuda=False)
            faces = images[:BATCH]
            # Of this thread alone, which does all the work: whatever else the processor is busy with.
            milliseconds = median_milliseconds(lambda: estimator.predict(faces), repeats, time.thread_time) / len(faces)
            for view, faces in ((TTAView(input_size), images), (TTAView(input_size, mirrored=True), mirrored)):
                measured[index, view] = in_batches(estimator.predict, faces), milliseconds
            print(
                f"network {index + 1} at {input_size} pixels: {milliseconds:.2f} ms a face", file=sys.stderr, flush=True
            )
    return measured


def figures(choice: Choice, measured: dict, faces: Portraits) -> dict:
    """The figures of the mean of some views.

    Returns:
        milliseconds: a face, the sum over the views; accuracy: 0 to 1, the mean of the parts whose gender and whose group is
        right; and for each source those of `training.age_gender.evaluate.score`.
    """
    predictions = {
        name: np.mean([measured[view][0][name] for view in choice], axis=0) for name in ("age_distribution", "gender")
    }
    everything = score(predictions, faces)
    row = {
        "milliseconds": sum(measured[view][1] for view in choice),
        "accuracy": (everything["gender"] + everything["exact_group"]) / 2,
    }
    for index, source in enumerate(SOURCES):
        of_source = faces.sources == index
        if of_source.any():
            row[source] = score(
                {name: values[of_source] for name, values in predictions.items()}, faces.select(of_source)
            )
    return row


def choices(measured: dict, trained: list[list[TTAView]]) -> tuple[list[Choice], list[Choice]]:
    """What is compared: all views and all pairs of views; and every set of networks, each with the views it has from its
    training.
    """
    pairs = [choice for count in (1, 2) for choice in itertools.combinations(measured, count)]
    sets = []
    for count in range(1, len(trained) + 1):
        for indices in itertools.combinations(range(len(trained)), count):
            sets.append(tuple((index, view) for index in indices for view in trained[index]))
    return pairs, sets


def worth_showing(rows: dict[Choice, dict], sets: list[Choice]) -> list[Choice]:
    """The single views of the face, the sets, and what is more accurate than all that are as fast; fastest first."""
    shown, best = [], 0.0
    for choice in sorted(rows, key=lambda choice: (rows[choice]["milliseconds"], -rows[choice]["accuracy"])):
        better = rows[choice]["accuracy"] > best
        best = max(best, rows[choice]["accuracy"])
        if better or choice in sets or (len(choice) == 1 and not choice[0][1].mirrored):
            shown.append(choice)
    return shown


def as_options(choice: Choice, names: list[str]) -> dict[str, str]:
    """The name of each network that takes part, and its views as --tta takes them."""
    views: dict[str, list[str]] = {}
    for index, view in choice:
        views.setdefault(names[index], []).append(str(view))
    return {name: ",".join(each) for name, each in views.items()}


def to_markdown(report: dict) -> str:
    """The report as a table."""
    counts = [f"{count:,} of {source}" for source, count in report["faces"].items()]
    error = 50 / sum(report["faces"].values()) ** 0.5
    heads = ["ms a face", "accuracy"]
    for source in report["faces"]:
        heads += [f"{source}: gender", "exact group", "within one group", "mean error, years"]
    lines = [f"| {' | '.join(heads)} | networks and views |", "|---" * (len(heads) + 1) + "|"]
    for row in report["rows"]:
        cells = [f"{row['milliseconds']:.2f}", f"{row['accuracy']:.1%}"]
        for source in report["faces"]:
            cells += [f"{row[source][name]:.1%}" for name in ("gender", "exact_group", "within_one_group")]
            cells.append(f"{row[source]['mae']:.2f}" if "mae" in row[source] else "")
        lines.append(f"| {' | '.join(cells)} | {' + '.join(map(' '.join, row['views'].items()))} |")
    return "\n".join(
        [
            *lines,
            "",
            f"On the validation faces ({' and '.join(counts)}), fastest first: single views of the face, every set of networks "
            f"with the face and its mirror image (m) as trained, and of all {report['compared']:,} that were compared those "
            "that are more accurate than all that are as fast. Accuracy is the mean of gender and exact group over all these "
            f"faces; its standard error is at most {error:.1f} points, so smaller differences are no finding, least of all "
            f"the best of so many. Milliseconds of processor time on one thread of {report['processor']}, {BATCH} faces a run, of several "
            "views the sum. Written by `python -m benchmarks.age_gender_tta MODEL.keras --docs`.",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.age_gender_tta", description="Choose the views.")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.keras")
    parser.add_argument(
        "--input-sizes",
        nargs="+",
        type=int,
        default=INPUT_SIZES,
        choices=range(SMALLEST_INPUT, SIZE + 1),
        metavar="PIXELS",
        help="sizes of faces to try",
    )
    parser.add_argument("--docs", action="store_true", help=f"write docs/results/{TTA}.md")
    add_demographics_arguments(parser)
    args = parser.parse_args()
    names = [model.parent.name for model in args.models]
    if len(set(names)) < len(names):
        parser.error("the folders of the networks should have different names")
    try:
        networks = [load_network(model) for model in args.models]
        portraits, _ = load_portraits(args.fairface, args.utkface, args.crops)
    except (DataError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    validation = portraits.part("validation")
    del portraits
    measured = measure_views(networks, args.input_sizes, validation.images)
    pairs, sets = choices(measured, [both_sides(network) for network in networks])
    rows = {choice: figures(choice, measured, validation) for choice in (*pairs, *sets)}
    report = {
        "processor": processor(),
        "faces": {
            name: count
            for name in SOURCES
            if (count := len(validation.select(validation.sources == SOURCES.index(name))))
        },
        "compared": len(rows),
        "rows": [{"views": as_options(choice, names), **rows[choice]} for choice in worth_showing(rows, sets)],
    }
    print(to_markdown(report))
    if args.docs:
        write_result(TTA, "In which sizes to show a face", to_markdown(report), report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
