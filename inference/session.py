"""ONNX Runtime sessions on the best processor that really works."""

import numpy as np
import onnxruntime
import os
from pathlib import Path

from inference.model_files import ModelError, read_model

# onnxruntime-gpu reports a missing GPU as errors of its own; what matters is told by `create_session`'s result.
onnxruntime.set_default_logger_severity(4)

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def create_session(model: str | Path, threads: int | None = None, cuda: bool = True) -> onnxruntime.InferenceSession:
    """Open a model on CUDA where a run with it succeeds, else on the CPU.

    Args:
        model: a file name in models/, or a path to any other .onnx file.
        threads: CPU threads for one run; default: the processors this process may use.
        cuda: False leaves the GPU alone.

    Returns:
        A session; `active_provider(session)` tells which provider it is on.

    Raises:
        ModelError: the file is missing, altered or not an ONNX model.
    """
    data = read_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_processors()
    options.inter_op_num_threads = 1
    # Spinning threads would starve the detector and other visitors of the same two cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if cuda and CUDA in onnxruntime.get_available_providers() and _has_nvidia_gpu():
        try:
            onnxruntime.preload_dlls()
            session = onnxruntime.InferenceSession(data, options, providers=[CUDA, CPU])
            _run_once(session)
            if active_provider(session) == CUDA:
                return session
        except Exception:  # a driver too old, no memory left on the GPU, a library missing: the CPU does it
            pass
    try:
        return onnxruntime.InferenceSession(data, options, providers=[CPU])
    except Exception as error:
        raise ModelError(f"{model} is not a model that ONNX Runtime can read: {error}") from None


def active_provider(session: onnxruntime.InferenceSession) -> str:
    """The provider that the session really uses, "CUDAExecutionProvider" or "CPUExecutionProvider"."""
    return session.get_providers()[0]


def _run_once(session: onnxruntime.InferenceSession) -> None:
    feed = {
        node.name: np.zeros(
            [size if isinstance(size, int) else 1 for size in node.shape],
            np.uint8 if node.type == "tensor(uint8)" else np.float32,
        )
        for node in session.get_inputs()
    }
    session.run(None, feed)


def usable_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_nvidia_gpu() -> bool:
    """Whether a driver is there at all; without one, trying CUDA costs seconds and prints errors."""
    return os.name == "nt" or any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()
