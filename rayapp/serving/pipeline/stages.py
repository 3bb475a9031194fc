"""The kinds of parts that a pipeline is made of. Each says when it applies; the pipeline calls it and times it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from rayapp.ranking.slate import Candidate, Slot
from rayapp.serving.pipeline.request import Request


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates of a list, in groups (by scenario, or by source), best first in each.

    `vectors`: of those candidates whose vector [D] is known. `index_version`: that they were retrieved from.
    """

    groups: dict[str, list[Candidate]] = field(default_factory=dict)
    index_version: str = ""
    vectors: dict[str, np.ndarray] = field(default_factory=dict)

    def joined(self, other: Pool) -> Pool:
        """Both; a group that both have keeps its order, this one's candidates first."""
        groups = {
            name: [*self.groups.get(name, ()), *other.groups.get(name, ())] for name in self.groups | other.groups
        }
        return Pool(groups, self.index_version or other.index_version, self.vectors | other.vectors)

    def candidates(self) -> list[Candidate]:
        return [candidate for group in self.groups.values() for candidate in group]


class Stage(Protocol):
    """`stage`: the label under which its time is measured (`rayapp_stage_seconds`)."""

    stage: ClassVar[str]

    def enabled(self, request: Request) -> bool:
        """Does it apply to this request? Must not wait and must not change anything."""
        ...


class Hydrator(Stage, Protocol):
    """Adds what is known of the user or of the query."""

    async def hydrate(self, request: Request) -> Request: ...


class Source(Stage, Protocol):
    """Finds candidates. `ranker`: the name by which an experiment's arm asks for it; sources may share one."""

    ranker: ClassVar[str]

    async def candidates(self, request: Request) -> Pool: ...


class Scorer(Stage, Protocol):
    """Changes scores or order of the candidates."""

    async def score(self, request: Request, pool: Pool) -> Pool: ...


class Selector(Stage, Protocol):
    """Makes the list, or changes the one that the selectors before it made."""

    def select(self, request: Request, pool: Pool, slots: list[Slot]) -> list[Slot]: ...
