"""Photos analysed by several threads or processes at once, and handed over in their order.

Threads share one analyzer, so that nothing has to start and a folder of a few photos gains as well. Processes take as much
processor time, have no lock of the interpreter's in common however many they are, and where the system ends one, for want of
memory say, that costs one photo and not the run. `python -m benchmarks.batch` measures both, and `usual_processes` chooses.
"""

import functools
import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from .analyzer import FaceAnalyzer
from .blazeface import DetectorError
from .copies import Copies
from .decoding import shared_decoders
from .images import MAX_BYTES, ImageError, Photograph
from .model_files import ModelError
from .processors import usable_memory, usable_processors
from .sentences import IfadeError
from .session import may_use_cuda
from .sources import is_video, open_file
from .types import Analysis
from .video import VideoError, VideoReader

AHEAD = 8
"""So many photos for each process are read ahead, or wait for their turn to be handed over."""
MOST_THREADS = 4
"""Of more threads each would wait for the others' turns in the interpreter."""
MANY_PHOTOS = 100
"""From so many photos on processes are done sooner than threads, although they have to start."""
MOST_PROCESSES = 8
"""Of more, one that hands over what they have done has too little time for it, and who has so many processors may name them."""
PROCESS_MEMORY = 512 * 10**6
"""Bytes that a process takes with a large photo, its decoder included."""
MAX_ENDED = 5
"""After so many photos in a row whose process ended it is not the photos."""


class WorkerError(IfadeError, RuntimeError):
    """A process ended while it analysed a photo."""


@dataclass(frozen=True)
class Photo:
    """A photo that was analysed.

    Attributes:
        result: what was found.
        copies: as `Copies.photo` gives them, for each of `Job.copies`.
    """

    result: Analysis
    copies: list[bytes | None]


@dataclass(frozen=True)
class Job:
    """What is to be done with each photo.

    Attributes:
        age_gender: estimate age and gender too.
        copies: that are asked for.
    """

    age_gender: bool = False
    copies: tuple[Copies, ...] = ()

    def do(self, photo: Photograph, analyzer: FaceAnalyzer) -> Photo:
        """Analyse a photograph."""
        result = analyzer.analyze(photo, self.age_gender)
        return Photo(result, [copies.photo(photo.whole(), result, analyzer) for copies in self.copies])


def usual_processes(photos: int) -> int:
    """How many processes are best for so many photos where nobody says it; 0 where that is threads of this one.

    One has a GPU for itself, and a few photos are done before processes have started.
    """
    most = min(usable_processors(), MOST_PROCESSES, usable_memory() // PROCESS_MEMORY)
    return int(most) if most > 1 and photos >= MANY_PHOTOS and not may_use_cuda() else 0


def photos_by_threads(
    paths: Iterable[Path], job: Job, analyzer: FaceAnalyzer, threads: int
) -> Generator[Photo | IfadeError | None, None, None]:
    """`photos_ahead` by threads of this process.

    Args:
        analyzer: is shared by the threads.
    """
    waiting: deque[Future | None] = deque()
    left = iter(paths)
    pool, of_opencv = ThreadPoolExecutor(threads), cv2.getNumThreads()
    cv2.setNumThreads(1)  # more would only wait for one another
    try:
        while True:
            while len(waiting) < AHEAD * threads and (path := next(left, None)) is not None:
                waiting.append(None if is_video(path) else pool.submit(_outcome, path, job, analyzer))
            if not waiting:
                return
            future = waiting.popleft()
            yield future.result() if future else None
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(of_opencv)


def photos_ahead(
    paths: Iterable[Path], job: Job, processes: "Processes"
) -> Generator[Photo | IfadeError | None, None, None]:
    """What becomes of each file, in order: the photo, why there is none, or None, which says that it is a video, and not read.

    Args:
        paths: are asked for AHEAD times as many in advance as there are processes.

    Raises:
        WorkerError: the processes end whatever the photo is.
    """
    waiting: deque[tuple[Path, Future | None]] = deque()
    left, ended = iter(paths), 0
    with ThreadPoolExecutor(processes.count) as readers:
        while True:
            while len(waiting) < AHEAD * processes.count and (path := next(left, None)) is not None:
                if not is_video(path):
                    readers.submit(_read, path)
                waiting.append((path, None if is_video(path) else processes.submit(_work, path, job)))
            if not waiting:
                return
            path, future = waiting.popleft()
            try:
                yield future.result() if future else None
                ended = 0
                continue
            except BrokenProcessPool:
                processes.restart()
            # All that were under way are lost with the process; one by one it shows with which of them it ends.
            alone = [(path, future), *waiting]
            waiting.clear()
            for path, future in alone:
                try:
                    if future and (not future.done() or future.exception()):
                        future = processes.submit(_work, path, job)
                    outcome, ended = future.result() if future else None, 0
                except BrokenProcessPool:
                    processes.restart()
                    outcome, ended = WorkerError("worker_ended"), ended + 1
                    if ended == MAX_ENDED:
                        raise WorkerError("workers_end") from None
                yield outcome


class Processes:
    """Processes that analyse photos, each with one thread for its networks; a context manager. They start at once.

    They are forked from a process without threads, as the command is at its start, and have what it has imported. Where there are
    threads they are new ones (spawn): forked ones would have the memory of MediaPipe and ONNX Runtime but not their threads.

    Args:
        count: of them.

    Attributes:
        count: as given.
    """

    def __init__(self, count: int):
        self.count = count
        self._open("fork" if _forks_well() else "spawn")

    def _open(self, method: str) -> None:
        self._pool = ProcessPoolExecutor(self.count, multiprocessing.get_context(method), _prepare)
        for _ in range(self.count):  # each has one process started
            self.submit(os.getpid)

    def submit(self, *call) -> Future:
        """Have a function called in one of them; the answer is a BrokenProcessPool where one has ended."""
        with _without_interrupts():
            try:
                return self._pool.submit(*call)
            except BrokenProcessPool as error:  # since the last answer
                future: Future = Future()
                future.set_exception(error)
                return future

    def open_networks(self) -> bool:
        """Wait until the first of them has opened its networks, which it needs in any case; whether age and gender are among them.

        Raises:
            ModelError: a model file is missing or altered.
            WorkerError: the processes end instead.
        """
        for _ in range(MAX_ENDED):
            try:
                return self.submit(_estimates).result()
            except BrokenProcessPool:
                self.restart()
        raise WorkerError("workers_end")

    def restart(self) -> None:
        """Put others in the place of those of which one has ended."""
        self._pool.shutdown()
        self._open("spawn")

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_) -> None:
        self._pool.shutdown(cancel_futures=True)


def _forks_well() -> bool:
    """On macOS and Windows the system's own libraries do not, and CUDA does nowhere."""
    return sys.platform == "linux" and threading.active_count() == 1 and not may_use_cuda()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that are started within never hear of Ctrl-C, which is for the one that started them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _read(path: Path) -> None:
    """Have the system fetch a file, so that it is at hand when a process asks for it."""
    with suppress(OSError):
        if os.path.isfile(path):  # a pipe must not even be opened
            with open(path, "rb") as file:
                file.read(MAX_BYTES)


def _outcome(path: Path, job: Job, analyzer: FaceAnalyzer) -> Photo | IfadeError | None:
    try:
        source = open_file(path)
        if isinstance(source, VideoReader):
            source.close()
            return None
        photo = job.do(source, analyzer)
    except (ImageError, VideoError, DetectorError) as error:
        return error
    return replace(photo, result=replace(photo.result, picture=None))  # which would keep all that wait for their turn


# In the processes.


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    shared_decoders.warm()
    multiprocessing.util.Finalize(None, shared_decoders.close, exitpriority=0)  # a forked process has no other end
    cv2.setNumThreads(1)
    with suppress(ModelError):  # which comes with the first photo
        _analyzer()


def _end_with_parent() -> None:
    """A parent that is killed says nothing to its processes, which would wait for it for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


@functools.cache
def _analyzer() -> FaceAnalyzer:
    return FaceAnalyzer(threads=1)


def _estimates() -> bool:
    return _analyzer().estimator is not None


def _work(path: Path, job: Job) -> Photo | IfadeError | None:
    return _outcome(path, job, _analyzer())
