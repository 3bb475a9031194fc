from __future__ import annotations

import asyncio

import pytest

from rayapp.serving.shared_answer import SharedAnswer


class Counter:
    """Counts its calls; each lasts until `go_on`, and the first `failures` raise."""

    def __init__(self, failures: int = 0) -> None:
        self.calls = 0
        self.failures = failures
        self.go_on = asyncio.Event()

    async def __call__(self) -> int:
        self.calls += 1
        await self.go_on.wait()
        if self.calls <= self.failures:
            raise ValueError(self.calls)
        return self.calls


async def test_all_who_ask_at_once_share_one_computation_and_so_do_those_after_it() -> None:
    make = Counter()
    answer = SharedAnswer(make, fresh_s=60)
    asked = [asyncio.create_task(answer.get()) for _ in range(50)]
    await asyncio.sleep(0)
    make.go_on.set()
    assert await asyncio.gather(*asked) == [1] * 50
    assert (await answer.get(), make.calls) == (1, 1)


async def test_an_answer_that_is_too_old_is_made_again() -> None:
    make = Counter()
    make.go_on.set()
    answer = SharedAnswer(make, fresh_s=-1)
    assert [await answer.get() for _ in range(3)] == [1, 2, 3]


async def test_an_error_goes_to_all_who_waited_and_is_not_kept() -> None:
    make = Counter(failures=1)
    answer = SharedAnswer(make, fresh_s=60)
    asked = [asyncio.create_task(answer.get()) for _ in range(3)]
    await asyncio.sleep(0)
    make.go_on.set()
    assert {type(e) for e in await asyncio.gather(*asked, return_exceptions=True)} == {ValueError}
    assert await answer.get() == 2


async def test_one_who_goes_away_leaves_the_answer_to_the_others() -> None:
    make = Counter()
    answer = SharedAnswer(make, fresh_s=60)
    first, second = (asyncio.create_task(answer.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    make.go_on.set()
    assert await second == 1
