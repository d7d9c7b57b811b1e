"""The pictures of `python -m benchmarks.speed` as the package fer analyses them, with its defaults: OpenCV's Haar cascade and a
small network. Run by a Python that has it and need not have this project's packages: `python fer_peer.py REPEATS PICTURE...`.
"""

import json
import statistics
import sys
import time
from importlib.metadata import version

import cv2
from fer.fer import FER


def main() -> None:
    repeats, pictures = int(sys.argv[1]), [cv2.imread(file) for file in sys.argv[2:]]
    analyzer, answers = FER(), []
    for picture in pictures:
        times = []
        for _ in range(repeats + 3):
            started = time.perf_counter()
            found = analyzer.detect_emotions(picture)
            times.append((time.perf_counter() - started) * 1e3)
        answers.append({"found": len(found), "milliseconds": statistics.median(times[3:])})
    print(json.dumps({"version": version("fer"), "pictures": answers}))


if __name__ == "__main__":
    main()
