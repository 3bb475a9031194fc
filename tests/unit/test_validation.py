from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.domain import Action, Event, Forget, Item, encode
from rayapp.times import MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS, TimeError, milliseconds
from rayapp.validation import (
    MAX_CLOCK_AHEAD_MS,
    InvalidRecord,
    columns_without_text,
    decode_object,
    parse_event,
    parse_forget,
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
        ({"timestamp_ms": 1_790_000_000}, "invalid", "timestamp_ms"),
        ({"timestamp_ms": 1_790_000_000_000_000}, "invalid", "timestamp_ms"),
        ({"timestamp_ms": True}, "invalid", "timestamp_ms"),
        ({"timestamp_ms": {}}, "invalid", "timestamp_ms"),
        ({"timestamp_ms": float("nan")}, "invalid", "timestamp_ms"),
        ({"timestamp": NOW}, "invalid", "timestamp"),
        ({"timestamp": "last week"}, "invalid", "timestamp"),
        ({"received_ms": "now"}, "invalid", "received_ms"),
        ({"user_id": 7.6561198e16}, "invalid", "user_id"),
        ({"user_id": 0.5}, "invalid", "user_id"),
        ({"user_id": True}, "invalid", "user_id"),
        ({"user_id": ["u"]}, "invalid", "user_id"),
        ({"position": 0.5}, "invalid", "position"),
        ({"dwell_ms": float("inf")}, "invalid", "dwell_ms"),
        ({"action": "Click"}, "invalid", "action"),
        ({"action": 3}, "invalid", "action"),
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
        assert error.reason in {"empty", "not_json", "not_object", "too_deep"}


def test_an_event_survives_the_wire() -> None:
    event = parse_event({**GOOD, "query": "ä€😀", "position": 3}, SCENARIOS, NOW)
    assert parse_event(json.loads(encode(event)), SCENARIOS, NOW) == event
    assert event.action is Action.CLICK


def test_an_item_keeps_further_columns_and_reads_its_topics_before_its_body() -> None:
    item = parse_item(
        {"item_id": 5, "title": "T", "body": "B", "tags": "a b", "genres": "Drama", "timestamp": 2e8 + 0.5}
    )
    assert item.item_id == "5"
    assert item.text == "T. a b. Drama. B"
    assert item.timestamp_ms == 200_000_000_500


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"user_id": 9007199254740993}, {"user_id": "9007199254740993"}),
        ({"user_id": 10**40}, {"user_id": str(10**40)}),
        ({"user_id": 5.0}, {"user_id": "5"}),
        ({"item_id": 7}, {"item_id": "7"}),
        ({"request_id": 8}, {"request_id": "8"}),
        ({"position": 3.0}, {"position": 3}),
        ({"dwell_ms": 5400.7}, {"dwell_ms": 5401}),
        ({"timestamp_ms": float(NOW)}, {"timestamp_ms": NOW}),
        ({"timestamp_ms": str(NOW)}, {"timestamp_ms": NOW}),
        ({"timestamp": NOW // 1000}, {"timestamp_ms": NOW}),
        ({"timestamp": NOW / 1000 - 0.25}, {"timestamp_ms": NOW - 250}),
        ({"timestamp": "2024-01-05T00:00:00Z"}, {"timestamp_ms": 1_704_412_800_000}),
        ({"timestamp": "2024-01-05 01:00:00+01:00"}, {"timestamp_ms": 1_704_412_800_000}),
        ({"timestamp_ms": "2024-01-05"}, {"timestamp_ms": 1_704_412_800_000}),
        ({"received_ms": NOW + 3_600_000, "timestamp_ms": NOW + 3_600_000}, {"timestamp_ms": NOW, "received_ms": NOW}),
        ({"received_ms": NOW - 5000}, {"timestamp_ms": NOW - 5000, "received_ms": NOW - 5000}),
        ({"item_id": "a/b", "user_id": "\n\0"}, {"item_id": "a/b", "user_id": "\n\0"}),
    ],
)
def test_what_common_writers_send_is_read_exactly(change: dict, expected: dict) -> None:
    event = parse_event({**GOOD, **change}, SCENARIOS, NOW)
    assert {name: getattr(event, name) for name in expected} == expected


@pytest.mark.parametrize("action", ["view", "Click", "purchase"])
def test_a_refusal_names_what_is_allowed(action: str) -> None:
    with pytest.raises(InvalidRecord, match=r"use one of impression, click, like"):
        parse_event({**GOOD, "action": action}, SCENARIOS, NOW)


@pytest.mark.parametrize("unit", ["1790000000", "1790000000000000", "1790000000000000000"])
def test_a_time_in_another_unit_is_refused_with_a_hint(unit: str) -> None:
    with pytest.raises(InvalidRecord, match=r"it looks like (seconds|microseconds|nanoseconds)"):
        parse_event({**GOOD, "timestamp_ms": int(unit)}, SCENARIOS, NOW)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31)))
def test_a_date_written_as_digits_is_no_time_of_1976(at: datetime) -> None:
    digits = at.strftime("%Y%m%d%H%M")
    for value in (int(digits), float(digits), digits):
        with pytest.raises(InvalidRecord, match=f"looks like {at:%Y-%m-%d %H:%M} written as digits"):
            parse_event({**GOOD, "timestamp_ms": value}, SCENARIOS, NOW)


@pytest.mark.parametrize("field", sorted({*Item.__struct_fields__, "timestamp"}))
def test_extra_takes_the_place_of_no_field(field: str) -> None:
    with pytest.raises(InvalidRecord, match="a field of its own") as refused:
        parse_item({"item_id": "i", "title": "t", "extra": {field: "x"}})
    assert refused.value.field == "extra"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("cooking, deep learning,travel", ("cooking", "deep learning", "travel")),
        ("Drama|Science Fiction", ("Drama", "Science Fiction")),
        ("a;b ;c", ("a", "b", "c")),
        ("#tea #cake", ("tea", "cake")),
        ("one two", ("one", "two")),
        ("['Drama', 'Film noir']", ("Drama", "Film noir")),
        ("\u8336\u3001\u7cd5\u70b9", ("\u8336", "\u7cd5\u70b9")),
        ("\u8336\uff1b\u7cd5\u70b9", ("\u8336", "\u7cd5\u70b9")),
        ("a\u060c b", ("a", "b")),
        ("", ()),
        (["a b", 39, None], ("a b", "39")),
    ],
)
def test_tags_are_split_as_people_write_them(tags: object, expected: tuple[str, ...]) -> None:
    assert parse_item({"item_id": "i", "title": "t", "tags": tags}).tags == expected


@pytest.mark.parametrize("value", [1.5, 7, True, {"a": "b"}, [1, 2], [0.1] * 3, ["a", 1], [["a"]], b"x"])
def test_a_column_that_is_no_text_is_left_out_and_named(value: object) -> None:
    raw = {"item_id": "i", "title": "t", "column": value, "genres": ["Drama", "Thriller"], "timestamp": 2e8}
    assert parse_item(raw).extra == {"genres": "Drama Thriller"}
    assert columns_without_text(raw) == ["column"]


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": float("nan")}, {"timestamp": float("inf")}, {"timestamp": 1e306}, {"timestamp": 1e308},
        {"timestamp": 10**400}, {"timestamp": True}, {"timestamp": {}}, {"timestamp": NOW}, {"timestamp_ms": NOW * 1000},
        {"extra": "abc", "genre": "y"}, {"extra": 5}, {"extra": ["a"]}, {"tags": 5}, {"tags": {"a": 1}},
        {"tags": [["a"]]}, {"title": 5}, {"body": ["a"]}, {"kind": ["note"]}, {"kind": "Note"}, {"item_id": 1.5},
        {"item_id": float("nan")}, {"author": 2.0**60}, {"lang": "x" * 40}, {"title": "x" * 20_001},
    ],
)  # fmt: skip
def test_an_item_that_cannot_be_used_is_an_invalid_record(change: dict) -> None:
    with pytest.raises(InvalidRecord) as error:
        parse_item({"item_id": "a", "title": "t", **change}, NOW)
    assert "\n" not in str(error.value)


def test_a_note_of_the_future_is_as_old_as_its_arrival() -> None:
    assert parse_item({"item_id": "a", "title": "t", "timestamp": 4_000_000_000}, NOW).timestamp_ms == NOW
    assert parse_item({"item_id": "a", "title": "t", "timestamp": NOW // 1000 + 60}, NOW).timestamp_ms == NOW + 60_000


def test_whole_numbers_are_forgotten_as_they_were_learned() -> None:
    assert parse_forget({"forget": True, "user_id": 77}, NOW) == Forget(forget=True, user_id="77", received_ms=NOW)
    with pytest.raises(InvalidRecord):
        parse_forget({"forget": True}, NOW)


@given(st.dictionaries(st.sampled_from([*Item.__struct_fields__, "timestamp", "genres", "other"]), values))
def test_any_object_with_item_fields_is_an_item_or_an_invalid_record(raw: dict) -> None:
    try:
        item = parse_item({"item_id": "i", "title": "t", **raw}, NOW)
    except InvalidRecord as error:
        assert str(error)
    else:
        assert msgspec.json.decode(encode(item), type=Item) == item


@given(values)
def test_any_json_is_an_item_or_an_invalid_record(raw: object) -> None:
    try:
        parse_item(raw, NOW)
    except InvalidRecord as error:
        assert str(error)


@given(st.dictionaries(st.sampled_from([*Forget.__struct_fields__, "other"]), values))
def test_any_object_is_a_forget_record_or_an_invalid_record(raw: dict) -> None:
    try:
        encode(parse_forget(raw, NOW))
    except InvalidRecord as error:
        assert str(error)


@given(st.floats() | st.integers() | st.text() | st.datetimes() | st.dates() | st.decimals() | st.booleans())
def test_any_value_is_a_time_of_this_age_or_an_error(value: object) -> None:
    for unit in ("s", "ms"):
        try:
            assert MIN_TIMESTAMP_MS <= milliseconds(value, unit) <= MAX_TIMESTAMP_MS
        except TimeError as error:
            assert str(error)


@given(st.datetimes(datetime(1974, 1, 1), datetime(2099, 1, 1)))
def test_a_date_is_the_same_moment_in_every_writing(at: datetime) -> None:
    exact = at.replace(microsecond=0, tzinfo=UTC)
    seconds = int(exact.timestamp())
    written = (exact, exact.isoformat(), seconds, float(seconds), str(seconds), Decimal(seconds))
    assert {milliseconds(one, "s") for one in written} == {1000 * seconds}


@pytest.mark.parametrize(
    "raw", [{}, {"item_id": "i"}, {"item_id": "i", "title": " "}, {"item_id": "i", "title": "t", "kind": "x"}, []]
)
def test_bad_items_are_invalid_records(raw: object) -> None:
    with pytest.raises(InvalidRecord):
        parse_item(raw)
