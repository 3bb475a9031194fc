"""What the whole system talks about: events, items, scenarios, actions.

Defined once, imported everywhere, and knows nothing of Kafka, Ray, HTTP or
torch. The wire format is JSON in UTF-8 (topics and HTTP alike) and every
record passes through `parse_event` or `parse_item` before anything uses it.
"""

from __future__ import annotations

import hashlib
import uuid
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
import pyarrow as pa
from msgspec import Meta

from rayapp.errors import UserError

DEFAULT_SCENARIOS = ("homefeed", "search", "ads")
MAX_CLOCK_AHEAD_MS = 5 * 60 * 1000
MAX_TIMESTAMP_MS = 4_102_444_800_000  # 2100-01-01
MAX_ID = 256
MAX_TEXT = 20_000


class Action(StrEnum):
    """What a user did. Everything but an impression marks the item as seen."""

    IMPRESSION = "impression"
    CLICK = "click"
    LIKE = "like"
    COLLECT = "collect"
    COMMENT = "comment"
    SHARE = "share"
    FOLLOW = "follow"
    HIDE = "hide"
    REPORT = "report"
    CONVERSION = "conversion"


ACTIONS = tuple(action.value for action in Action)
# Interest in an item: these enter the user tower's input and are its targets.
POSITIVE_ACTIONS = frozenset(
    {Action.CLICK, Action.LIKE, Action.COLLECT, Action.COMMENT, Action.SHARE, Action.FOLLOW, Action.CONVERSION}
)


class Kind(StrEnum):
    """What an item is. Feeds and search show notes, the ads call shows ads."""

    NOTE = "note"
    AD = "ad"


Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Millis = Annotated[int, Meta(ge=0, le=MAX_TIMESTAMP_MS)]


class InvalidRecord(UserError):
    """A record that cannot be used: `reason` is a short label, the text says what, value, limit, remedy."""

    def __init__(self, reason: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field

    def __reduce__(self) -> tuple[type[InvalidRecord], tuple[str, str, str | None]]:
        return InvalidRecord, (self.reason, str(self), self.field)  # an exception is pickled by its message alone


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One behaviour record of `rayapp.behaviour`; times are milliseconds since the epoch."""

    event_id: Id
    user_id: Id
    scenario: Id
    action: Action
    timestamp_ms: Millis
    received_ms: Millis
    item_id: Id | None = None
    request_id: Id | None = None
    position: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    query: Annotated[str, Meta(max_length=1000)] | None = None
    dwell_ms: Annotated[int, Meta(ge=0, le=86_400_000)] | None = None

    @property
    def is_positive(self) -> bool:
        return self.item_id is not None and self.action in POSITIVE_ACTIONS


class Forget(msgspec.Struct, frozen=True):
    """A user's deletion, written to the user's own partition: what came before it is forgotten."""

    forget: bool
    user_id: Id
    received_ms: Millis


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One note or ad of the catalogue; `extra` keeps any further text columns such as genres."""

    item_id: Id
    title: Text
    body: Text = ""
    tags: tuple[Annotated[str, Meta(max_length=200)], ...] = ()
    image: Annotated[str, Meta(max_length=2000)] | None = None
    lang: Annotated[str, Meta(max_length=35)] | None = None
    author: Annotated[str, Meta(max_length=MAX_ID)] | None = None
    kind: Kind = Kind.NOTE
    scenario: Annotated[str, Meta(max_length=MAX_ID)] | None = None
    timestamp_ms: Millis | None = None
    extra: dict[str, str] = {}

    @property
    def text(self) -> str:
        """What the item tower reads: title, topics, further columns, body (RED-Rec: topics before body).

        An item known by its id alone has no text: an id says nothing.
        """
        title = "" if self.title == self.item_id else self.title
        parts = [title, " ".join(self.tags), *self.extra.values(), self.body]
        return ". ".join(part for part in parts if part)

    @property
    def text_key(self) -> str:
        """Identity of the text in verdicts and post-view queries, see `text_key`."""
        return text_key(self.text)


def text_key(text: str) -> str:
    """Identity of a note's text, 24 hexadecimal digits: a note whose text changed is judged again."""
    return hashlib.sha256(f"\0{text}".encode()).hexdigest()[:24]


class Decision(StrEnum):
    """What a verdict does to a note, from shown to everybody to shown to nobody."""

    ALLOW = "allow"
    LIMIT = "limit"
    HOLD = "hold"
    BLOCK = "block"

    @property
    def strictness(self) -> int:
        return list(Decision).index(self)


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of `rayapp.verdicts`; `labels` sum to 1 with `none`, and are empty where no model judged.

    `outcome`: judged (by the model), failed (the policy's word while the model is away), person.
    `text_key` names the text that was judged: a note that changed is judged again.
    """

    item_id: Id
    decision: Decision
    outcome: Literal["judged", "failed", "person"]
    at_ms: Millis
    labels: dict[str, float] = {}
    model_version: str = ""
    policy_version: str = ""
    text_key: str = ""
    reason: Annotated[str, Meta(max_length=1000)] = ""

    def stands(self, text_key: str, versions: tuple[str, str]) -> bool:
        """Whether a note whose text is now `text_key` need not be judged by this model and policy (`versions`)."""
        mine = (self.model_version, self.policy_version) == versions
        return self.text_key == text_key and (self.outcome == "person" or (self.outcome == "judged" and mine))


_encoder = msgspec.json.Encoder()
R = TypeVar("R", Event, Forget, Item)


def encode(record: Event | Item | Forget | Verdict | dict[str, Any]) -> bytes:
    """JSON in UTF-8, as it stands on every topic."""
    return _encoder.encode(record)


def decode_object(value: bytes | None) -> dict[str, Any]:
    """The JSON object in a topic's value; raises InvalidRecord for anything else."""
    if not value:
        raise InvalidRecord("empty", "the value is empty; send a JSON object in UTF-8")
    try:
        raw = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRecord("not_json", f"the value is not JSON in UTF-8: {error}") from None
    if not isinstance(raw, dict):
        raise InvalidRecord("not_object", f"the value is a JSON {type(raw).__name__}; send an object")
    return cast("dict[str, Any]", raw)


def parse_event(
    raw: Any,
    scenarios: tuple[str, ...] | frozenset[str],
    received_ms: int,
    default_id: str | None = None,
) -> Event:
    """Check one behaviour record and fill in what may be missing.

    Missing `event_id` becomes `default_id` (a fresh uuid without one), missing
    `timestamp_ms` and one more than five minutes ahead become `received_ms`.
    Raises InvalidRecord with the field at fault.
    """
    if not isinstance(raw, dict):
        raise InvalidRecord("not_object", f"an event must be a JSON object, got {type(raw).__name__}")
    given = cast("dict[str, Any]", raw)
    data = {key: value for key, value in given.items() if value is not None}
    _ids_to_text(data, ("event_id", "user_id", "item_id", "request_id"))
    data.setdefault("event_id", default_id or str(uuid.uuid4()))
    data["received_ms"] = given.get("received_ms") or received_ms
    data.setdefault("timestamp_ms", data["received_ms"])
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
    """A `forget` record of the behaviour topic."""
    return _convert({**raw, "received_ms": raw.get("received_ms") or received_ms}, Forget, "forget record")


def parse_item(raw: Any) -> Item:
    """Check one catalogue record; columns we do not know but that hold text go to `extra`."""
    if not isinstance(raw, dict):
        raise InvalidRecord("not_object", f"an item must be a JSON object, got {type(raw).__name__}")
    data = {key: value for key, value in cast("dict[str, Any]", raw).items() if value is not None}
    _ids_to_text(data, ("item_id", "author"))
    seconds = data.pop("timestamp", None)
    if isinstance(seconds, int | float) and "timestamp_ms" not in data:
        data["timestamp_ms"] = int(seconds * 1000)
    if isinstance(data.get("tags"), str):
        data["tags"] = data["tags"].split()
    extra = data.pop("extra", {})
    for key in [key for key in data if key not in Item.__struct_fields__]:
        extra = {**extra, key: str(data.pop(key))}
    kind = data.get("kind", Kind.NOTE)
    if isinstance(kind, str) and kind not in tuple(Kind):
        raise InvalidRecord("invalid", f"kind {kind!r} is unknown; use {' or '.join(Kind)}", "kind")
    item = _convert({**data, "extra": extra}, Item, "item")
    if not (item.title.strip() or item.text.strip()):
        raise InvalidRecord("invalid", "title is empty and there is no other text; give a title", "title")
    return item


def _ids_to_text(data: dict[str, Any], fields: tuple[str, ...]) -> None:
    for field in fields:
        if type(data.get(field)) is int:
            data[field] = str(data[field])


def _convert(data: dict[str, Any], kind: type[R], what: str) -> R:
    try:
        record = msgspec.convert(data, kind)
        _encoder.encode(record).decode()
    except msgspec.ValidationError as error:
        text = str(error)
        field = text.rpartition("`$.")[2].rstrip("`") if "`$." in text else None
        if field is None and "missing required field" in text:
            field = text.rpartition("field `")[2].rstrip("`")
        raise InvalidRecord("invalid", f"{what}: {text}", field) from None
    except UnicodeEncodeError:
        raise InvalidRecord("invalid", f"{what}: text holds half of a surrogate pair; send valid UTF-8") from None
    return record


# A data folder's two tables once read: ids are text, times milliseconds, gaps filled.
INTERACTION_SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("timestamp_ms", pa.int64()),
        ("scenario", pa.string()),
        ("action", pa.string()),
        ("query", pa.string()),
        ("position", pa.int64()),
    ]
)
# One row a user, events in time order: what training reads (Ray Data, one list a row).
SEQUENCE_SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("items", pa.list_(pa.int32())),
        ("scenarios", pa.list_(pa.int16())),
        ("actions", pa.list_(pa.int16())),
        ("seconds", pa.list_(pa.int64())),
    ]
)
