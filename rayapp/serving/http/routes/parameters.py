"""Parameters that several calls take."""

# No `from __future__ import annotations`: FastAPI must see the types.
from typing import Annotated

from fastapi import Path, Query

UserId = Annotated[str, Query(min_length=1, max_length=256, description="The requesting user's id.")]
OptionalUserId = Annotated[str, Query(max_length=256, description="The requesting user's id; empty: anonymous.")]
ItemId = Annotated[str, Path(min_length=1, max_length=256, description="The item's id.")]
UserPath = Annotated[str, Path(min_length=1, max_length=256, description="The user's id.")]
ExperimentName = Annotated[str, Path(min_length=1, max_length=64, description="The experiment's name.")]
Scenario = Annotated[str, Query(description="Where the list is shown: one of the configured scenarios.")]
Cursor = Annotated[
    str | None, Query(min_length=1, max_length=64, description="The previous page's cursor; without it a first page.")
]
