"""Which consensus of the two answers should people be shown? Chosen on PublicTest.

    python -m benchmarks.shown_rule --data DIR [--model emotion.onnx] [--docs]

prints the rules that `inference.types.consensus` could follow, with other constants, and marks the chosen one: of those whose
mean recall over the seven classes is at least MARGIN above that of `probabilities` on FER-2013's labels, and at most
LARGEST_LOSS below that of `crowd` on FERPlus' majority, the one that is right most often by both kinds of labels together;
each at the temperature at which the larger of its two calibration errors is smallest. --docs writes docs/results/shown_rule.md.
"""

import argparse
import itertools
import sys

import numpy as np

from benchmarks.results import write_result
from inference.model_files import MODELS, ModelError
from inference.types import CLASS_SHARES, COLUMNS_IN_CROWD, CONSENSUS_TEMPERATURE, CROWD_SHARE, PRIOR_CORRECTION
from training.datasets import DataError
from training.emotion.data import add_data_arguments, load_fer2013
from training.emotion.evaluate import by_label, majority, predictor, score

SHARES = (0.0, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5)
CORRECTIONS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6)
"""The corrections that are tried. Beyond the last, unsure faces are called disgusted, and mostly wrongly."""
TEMPERATURES = tuple(percent / 100 for percent in range(80, 112, 2))
MARGIN = 0.005
"""So much of the mean recall may be owed to the choice on these very faces."""
LARGEST_LOSS = 0.02


def rule(predictions: dict[str, np.ndarray], share: float, correction: float, temperature: float) -> np.ndarray:
    """`inference.types.consensus` with other constants: float64 (N, 7)."""
    named = predictions["crowd"][:, COLUMNS_IN_CROWD]
    mean = (1 - share) * predictions["probabilities"] + share * named / named.sum(axis=1, keepdims=True)
    shown = mean.astype(np.float64) ** (1 / temperature) * np.array(CLASS_SHARES) ** -correction
    return shown / shown.sum(axis=1, keepdims=True)


def measured(shown: np.ndarray, truths: list[np.ndarray]) -> list[dict]:
    """`score` by each kind of labels (-1: none), with the mean recall."""
    rows = [score(shown[truth >= 0], truth[truth >= 0]) for truth in truths]
    return [row | {"mean_recall": float(np.mean(list(row["recall"].values())))} for row in rows]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shown_rule", description="Choose what is shown.")
    add_data_arguments(parser)
    parser.add_argument("--model", default="emotion.onnx", metavar="FILE", help="a file in models/")
    parser.add_argument("--docs", action="store_true", help="write docs/results/shown_rule.md")
    args = parser.parse_args()
    try:
        public = load_fer2013(args.data, official=not args.unofficial).split("PublicTest")
        predictions = predictor(MODELS / args.model)(public.images)
    except (DataError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    column = {place: index for index, place in enumerate(COLUMNS_IN_CROWD)}
    truths = [public.labels.astype(int), np.array([column.get(most, -1) for most in majority(public.votes)])]
    heads = by_label(predictions, public.labels, public.votes)
    least = heads["FER-2013"]["probabilities"]["mean_recall"] + MARGIN
    least_by_crowd = heads["FERPlus"]["crowd"]["mean_recall"] - LARGEST_LOSS
    found = {}
    for share, correction in itertools.product(SHARES, CORRECTIONS):
        rows = {at: measured(rule(predictions, share, correction, at), truths) for at in TEMPERATURES}
        temperature = min(rows, key=lambda at: max(row["ece"] for row in rows[at]))
        found[share, correction, temperature] = rows[temperature]
    fitting = [
        key
        for key, rows in found.items()
        if rows[0]["mean_recall"] >= least and rows[1]["mean_recall"] >= least_by_crowd
    ]
    chosen = max(fitting, key=lambda key: sum(row["accuracy"] for row in found[key]), default=None)
    lines = [
        f"`{args.model}` on PublicTest. Mean recall of `probabilities` on FER-2013's labels "
        f"{heads['FER-2013']['probabilities']['mean_recall']:.1%}, of `crowd` on FERPlus' majority "
        f"{heads['FERPlus']['crowd']['mean_recall']:.1%}. The rule and how it is chosen: `python -m benchmarks.shown_rule "
        "--data DIR --docs`, which writes this table.",
        "",
        "| crowd's share | prior correction | temperature | FER-2013: accuracy | mean recall | disgust | fear | ECE "
        "| FERPlus: accuracy | mean recall | disgust | fear | ECE | |",
        "|---" * 14 + "|",
    ]
    for key, figures in found.items():
        cells = [f"{key[0]:g}", f"{key[1]:g}", f"{key[2]:g}"]
        for row in figures:
            cells += [f"{row['accuracy']:.1%}", f"{row['mean_recall']:.1%}"]
            cells += [f"{row['recall']['disgust']:.1%}", f"{row['recall']['fear']:.1%}", f"{row['ece']:.3f}"]
        cells.append("chosen" if key == chosen else "fits" if key in fitting else "")
        lines.append(f"| {' | '.join(cells)} |")
    print("\n".join(lines))
    if args.docs:
        write_result("shown_rule", "What is shown", "\n".join(lines))
    if chosen != (CROWD_SHARE, PRIOR_CORRECTION, CONSENSUS_TEMPERATURE):
        print(f"inference.types has other constants than {chosen}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
