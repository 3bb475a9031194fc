"""Parameters that several calls take."""

# No `from __future__ import annotations`: FastAPI must see the types.
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BeforeValidator

from rayapp.serving.middleware.segments import segment_text

Segment = BeforeValidator(segment_text)  # as the path was written; the limits are of what it means
UserId = Annotated[str, Query(min_length=1, max_length=256, description="The requesting user's id.")]
OptionalUserId = Annotated[str, Query(max_length=256, description="The requesting user's id; empty: anonymous.")]
ItemId = Annotated[str, Segment, Path(min_length=1, max_length=256, description="The item's id.")]
UserPath = Annotated[str, Segment, Path(min_length=1, max_length=256, description="The user's id.")]
ExperimentName = Annotated[str, Segment, Path(min_length=1, max_length=64, description="The experiment's name.")]
Cursor = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=64,
        description="The previous page's cursor; without it a first page.",
        # As cursors are made; one that is not, or is too old, is 400.
        json_schema_extra={"anyOf": [{"type": "string", "pattern": "^[0-9a-f]{32}$"}, {"type": "null"}]},
    ),
]


def scenario(known: tuple[str, ...]) -> Any:
    """One of those that are `known`."""
    text = "Where the list is shown: one of the configured scenarios."
    return Query(default="homefeed", description=text, json_schema_extra={"enum": list(known)})
