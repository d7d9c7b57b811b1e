"""How many photos a second several processes analyse, and threads in their place.

    python -m benchmarks.batch PHOTO|FOLDER... [--workers N ...] [--repeats N]

By the clock, which tells something of idle cores alone, and the processor time of a photo, which holds on busy ones too. Each
figure is the difference of a long run and a short one, so that starting up is not counted.
"""

import argparse
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from inference.analyzer import FaceAnalyzer
from inference.sources import find_files, is_photo
from inference.workers import Job, photos_ahead


def by_processes(paths: Sequence[Path], workers: int) -> Iterable:
    return photos_ahead(paths, Job(), workers)


def by_threads(paths: Sequence[Path], workers: int) -> Iterable:
    cv2.setNumThreads(1)
    analyzer = FaceAnalyzer(threads=1)
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(analyzer.analyze, paths)
    analyzer.detector.close()


def seconds(analyze: Callable, paths: Sequence[Path], workers: int) -> tuple[float, float]:
    """By the clock, and of the processors: of this process and of those that it started, which have ended then."""
    wall, times = time.perf_counter(), os.times()
    deque(analyze(paths, workers), maxlen=0)
    spent = [after - before for after, before in zip(os.times()[:4], times[:4])]
    return time.perf_counter() - wall, sum(spent)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument(
        "--repeats", type=int, default=5, help="how often each photo is analysed (default: %(default)s)"
    )
    args = parser.parse_args()
    photos = [path for path, _ in find_files(args.sources).files if is_photo(path)]
    count = len(photos) * args.repeats
    print(f"{'':20} {'photos a second':>16} {'processor ms a photo':>21}")
    for name, analyze in (("processes", by_processes), ("threads", by_threads)):
        for workers in args.workers:
            short = seconds(analyze, photos, workers)
            long = seconds(analyze, photos * (args.repeats + 1), workers)
            wall, processors = (after - before for after, before in zip(long, short))
            print(f"{workers:4} {name:15} {count / wall:16.1f} {1e3 * processors / count:21.0f}", flush=True)


if __name__ == "__main__":
    main()
