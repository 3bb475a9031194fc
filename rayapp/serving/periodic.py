"""A step that is done again and again on the application's event loop, whatever one of them raises."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator

log = logging.getLogger("ray.serve")


@contextlib.contextmanager
def periodically(step: Callable[[], Awaitable[object]], *, every_s: float, name: str) -> Iterator[None]:
    """Do `step` every `every_s` s while the context lasts, not at once; needs a running event loop."""

    async def follow() -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await step()
            except Exception:  # the next one must be tried
                log.exception("%s failed; trying again in %g s", name, every_s)

    task = asyncio.get_running_loop().create_task(follow(), name=name)
    try:
        yield
    finally:
        task.cancel()
