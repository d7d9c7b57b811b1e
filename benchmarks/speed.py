"""How long a face takes.

    python -m benchmarks.speed [--models FILE ...] [--peer PYTHON] [--json FILE] [--docs]

Times classification at several batch sizes on one CPU thread, and finding and classifying the one face, six and fifty faces of
640x480 pictures made from the example photograph: as a photo, on one thread and on all processors, and as a frame of a stream, whose
time is the mean over a second, because the search for new faces takes its turns. Besides, a JPEG file of 12 megapixels with five
faces, reading included. Medians; nothing else should be running.

With --peer the package fer is timed on the same pictures right after, by a Python that has it:

    python -m venv peer && peer/bin/pip install fer "opencv-python-headless<5" "setuptools<81"
"""

import argparse
import json
import platform
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.results import ROOT, write_result
from inference.analyzer import FaceAnalyzer
from inference.detector import FaceDetector
from inference.emotion import EmotionClassifier
from inference.follow import FaceFollower
from inference.images import load_image, load_photograph
from inference.processors import usable_processors

BATCHES = (1, 8, 32)
RATE = 20
"""Frames a second of the stream."""


def median_milliseconds(function, repeats: int, clock=time.perf_counter) -> float:
    """Median time of a call in milliseconds, after three calls to warm up; wall time unless another clock is given."""
    times = []
    for _ in range(repeats + 3):
        started = clock()
        function()
        times.append((clock() - started) * 1e3)
    return float(np.median(times[3:]))


def frames_with_faces() -> dict[int, np.ndarray]:
    """Pictures of 640x480 by their number of faces: the example photograph cut, its head six times, and fifty times."""
    photo = load_image(ROOT / "examples" / "astronaut.jpg")
    head = cv2.resize(photo[20:260, 105:345], (213, 240), interpolation=cv2.INTER_AREA)
    six = np.zeros((480, 640, 3), np.uint8)
    six[:, :639] = np.tile(head, (2, 3, 1))
    fifty = np.zeros_like(six)
    fifty[:360] = np.tile(cv2.resize(head, (64, 72), interpolation=cv2.INTER_AREA), (5, 10, 1))
    return {1: cv2.resize(photo, (640, 640), interpolation=cv2.INTER_AREA)[:480], 6: six, 50: fifty}


def large_file() -> bytes:
    """A JPEG of 12 megapixels, the example of a meeting enlarged."""
    photo = cv2.imread(str(ROOT / "examples" / "meeting.jpg"))
    return cv2.imencode(".jpg", cv2.resize(photo, (4000, 3000), interpolation=cv2.INTER_CUBIC))[1].tobytes()


def stream_milliseconds(analyzer: FaceAnalyzer, frame: np.ndarray, repeats: int) -> float:
    """Median, over seconds of a stream of the same frame, of the mean time of a frame."""
    follower, means = FaceFollower(analyzer), []
    for second in range(max(repeats // RATE, 3) + 1):
        started = time.perf_counter()
        for number in range(RATE):
            follower.analyze(frame, second + number / RATE)
        means.append((time.perf_counter() - started) / RATE * 1e3)
    return float(np.median(means[1:]))


def measure(models: list[str], repeats: int) -> dict:
    """All timings, in milliseconds."""
    classifiers = {model: EmotionClassifier(model, threads=1, cuda=False) for model in models}
    per_face = {}
    for model, classifier in classifiers.items():
        faces = np.random.default_rng(0).integers(0, 256, (max(BATCHES), *[classifier.input_size] * 2), np.uint8)
        per_face[model] = {
            str(batch): median_milliseconds(lambda: classifier.predict(faces[:batch], ["probabilities"]), repeats)
            / batch
            for batch in BATCHES
        }
    detectors = FaceDetector(threads=1, cuda=False), FaceDetector(cuda=False)
    wholes = {model: FaceAnalyzer(detectors[1], EmotionClassifier(model, cuda=False)) for model in models}
    rows = []
    for model, whole in wholes.items():
        alone = FaceAnalyzer(detectors[0], classifiers[model])
        for count, frame in frames_with_faces().items():
            found = len(alone.analyze(frame).faces)
            times = {
                ("a photo", "one thread"): median_milliseconds(lambda: alone.analyze(frame), repeats),
                ("a photo", "all processors"): median_milliseconds(lambda: whole.analyze(frame), repeats),
                ("a frame of a stream", "one thread"): stream_milliseconds(alone, frame, repeats),
            }
            rows += [
                {
                    "picture": kind,
                    "faces": count,
                    "found": found,
                    "threads": threads,
                    "model": model,
                    "milliseconds": value,
                }
                for (kind, threads), value in times.items()
            ]
    photo, whole = large_file(), wholes[models[0]]
    large = {
        "model": models[0],
        "found": len(whole.analyze(photo).faces),
        "milliseconds": median_milliseconds(lambda: whole.analyze(photo), max(repeats // 4, 3)),
        "reading_milliseconds": median_milliseconds(lambda: load_photograph(photo), max(repeats // 4, 3)),
    }
    return {
        "processor": processor(),
        "processors": usable_processors(),
        "repeats": repeats,
        "classification_per_face": per_face,
        "pictures_640x480": rows,
        "file_12_megapixels": large,
    }


def measure_peer(python: str, repeats: int) -> list[dict]:
    """Timings of fer on the pictures, as rows of `pictures_640x480`; on as many threads as it takes by itself."""
    frames = frames_with_faces()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{faces}.png" for faces in frames]
        for file, frame in zip(files, frames.values()):
            cv2.imwrite(str(file), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        command = [python, str(Path(__file__).with_name("fer_peer.py")), str(repeats), *map(str, files)]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer = json.loads(run.stdout.splitlines()[-1])
    name = f"fer {answer['version']}"
    return [
        {"picture": "a photo", "faces": faces, "model": name, **found}
        for faces, found in zip(frames, answer["pictures"])
    ]


def processor() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "an unknown processor"


def to_markdown(result: dict) -> str:
    """The timings as a table."""
    lines = [
        f"Median milliseconds on {result['processor']}, {result['processors']} cores. The pictures are made from the example "
        "photograph ([astronaut.jpg](../../examples/astronaut.jpg)): cut, and its head six and fifty times; that of 12 megapixels is "
        "[meeting.jpg](../../examples/meeting.jpg) enlarged. Written by "
        f"`python -m benchmarks.speed --repeats {result['repeats']} --docs`:",
        "",
    ]
    lines += ["| work | ms |", "|---|---|"]
    for model, batches in result["classification_per_face"].items():
        for batch, value in batches.items():
            lines.append(f"| classify one face, batch of {batch}, one thread, {model} | {value:.2f} |")
    for row in result["pictures_640x480"]:
        threads = f", {row['threads']}" if "threads" in row else ""
        work = f"find and classify {row['found']} of {row['faces']} in {row['picture']} of 640x480{threads}, {row['model']}"
        lines.append(f"| {work} | {row['milliseconds']:.1f} |")
    large = result["file_12_megapixels"]
    lines.append(
        f"| read ({large['reading_milliseconds']:.0f} ms), find and classify {large['found']} in a JPEG file of 12 megapixels, "
        f"all processors, {large['model']} | {large['milliseconds']:.1f} |"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description="How long a face takes.")
    parser.add_argument(
        "--models", nargs="+", default=["emotion.onnx", "emotion_int8.onnx"], help="file names in models/, or paths"
    )
    parser.add_argument("--peer", metavar="PYTHON", help="one that has the package fer, to be timed too")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--docs", action="store_true", help="write docs/results/speed.md")
    args = parser.parse_args()
    result = measure(args.models, args.repeats)
    if args.peer:
        result["pictures_640x480"] += measure_peer(args.peer, args.repeats)
    print(to_markdown(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    if args.docs:
        write_result("speed", "How long a face takes", to_markdown(result), result)


if __name__ == "__main__":
    main()
