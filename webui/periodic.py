"""What is done again and again while the server runs."""

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Callable


@contextlib.asynccontextmanager
async def periodically(seconds: float, step: Callable[[], object]):
    """Meanwhile call a function, or await what it gives, that often; one that fails is called again."""

    async def go_on() -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                done = step()
                if inspect.isawaitable(done):
                    await done
            except Exception:
                logging.getLogger(__name__).exception("%s failed", step)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
