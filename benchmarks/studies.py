"""What each training parameter matters: the tables and plots of finished studies.

    python -m benchmarks.studies runs/study/paper runs/study/vgg7 [--readme]

writes docs/studies/ and the README's section from the results that `python -m training.study` left.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.readme import ROOT, write_section
from training.study import plot, to_markdown

DOCS = ROOT / "docs" / "studies"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies", description="What each parameter matters.")
    parser.add_argument("studies", nargs="+", type=Path, metavar="DIR", help="the --out folders of training.study")
    parser.add_argument("--readme", action="store_true", help="write the section into README.md")
    args = parser.parse_args()
    try:
        results = [json.loads((study / "results.json").read_text()) for study in args.studies]
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    DOCS.mkdir(parents=True, exist_ok=True)
    parts = []
    for result in results:
        name = result["study"]
        (DOCS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
        plot(result, DOCS / f"{name}.png")
        parts += [to_markdown(result), "", f"![Accuracy by setting](docs/studies/{name}.png)", ""]
    commands = " and ".join(
        f"`python -m training.study {result['study']} --epochs {result['epochs']} --faces {result['training_faces']}`"
        for result in results
    )
    parts.append(
        f"Trained by {commands}, written by `python -m benchmarks.studies {' '.join(map(str, args.studies))} --readme`."
    )
    section = "\n".join(parts)
    print(section)
    if args.readme:
        write_section("studies", section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
