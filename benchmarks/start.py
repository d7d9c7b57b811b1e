"""How long the page and the command line take to start, what each import costs, and what memory the idle page and a large photo take.

    python -m benchmarks.start [--repeats N] [--docs]

Beside them, the import of the libraries alone that every program of this kind has (NumPy, OpenCV, ONNX Runtime and MediaPipe).
Medians by the clock; nothing else should be running. The cost of an import is the processor's time by Python's own account, of
the modules of a package without those of others that it imports.
"""

import argparse
import contextlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.results import ROOT, write_result
from benchmarks.screenshot import free_port, page_process
from benchmarks.speed import large_file, processor

LIBRARIES = "import numpy, cv2, onnxruntime, mediapipe"
COMMAND_LINE = ("-m", "inference", "examples/astronaut.jpg")
IMPORTS = {"command line": "import inference.__main__", "page": "import app"}
SHOWN = 12
"""Packages in the table of imports; the rest is summed up."""
SETTLED = 10.0
"""Seconds that the page is left alone before its memory is read."""

LOOK = 0.003
"""Seconds between looks at the memory of a process that works."""


def seconds(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - started


def seconds_to_page() -> tuple[float, int]:
    """Seconds until `python app.py` answers, and bytes that it and the processes that it started then take."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as log, page_process(free_port(), log=log) as (_, process):
        elapsed = time.perf_counter() - started
        time.sleep(SETTLED)
        return elapsed, proportional_memory(process.pid)


def proportional_memory(process: int) -> int:
    """Bytes of a process and its children (Linux): what several of them share is counted once, in equal parts."""
    total = 0
    for number in [process, *descendants(process)]:
        text = Path(f"/proc/{number}/smaps_rollup").read_text()
        total += 1024 * int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])
    return total


def peak_memory_of_photo(photo: bytes) -> int:
    """The most bytes that the command line takes with a photo, the process that decodes it included."""
    peak = 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "photo.jpg"
        file.write_bytes(photo)
        command = [sys.executable, "-m", "inference", str(file)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                with contextlib.suppress(OSError, TypeError):  # one of them has just ended
                    peak = max(peak, proportional_memory(process.pid))
                time.sleep(LOOK)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak


def descendants(process: int) -> list[int]:
    """The processes that a process started, and those that they did (Linux)."""
    children: list[int] = []
    for task in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            children += map(int, (task / "children").read_text().split())
    return children + [below for child in children for below in descendants(child)]


def import_milliseconds(statement: str) -> dict[str, float]:
    """Milliseconds by package, the most expensive first."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement], cwd=ROOT, check=True, capture_output=True, text=True
    )
    costs: defaultdict[str, float] = defaultdict(float)
    for microseconds, module in re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", run.stderr, re.MULTILINE):
        costs[module.partition(".")[0]] += int(microseconds) / 1e3
    return dict(sorted(costs.items(), key=lambda cost: -cost[1]))


def measure(repeats: int) -> dict:
    """All figures: seconds, megabytes, and milliseconds by package."""
    seconds("-c", "import inference.__main__, gradio")  # what is read from the disk once
    pages, photo = [seconds_to_page() for _ in range(repeats)], large_file()
    return {
        "processor": processor(),
        "repeats": repeats,
        "seconds": {
            "libraries alone": statistics.median(seconds("-c", LIBRARIES) for _ in range(repeats)),
            "command line, one photo": statistics.median(seconds(*COMMAND_LINE) for _ in range(repeats)),
            "page, until it answers": statistics.median(elapsed for elapsed, _ in pages),
        },
        "idle_page_mb": statistics.median(memory for _, memory in pages) / 1e6,
        "large_photo_mb": statistics.median(peak_memory_of_photo(photo) for _ in range(repeats)) / 1e6,
        "import_milliseconds": {name: import_milliseconds(statement) for name, statement in IMPORTS.items()},
    }


def to_markdown(result: dict) -> str:
    """The figures as tables."""
    lines = [
        f"Medians of {result['repeats']} starts on {result['processor']}, everything read from the disk before. Written by "
        "`python -m benchmarks.start --docs`.",
        "",
        "| start | seconds |",
        "|---|---|",
        *(f"| {name} | {value:.2f} |" for name, value in result["seconds"].items()),
        "",
        f"The idle page and the processes that it started take {result['idle_page_mb']:.0f} MB. The command line "
        f"takes at most {result['large_photo_mb']:.0f} MB with a photo of 12 megapixels, the process that decodes it included.",
    ]
    for name, costs in result["import_milliseconds"].items():
        shown = list(costs.items())[:SHOWN]
        rest = sum(costs.values()) - sum(value for _, value in shown)
        lines += ["", f"| imports of the {name} | ms |", "|---|---|"]
        lines += [f"| {package} | {value:.0f} |" for package, value in [*shown, ("all others", rest)]]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description="How long starting takes.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--docs", action="store_true", help="write docs/results/start.md")
    args = parser.parse_args()
    result = measure(args.repeats)
    print(to_markdown(result))
    if args.docs:
        write_result("start", "How long starting takes", to_markdown(result), result)


if __name__ == "__main__":
    main()
