"""A checked request, what the pipeline found for it, and the two records of that: the client's answer and the exposure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from rayapp.domain import Item
from rayapp.experiments.arm_params import ArmParams
from rayapp.experiments.assignments import NOBODY, Assigned
from rayapp.experiments.interleaving import interleave
from rayapp.ranking.slate import Slot
from rayapp.serving.live.variant import Variant


class Ask(NamedTuple):
    """A request after its parameters were checked."""

    route: str
    user_id: str
    scenario: str
    kind: str
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


class Answer(NamedTuple):
    slots: list[Slot]
    model_version: str
    index_version: str
    exhausted: bool


def drafted(first: Answer, second: Answer, k: int, rng: np.random.Generator) -> Answer:
    """One list of two rankers', by team draft; `model_version` names both where they differ."""
    by_team = [{slot.candidate.item_id: slot for slot in answer.slots} for answer in (first, second)]
    found = interleave(tuple(by_team[0]), tuple(by_team[1]), k, rng)
    slots = [by_team[team][item]._replace(team=team) for item, team in zip(found.items, found.teams, strict=True)]
    versions = dict.fromkeys((first.model_version, second.model_version))
    return Answer(slots, "|".join(versions), first.index_version, len(slots) < k)


def exposure(ask: Ask, answer: Answer, request_id: str, latency_ms: float) -> dict[str, Any]:
    """What was shown where, how likely it was to be, and by which model: a record of `rayapp.exposures`."""
    record = {
        "request_id": request_id,
        "user_id": ask.user_id,
        "scenario": ask.scenario,
        "items": [
            {
                "item_id": slot.candidate.item_id,
                "position": position,
                "score": round(slot.candidate.score, 6),
                "propensity": slot.propensity,
                "source": slot.candidate.source,
                **({"team": slot.team} if slot.team is not None else {}),
            }
            for position, slot in enumerate(answer.slots)
        ],
        "model_version": answer.model_version,
        "index_version": answer.index_version,
        "experiments": ask.assigned.arms,
        "latency_ms": round(latency_ms, 3),
        "at_ms": int(time.time() * 1000),
    }
    if ask.query is not None:
        record["query"] = ask.query
    return record


def panel(
    user_id: str, item_id: str, queries: list[str], request_id: str, assigned: Assigned, started: float
) -> dict[str, Any]:
    """Queries offered after a note, as a record of `rayapp.exposures`: an answer of the scenario `search` without items."""
    return {
        "request_id": request_id,
        "user_id": user_id,
        "scenario": "search",
        "items": [],
        "queries": queries,
        "after_item": item_id,
        "model_version": "",
        "index_version": "",
        "experiments": assigned.arms,
        "latency_ms": round(1000 * (time.perf_counter() - started), 3),
        "at_ms": int(time.time() * 1000),
    }


def body(
    ask: Ask,
    answer: Answer,
    request_id: str,
    cursor: str,
    catalogue: Mapping[str, Item],
) -> dict[str, Any]:
    """The contract's answer to a feed, ads or search request; what was deleted since it was retrieved is left out."""
    items = [
        {
            "item_id": slot.candidate.item_id,
            "score": slot.candidate.score,
            "title": item.title,
            "source": slot.candidate.source,
            "reason": slot.candidate.reason,
        }
        for slot in answer.slots
        if (item := catalogue.get(slot.candidate.item_id)) is not None
    ]
    return {
        "request_id": request_id,
        "user_id": ask.user_id,
        "scenario": ask.scenario,
        "items": items,
        "model_version": answer.model_version,
        "index_version": answer.index_version,
        "experiments": ask.assigned.arms,
        "cursor": cursor,
        "exhausted": answer.exhausted,
    }
