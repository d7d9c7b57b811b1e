"""Calls that other threads work on while this one goes on."""

import functools
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")


@contextmanager
def side_by_side(threads: int) -> Iterator[Callable[..., Callable[[], Any]]]:
    """Threads for some calls. What is yielded takes a function with its arguments, has the call begun, and gives a function that
    waits for the answer, or raises what the call raises.

    When this is left, all calls have ended or will never begin.

    Args:
        threads: besides this one, which does itself what none of them has begun when it is asked for. Without any, nothing is
            done that is not asked for.
    """
    if threads < 1:
        yield lambda function, *args: functools.cache(lambda: function(*args))
        return
    pool = ThreadPoolExecutor(threads)

    def begin(function: Callable, *args: Any) -> Callable[[], Any]:
        future = pool.submit(function, *args)
        return functools.cache(lambda: function(*args) if future.cancel() else future.result())

    try:
        yield begin
    finally:
        pool.shutdown(cancel_futures=True)


def read_ahead(items: Iterable[Item], count: int) -> Generator[Item, None, None]:
    """The same items, of which a thread has up to so many ready before they are asked for; to be closed.

    What goes wrong with one is raised here, in its turn. When this is left, the thread has ended.
    """
    ready: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    source, room, left = iter(items), threading.Semaphore(count), threading.Event()

    def read() -> None:
        try:
            while room.acquire() and not left.is_set():
                ready.put((True, next(source)))
        except StopIteration:
            ready.put((False, None))
        except BaseException as error:
            ready.put((False, error))

    thread = threading.Thread(target=read, name="ahead")
    thread.start()
    try:
        while (told := ready.get())[0]:
            room.release()
            yield told[1]
        if told[1] is not None:
            raise told[1]
    finally:
        left.set()
        room.release()
        thread.join()
