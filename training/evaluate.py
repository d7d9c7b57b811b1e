"""Measure a network on test faces: an emotion network on FER-2013, one of age and gender on FairFace and UTKFace.

    python -m training.evaluate MODEL.keras|MODEL.onnx --data DIR [--out DIR]
    python -m training.evaluate MODEL.keras|MODEL.onnx --fairface DIR --utkface DIR [--out DIR]

writes report.json (`training.report`) and report.md, and of an emotion network confusion.png. PublicTest, and the validation
faces of the others, are what networks are chosen on; the test faces are to be read once for each released network. Some of
these also stand among the training faces, so figures are given without them as well.
"""

import argparse
import sys
from pathlib import Path

from training.age_gender import evaluate as age_gender
from training.age_gender.data import add_demographics_arguments, load_portraits
from training.emotion import evaluate as emotion
from training.emotion.data import add_data_arguments, load_fer2013
from training.report import write_report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description="Measure a network on test faces.")
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
    network = emotion if args.data else age_gender
    try:
        if args.data:
            measured = emotion.measure(args.model, load_fer2013(args.data, official=not args.unofficial))
        else:
            portraits, _ = load_portraits(args.fairface, args.utkface, args.crops)
            measured = age_gender.measure(age_gender.predictor(args.model), portraits)
    except (ValueError, RuntimeError, OSError) as error:  # DataError, ModelError and what Keras raises on a bad file
        print(f"error: {error}", file=sys.stderr)
        return 1
    out.mkdir(parents=True, exist_ok=True)
    report = write_report(out / "report.json", args.model.name, "python -m training.evaluate", {}, measured)
    text = network.to_markdown(report)
    (out / "report.md").write_text(text, encoding="utf-8")
    written = ["report.json", "report.md"]
    if args.data:
        emotion.plot_confusion(report["metrics"], out / "confusion.png")
        written.append("confusion.png")
    print(text)
    print(f"Written to {out}: {', '.join(written)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
