from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.domain import (
    MAX_CLOCK_AHEAD_MS,
    Action,
    Event,
    InvalidRecord,
    decode_object,
    encode,
    parse_event,
    parse_item,
)

SCENARIOS = ("homefeed", "search")
NOW = 1_790_000_000_000
GOOD = {"user_id": "u", "item_id": "i", "scenario": "homefeed", "action": "click"}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def test_what_is_missing_is_filled_in() -> None:
    event = parse_event(GOOD, SCENARIOS, NOW)
    assert event.event_id
    assert (event.timestamp_ms, event.received_ms) == (NOW, NOW)


def test_default_id_makes_reading_twice_the_same() -> None:
    assert parse_event(GOOD, SCENARIOS, NOW, "topic-0-7").event_id == "topic-0-7"


@pytest.mark.parametrize(("ahead", "kept"), [(MAX_CLOCK_AHEAD_MS, True), (MAX_CLOCK_AHEAD_MS + 1, False)])
def test_a_clock_too_far_ahead_becomes_the_time_of_receipt(ahead: int, kept: bool) -> None:
    event = parse_event({**GOOD, "timestamp_ms": NOW + ahead}, SCENARIOS, NOW)
    assert event.timestamp_ms == (NOW + ahead if kept else NOW)


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"scenario": "nope"}, "unknown_scenario", "scenario"),
        ({"action": "stare"}, "invalid", "action"),
        ({"user_id": ""}, "invalid", "user_id"),
        ({"user_id": None}, "invalid", "user_id"),
        ({"item_id": None}, "missing_item", "item_id"),
        ({"timestamp_ms": -1}, "invalid", "timestamp_ms"),
        ({"timestamp_ms": "yesterday"}, "invalid", "timestamp_ms"),
        ({"user_id": "x" * 257}, "invalid", "user_id"),
        ({"position": -3}, "invalid", "position"),
        ({"user_id": "\ud800"}, "invalid", None),
    ],
)
def test_bad_events_name_reason_and_field(change: dict, reason: str, field: str | None) -> None:
    with pytest.raises(InvalidRecord) as caught:
        parse_event({**GOOD, **change}, SCENARIOS, NOW)
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_integer_ids_become_text_and_a_query_stands_for_an_item() -> None:
    assert parse_event({**GOOD, "user_id": 7}, SCENARIOS, NOW).user_id == "7"
    event = parse_event({**GOOD, "item_id": None, "query": "tea", "scenario": "search"}, SCENARIOS, NOW)
    assert event.item_id is None
    assert not event.is_positive


@given(values)
def test_any_json_is_an_event_or_an_invalid_record(raw: object) -> None:
    try:
        parse_event(raw, SCENARIOS, NOW)
    except InvalidRecord as error:
        assert str(error)


@given(st.dictionaries(st.sampled_from([*Event.__struct_fields__, "other"]), values))
def test_any_object_with_event_fields_is_an_event_or_an_invalid_record(raw: dict) -> None:
    try:
        encode(parse_event({**GOOD, **raw}, SCENARIOS, NOW))
    except InvalidRecord as error:
        assert str(error)


@given(st.binary(max_size=50))
def test_any_bytes_are_an_object_or_an_invalid_record(value: bytes) -> None:
    try:
        assert isinstance(decode_object(value), dict)
    except InvalidRecord as error:
        assert error.reason in {"empty", "not_json", "not_object"}


def test_an_event_survives_the_wire() -> None:
    event = parse_event({**GOOD, "query": "ä€😀", "position": 3}, SCENARIOS, NOW)
    assert parse_event(json.loads(encode(event)), SCENARIOS, NOW) == event
    assert event.action is Action.CLICK


def test_an_item_keeps_further_columns_and_reads_its_topics_before_its_body() -> None:
    item = parse_item({"item_id": 5, "title": "T", "body": "B", "tags": "a b", "genres": "Drama", "timestamp": 2.5})
    assert item.item_id == "5"
    assert item.text == "T. a b. Drama. B"
    assert item.timestamp_ms == 2500


@pytest.mark.parametrize(
    "raw", [{}, {"item_id": "i"}, {"item_id": "i", "title": " "}, {"item_id": "i", "title": "t", "kind": "x"}, []]
)
def test_bad_items_are_invalid_records(raw: object) -> None:
    with pytest.raises(InvalidRecord):
        parse_item(raw)
