from __future__ import annotations

import asyncio
import threading

import pytest

from rayapp.serving.micro_batch import MicroBatch


async def test_what_waits_while_a_batch_runs_is_the_next_batch() -> None:
    gate = threading.Event()
    sizes = []

    def run(requests: list[int]) -> list[int]:
        sizes.append(len(requests))
        gate.wait(5)
        return [2 * r for r in requests]

    batch: MicroBatch[int, int] = MicroBatch(run, 4, "t")
    tasks = [asyncio.create_task(batch(n)) for n in range(7)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8, 10, 12]
    assert sizes == [1, 4, 2]


async def test_a_failed_batch_fails_its_requests_and_no_others() -> None:
    def run(requests: list[int]) -> list[int]:
        if -1 in requests:
            raise ValueError("bad batch")
        return requests

    batch: MicroBatch[int, int] = MicroBatch(run, 4, "t")
    with pytest.raises(ValueError, match="bad batch"):
        await batch(-1)
    assert await batch(3) == 3


async def test_a_client_that_went_away_does_not_stop_the_rest() -> None:
    batch: MicroBatch[int, int] = MicroBatch(lambda r: r, 4, "t")
    gone, stays = asyncio.create_task(batch(1)), asyncio.create_task(batch(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 2
