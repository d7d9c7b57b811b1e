"""Native code of other libraries within this process: what it prints, whose locale it goes by, whom it may call, and what a
fork leaves of it."""

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator

_stderr_lock = threading.RLock()


def _keep_descriptor_2() -> None:
    """Have file descriptor 2 lead nowhere where it is closed, as in a service or under pythonw.

    The next file that the program opens would be given that number, and what native code has to say, at any time and from any
    of its threads, would be written into it.
    """
    try:
        os.fstat(2)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != 2:
            os.dup2(nowhere, 2)
            os.close(nowhere)
        os.set_inheritable(2, True)


_keep_descriptor_2()


@contextlib.contextmanager
def native_stderr() -> Iterator[Callable[[], str]]:
    """Keep what native code writes to file descriptor 2 meanwhile from the terminal; what is yielded gives it.

    sys.stderr may be anything, and the descriptor may have been closed.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_stderr_lock)  # two threads would put back each other's file
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.flush()
        _keep_descriptor_2()
        try:
            sink = stack.enter_context(tempfile.TemporaryFile())
        except OSError:  # nowhere to write: it is lost
            sink = stack.enter_context(open(os.devnull, "w+b"))
        saved = os.dup(2)
        stack.callback(os.close, saved)
        stack.callback(os.dup2, saved, 2)
        os.dup2(sink.fileno(), 2)
        yield lambda: (sink.seek(0), sink.read().decode(errors="replace"))[1]


def use_c_locale() -> None:
    """Let native code read letters and numbers as the C locale does, in the calling thread, for good.

    The locale of the process, which belongs to the program, stays: in a Turkish one "I" is not the capital of "i", and in many
    the decimal point is a comma.
    """
    if os.name == "nt":
        runtime = ctypes.CDLL("ucrtbase")
        runtime._configthreadlocale(1)  # _ENABLE_PER_THREAD_LOCALE
        runtime.setlocale(0, b"C")  # LC_ALL
    elif _C_LOCALE:
        _libc.uselocale(_C_LOCALE)


def _c_locale() -> int | None:
    """POSIX' locale_t of the C locale; None where there is no such thing."""
    if not hasattr(_libc, "newlocale"):
        return None
    _libc.newlocale.argtypes, _libc.newlocale.restype = (
        (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p),
        ctypes.c_void_p,
    )
    _libc.uselocale.argtypes, _libc.uselocale.restype = (ctypes.c_void_p,), ctypes.c_void_p
    every_category = 0x3F if sys.platform == "darwin" else 0x1FBF  # LC_ALL_MASK
    return _libc.newlocale(every_category, b"C", None)


if os.name != "nt":
    _libc = ctypes.CDLL(None)
    _C_LOCALE = _c_locale()


# Of the kernel's uapi headers: the number of the processor's calls as audit.h names them, and of the calls socket and seccomp.
_SYSTEM_CALLS = {"x86_64": (0xC000003E, 41, 317), "aarch64": (0xC00000B7, 198, 277)}


def open_no_sockets() -> bool:
    """Let the calling thread, and those that native code starts from it, open no socket any more, for good.

    Other threads, and the environment, from which programs take their proxies, stay as they are. By a seccomp filter, which Linux
    grants to everybody; where there is none, nothing happens.

    Returns:
        Whether it is so.
    """
    if not sys.platform.startswith("linux") or platform.machine() not in _SYSTEM_CALLS or sys.maxsize < 2**32:
        return False
    processor, socket, seccomp = _SYSTEM_CALLS[platform.machine()]
    load, jump_if_equal, answer = 0x20, 0x15, 0x06  # instructions of the classic BPF, see linux/bpf_common.h
    refuse, allow = 0x00050000 | errno.EACCES, 0x7FFF0000
    instructions = [
        (load, 0, 0, 4),  # seccomp_data.arch
        (jump_if_equal, 0, 3, processor),
        (load, 0, 0, 0),  # seccomp_data.nr
        (jump_if_equal, 0, 1, socket),
        (answer, 0, 0, refuse),
        (answer, 0, 0, allow),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in instructions))
    header = struct.pack("HxxxxxxQ", len(instructions), ctypes.addressof(program))  # struct sock_fprog
    no_new_privileges, set_filter, allow_speculation = 38, 1, 4  # the last so that it costs no time
    return (
        _libc.prctl(no_new_privileges, 1, 0, 0, 0) == 0
        and _libc.syscall(seccomp, set_filter, allow_speculation, header) == 0
    )


# A forked process has the memory of its parent but not its threads: native code that waits for one of them waits for ever.

_owners: weakref.WeakSet = weakref.WeakSet()


def forget_in_forks(owner) -> None:
    """Have `owner.forget_parents()` called in each process that will be forked, before anything else runs there.

    It gives up native objects and locks without using them, so that they are made anew when they are needed.
    """
    _owners.add(owner)


def abandon(value: object) -> None:
    """Keep an object for the rest of the process, so that its destructor does not wait for threads that are not there."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))


def _forget() -> None:
    _stderr_lock.release()
    for owner in list(_owners):
        owner.forget_parents()


if hasattr(os, "register_at_fork"):
    # No fork while something is being opened: its locks, and file descriptor 2, would stay as they are.
    os.register_at_fork(before=_stderr_lock.acquire, after_in_parent=_stderr_lock.release, after_in_child=_forget)
