"""What one answer showed: a record of `rayapp.exposures`."""

from __future__ import annotations

import msgspec


class ExposedItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place of the list. `propensity`: how likely the policy was to show this item in this place.

    `team`: in an interleaved list 0 or 1, the ranker that put the item there.
    """

    item_id: str
    position: int
    score: float
    propensity: float
    source: str
    team: int | None = None


class Exposure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record an answer, keyed by user like the behaviour that it is joined with.

    `queries`, `after_item`: searches offered after a note, an answer of the scenario `search` without items.
    """

    request_id: str
    user_id: str
    scenario: str
    items: tuple[ExposedItem, ...]
    model_version: str
    index_version: str
    experiments: dict[str, str]
    latency_ms: float
    at_ms: int
    query: str | None = None
    queries: tuple[str, ...] | None = None
    after_item: str | None = None
