"""The answers of the HTTP surface, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, Field, WithJsonSchema

from rayapp.domain import ACTIONS, MAX_ID, MAX_TEXT, Decision


class ErrorDetail(BaseModel):
    code: str
    message: str
    field: str | None = None


class ErrorBody(BaseModel):
    error: ErrorDetail


EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["user_id", "scenario", "action"],
    "properties": {
        "event_id": {"type": "string", "minLength": 1, "maxLength": 256},
        "user_id": {"type": "string", "minLength": 1, "maxLength": 256},
        "item_id": {"type": "string", "minLength": 1, "maxLength": 256},
        "scenario": {"type": "string", "minLength": 1, "maxLength": 256},
        "action": {"type": "string", "enum": list(ACTIONS)},
        "timestamp_ms": {"type": "integer", "minimum": 0},
        "request_id": {"type": "string"},
        "position": {"type": "integer", "minimum": 0},
        "query": {"type": ["string", "null"], "maxLength": 1000},
        "dwell_ms": {"type": "integer", "minimum": 0},
    },
}
ITEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["item_id", "title"],
    "properties": {
        "item_id": {"type": "string", "minLength": 1, "maxLength": 256},
        "title": {"type": "string"},
        "body": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "author": {"type": "string"},
        "kind": {"type": "string", "enum": ["note", "ad"]},
        "scenario": {"type": "string"},
        "lang": {"type": "string"},
        "image": {"type": "string"},
        "timestamp": {"type": "number"},
    },
    "additionalProperties": True,
}
# Checked one by one by the domain's own parser, so that one bad record does not reject the rest.
RawEvent = Annotated[Any, WithJsonSchema(EVENT_SCHEMA)]
RawItem = Annotated[Any, WithJsonSchema(ITEM_SCHEMA)]


class EventsIn(BaseModel):
    events: list[RawEvent]


class ItemsIn(BaseModel):
    items: list[RawItem]


class Rejected(BaseModel):
    index: int
    error: str
    field: str | None = None


class Accepted(BaseModel):
    accepted: int
    rejected: list[Rejected]


class ListedItem(BaseModel):
    item_id: str
    score: float
    title: str
    source: str
    reason: str


class ItemList(BaseModel):
    request_id: str
    user_id: str
    scenario: str
    items: list[ListedItem]
    model_version: str
    index_version: str
    experiments: dict[str, str]
    cursor: str
    exhausted: bool


class Understanding(BaseModel):
    intent: str | None
    spelling: str | None = None
    expansions: list[str]
    source: Literal["redone", "none"]
    cached: bool


class SearchList(ItemList):
    understanding: Understanding


class SimilarItems(BaseModel):
    items: list[ListedItem]


class PostViewQueries(BaseModel):
    queries: list[str]
    status: Literal["ready", "pending"]
    request_id: str | None = None
    experiments: dict[str, str] | None = None


class NoteIn(BaseModel):
    id: Annotated[str, Field(min_length=1, max_length=MAX_ID)]
    text: Annotated[str, Field(max_length=MAX_TEXT)]


class NotesIn(BaseModel):
    notes: Annotated[list[NoteIn], Field(min_length=1, max_length=256)]


class JudgedNote(BaseModel):
    id: str
    decision: Decision
    labels: dict[str, float]
    model_version: str
    policy_version: str


class Verdicts(BaseModel):
    verdicts: list[JudgedNote]


class VerdictIn(BaseModel):
    decision: Decision
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class StoredVerdict(VerdictIn):
    item_id: str
    outcome: Literal["judged", "failed", "person"]
    at_ms: int


class History(BaseModel):
    events: list[Annotated[Any, WithJsonSchema(EVENT_SCHEMA)]]


class Deleted(BaseModel):
    user_id: str
    message: str


class Ready(BaseModel):
    ready: bool
    components: dict[str, bool]


def as_json(record: msgspec.Struct) -> dict[str, Any]:
    """A domain record as plain JSON values, unset fields left out."""
    return msgspec.to_builtins(record)
