"""Parameters that several calls take."""

# No `from __future__ import annotations`: FastAPI must see the types.
from typing import Annotated

from fastapi import Path, Query
from pydantic import BeforeValidator

from rayapp.serving.middleware.segments import segment_text

Segment = BeforeValidator(segment_text)  # as the path was written; the limits are of what it means
UserId = Annotated[str, Query(min_length=1, max_length=256, description="The requesting user's id.")]
OptionalUserId = Annotated[str, Query(max_length=256, description="The requesting user's id; empty: anonymous.")]
ItemId = Annotated[str, Segment, Path(min_length=1, max_length=256, description="The item's id.")]
UserPath = Annotated[str, Segment, Path(min_length=1, max_length=256, description="The user's id.")]
ExperimentName = Annotated[str, Segment, Path(min_length=1, max_length=64, description="The experiment's name.")]
Scenario = Annotated[str, Query(description="Where the list is shown: one of the configured scenarios.")]
Cursor = Annotated[
    str | None, Query(min_length=1, max_length=64, description="The previous page's cursor; without it a first page.")
]
