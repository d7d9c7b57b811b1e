"""What each training parameter matters: the tables and plots of finished studies.

    python -m benchmarks.studies runs/study/paper runs/study/vgg7 [--docs]

writes docs/results/studies.md and its pictures from the results that `python -m training.emotion.study` left.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.results import RESULTS, write_result
from training.emotion.study import plot, to_markdown


def section(results: list[dict]) -> str:
    """The page in docs/results."""
    parts, studies = [], [f"runs/study/{result['study']}" for result in results]
    for result in results:
        parts += [to_markdown(result), "", f"![Accuracy by setting](studies_{result['study']}.png)", ""]
    commands = " and ".join(
        f"`python -m training.emotion.study {result['study']} --epochs {result['epochs']} --faces {result['training_faces']}`"
        for result in results
    )
    parts.append(f"Trained by {commands}, written by `python -m benchmarks.studies {' '.join(studies)} --docs`.")
    return "\n".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies", description="What each parameter matters.")
    parser.add_argument(
        "studies", nargs="+", type=Path, metavar="DIR", help="the --out folders of training.emotion.study"
    )
    parser.add_argument("--docs", action="store_true", help="write docs/results/studies.md")
    args = parser.parse_args()
    try:
        results = [json.loads((study / "results.json").read_text()) for study in args.studies]
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    text = section(results)
    print(text)
    if args.docs:
        write_result("studies", "What each training parameter matters", text, results)
        for result in results:
            plot(result, RESULTS / f"studies_{result['study']}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
