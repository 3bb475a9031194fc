"""The two parts of the request path that may run in other replicas: the user tower and the retriever."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from rayapp.domain import Kind
from rayapp.redrec.model.history import Behaviour
from rayapp.serving.live.scene import Scene
from rayapp.serving.pipeline.request import Interests, Words


class Hits(NamedTuple):
    """Per query the items (id, score), best first; and the vector [D] of every item among them."""

    index_version: str
    lists: list[list[tuple[str, float]]]
    vectors: dict[str, np.ndarray]


class NearestSearch(NamedTuple):
    """The k nearest items of a kind to each of `queries` [Q, D]."""

    queries: np.ndarray
    kind: Kind
    k: int
    excluded: frozenset[str]


class QuerySearch(NamedTuple):
    """The k best items of a kind for a search query: its unit vector [E] and its words."""

    vector: np.ndarray
    words: Words
    kind: Kind
    k: int
    excluded: frozenset[str]


class Tower(Protocol):
    async def interests(self, scene: Scene, history: list[Behaviour], scenario: str) -> Interests | None:
        """None when nothing of the history is known to the model."""
        ...


class Retriever(Protocol):
    async def nearest(self, scene: Scene, search: NearestSearch) -> Hits: ...

    async def matching(self, scene: Scene, search: QuerySearch) -> Hits: ...

    async def similar(self, scene: Scene, item_id: str, k: int) -> Hits: ...
