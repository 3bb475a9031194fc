"""What the whole system talks about: events, items, scenarios, actions.

Defined once, imported everywhere, and knows nothing of Kafka, Ray, HTTP or
torch. The wire format is JSON in UTF-8 (topics and HTTP alike) and every
record passes through `rayapp.validation` before anything uses it.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pyarrow as pa
from msgspec import Meta

from rayapp.times import MAX_TIMESTAMP_MS

DEFAULT_SCENARIOS = ("homefeed", "search", "ads")
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
    """One record of `rayapp.verdicts`; `labels` sum to 1 with `none`, and are empty where no model judged. `scores`:
    by category its own probability, which the policy's thresholds are held against, and that of `distress`.

    `outcome`: judged (by the models), failed (the policy's word while the language model is away), person.
    `stage`: what decided. `read`: the share of the note that was judged. `help`: what the policy wants an author in
    distress and the readers to be told.
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
    scores: dict[str, float] = {}
    stage: Literal["fast", "llm", "person", "policy", ""] = ""
    read: float = 0.0
    help: str = ""

    def stands(self, text_key: str, versions: tuple[str, str]) -> bool:
        """Whether a note whose text is now `text_key` need not be judged by this model and policy (`versions`)."""
        mine = (self.model_version, self.policy_version) == versions
        return self.text_key == text_key and (self.outcome == "person" or (self.outcome == "judged" and mine))


_encoder = msgspec.json.Encoder()


def encode(record: Event | Item | Forget | Verdict | dict[str, Any]) -> bytes:
    """JSON in UTF-8, as it stands on every topic."""
    return _encoder.encode(record)


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
