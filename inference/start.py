"""What a program settles before all else is imported: its streams, Ctrl-C, proxies, and what must be there.

Few modules are imported here, and others where they are needed: while they are, Ctrl-C is Python's.
"""

import contextlib
import os
import signal
import sys

DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
}


def run_command() -> None:
    """What `ifade` runs where the package is installed: the same as `python -m ifade`."""
    end_on_interrupt()
    import runpy

    runpy.run_module(__package__, run_name="__main__", alter_sys=True)


def open_standard_streams() -> None:
    """Open what is closed of standard input, output and error, as in a service or under pythonw.

    What is written there is lost; and no other file gets the numbers 0 to 2, to which native code writes.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None or getattr(getattr(sys, name), "closed", False):
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))


def end_on_interrupt() -> None:
    """Let Ctrl-C end the program at once and without a word, also in the middle of an import."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as in the background of a shell
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def interruptible():
    """Ctrl-C raises KeyboardInterrupt within, once: what ends then is not disturbed by the next."""
    previous = signal.getsignal(signal.SIGINT)

    def interrupt(*_) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    if previous == signal.SIG_DFL:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def forget_proxies() -> None:
    """Take the proxies out of the environment of a program that asks no other machine for anything.

    Its own page, which Gradio asks for at the start, is on this one; and a SOCKS proxy ends the import of Gradio already.
    """
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]


def require_system_libraries() -> None:
    """End the program with one line that names the missing libraries and the command that installs them."""
    if not sys.platform.startswith("linux"):
        return
    missing = {name: package for name, package in DEBIAN_PACKAGES.items() if not _loads(name)}
    if missing:
        sys.exit(
            f"error: missing system {'library' if len(missing) == 1 else 'libraries'} {', '.join(missing)}: install with "
            f"`apt-get install {' '.join(missing.values())}` (Debian, Ubuntu) or your system's packages of that name."
        )


def require_temporary_folder(variable: str = "", name: str = "") -> None:
    """End the program with one line where temporary files cannot be written.

    Args:
        variable: of the environment, which may name the folder.
        name: of the folder in the system's one for temporary files, where the variable does not; default: that itself.
    """
    import tempfile

    try:
        folder = os.environ.get(variable) or os.path.join(tempfile.gettempdir(), name)
    except FileNotFoundError:
        sys.exit("error: no folder for temporary files can be written: set TMPDIR to one, and let it have some room.")
    try:
        os.makedirs(folder, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        sys.exit(
            f"error: temporary files cannot be written in {folder} ({error.strerror}): set {variable or 'TMPDIR'} to a folder where "
            "they can, and that has some room."
        )


def _loads(name: str) -> bool:
    import ctypes

    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
