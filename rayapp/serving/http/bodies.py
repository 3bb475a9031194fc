"""What clients send, as FastAPI reads it. Records are checked one by one by the domain's own parser, so that one bad
record does not reject the rest; their schemas are the domain's."""

# No `from __future__ import annotations`: pydantic must see the types.
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, Field, WithJsonSchema

from rayapp.domain import MAX_ID, MAX_TEXT, Decision, Event, Item


def input_schema(kind: type[msgspec.Struct], *, required: tuple[str, ...], without: tuple[str, ...]) -> dict[str, Any]:
    """The JSON schema of a record as clients send it: the system fills in what is not `required`."""
    schema = msgspec.json.schema_components((kind,), ref_template="#/components/schemas/{name}")[1][kind.__name__]
    properties = {name: value for name, value in schema["properties"].items() if name not in without}
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": True}


EVENT_SCHEMA = input_schema(Event, required=("user_id", "scenario", "action"), without=("received_ms",))
ITEM_SCHEMA = input_schema(Item, required=("item_id", "title"), without=("timestamp_ms", "extra"))
ITEM_SCHEMA["properties"]["timestamp"] = {"type": "number", "description": "Seconds since the epoch."}

RawEvent = Annotated[Any, WithJsonSchema(EVENT_SCHEMA)]
RawItem = Annotated[Any, WithJsonSchema(ITEM_SCHEMA)]


class EventsIn(BaseModel):
    events: list[RawEvent]


class ItemsIn(BaseModel):
    items: list[RawItem]


class NoteIn(BaseModel):
    id: Annotated[str, Field(min_length=1, max_length=MAX_ID)]
    text: Annotated[str, Field(max_length=MAX_TEXT)]


class NotesIn(BaseModel):
    notes: Annotated[list[NoteIn], Field(min_length=1, max_length=256)]


class VerdictIn(BaseModel):
    decision: Decision
    reason: Annotated[str, Field(min_length=1, max_length=1000)]
