"""How far ages are off, and how often the shown range holds them, by age group and in photographs of private albums.

    python -m benchmarks.age_bands --docs

writes docs/results/age_bands.md from what `python -m export.age_gender` measured on the validation faces, on which it fitted
the calibration too.
"""

import argparse
import sys
from statistics import NormalDist

from benchmarks.age_gender import FILES
from benchmarks.results import write_result
from inference.model_files import MODELS
from inference.types import ADULT, AGE_COVERAGE
from training.report import read_report, report_path

COVERED = (0.76, 0.84)
"""The range of years is to hold a part of each age group that lies between these."""
LARGEST_BIAS = 3.0
"""Each age group is to be judged at most so many years too young or too old in the mean."""
LARGEST_ADULT_RANGE = 0.05
"""At most this part of the minors is to be shown an adult range."""


def to_markdown(report: dict) -> str:
    """The page for a report in models/."""
    lines = [
        f"`{report['model']}` on the validation faces. Each cell: how many years too old (+) or too young (-) faces are judged "
        f"in the mean, and the part of them that the range holds, which is to be {AGE_COVERAGE:.0%}. FairFace gives age groups "
        "alone: an age is taken to be their middle, and to be even over their years for the range. The last column: how many "
        f"of those who are surely under {ADULT} are shown a range wholly from {ADULT} up.",
    ]
    for source, views in report["bands"].items():
        undisturbed = views["undisturbed"]
        heads = [f"{group} ({row['faces']:,})" for group, row in undisturbed.items()]
        lines += ["", f"| {source} | {' | '.join(heads)} | mean error, years | minors |"]
        lines.append("|---" * (len(heads) + 3) + "|")
        for name, rows in views.items():
            cells = [_cell(rows[group]) if group in rows else "" for group in undisturbed]
            minors = f"{rows['all']['adult_range']:.1%}" if "adult_range" in rows["all"] else ""
            lines.append(f"| {name} | {' | '.join(cells)} | {rows['all']['mae']:.2f} | {minors} |")
    lines += ["", *summary(report["bands"])]
    return "\n".join(lines)


def _cell(row: dict) -> str:
    return f"{row['bias']:+.1f}, {row['coverage']:.0%}"


def summary(bands: dict[str, dict[str, dict]]) -> list[str]:
    """In how many age groups the aims are reached, as lines of Markdown."""
    lines = []
    for disturbed in (False, True):
        views = [rows for each in bands.values() for name, rows in each.items() if (name != "undisturbed") == disturbed]
        groups = [row for rows in views for group, row in rows.items() if group != "all"]
        held = sum(COVERED[0] <= row["coverage"] <= COVERED[1] for row in groups)
        near = sum(abs(row["bias"]) <= LARGEST_BIAS for row in groups)
        minors = [rows["all"]["adult_range"] for rows in views if "adult_range" in rows["all"]]
        lines.append(
            f"- {'Disturbed' if disturbed else 'Undisturbed'}: of {len(groups)} age groups the range holds "
            f"{COVERED[0]:.0%} to {COVERED[1]:.0%} in {held} (in {expected_held(groups):.0f} if all were calibrated, by chance); {near} are judged within {LARGEST_BIAS:g} years; of the minors at "
            f"most {max(minors, default=0):.1%} are shown an adult range (aim: {LARGEST_ADULT_RANGE:.0%})."
        )
    lines += [
        "",
        "Of 50 faces the part that the range holds has a standard error of 6 points, and a bias one of a year and more. The "
        "calibration was fitted on these faces: expect a little less of others. Written by `python -m benchmarks.age_bands --docs`.",
    ]
    return lines


def expected_held(groups: list[dict]) -> float:
    """In how many age groups of so many faces ranges that hold each face with a probability of AGE_COVERAGE would hold as many as
    COVERED says."""
    spreads = [(AGE_COVERAGE * (1 - AGE_COVERAGE) / row["faces"]) ** 0.5 for row in groups]
    parts = [NormalDist(AGE_COVERAGE, spread) for spread in spreads]
    return sum(part.cdf(COVERED[1]) - part.cdf(COVERED[0]) for part in parts)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.age_bands", description="Ages by age group.")
    parser.add_argument("--docs", action="store_true", help="write docs/results/age_bands.md")
    args = parser.parse_args()
    report = read_report(report_path(MODELS / FILES[0]))
    if "bands" not in report:
        print(f"error: {FILES[0]}: has no bands; python -m export.age_gender --again measures them.", file=sys.stderr)
        return 1
    text = to_markdown(report)
    print(text)
    if args.docs:
        write_result("age_bands", "Ages by age group", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
