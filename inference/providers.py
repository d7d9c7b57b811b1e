"""Which providers of ONNX Runtime are installed, which of them work here, how fast each is, why CUDA is not used, and how far its
answers are from the CPU's.

python -m inference.providers
"""

import os
import statistics
import sys
import time

import numpy as np
import onnxruntime

from .model_files import MODELS, ModelError
from .processors import usable_processors
from .session import CUDA, Session, zeros

MEASURED = ("emotion.onnx", "emotion_int8.onnx", "age_gender.onnx")
COMPARED = (*MEASURED, "face_check.onnx", "yunet_n_dynamic.onnx")
BATCH_SIZES = (1, 8)
MEASURED_SECONDS = 0.5
RANDOM_FACES, RANDOM_SIDE = 64, 320
"""What is shown to both providers: so many faces, or where the network takes any size one picture of that side."""


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


def differences(session: Session, other: Session) -> dict[str, float]:
    """How far the answers of two sessions of one network are apart at most, by the output, on random grey values."""
    rng = np.random.default_rng(0)
    feed = {
        name: rng.integers(0, 256, values.shape).astype(values.dtype)
        for name, values in zeros(session.inputs, RANDOM_FACES, RANDOM_SIDE).items()
    }
    names = [node.name for node in session.outputs]
    answers = zip(names, session.run(names, feed), other.run(names, feed))
    return {name: float(np.abs(one - another).max()) for name, one, another in answers}


def compare(name: str) -> str:
    """A line that says how far CUDA and the CPU are apart, by a file in models/, or why that is not known."""
    session = Session(name)
    if session.provider != CUDA:
        return f"no CUDA here: {session.cuda_problem}"
    return ", ".join(
        f"{output} {apart:.1g}" for output, apart in differences(session, Session(name, cuda=False)).items()
    )


def main() -> int:
    print(f"Processors: {usable_processors()} may be used, of {os.cpu_count()}")
    print(f"onnxruntime {onnxruntime.__version__} with {', '.join(onnxruntime.get_available_providers())}")
    heads = " ".join(f"{f'{size} at once':>10}" for size in BATCH_SIZES)
    print(f"\n{'milliseconds a face':44} {heads}")
    present = [name for name in COMPARED if name != "age_gender.onnx" or (MODELS / name).exists()]
    try:
        for name in MEASURED:
            if name not in present:
                print(f"{name:22} left out")
                continue
            sessions = [Session(name), Session(name, cuda=False)]
            for session in sessions[sessions[0].cuda_problem is not None :]:
                times = " ".join(f"{_milliseconds(session, size):10.2f}" for size in BATCH_SIZES)
                print(f"{name:22} {session.provider:21} {times}")
        print("\nlargest differences between CUDA and the CPU, of random faces")
        for name in present:
            print(f"{name:22} {compare(name)}")
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    problem = Session("emotion.onnx").cuda_problem
    if problem:
        print(f"\nCUDA is not used: {problem}.")
        if "requirements-gpu.txt" not in problem:
            print("For an NVIDIA GPU: its driver, and pip install -r requirements-gpu.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
