"""How many photos a second several processes analyse, and threads in their place.

    python -m benchmarks.batch PHOTO|FOLDER... [--workers N ...] [--repeats N] [--docs]

By the clock, which tells something of idle cores alone, and the processor time of a photo, which holds on busy ones too. Each
figure is the difference of a long run and a short one, so that starting up is not counted.
"""

import argparse
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.results import write_result
from benchmarks.speed import processor
from inference.analyzer import FaceAnalyzer
from inference.processors import usable_processors
from inference.sources import find_files, is_photo
from inference.workers import Job, Processes, photos_ahead, photos_by_threads


def by_processes(paths: Sequence[Path], workers: int) -> Iterable:
    with Processes(workers) as processes:
        yield from photos_ahead(paths, Job(), processes)


def by_threads(paths: Sequence[Path], workers: int) -> Iterable:
    analyzer = FaceAnalyzer(threads=1)
    yield from photos_by_threads(paths, Job(), analyzer, workers)
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
    parser.add_argument("--docs", action="store_true", help="write docs/results/batch.md")
    args = parser.parse_args()
    photos = [path for path, _ in find_files(args.sources).files if is_photo(path)]
    result = {"sources": [path.name for path in args.sources]} | measure(photos, args.workers, args.repeats)
    print(to_markdown(result))
    if args.docs:
        write_result("batch", "How many photos a second several processes analyse", to_markdown(result), result)


def measure(photos: Sequence[Path], workers: Sequence[int], repeats: int) -> dict:
    """Rates by processes and by threads, for so many of each."""
    count, rows = len(photos) * repeats, []
    for name, analyze in (("processes", by_processes), ("threads", by_threads)):
        for number in workers:
            short = seconds(analyze, photos, number)
            long = seconds(analyze, list(photos) * (repeats + 1), number)
            wall, processors = (after - before for after, before in zip(long, short))
            rows.append(
                {
                    "workers": number,
                    "by": name,
                    "photos_a_second": count / wall,
                    "processor_ms_a_photo": 1e3 * processors / count,
                }
            )
    return {
        "processor": processor(),
        "processors": usable_processors(),
        "photos": len(photos),
        "repeats": repeats,
        "rates": rows,
    }


def to_markdown(result: dict) -> str:
    """The rates as a table, with what was measured."""
    lines = [
        f"{result['photos']} photographs, each {result['repeats']} times, on {result['processor']}, "
        f"{result['processors']} cores. Written by `python -m benchmarks.batch {' '.join(result['sources'])} --docs`:",
        "",
        "| workers | photos a second | processor time a photo (ms) |",
        "|---|---|---|",
    ]
    for row in result["rates"]:
        what = row["by"] if row["workers"] > 1 else {"processes": "process", "threads": "thread"}[row["by"]]
        lines.append(f"| {row['workers']} {what} | {row['photos_a_second']:.1f} | {row['processor_ms_a_photo']:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
