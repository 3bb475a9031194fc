"""The one door for records: events, forget records and items of any origin are checked here before anything uses them.

HTTP, topics, data folders and log files share these functions, so a record that one of them takes is taken by all.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from typing import Any, TypeVar, cast

import msgspec

from rayapp.domain import ACTIONS, MAX_ID, Event, Forget, Item, Kind, encode
from rayapp.errors import UserError
from rayapp.parsing import Unreadable, json_object
from rayapp.times import DIGITS, MAX_TIMESTAMP_MS, TimeError, Unit, milliseconds

MAX_CLOCK_AHEAD_MS = 5 * 60 * 1000
MAX_EXACT = 2**53  # whole numbers beyond it are not exact in a double
EVENT_IDS = ("event_id", "user_id", "item_id", "request_id", "scenario")
ITEM_IDS = ("item_id", "author")
OWN_FIELDS = frozenset({*Item.__struct_fields__, "timestamp"})
CHOICES: dict[str, tuple[str, ...]] = {"action": ACTIONS, "kind": tuple(kind.value for kind in Kind)}
SEPARATORS = (
    ",",
    ";",
    "|",
    "\N{FULLWIDTH COMMA}",
    "\N{IDEOGRAPHIC COMMA}",
    "\N{FULLWIDTH SEMICOLON}",
    "\N{ARABIC COMMA}",
    "\n",
)
R = TypeVar("R", Event, Forget, Item)


class InvalidRecord(UserError):
    """A record that cannot be used: `reason` is a short label, the text says what, value, limit, remedy."""

    def __init__(self, reason: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field

    def __reduce__(self) -> tuple[type[InvalidRecord], tuple[str, str, str | None]]:
        return InvalidRecord, (self.reason, str(self), self.field)  # an exception is pickled by its message alone


def decode_object(value: bytes | None) -> dict[str, Any]:
    """The JSON object in a topic's value. Raises InvalidRecord."""
    try:
        return json_object(value)
    except Unreadable as error:
        raise InvalidRecord(error.reason, str(error)) from None


def parse_event(
    raw: Any,
    scenarios: tuple[str, ...] | frozenset[str],
    received_ms: int,
    default_id: str | None = None,
) -> Event:
    """Check one behaviour record and fill in what may be missing.

    Missing `event_id` becomes `default_id` (a fresh uuid without one). A missing time, and one more than five minutes
    ahead, becomes `received_ms`; so does a `received_ms` of the record's own that lies as far ahead. Whole numbers
    as ids become text, and `timestamp` (seconds or ISO 8601) may stand for `timestamp_ms`.
    Raises InvalidRecord with the field at fault.
    """
    data = _given(raw, "an event")
    _ids_to_text(data, EVENT_IDS)
    _whole_numbers(data)
    data.setdefault("event_id", default_id or str(uuid.uuid4()))
    data["received_ms"] = _received(data.get("received_ms"), received_ms)
    data["timestamp_ms"] = _time(data, default=data["received_ms"])
    event = _convert(data, Event, "event")
    if event.scenario not in scenarios:
        known = ", ".join(sorted(scenarios))
        raise InvalidRecord(
            "unknown_scenario", f"scenario {event.scenario!r} is unknown; use one of {known}", "scenario"
        )
    if event.item_id is None and not event.query:
        raise InvalidRecord("missing_item", "item_id is missing; give one (or a query for a search)", "item_id")
    if event.timestamp_ms > event.received_ms + MAX_CLOCK_AHEAD_MS:
        event = msgspec.structs.replace(event, timestamp_ms=event.received_ms)
    return event


def parse_forget(raw: dict[str, Any], received_ms: int) -> Forget:
    """A `forget` record of the behaviour topic; for its time alone none is refused. Raises InvalidRecord."""
    data = _given(raw, "a forget record")
    _ids_to_text(data, ("user_id",))
    try:
        data["received_ms"] = _received(data.get("received_ms"), received_ms)
    except InvalidRecord:
        data["received_ms"] = received_ms
    return _convert(data, Forget, "forget record")


def parse_item(raw: Any, received_ms: int | None = None) -> Item:
    """Check one catalogue record. Raises InvalidRecord with the field at fault.

    Columns that we do not know go to `extra` where they hold text, or a list of texts; others are left out (see
    `columns_without_text`). With `received_ms` a time more than five minutes ahead of it becomes `received_ms`.
    """
    data = _given(raw, "an item")
    _ids_to_text(data, ITEM_IDS)
    at = _time(data, default=None)
    data.pop("timestamp", None)
    if at is not None:
        ahead = received_ms is not None and at > received_ms + MAX_CLOCK_AHEAD_MS
        data["timestamp_ms"] = received_ms if ahead else at
    if "tags" in data:
        data["tags"] = _tags(data["tags"])
    extra = data.pop("extra", {})
    if not isinstance(extra, dict):
        raise InvalidRecord("invalid", f"extra is a {type(extra).__name__}; give an object of texts", "extra")
    for key in cast("dict[str, Any]", extra):  # as a column beside them it would take the place of a field
        if key in OWN_FIELDS:
            raise InvalidRecord(
                "invalid", f"extra holds {key!r}, which is a field of its own; name it otherwise", "extra"
            )
    further = {**cast("dict[str, Any]", extra), **{k: data.pop(k) for k in _unknown(data)}}
    data["extra"] = {key: text for key, value in further.items() if (text := _text_of(value)) is not None}
    item = _convert(data, Item, "item")
    if not (item.title.strip() or item.text.strip()):
        raise InvalidRecord("invalid", "title is empty and there is no other text; give a title", "title")
    return item


def columns_without_text(raw: dict[str, Any]) -> list[str]:
    """Columns of an item's record that are neither known nor text: `parse_item` leaves them out."""
    return [key for key in _unknown(raw) if key != "timestamp" and raw[key] is not None and _text_of(raw[key]) is None]


def _unknown(data: Iterable[str]) -> list[str]:
    return [key for key in data if key not in Item.__struct_fields__]


def _given(raw: Any, what: str) -> dict[str, Any]:
    """A copy without the keys that hold nothing."""
    if not isinstance(raw, dict):
        raise InvalidRecord("not_object", f"{what} must be a JSON object, got {type(raw).__name__}")
    return {key: value for key, value in cast("dict[str, Any]", raw).items() if value is not None}


def whole_id(value: Any, field: str) -> Any:
    """A whole number as text, exactly; what is no number stays as it is. Raises InvalidRecord for other numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, float):
        if not value.is_integer() or abs(value) > MAX_EXACT:
            raise InvalidRecord(
                "invalid",
                f"{field} {value!r} is a floating-point number, which is not exact; send text or a whole number",
                field,
            )
        value = int(value)
    if abs(value) >= 10**MAX_ID:
        raise InvalidRecord("invalid", f"{field} is a number of more than {MAX_ID} digits; send a shorter id", field)
    return str(value)


def _ids_to_text(data: dict[str, Any], fields: tuple[str, ...]) -> None:
    for field in fields:
        if field in data:
            data[field] = whole_id(data[field], field)


def _whole_numbers(data: dict[str, Any]) -> None:
    """3.0 is 3, as many JSON writers send it; a dwell time of performance.now() has a fraction of a millisecond."""
    for field in ("position", "dwell_ms"):
        value = data.get(field)
        if isinstance(value, float) and math.isfinite(value) and (value.is_integer() or field == "dwell_ms"):
            data[field] = round(value)


def _received(given: Any, received_ms: int) -> int:
    """When a record that came past the gateway was received, as it says; not by a clock that is ahead."""
    if given is None or given == 0:
        return received_ms
    at = _milliseconds(given, "ms", "received_ms")
    return received_ms if at > received_ms + MAX_CLOCK_AHEAD_MS else at


def _time(data: dict[str, Any], *, default: int | None) -> int | None:
    """`timestamp_ms`, or `timestamp` in seconds; raises InvalidRecord."""
    if "timestamp_ms" in data:
        return _milliseconds(data["timestamp_ms"], "ms", "timestamp_ms")
    if "timestamp" in data:
        return _milliseconds(data["timestamp"], "s", "timestamp")
    return default


def _milliseconds(value: Any, unit: Unit, field: str) -> int:
    if type(value) is int and DIGITS[1] <= value <= MAX_TIMESTAMP_MS and unit == "ms":
        return value  # what nearly every record holds
    try:
        return milliseconds(value, unit)
    except TimeError as error:
        raise InvalidRecord("invalid", f"{field}: {error}", field) from None


def _tags(value: Any) -> Any:
    """A list of texts. One text is split where people separate: at commas, semicolons, bars and lines, or at spaces."""
    if isinstance(value, str):
        text = value.strip()
        if text[:1] == "[" and text[-1:] == "]":  # a list that was written as text
            text = text[1:-1]
        separator = next((s for s in SEPARATORS if s in text), None)
        parts = text.split() if separator is None else _split(text)
        return [part for part in (one.strip().strip("'\"").removeprefix("#").strip() for one in parts) if part]
    if isinstance(value, list | tuple):
        return [whole_id(one, "tags") for one in cast("list[Any]", value) if one is not None]
    return value


def _split(text: str) -> list[str]:
    for separator in SEPARATORS[1:]:
        text = text.replace(separator, SEPARATORS[0])
    return text.split(SEPARATORS[0])


def _text_of(value: Any) -> str | None:
    """The text of a further column: a text, or texts joined with spaces; None for what is no text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        parts = cast("list[Any]", value)
        if parts and all(isinstance(part, str) for part in parts):
            return " ".join(parts)
    return None


def _convert(data: dict[str, Any], kind: type[R], what: str) -> R:
    for field, allowed in CHOICES.items():
        given = data.get(field)
        if field in kind.__struct_fields__ and isinstance(given, str) and given not in allowed:
            raise InvalidRecord("invalid", f"{field} {given[:60]!r} is unknown; use one of {', '.join(allowed)}", field)
    try:
        record = msgspec.convert(data, kind)
        encode(record).decode()
    except msgspec.ValidationError as error:
        raise _explained(str(error), data, what) from None
    except UnicodeEncodeError:
        raise InvalidRecord("invalid", f"{what}: text holds half of a surrogate pair; send valid UTF-8") from None
    return record


def _explained(text: str, data: dict[str, Any], what: str) -> InvalidRecord:
    """msgspec's message with the field and the value in front of it."""
    said, at, path = text.partition(" - at `$.")
    field: str | None = path.rstrip("`") if at else None
    if field is None and "missing required field" in text:
        field = text.rpartition("field `")[2].rstrip("`")
        return InvalidRecord("invalid", f"{what}: {field} is missing; give it", field)
    value = data.get(field or "")
    given = f" {str(value)[:60]!r}" if isinstance(value, str | int | float) else ""
    return InvalidRecord("invalid", f"{what}: {field or 'record'}{given}: {said}", field)
