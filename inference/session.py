"""ONNX Runtime sessions on the best processor that really works; `python -m inference.providers` measures which do."""

import contextlib
import io
import logging
import os
import re
import threading
import weakref
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from .model_files import ModelError, read_model
from .native import abandon, forget_in_forks, native_stderr
from .processors import usable_processors

# onnxruntime-gpu reports a missing GPU as errors of its own; what matters is told by `Session.cuda_problem`.
SILENT, ERRORS = 4, 3
onnxruntime.set_default_logger_severity(SILENT)

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
CUDA_OPTIONS = {"use_tf32": "0"}
"""By itself CUDA rounds what it multiplies to 10 bits, and answers otherwise than the CPU in the third decimal."""

RETURN_MEMORY = onnxruntime.RunOptions()
"""Of a run after which all is given back to the system that no run is using; see `return_memory`."""
RETURN_MEMORY.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
MANY = 64
"""Inputs of one run, which take up to a megabyte each, after which it gives memory back by itself."""

# All sessions take the memory for their runs from one arena, which keeps it for the next run of any of them. By itself each has one,
# and keeps what its largest batch needed, or gives it back after each run: to get it again page by page took up to a third of a
# photo's time.
_shares_arena = True
onnxruntime.create_and_register_allocator(
    onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    ),
    onnxruntime.OrtArenaCfg(0, -1, -1, -1),  # ONNX Runtime's own choices
)


def _leave_arena() -> None:
    """A thread of the parent, which is not in its child, may have been about to take from it, and have locked it."""
    global _shares_arena
    _shares_arena = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_arena)

# By itself OpenCV takes all that the machine has.
cv2.setNumThreads(usable_processors())

# OpenCV's threads end before a fork, and begin anew when they are needed: a child, which has none, would wait for ever for what one
# of them held.
_opencv_threads: list[int] = []


def _end_opencv_threads() -> None:
    _opencv_threads.append(cv2.getNumThreads())
    cv2.setNumThreads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_end_opencv_threads,
        after_in_parent=lambda: cv2.setNumThreads(_opencv_threads.pop()),
        after_in_child=_opencv_threads.clear,
    )


class Session:
    """An ONNX model, on CUDA where a run with it succeeds, else on the CPU; may be shared by threads.

    A file whose metadata's `providers` do not name "cuda" stays on the CPU: 8-bit integers are computed otherwise on CUDA, and
    both are to give the same answers. Where CUDA fails later, in the middle of the work, the CPU answers the run that failed
    and all that follow. A process that is forked opens the model anew when it first needs it.

    Args:
        model: a file name in models/, or a path to any other .onnx file.
        threads: CPU threads for one run; default: the processors this process may use.
        cuda: False leaves the GPU alone.

    Raises:
        ModelError: the file is missing, altered or not an ONNX model.

    Attributes:
        cuda_problem: why CUDA is not used, in a few words; None where it is.
        cuda_failed: whether it was used and then failed.
        inputs, outputs: onnxruntime's NodeArg of each.
        metadata: str by str.
    """

    def __init__(self, model: str | Path, threads: int | None = None, cuda: bool = True):
        self._model, self._without_cuda = model, None if cuda else "it was not asked for"
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads or usable_processors()
        self._options.inter_op_num_threads = 1
        # A plan of a run's memory needs it in one piece, for which the arena would have to be larger.
        self._options.enable_mem_pattern = False
        # Spinning threads would starve the detector and other visitors of the same two cores.
        self._options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._lock = threading.Lock()
        self.cuda_failed = False
        self._open()
        forget_in_forks(self)
        _sessions.add(self)
        self.inputs, self.outputs = self._session.get_inputs(), self._session.get_outputs()
        self.metadata = self._session.get_modelmeta().custom_metadata_map

    def _open(self) -> None:
        data = read_model(self._model)
        self._options.add_session_config_entry("session.use_env_allocators", str(int(_shares_arena)))
        try:
            on_cpu = onnxruntime.InferenceSession(data, self._options, providers=[CPU])
        except Exception as error:
            raise ModelError("model_not_onnx", model=self._model, reason=error) from None
        session, self.cuda_problem = None, self._without_cuda
        if not self.cuda_problem and not _may_run_on_cuda(on_cpu):
            self.cuda_problem = "the file is for the CPU alone, because CUDA computes 8-bit integers otherwise"
        if not self.cuda_problem:
            session, self.cuda_problem = _open_on_cuda(data, self._options)
        self._session, self._data = session or on_cpu, data if session else None

    def forget_parents(self) -> None:
        """See `inference.native.forget_in_forks`."""
        abandon(self._session)
        if self._data:  # it was on CUDA
            self._without_cuda = "a forked process cannot use the GPU of its parent"
        self._session, self._lock = None, threading.Lock()

    def _opened(self) -> onnxruntime.InferenceSession:
        if self._session is None:
            with self._lock:
                if self._session is None:
                    self._open()
        return self._session

    @property
    def provider(self) -> str:
        """What the session really uses at the moment, "CUDAExecutionProvider" or "CPUExecutionProvider"."""
        return self._opened().get_providers()[0]

    def run(self, outputs, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of those names (None: all) for a batch of inputs by name."""
        session = self._opened()
        try:
            return _run(session, outputs, feed)
        except Exception as error:
            if session.get_providers()[0] != CUDA:
                raise
            failure = error
        with self._lock:
            if self._session is session:
                fallback = onnxruntime.InferenceSession(self._data, self._options, providers=[CPU])
                answer = _run(fallback, outputs, feed)  # raises where the inputs are to blame: CUDA is kept then
                self.cuda_problem, self.cuda_failed = f"it failed: {_reason(str(failure))}", True
                self._session, self._data = fallback, None
                logging.getLogger(__name__).warning("The CPU goes on without CUDA: %s", self.cuda_problem)
                return answer
        return _run(self._session, outputs, feed)


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def return_memory() -> None:
    """Give back to the system the memory that sessions keep for their next runs, but for what runs are using."""
    for session in list(_sessions):
        if session.provider == CPU:
            _run(session._opened(), None, zeros(session.inputs), returns=True)
            return


def _run(
    session: onnxruntime.InferenceSession, outputs, feed: dict[str, np.ndarray], returns: bool = False
) -> list[np.ndarray]:
    returns = returns or any(len(values) > MANY for values in feed.values())
    return session.run(outputs, feed, RETURN_MEMORY if returns and session.get_providers()[0] == CPU else None)


def _may_run_on_cuda(session: onnxruntime.InferenceSession) -> bool:
    """Whether the file says so, or nothing of it."""
    return "cuda" in session.get_modelmeta().custom_metadata_map.get("providers", "cuda").split(", ")


def _open_on_cuda(
    data: bytes, options: onnxruntime.SessionOptions
) -> tuple[onnxruntime.InferenceSession | None, str | None]:
    """A session that has run on CUDA, or None and why there is none."""
    if CUDA not in onnxruntime.get_available_providers():
        return None, "the installed onnxruntime has no CUDA; requirements-gpu.txt has one that has"
    if not _has_nvidia_gpu():
        return None, "no NVIDIA GPU and driver are to be seen here"
    with native_stderr() as said, contextlib.redirect_stdout(io.StringIO()):  # which libraries could not be loaded
        onnxruntime.set_default_logger_severity(ERRORS)
        try:
            onnxruntime.preload_dlls()
            # onnxruntime's own fallback would change a session that other threads are using.
            session = onnxruntime.InferenceSession(
                data, options, providers=[(CUDA, CUDA_OPTIONS), CPU], enable_fallback=False
            )
            if session.get_providers()[0] == CUDA:
                session.run(None, zeros(session.get_inputs()))
                return session, None
            return None, _reason(said())
        except Exception as error:  # a driver too old, no memory left on the GPU, a library missing: the CPU does it
            return None, _reason(str(error))
        finally:
            onnxruntime.set_default_logger_severity(SILENT)


def _reason(text: str) -> str:
    """The first sentence of onnxruntime's that says what went wrong."""
    found = re.search(r"\[ONNXRuntimeError\] : \d+ : \w+ : (.+)", text)
    line = found[1] if found else next(filter(None, map(str.strip, text.splitlines())), "it could not be opened")
    return line.removesuffix("\x1b[m")[:300]


def zeros(inputs, batch_size: int = 1, side: int = 32) -> dict[str, np.ndarray]:
    """Input for a trial: zeros. Where other sizes than the batch's are free, it is one picture of that side in pixels."""
    feed = {}
    for node in inputs:
        batch, *sizes = [size if isinstance(size, int) else None for size in node.shape]
        shape = [batch or (1 if None in sizes else batch_size), *(size or side for size in sizes)]
        feed[node.name] = np.zeros(shape, np.uint8 if node.type == "tensor(uint8)" else np.float32)
    return feed


def may_use_cuda() -> bool:
    """Whether sessions here try CUDA: there is a GPU to be seen, and the installed onnxruntime knows it."""
    return CUDA in onnxruntime.get_available_providers() and _has_nvidia_gpu()


def _has_nvidia_gpu() -> bool:
    """Whether a driver is there at all; without one, trying CUDA costs seconds and prints errors."""
    return os.name == "nt" or any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()
