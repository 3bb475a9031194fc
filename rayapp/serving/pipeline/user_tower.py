"""The user tower on the request path: histories to interests, batched."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rayapp.redrec.model.history import Behaviour, TowerInput, tower_input, user_interests
from rayapp.serving.live.engine import Engine
from rayapp.serving.live.model_host import Served
from rayapp.serving.live.variant import DEFAULT, Variant
from rayapp.serving.micro_batch import MicroBatch
from rayapp.serving.pipeline.interest_cache import InterestCache


class Interests(NamedTuple):
    """What the user tower says of one request; groups maps a scenario to its merged interests [K', D]."""

    model_version: str
    index: str
    groups: dict[str, np.ndarray]
    scenario_counts: dict[str, int]
    read_ids: list[str]
    read_vectors: np.ndarray


class Asked(NamedTuple):
    history: list[Behaviour]
    scenario: str
    variant: Variant


class UserTower:
    """Histories to interests, batched: whatever waits while a batch runs makes up the next one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cache = InterestCache(engine.config.serving.cached_interests)
        # Torch must not hold the event loop; one thread, for the cores are shared with others.
        self.batch: MicroBatch[Asked, Interests | None] = MicroBatch(self._run, 32, "user-tower")

    async def interests(self, history: list[Behaviour], scenario: str, variant: Variant = DEFAULT) -> Interests | None:
        """None when nothing of the history is known to the model."""
        # Items are looked up as they are shown to everybody: one tower for every moderation.
        return await self.batch(Asked(history, scenario, variant._replace(moderation=""))) if history else None

    def _run(self, requests: list[Asked]) -> list[Interests | None]:
        """A forward pass a model; nearly always there is one."""
        results: list[Interests | None] = [None] * len(requests)
        for variant in {request.variant for request in requests}:
            own = [n for n, request in enumerate(requests) if request.variant == variant]
            for n, found in zip(own, self._of(self.engine.served(variant), [requests[n] for n in own]), strict=True):
                results[n] = found
        return results

    def _of(self, served: Served, requests: list[Asked]) -> list[Interests | None]:
        vocabulary, mixer = served.user.vocabulary, served.user.mixer
        inputs = [tower_input(asked.history, served.index.lookup, vocabulary, mixer) for asked in requests]
        known = [n for n, i in enumerate(inputs) if i.item_ids]
        results: list[Interests | None] = [None] * len(requests)
        if not known:
            return results
        rows = [vocabulary.query_scenarios(requests[n].scenario) for n in known]
        vectors = self._forward(served, [inputs[n] for n in known], rows)
        for n, own_rows, own in zip(known, rows, vectors, strict=True):
            groups = {vocabulary.scenarios[row - 1]: _merged(own[i]) for i, row in enumerate(own_rows)}
            results[n] = Interests(
                served.model_version,
                served.index.name,
                groups,
                _counts(inputs[n], vocabulary.scenarios),
                inputs[n].item_ids,
                inputs[n].vectors,
            )
        return results

    def _forward(self, served: Served, inputs: list[TowerInput], rows: list[np.ndarray]) -> list[np.ndarray]:
        """Per request the interests [S', K, D]; the tower runs for those that were not asked before."""
        keys = [self.cache.key(served.model_version, r, i) for i, r in zip(inputs, rows, strict=True)]
        results = [self.cache.get(key) for key in keys]
        new = [n for n, result in enumerate(results) if result is None]
        if new:
            fresh = user_interests(served.user, [inputs[n] for n in new], [rows[n] for n in new])
            for n, interests in zip(new, fresh, strict=True):
                results[n] = interests
                self.cache.put(keys[n], interests)
        return [result for result in results if result is not None]


def _merged(interests_KD: np.ndarray, threshold: float = 0.98) -> np.ndarray:
    """Interests closer than cosine 0.98 are one (RED-Rec, section 3.3)."""
    similarity = interests_KD @ interests_KD.T
    kept: list[int] = []
    for n in range(len(interests_KD)):
        if all(similarity[n, m] <= threshold for m in kept):
            kept.append(n)
    return interests_KD[kept]


def _counts(read: TowerInput, scenarios: tuple[str, ...]) -> dict[str, int]:
    numbers = np.bincount(read.sequence.scenarios, minlength=len(scenarios) + 1)
    return {name: int(numbers[row + 1]) for row, name in enumerate(scenarios)}
