"""Files that are written: refused before any work where they would take the place of something else, and put in place in one
step."""

import contextlib
import errno
import functools
import os
import secrets
import shutil
import signal
import stat
import tempfile
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .sentences import IfadeError

HEAD_BYTES = 4096
"""How much of an existing file is read to tell what it is."""


class OutputError(IfadeError, ValueError):
    """An output would take the place of something else; the sentence says of what, and what to do."""


@dataclass(frozen=True)
class Output:
    """A file that may be written.

    Attributes:
        option: of the command line, which names it or its folder.
        path: where.
        is_earlier: whether a file is an earlier one of this kind, by its first HEAD_BYTES; no other is replaced.
    """

    option: str
    path: Path
    is_earlier: Callable[[bytes], bool]


def same_name(name: Path | str) -> str:
    """What names have in common that are one on a disk which does not tell upper from lower case or ways to write letters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(name)).casefold())


def check_outputs(outputs: Iterable[Output], sources: Iterable[Path]) -> None:
    """Refuse outputs that would take the place of a source, of one another or of a file that was not written for this.

    Files are compared by what they are: hard links, symbolic links and other ways to write a path change nothing. Devices and
    pipes are let through.

    Raises:
        OutputError: an output is one of those.
        OSError: a folder stands there, or the file may not be written; `filename` says which.
    """
    read, names = {}, {}
    for source in sources:
        names[os.path.realpath(source)] = source
        with contextlib.suppress(OSError):
            read[_identity(os.stat(source))] = source
    folder = functools.cache(os.path.realpath)
    written: dict[str, Output] = {}
    for output in outputs:
        path, place = output.path, os.path.join(folder(output.path.parent), output.path.name)
        if os.path.islink(path):
            place = os.path.realpath(path)
        try:
            status = os.stat(path)
        except OSError:
            status = None
        if status and stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if status and not stat.S_ISREG(status.st_mode):
            continue
        taken = names.get(place) or (status and read.get(_identity(status)))
        if taken:
            raise OutputError("output_is_source", option=output.option, path=taken)
        other = written.setdefault(same_name(place), output)
        if other is not output:
            raise OutputError("output_twice", first=other.option, second=output.option, path=path)
        if status and status.st_size and not output.is_earlier(_head(path)):
            raise OutputError("output_foreign", option=output.option, path=path)
        if status and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    for output in written.values():
        for parent in output.path.parents:
            above = written.get(same_name(os.path.join(folder(parent.parent), parent.name)))
            if above:
                raise OutputError("output_is_folder", first=above.option, path=above.path, second=output.option)


def check_room(path: Path, folder: Path | None = None) -> None:
    """See whether something can be written to a file, in whose folder or, where that is another, in `folder`, which is made.

    Raises:
        OSError: it cannot; `filename` says which.
    """
    try:
        if folder:
            path = folder
            folder.mkdir(parents=True, exist_ok=True)
        elif path.exists() and not path.is_file():
            return
        with tempfile.TemporaryFile(dir=folder or os.path.dirname(os.path.realpath(path))) as file:
            file.write(bytes(HEAD_BYTES))
            file.flush()
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def create(path: Path, data: bytes = b"") -> BinaryIO:
    """A new file that begins with some data, open for more; what stood there before is replaced in one step.

    Until the data are written the old file is there; its other hard links keep it. Where the path is a symbolic link, what it
    leads to is replaced. Devices and pipes are opened as they are.

    Returns:
        The file, unbuffered, at its end.

    Raises:
        OSError: it cannot be written; `filename` says which. Nothing new is left then.
    """
    place = Path(os.path.realpath(path))
    temporary = place.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        if place.exists() and not place.is_file():
            file = open(place, "wb", buffering=0)
            file.write(data)
            return file
        temporary.write_bytes(data)
        if place.exists():
            if not os.access(place, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            shutil.copymode(place, temporary)
        os.replace(temporary, place)
        file = open(place, "r+b", buffering=0)
        file.seek(0, os.SEEK_END)
        return file
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None
        raise


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _head(path: Path) -> bytes:
    """The first HEAD_BYTES, or none where they cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C takes effect when what is within has been done, so that nothing is left half written or is written twice."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if came:
        handler(came[0], None)
