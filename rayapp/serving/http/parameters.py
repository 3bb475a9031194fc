"""Parameters that several calls take."""

from typing import Annotated

from fastapi import Path, Query

UserId = Annotated[str, Query(min_length=1, max_length=256, description="Who asks.")]
AnybodyId = Annotated[str, Query(max_length=256, description="Who asks; empty: nobody that is known.")]
ItemId = Annotated[str, Path(min_length=1, max_length=256)]
ExperimentName = Annotated[str, Path(min_length=1, max_length=64)]
Count = Annotated[int, Query(ge=1, le=200, description="How many.")]
ArmCount = Annotated[
    int | None, Query(ge=1, le=200, description="How many; else as the user's arm has it, else the default.")
]
Cursor = Annotated[str | None, Query(min_length=1, max_length=64, description="From the page before.")]
