"""Memory that is not used any more is given back to the system, which Python and the C library do not do by themselves."""

import contextlib
import ctypes
import gc

import anyio

from inference.processors import usable_processors
from inference.session import return_memory
from webui.limits import Limits
from webui.periodic import periodically

LARGE_BLOCK = 4 * 2**20
"""Blocks of at least so many bytes, as the pixels of photos are, are the system's again as soon as they are free. Frames of cameras and
of most videos are smaller: the system hands a block over page by page, which took a quarter of a frame's processor time, and to take
it back it interrupts the other processors."""
KEPT = 16 * 2**20
"""So many bytes may be free at the end of a heap, until `returning_memory` gives them back."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h


def return_large_blocks() -> None:
    """Tell glibc to take blocks from LARGE_BLOCK on from the system and to give them back, and to have one heap for each
    processor, at least two, where by itself it has eight, in each of which a few megabytes stay; call it before all else.

    By itself glibc raises that bound up to 32 MB when such blocks are freed. Photos then lie in the heaps of all threads
    between small blocks that stay, and the holes that they leave are neither filled nor returned.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)
        library.mallopt(M_ARENA_MAX, max(usable_processors(), 2))


@contextlib.asynccontextmanager
async def returning_memory(limits: Limits = Limits()):
    """While the server runs, give back what has become free, again and again."""
    _return_memory()
    gc.freeze()  # What is there now stays, and need not be looked through again and again.

    async def give_back() -> None:
        await anyio.to_thread.run_sync(_return_memory)  # which also ends the threads that have long been idle

    try:
        async with periodically(limits.trim_seconds, give_back):
            yield
    finally:
        gc.unfreeze()


def _return_memory() -> None:
    """Give memory back to the system: what connections and errors that have ended hold in circles, which Python looks for
    where much is made anew and not where nobody asks any more, what networks keep for their next runs, and what glibc keeps where many
    threads have worked."""
    gc.collect()
    return_memory()
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
