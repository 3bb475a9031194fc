"""The user tower in this process: histories to interests, batched."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rayapp.redrec.model.history import Behaviour, TowerInput, distinct, tower_input, user_interests
from rayapp.serving.live.scene import Scene
from rayapp.serving.live.served_version import ServedVersion
from rayapp.serving.micro_batch import MicroBatch
from rayapp.serving.pipeline.interest_cache import InterestCache
from rayapp.serving.pipeline.request import Interests

LARGEST_BATCH = 32


class TowerRequest(NamedTuple):
    history: list[Behaviour]
    scenario: str
    model: ServedVersion


class LocalTower:
    """Whatever waits while a batch runs makes up the next one."""

    def __init__(self, cached: int) -> None:
        """`cached`: results that are kept."""
        self.cache = InterestCache(cached)
        # Torch must not hold the event loop; one thread, for the cores are shared with others.
        self.batch: MicroBatch[TowerRequest, Interests | None] = MicroBatch(self._run, LARGEST_BATCH, "user-tower")

    async def interests(self, scene: Scene, history: list[Behaviour], scenario: str) -> Interests | None:
        """None when nothing of the history is known to the model.

        Items are looked up as everybody sees them, whatever the scene's moderation: one tower serves all.
        """
        return await self.batch(TowerRequest(history, scenario, scene.model)) if history else None

    def _run(self, requests: list[TowerRequest]) -> list[Interests | None]:
        """A forward pass a version; nearly always there is one."""
        results: list[Interests | None] = [None] * len(requests)
        for model in {id(request.model): request.model for request in requests}.values():
            rows = [n for n, request in enumerate(requests) if request.model is model]
            answers = self._of(model, [requests[n] for n in rows])
            for n, interests in zip(rows, answers, strict=True):
                results[n] = interests
        return results

    def _of(self, model: ServedVersion, requests: list[TowerRequest]) -> list[Interests | None]:
        vocabulary, mixer = model.user.vocabulary, model.user.mixer
        inputs = [tower_input(request.history, model.index.lookup, vocabulary, mixer) for request in requests]
        known = [n for n, i in enumerate(inputs) if i.item_ids]
        results: list[Interests | None] = [None] * len(requests)
        if not known:
            return results
        rows = [vocabulary.query_scenarios(requests[n].scenario) for n in known]
        vectors = self._forward(model, [inputs[n] for n in known], rows)
        for n, scenario_rows, interests_SKD in zip(known, rows, vectors, strict=True):
            groups = {vocabulary.scenarios[row - 1]: distinct(interests_SKD[i]) for i, row in enumerate(scenario_rows)}
            counts = _scenario_counts(inputs[n], vocabulary.scenarios)
            results[n] = Interests(groups, counts, inputs[n].item_ids, inputs[n].vectors)
        return results

    def _forward(self, model: ServedVersion, inputs: list[TowerInput], rows: list[np.ndarray]) -> list[np.ndarray]:
        """Per request the interests [S', K, D]; the tower runs for those that are not cached."""
        keys = [self.cache.key(model.model_version, r, i) for i, r in zip(inputs, rows, strict=True)]
        results = [self.cache.get(key) for key in keys]
        new = [n for n, result in enumerate(results) if result is None]
        if new:
            fresh = user_interests(model.user, [inputs[n] for n in new], [rows[n] for n in new])
            for n, interests in zip(new, fresh, strict=True):
                results[n] = interests
                self.cache.put(keys[n], interests)
        return [result for result in results if result is not None]


def _scenario_counts(read: TowerInput, scenarios: tuple[str, ...]) -> dict[str, int]:
    numbers = np.bincount(read.sequence.scenarios, minlength=len(scenarios) + 1)
    return {name: int(numbers[row + 1]) for row, name in enumerate(scenarios)}
