"""Batching without waiting: what arrives while a batch runs makes up the next one.

`serve.batch` does the same with a queue and several tasks a request; on a
laptop core that cost more than the user tower itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Request = TypeVar("Request")
Result = TypeVar("Result")


class MicroBatch(Generic[Request, Result]):
    """Calls `run(requests) -> results` in one thread of its own, at most `size` requests at once."""

    def __init__(self, run: Callable[[list[Request]], list[Result]], size: int, name: str) -> None:
        self.run = run
        self.size = size
        self.pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.waiting: list[tuple[Request, asyncio.Future[Result]]] = []
        self.busy = False

    async def __call__(self, request: Request) -> Result:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self.waiting.append((request, future))
        if not self.busy:
            self._start(loop)
        return await future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self.waiting = self.waiting[: self.size], self.waiting[self.size :]
        self.busy = True
        task = loop.run_in_executor(self.pool, self.run, [request for request, _ in batch])
        task.add_done_callback(lambda done: self._finish(loop, batch, done))

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[tuple[Request, asyncio.Future[Result]]],
        done: asyncio.Future[list[Result]],
    ) -> None:
        self.busy = False
        error = done.exception()
        results = [None] * len(batch) if error else done.result()
        for (_, future), result in zip(batch, results, strict=True):
            if future.cancelled():  # the client went away
                continue
            if error:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]
        if self.waiting:
            self._start(loop)
