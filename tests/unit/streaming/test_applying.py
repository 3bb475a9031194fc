"""A bad record costs itself alone, and what is away is waited for."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st

from rayapp.stores.ports import StoreRefused, StoreUnreachable, StoreUnwilling
from streaming.applying import Applying, is_away


class Row:
    """Of a topic, as far as applying looks at it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def topic(self) -> str:
        return "t"


class Dead(list):
    """Numbers of the records that were given up, with why."""

    def send(self, bad: list) -> None:
        self.extend((message.number, error.reason) for message, error in bad)


def applying(handle: Callable[[list], None], dead: Dead, said: list, stop: threading.Event | None = None) -> Applying:
    return Applying(handle, dead, stop=stop or threading.Event(), on_state=said.append)  # type: ignore[arg-type]


@given(st.integers(1, 40), st.sets(st.integers(0, 39)), st.sampled_from([ValueError, RecursionError, StoreRefused]))
def test_every_good_record_is_applied_in_order_and_every_bad_one_given_up(
    count: int, bad: set[int], kind: type[Exception]
) -> None:
    applied: dict[int, None] = {}
    dead, said = Dead(), []

    def handle(rows: list[Row]) -> None:
        for row in rows:
            if row.number in bad:
                raise kind(f"record {row.number}")
            applied[row.number] = None

    assert applying(handle, dead, said).apply([Row(n) for n in range(count)])  # type: ignore[arg-type]
    there = bad & set(range(count))
    assert list(applied) == [n for n in range(count) if n not in there]
    assert sorted(dead) == [(n, "unexpected") for n in sorted(there)]
    assert said == []


@pytest.mark.parametrize(
    "error",
    [
        StoreUnreachable("away"),
        StoreUnwilling("full"),
        KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN)),
        OSError(errno.ENOSPC, "No space left on device"),
        ConnectionResetError("reset"),
        TimeoutError("slow"),
        MemoryError(),
    ],
)
def test_what_is_away_is_waited_for_and_nothing_is_given_up(error: Exception) -> None:
    dead, said, tries = Dead(), [], []

    def handle(rows: list[Row]) -> None:
        tries.append(len(rows))
        if len(tries) < 3:
            raise error

    assert applying(handle, dead, said).apply([Row(0), Row(1)])  # type: ignore[arg-type]
    assert (tries, dead, said) == ([2, 2, 2], [], [error, error, None])


def test_a_stopped_consumer_does_not_wait_and_says_that_nothing_was_applied() -> None:
    stop = threading.Event()

    def handle(_rows: list[Row]) -> None:
        stop.set()
        raise StoreUnreachable("away")

    assert not applying(handle, Dead(), [], stop).apply([Row(0)])  # type: ignore[list-item]


@pytest.mark.parametrize("error", [OSError("not a picture"), FileNotFoundError("x"), StoreRefused("no"), KeyError("a")])
def test_an_error_of_a_record_is_not_waited_out(error: Exception) -> None:
    assert not is_away(error)
