"""One computation for everybody who asks at about the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class SharedAnswer(Generic[Answer]):
    """Whoever asks while `make` runs, or within `fresh_s` seconds after it, gets its answer.

    So its cost does not grow with the number of requests. An error goes to those who waited for it and is not kept.
    """

    def __init__(self, make: Callable[[], Awaitable[Answer]], *, fresh_s: float) -> None:
        self.make = make
        self.fresh_s = fresh_s
        self._made_at = -float("inf")
        self._task: asyncio.Task[Answer] | None = None

    async def get(self) -> Answer:
        """The newest answer. Raises what `make` raises."""
        if self._task is None or self._is_over(self._task):
            self._task = asyncio.get_running_loop().create_task(self._run())
        return await asyncio.shield(self._task)  # one who goes away does not end it for the others

    async def _run(self) -> Answer:
        answer = await self.make()
        self._made_at = time.monotonic()
        return answer

    def _is_over(self, task: asyncio.Task[Answer]) -> bool:
        if not task.done():
            return False
        failed = task.cancelled() or task.exception() is not None
        return failed or time.monotonic() - self._made_at > self.fresh_s
