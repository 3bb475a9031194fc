"""What clients send, as FastAPI reads it. Records are checked one by one by the domain's own parser, so that one bad
record does not reject the rest; their schemas are the domain's."""

# No `from __future__ import annotations`: pydantic must see the types.
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from rayapp.domain import MAX_ID, MAX_TEXT, Decision, Event, Item
from rayapp.serving.http.ingest import MAX_RECORDS
from rayapp.validation import InvalidRecord, whole_id


def input_schema(kind: type[msgspec.Struct], *, required: tuple[str, ...], without: tuple[str, ...]) -> dict[str, Any]:
    """The JSON schema of a record as clients send it: the system fills in what is not `required`."""
    schema = msgspec.json.schema_components((kind,), ref_template="#/components/schemas/{name}")[1][kind.__name__]
    properties = {name: value for name, value in schema["properties"].items() if name not in without}
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": True}


EVENT_SCHEMA = input_schema(Event, required=("user_id", "scenario", "action"), without=("received_ms",))
ITEM_SCHEMA = input_schema(Item, required=("item_id", "title"), without=("timestamp_ms", "extra"))
ITEM_SCHEMA["properties"]["timestamp"] = {"type": "number", "description": "Seconds since the epoch."}


def _each(schema: dict[str, Any], kind: str) -> dict[str, Any]:
    """One of a list whose entries are answered one by one: what is no record does not make the call an error."""
    return {"anyOf": [{**schema, "title": kind}, {"title": f"no {kind}", "description": "Answered in `rejected`."}]}


RawEvent = Annotated[Any, WithJsonSchema(_each(EVENT_SCHEMA, "Event"))]
RawItem = Annotated[Any, WithJsonSchema(_each(ITEM_SCHEMA, "Item"))]
# More than that is 413, before the entries are looked at; see `Ingest`.
MANY: dict[str, Any] = {"minItems": 1, "maxItems": MAX_RECORDS}


class EventsIn(BaseModel):
    events: Annotated[list[RawEvent], Field(json_schema_extra=MANY)]


class ItemsIn(BaseModel):
    items: Annotated[list[RawItem], Field(json_schema_extra=MANY)]


def _id_text(given: Any) -> Any:
    """Whole numbers are ids, as in records."""
    try:
        return whole_id(given, "id")
    except InvalidRecord as error:
        raise ValueError(str(error)) from None


NoteId = Annotated[
    str,
    Field(min_length=1, max_length=MAX_ID),
    BeforeValidator(_id_text),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1, "maxLength": MAX_ID}, {"type": "integer"}]}),
]


class NoteIn(BaseModel):
    id: NoteId
    text: Annotated[str, Field(max_length=MAX_TEXT)]


class NotesIn(BaseModel):
    notes: Annotated[list[NoteIn], Field(min_length=1, max_length=256)]


class VerdictIn(BaseModel):
    decision: Decision
    reason: Annotated[str, Field(min_length=1, max_length=1000)]
