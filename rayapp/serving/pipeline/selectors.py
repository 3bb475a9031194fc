"""Selectors: from candidates to the list, its reasons, and its exploration."""

from __future__ import annotations

import uuid
from typing import ClassVar

import numpy as np

from rayapp.domain import Item
from rayapp.ranking.slate import Slot, explore, merge_groups, scenario_places, start_slate
from rayapp.serving.pipeline.request import INTERESTS, POPULAR, Request
from rayapp.serving.pipeline.sources.fresh import FRESH
from rayapp.serving.pipeline.stages import Pool


class BestFirst:
    """The k candidates with the highest scores; a search keeps the order of its scorers."""

    stage: ClassVar[str] = "select"

    def enabled(self, request: Request) -> bool:
        return request.ranker not in (INTERESTS, POPULAR)

    def select(self, request: Request, pool: Pool, slots: list[Slot]) -> list[Slot]:
        candidates = pool.candidates()
        if request.query is None:
            candidates = sorted(candidates, key=lambda c: -c.score)
        distinct = {candidate.item_id: candidate for candidate in reversed(candidates)}
        ranked = [c for c in candidates if distinct[c.item_id] is c]
        return [Slot(candidate, 1.0) for candidate in ranked[: request.ask.k]]


class ByScenario:
    """Each scenario's queries fill places by the user's own mix of scenarios."""

    stage: ClassVar[str] = "select"

    def enabled(self, request: Request) -> bool:
        return request.ranker == INTERESTS

    def select(self, request: Request, pool: Pool, slots: list[Slot]) -> list[Slot]:
        assert request.interests is not None
        k = request.ask.k
        places = scenario_places(request.interests.scenario_counts, tuple(pool.groups), k)
        return [Slot(candidate, 1.0) for candidate in merge_groups(pool.groups, places, k)]


class BecauseOf:
    """Names for every item the event that was read and is nearest to it."""

    stage: ClassVar[str] = "explain"

    def enabled(self, request: Request) -> bool:
        return request.ranker == INTERESTS

    def select(self, request: Request, pool: Pool, slots: list[Slot]) -> list[Slot]:
        known = [n for n, slot in enumerate(slots) if slot.candidate.item_id in pool.vectors]
        if not known or request.interests is None:
            return slots
        vectors = np.stack([pool.vectors[slots[n].candidate.item_id] for n in known])
        nearest = (vectors @ request.interests.read_vectors.T).argmax(1)
        explained, items = list(slots), request.scene.catalogue.items
        for n, row in zip(known, nearest.tolist(), strict=True):
            near = items.get(request.interests.read_ids[row])
            reason = f"because of “{near.title}”" if near else ""
            explained[n] = slots[n]._replace(candidate=slots[n].candidate._replace(reason=reason))
        return explained


class StartPage:
    """For an unknown user: popular items of all topics in turn, every fifth place a new one."""

    stage: ClassVar[str] = "select"

    def enabled(self, request: Request) -> bool:
        return request.ranker == POPULAR

    def select(self, request: Request, pool: Pool, slots: list[Slot]) -> list[Slot]:
        items = request.scene.catalogue.items
        popular, fresh = pool.groups.get(POPULAR, []), pool.groups.get(FRESH, [])
        slate = start_slate(popular, fresh, group_of=lambda item_id: _topic(items.get(item_id)), k=request.ask.k)
        return [Slot(candidate, 1.0) for candidate in slate]


class Explore:
    """Gives a small share of places to chance; never in a search, where the query says what is wanted."""

    stage: ClassVar[str] = "explore"

    def __init__(self, share: float, seed: int) -> None:
        self.share = share
        self.seed = seed

    def enabled(self, request: Request) -> bool:
        return request.query is None

    def select(self, request: Request, pool: Pool, slots: list[Slot]) -> list[Slot]:
        def eligible() -> list[str]:
            return [i for i in request.scene.catalogue.ids(request.ask.kind) if i not in request.user.excluded]

        arm = request.ask.params.explore
        return explore(slots, eligible, self.share if arm is None else arm, generator(request.request_id, self.seed))


def generator(request_id: str, seed: int) -> np.random.Generator:
    """The request's own random numbers: the same request draws the same ones."""
    return np.random.default_rng([seed, uuid.UUID(request_id).int % 2**63])


def _topic(item: Item | None) -> str:
    """What a start page is diverse in; empty for an item that was blocked or deleted since it was chosen."""
    if item is None:
        return ""
    return item.tags[0] if item.tags else item.scenario or item.author or ""
