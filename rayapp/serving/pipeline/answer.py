"""The list that a request is answered with, and the record of what it showed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from rayapp.experiments.assignments import Assigned
from rayapp.experiments.interleaving import interleave
from rayapp.exposure import ExposedItem, Exposure
from rayapp.ranking.slate import Slot
from rayapp.serving.pipeline.request import Request


@dataclass(frozen=True, slots=True)
class Answer:
    """`request`: with all that its hydrators found, and the catalogue that titles are read from."""

    request: Request
    slots: list[Slot]
    model_version: str
    index_version: str

    @property
    def exhausted(self) -> bool:
        """Fewer places are filled than were asked for."""
        return len(self.slots) < self.request.ask.k

    def without_cursor(self) -> Answer:
        """It has no next page."""
        return replace(self, request=replace(self.request, user=self.request.user._replace(cursor="")))


def drafted(first: Answer, second: Answer, rng: np.random.Generator) -> Answer:
    """One list of two rankers', by team draft; `model_version` names both where they differ."""
    by_team = [{slot.candidate.item_id: slot for slot in answer.slots} for answer in (first, second)]
    draft = interleave(tuple(by_team[0]), tuple(by_team[1]), first.request.ask.k, rng)
    slots = [by_team[team][item]._replace(team=team) for item, team in zip(draft.items, draft.teams, strict=True)]
    versions = dict.fromkeys((first.model_version, second.model_version))
    return replace(first, slots=slots, model_version="|".join(versions))


def exposure_of(answer: Answer, latency_ms: float) -> Exposure:
    """What was shown where, how likely it was to be, and by which model."""
    request = answer.request
    items = tuple(
        ExposedItem(
            item_id=slot.candidate.item_id,
            position=position,
            score=round(slot.candidate.score, 6),
            propensity=slot.propensity,
            source=slot.candidate.source,
            team=slot.team,
        )
        for position, slot in enumerate(answer.slots)
    )
    return Exposure(
        request_id=request.request_id,
        user_id=request.ask.user_id,
        scenario=request.ask.scenario,
        items=items,
        model_version=answer.model_version,
        index_version=answer.index_version,
        experiments=request.ask.assigned.arms,
        latency_ms=round(latency_ms, 3),
        at_ms=int(time.time() * 1000),
        query=request.ask.query,
    )


def query_exposure(
    request_id: str, user_id: str, *, item_id: str, queries: list[str], assigned: Assigned, latency_ms: float
) -> Exposure:
    """Queries offered after a note: an answer of the scenario `search` without items."""
    return Exposure(
        request_id=request_id,
        user_id=user_id,
        scenario="search",
        items=(),
        model_version="",
        index_version="",
        experiments=assigned.arms,
        latency_ms=round(latency_ms, 3),
        at_ms=int(time.time() * 1000),
        queries=tuple(queries),
        after_item=item_id,
    )
