"""A record's time is one that can be, whatever its producer wrote: everything goes by it."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, TIMESTAMP_NOT_AVAILABLE, Message
from hypothesis import given
from hypothesis import strategies as st

from rayapp.domain import Forget
from rayapp.times import MIN_TIMESTAMP_MS
from rayapp.validation import MAX_CLOCK_AHEAD_MS, parse_event, parse_forget, parse_item
from streaming.archive import by_date
from streaming.consumer import append_ms

NOW = int(time.time() * 1000)
KINDS = [TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, TIMESTAMP_NOT_AVAILABLE]


def message(kind: int, at: int) -> Message:
    return Message(topic="t", partition=0, offset=0, timestamp=(kind, at))


@given(st.sampled_from(KINDS), st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2 * NOW))
def test_every_reader_takes_any_record_time(kind: int, written: int) -> None:
    at = append_ms(message(kind, written))
    assert MIN_TIMESTAMP_MS <= at <= time.time() * 1000 + MAX_CLOCK_AHEAD_MS
    assert parse_forget({"forget": True, "user_id": "u"}, at) == Forget(forget=True, user_id="u", received_ms=at)
    event = parse_event({"user_id": "u", "item_id": "i", "scenario": "s", "action": "click"}, ("s",), at)
    assert (event.timestamp_ms, event.received_ms) == (at, at)
    assert parse_item({"item_id": "i", "title": "t", "timestamp": 4_000_000_000}, at).timestamp_ms == at
    list(by_date(pa.table({"append_ms": [at]})))


@pytest.mark.parametrize("kind", KINDS[:2])
@pytest.mark.parametrize("written", [MIN_TIMESTAMP_MS, NOW - 1, NOW + MAX_CLOCK_AHEAD_MS // 2])
def test_a_time_that_can_be_is_kept(kind: int, written: int) -> None:
    assert append_ms(message(kind, written)) == written


@pytest.mark.parametrize("written", [-1, 0, 1000, NOW // 1000, NOW * 1000, 2**53, 3_976_000_000_000])
def test_a_time_that_cannot_be_is_that_of_arrival(written: int) -> None:
    assert NOW <= append_ms(message(TIMESTAMP_CREATE_TIME, written)) <= time.time() * 1000
