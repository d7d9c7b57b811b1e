"""Calls that other threads work on while this one goes on."""

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


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
