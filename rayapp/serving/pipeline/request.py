"""A request on its way to an answer; every stage returns a new one that knows more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from rayapp.domain import Kind
from rayapp.experiments.arm_params import ArmParams
from rayapp.experiments.assignments import NOBODY, Assigned
from rayapp.redrec.model.history import Behaviour
from rayapp.serving.live.scene import Scene
from rayapp.serving.live.variant import Variant
from rayapp.serving.pipeline.query.understood import Understood

INTERESTS, POPULAR, QUERY = "interests", "popular", "query"


class Ask(NamedTuple):
    """What a client asked for, after its parameters were checked."""

    user_id: str
    scenario: str
    kind: Kind
    k: int
    cursor: str | None = None
    query: str | None = None
    assigned: Assigned = NOBODY

    @property
    def params(self) -> ArmParams:
        return self.assigned.params

    def with_params(self, params: ArmParams) -> Ask:
        return self._replace(assigned=self.assigned._replace(params=params))

    @property
    def variant(self) -> Variant:
        return Variant.of(self.assigned.params)


class UserContext(NamedTuple):
    """What is known of the user, and which items may not be shown."""

    history: list[Behaviour]
    excluded: frozenset[str]
    cursor: str


class Words(NamedTuple):
    """The words to search by: the query's own (and its correction's), and those of expansions, which count less."""

    own: tuple[str, ...]
    expansions: tuple[str, ...] = ()


class SearchQuery(NamedTuple):
    """A search query that has been read: its unit vector [E], its words, and what the language model made of it."""

    text: str
    vector: np.ndarray
    words: Words
    understood: Understood


class Interests(NamedTuple):
    """What the user tower answers. `groups`: by scenario its distinct interests [K', D].

    `scenario_counts`: events read, by scenario. `read_ids`, `read_vectors` [L, D]: the events that were read.
    """

    groups: dict[str, np.ndarray]
    scenario_counts: dict[str, int]
    read_ids: list[str]
    read_vectors: np.ndarray


NO_USER = UserContext([], frozenset(), "")


@dataclass(frozen=True, slots=True)
class Request:
    """`scene` is fixed when the request begins; the hydrators fill in the rest."""

    request_id: str
    ask: Ask
    scene: Scene
    user: UserContext = NO_USER
    query: SearchQuery | None = None
    interests: Interests | None = None

    @property
    def ranker(self) -> str:
        """What makes the list: the query, the arm's ranker, or interests with popularity as the fallback."""
        if self.ask.query is not None:
            return QUERY
        if self.ask.params.ranker not in (None, INTERESTS):
            return str(self.ask.params.ranker)
        return INTERESTS if self.interests is not None else POPULAR

    def may_show(self, item_id: str) -> bool:
        """Is it in the catalogue now, of the kind that is asked for, and not excluded?"""
        item = self.scene.catalogue.items.get(item_id)  # read once: the catalogue changes meanwhile
        return item is not None and item.kind == self.ask.kind and item_id not in self.user.excluded

    def on(self, scene: Scene) -> Request:
        return replace(self, scene=scene)
