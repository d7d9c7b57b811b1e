"""Which providers of ONNX Runtime are installed, which of them work here, how fast each is, and why CUDA is not used.

python -m inference.providers
"""

import os
import statistics
import sys
import time

import onnxruntime

from .model_files import MODELS, ModelError
from .processors import usable_processors
from .session import Session, zeros

MEASURED = ("emotion.onnx", "emotion_int8.onnx", "age_gender.onnx")
BATCH_SIZES = (1, 8)
MEASURED_SECONDS = 0.5


def _milliseconds(session: Session, batch_size: int) -> float:
    """Median time of a run, divided by its faces."""
    times: list[float] = []
    feed, started = zeros(session.inputs, batch_size), time.perf_counter()
    session.run(None, feed)
    while len(times) < 5 or time.perf_counter() - started < MEASURED_SECONDS:
        before = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - before)
    return statistics.median(times) / batch_size * 1e3


def main() -> int:
    print(f"Processors: {usable_processors()} may be used, of {os.cpu_count()}")
    print(f"onnxruntime {onnxruntime.__version__} with {', '.join(onnxruntime.get_available_providers())}")
    heads = " ".join(f"{f'{size} at once':>10}" for size in BATCH_SIZES)
    print(f"\n{'milliseconds a face':44} {heads}")
    problems = []
    for name in MEASURED:
        if name == MEASURED[-1] and not (MODELS / name).exists():
            print(f"{name:22} left out")
            continue
        try:
            sessions = [Session(name), Session(name, cuda=False)]
        except ModelError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        problems.append(sessions[0].cuda_problem)
        for session in sessions[sessions[0].cuda_problem is not None :]:
            times = " ".join(f"{_milliseconds(session, size):10.2f}" for size in BATCH_SIZES)
            print(f"{name:22} {session.provider:21} {times}")
    for problem in dict.fromkeys(filter(None, problems)):
        print(f"\nCUDA is not used: {problem}.")
        if "requirements-gpu.txt" not in problem:
            print("For an NVIDIA GPU: its driver, and pip install -r requirements-gpu.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
