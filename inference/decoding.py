"""Pictures and videos are decoded by processes of their own, which may take so much processor time and memory and no more.

A file of a few kilobytes can keep a decoder busy for hours, or make it fill the memory or crash; no check of the file finds all of
that out, and a thread that decodes cannot be ended. A process can: by the system, when it has used up its time or asks for too
much memory, and by this module when it does not answer, so that it works also where the system knows no such limits. It is
replaced at once. What goes on in it is in `inference.decoder_child`.
"""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader
from typing import BinaryIO, cast

import numpy as np

from .image_checks import MAX_BYTES, MAX_PIXELS, ImageError, find_format
from .native import abandon, forget_in_forks
from .processors import usable_processors

SECONDS, SECONDS_A_MEGAPIXEL = 1.0, 0.2
"""Of processor time that a picture may take, several times what the slowest take on a processor of 2026."""
PICTURE_MEMORY = 2**30
"""Bytes, the decoder's own 50 MB included; a picture of MAX_PIXELS may take 600 MB."""
WALL = 3
"""So many times the processor time a process may take by the clock, where it shares the processors with others."""
PYTHON = sys.executable or os.path.join(sys.exec_prefix, "bin", "python3")
"""A program that has Python in it may not say where it is."""
START_SECONDS = 60
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
"""So that a process holds little memory: each thread would."""
RETURNED_BLOCKS = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
"""Has glibc give large blocks back to the system when they are free, so that a process holds little that has nothing to do."""
KEPT_BLOCKS = {"MALLOC_MMAP_THRESHOLD_": str(2**28), "MALLOC_TRIM_THRESHOLD_": str(2**28)}
"""Has it keep them for the next picture: the system hands a block over page by page, which takes a quarter of a decoder's time."""
PIPE = 2**20
"""Bytes that a pipe of pixels may hold, where the system can: of the usual 64 kB a picture fills dozens, and as often the two
processes wait for each other."""
TICK = 0.05
"""Seconds between looks at the clock."""


class DecoderEnded(Exception):
    """A process ended before it answered.

    Attributes:
        slow: whether its time was up; else it crashed, or somebody ended it.
    """

    def __init__(self, slow: bool):
        super().__init__(slow)
        self.slow = slow


class DecoderProcess:
    """A process that decodes what it is sent, or a video. It answers lines of JSON, some with pixels behind them.

    Args:
        options: for `decoder_child`.
        source: what it has as its standard input; default: what `send` sends.
        shares: whether pixels come through memory that both processes have, where the system can, and not through the pipe.
        blocks: RETURNED_BLOCKS or KEPT_BLOCKS.
    """

    def __init__(
        self,
        options: dict,
        source: int | BinaryIO = subprocess.PIPE,
        shares: bool = False,
        blocks: Mapping[str, str] = RETURNED_BLOCKS,
    ):
        self._shared = os.memfd_create("pixels") if shares and hasattr(os, "memfd_create") else None
        # Where this process has its modules from, which may be no folder that Python looks into by itself.
        paths = [os.path.dirname(os.path.dirname(os.path.abspath(__file__))), *sys.path]
        code = f"import sys; sys.path[:] = {paths!r}; from {__package__}.decoder_child import main; main()"
        self._process = subprocess.Popen(
            [PYTHON, "-c", code, json.dumps({"shared": self._shared, **options})],
            stdin=source,
            stdout=subprocess.PIPE,
            pass_fds=() if self._shared is None else (self._shared,),
            start_new_session=True,  # Ctrl-C is for this process
            env={**os.environ, **ENVIRONMENT, **blocks},
        )
        if self._shared is None:
            with contextlib.suppress(ImportError, AttributeError, OSError):  # another system, or too many such pipes
                import fcntl

                fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, PIPE)
        self._ready = self._overdue = False

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def send(self, request: dict, data: bytes) -> None:
        """A line of JSON and the bytes behind it.

        Raises:
            DecoderEnded: it has ended, or does so meanwhile.
        """
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n" + data)
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None

    def receive(self) -> dict:
        """The next line of its answer.

        Raises:
            DecoderEnded: it ended.
        """
        if not self._ready:  # the first line says that it has started
            self._ready = bool(self._process.stdout.readline())
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._ended()
        return json.loads(line)

    def receive_pixels(self, shape: list[int], offset: int = 0) -> np.ndarray:
        """uint8 of this shape, behind so many bytes of a header, which a line has told.

        Raises:
            DecoderEnded: it ended.
        """
        pixels = np.empty(shape, np.uint8)
        if self._shared is None:
            pipe = cast(BufferedReader, self._process.stdout)
            pipe.read(offset)
            whole = pipe.readinto(pixels.data.cast("B")) == pixels.nbytes
        else:
            whole = os.preadv(self._shared, [pixels.data.cast("B")], offset) == pixels.nbytes
            os.ftruncate(self._shared, 0)  # nobody's picture stays there
        if not whole:
            raise self._ended()
        return pixels

    @contextlib.contextmanager
    def within(self, seconds: float, should_stop: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """It is ended when it has not answered after so many seconds of the clock, or when `should_stop` says so."""
        deadline = time.monotonic() + seconds + (0 if self._ready else START_SECONDS)

        def look() -> None:
            overdue = time.monotonic() > deadline
            if overdue or should_stop():
                self._overdue |= overdue
                self._process.kill()

        with _watch.watching(look):
            yield

    def close(self) -> None:
        """End it, at once."""
        self._process.kill()
        self._process.wait()
        for pipe in filter(None, (self._process.stdin, self._process.stdout)):
            with contextlib.suppress(OSError):  # what was not sent cannot be any more
                pipe.close()
        if self._shared is not None:
            os.close(self._shared)
            self._shared = None

    def _ended(self) -> DecoderEnded:
        self.close()
        out_of_time = hasattr(signal, "SIGPROF") and self._process.returncode == -signal.SIGPROF
        return DecoderEnded(self._overdue or out_of_time)


class _Watch:
    """A thread that looks again and again whether something is to be ended."""

    def __init__(self):
        self.forget_parents()
        forget_in_forks(self)

    def forget_parents(self) -> None:
        """See `inference.native.forget_in_forks`."""
        self._looks: set[Callable[[], None]] = set()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @contextlib.contextmanager
    def watching(self, look: Callable[[], None]) -> Iterator[None]:
        """`look` is called meanwhile, every TICK seconds."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="decoders", daemon=True)
                self._thread.start()
        self._looks.add(look)
        try:
            yield
        finally:
            self._looks.discard(look)

    def _run(self) -> None:
        while True:
            time.sleep(TICK)
            for look in tuple(self._looks):
                look()


_watch = _Watch()


class Decoders:
    """Processes that decode pictures, each one after another; may be shared by threads.

    Each is started when it is first needed, and stays. A process that is forked starts its own.

    Args:
        most: processes; default: one for each processor, at least two, so that one picture does not keep all others waiting.
        seconds: of processor time for a small picture; see SECONDS.
        memory: bytes that a process may take.
    """

    def __init__(self, most: int | None = None, seconds: float = SECONDS, memory: int = PICTURE_MEMORY):
        self._most, self._seconds, self._memory = most, seconds, memory
        self._processes: set[DecoderProcess] = set()
        self._free: list[DecoderProcess] = []
        self.forget_parents()
        forget_in_forks(self)
        atexit.register(self.close)

    def beside(self, most: int, seconds: float) -> "Decoders":
        """Decoders for other pictures, of which so many at once wait for none of these, but which the same processes decode."""
        others = Decoders(most, seconds, self._memory)
        others._processes, others._free = self._processes, self._free
        return others

    def forget_parents(self) -> None:
        """See `inference.native.forget_in_forks`."""
        for process in self._processes:
            abandon(process)
        self._processes.clear()
        self._free.clear()
        self._room = threading.BoundedSemaphore(self._most or max(usable_processors(), 2))

    def warm(self) -> None:
        """Have one start now, so that the first picture need not wait for it."""
        if not self._processes:
            self._free.append(self._start())

    def decode(self, data: bytes, max_pixels: int) -> np.ndarray:
        """See `inference.images.load_image`."""
        return self.decode_reduced(data, max_pixels, None)[0]

    def decode_reduced(
        self, data: bytes, max_pixels: int, enough: int | None
    ) -> tuple[np.ndarray, int, tuple[int, int]]:
        """The same, reduced to no less than `enough` pixels where the decoder can, how many times, and the whole's width and height.

        Raises:
            ImageError: as there; also where the process ended that decoded it.
        """
        if not data:
            raise ImageError("photo_empty")
        if len(data) > MAX_BYTES:
            raise ImageError("photo_bytes", megabytes=MAX_BYTES // 2**20)
        find_format(data)
        with self._room:
            process = self._take()
            try:
                return self._ask(process, data, max_pixels, enough)
            except ImageError:
                raise
            except DecoderEnded as ended:
                process = self._replace(process)
                raise ImageError("picture_slow" if ended.slow else "picture_decoder_ended") from None
            except BaseException:  # Ctrl-C, after which nobody fetches the answer
                process = self._replace(process)
                raise
            finally:
                self._free.append(process)

    def _ask(
        self, process: DecoderProcess, data: bytes, max_pixels: int, enough: int | None
    ) -> tuple[np.ndarray, int, tuple[int, int]]:
        seconds = self._seconds + SECONDS_A_MEGAPIXEL * max_pixels / 10**6
        with process.within(WALL * seconds):
            asked = {"bytes": len(data), "max_pixels": max_pixels, "enough": enough, "seconds": self._seconds}
            process.send(asked, data)
            answer = process.receive()
            if "error" in answer:
                raise ImageError.from_dict(answer["error"])
            width, height = answer["size"]
            return process.receive_pixels(answer["shape"], answer["offset"]), answer["times"], (width, height)

    def close(self) -> None:
        """End all processes."""
        self._free.clear()
        while self._processes:
            self._processes.pop().close()

    def _take(self) -> DecoderProcess:
        """One that is free and runs."""
        try:
            process = self._free.pop()
        except IndexError:
            return self._start()
        return process if process.runs() else self._replace(process)

    def _start(self) -> DecoderProcess:
        process = DecoderProcess({"memory": self._memory, "output": 3 * MAX_PIXELS + 64}, shares=True)
        self._processes.add(process)
        return process

    def _replace(self, process: DecoderProcess) -> DecoderProcess:
        process.close()
        self._processes.discard(process)
        return self._start()


shared_decoders = Decoders()
"""Those of `load_image`."""
