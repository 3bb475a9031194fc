"""The loop alone: what is away is waited for and reported once, and the backlog takes its share of the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from rayapp.llm.completions import ModelAway
from rayapp.llm.work_queue import Allowance, Batch, WorkQueue
from rayapp.stores.ports import StoreRefused, StoreUnreachable


class Scripted:
    """Claims what it is given; `work` does the next step of the script."""

    name = "scripted"

    def __init__(self, *script: Callable[[], int], urgent: bool = False) -> None:
        self.script = list(script)
        self.urgent = urgent
        self.allowed: list[Allowance] = []
        self.given_up: list[tuple[int, str]] = []

    def claim(self, allowed: Allowance) -> Batch[int] | None:
        self.allowed.append(allowed)
        return Batch([1], self.urgent) if self.script and (self.urgent or allowed is not Allowance.URGENT) else None

    def work(self, batch: Batch[int]) -> int:
        return self.script.pop(0)()

    def give_up(self, entry: int, error: Exception) -> None:
        self.given_up.append((entry, str(error)))


def failing(error: Exception) -> Callable[[], int]:
    def step() -> int:
        raise error

    return step


def ran(worker: Scripted, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said until the script is done."""
    monkeypatch.setattr("rayapp.llm.work_queue.RETRY_S", 0.01)
    said: list[str] = []
    stop = threading.Event()
    worker.script.append(lambda: stop.set() or 1)  # type: ignore[func-returns-value]
    WorkQueue(worker, share=1.0, say=said.append).run(stop)
    return said


def test_what_is_away_is_reported_once_and_so_is_its_return(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [failing(ModelAway("no model"))] * 3 + [failing(StoreUnreachable("no store"))] * 2
    said = ran(Scripted(*away, urgent=True), monkeypatch)
    assert said == [
        "scripted: waiting, nothing is lost: no model",
        "scripted: waiting, nothing is lost: no store",
        "scripted: working again",
    ]


@pytest.mark.parametrize("error", [StoreRefused("WRONGTYPE"), ValueError("a bug")])
def test_an_entry_that_cannot_be_worked_off_is_given_up_and_the_next_one_follows(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Scripted(failing(error), urgent=True)
    (line,) = ran(worker, monkeypatch)
    assert repr(error) in line
    assert worker.given_up == [(1, str(error))]
    assert worker.script == []


def test_of_a_batch_only_the_bad_entry_is_given_up() -> None:
    class Ten(Scripted):
        def claim(self, allowed: Allowance) -> Batch[int]:
            return Batch(list(range(10)), True)

        def work(self, batch: Batch[int]) -> int:
            if 7 in batch.work:
                raise ValueError("seven")
            return len(batch.work)

    worker = Ten()
    assert WorkQueue(worker, share=1.0, say=print).step() == 10
    assert worker.given_up == [(7, "seven")]


def test_a_claim_that_fails_is_reported_and_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stumbling(Scripted):
        failures = 2

        def claim(self, allowed: Allowance) -> Batch[int] | None:
            if self.failures:
                self.failures -= 1
                raise KeyError("claim")
            return super().claim(allowed)

    assert ran(Stumbling(urgent=True), monkeypatch) == ["scripted: KeyError('claim')"] * 2


def test_a_backlog_takes_its_share_of_the_time() -> None:
    def busy() -> int:
        time.sleep(0.05)
        return 1

    worker = Scripted(busy, busy)
    queue = WorkQueue(worker, share=0.25, say=print)
    assert queue.step() == 1
    assert queue.step() == 0
    left = queue.rest_until - time.monotonic()
    assert 0.1 < left <= 3 * 0.2, "three times as long as it took"
    time.sleep(max(0.0, left))
    assert queue.step() == 1
    assert worker.allowed == [Allowance.LITTLE, Allowance.URGENT, Allowance.LITTLE]


def test_urgent_work_never_rests_and_without_pace_nothing_does() -> None:
    urgent = Scripted(lambda: 1, lambda: 1, urgent=True)
    queue = WorkQueue(urgent, share=0.01, say=print)
    assert [queue.step(), queue.step()] == [1, 1]
    unpaced = Scripted(lambda: 1, lambda: 1)
    queue = WorkQueue(unpaced, share=0.01, say=print, paced=False)
    assert [queue.step(), queue.step(), queue.step()] == [1, 1, 0]
    assert set(unpaced.allowed) == {Allowance.ALL}


def test_a_lost_lease_ends_the_loop() -> None:
    lost = threading.Event()
    lost.set()
    WorkQueue(Scripted(lambda: 1), share=1.0, say=print).run(threading.Event(), lost=lost)
