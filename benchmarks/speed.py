"""How long a face takes.

    python -m benchmarks.speed [--models FILE ...] [--json FILE] [--readme]

Times classification at several batch sizes on one CPU thread, and detection plus classification of the one face in a
640x480 frame made from the example photograph. Medians; nothing else should be running.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.readme import ROOT, write_section
from inference.analyzer import FaceAnalyzer
from inference.detector import FaceDetector
from inference.emotion import EmotionClassifier
from inference.images import load_image

BATCHES = (1, 8, 32)
DETECTORS = {
    "short range": ("short_range", False),
    "full range": ("full_range", False),
    "full range with tiles (photos)": ("full_range", True),
}


def median_milliseconds(function, repeats: int, clock=time.perf_counter) -> float:
    """Median time of a call in milliseconds, after three calls to warm up; wall time unless another clock is given."""
    times = []
    for _ in range(repeats + 3):
        started = clock()
        function()
        times.append((clock() - started) * 1e3)
    return float(np.median(times[3:]))


def frame_with_one_face() -> np.ndarray:
    """The example photograph cut to 640x480: uint8 (480, 640, 3)."""
    photo = load_image(ROOT / "examples" / "astronaut.jpg")
    return cv2.resize(photo, (640, 640), interpolation=cv2.INTER_AREA)[:480]


def measure(models: list[str], repeats: int) -> dict:
    """All timings, in milliseconds; the frame is timed with the first of the models."""
    classifiers = {model: EmotionClassifier(model, threads=1, cuda=False) for model in models}
    per_face = {}
    for model, classifier in classifiers.items():
        faces = np.random.default_rng(0).integers(0, 256, (max(BATCHES), *[classifier.input_size] * 2), np.uint8)
        per_face[model] = {
            str(batch): median_milliseconds(lambda: classifier.predict(faces[:batch]), repeats) / batch
            for batch in BATCHES
        }
    frame, per_frame = frame_with_one_face(), {}
    for name, (kind, tiled) in DETECTORS.items():
        analyzer = FaceAnalyzer(FaceDetector(kind, tiled=tiled), classifiers[models[0]])
        found = len(analyzer.analyze(frame).faces)
        per_frame[name] = {
            "faces": found,
            "milliseconds": median_milliseconds(lambda: analyzer.analyze(frame), repeats),
        }
    return {"processor": processor(), "classification_per_face": per_face, "frame_640x480": per_frame}


def processor() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "an unknown processor"


def to_markdown(result: dict) -> str:
    """The timings as a table."""
    lines = [f"Median milliseconds on {result['processor']}, written by `python -m benchmarks.speed --readme`:", ""]
    lines += ["| work | ms |", "|---|---|"]
    for model, batches in result["classification_per_face"].items():
        for batch, value in batches.items():
            lines.append(f"| classify one face, batch of {batch}, one thread, {model} | {value:.2f} |")
    for name, row in result["frame_640x480"].items():
        lines.append(
            f"| find and classify {row['faces']} face in a 640x480 frame, {name} | {row['milliseconds']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description="How long a face takes.")
    parser.add_argument(
        "--models", nargs="+", default=["emotion.onnx", "emotion_int8.onnx"], help="file names in models/, or paths"
    )
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    args = parser.parse_args()
    result = measure(args.models, args.repeats)
    print(to_markdown(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    if args.readme:
        write_section("speed", to_markdown(result))


if __name__ == "__main__":
    main()
