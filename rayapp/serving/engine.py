"""The model's two parts on the request path: user tower and retriever, as plain classes.

In the laptop profile both live inside the gateway replica and share a model
host; in the cluster profile each is a deployment of its own
(`rayapp.serving.app`), called through `Remote` with the same methods.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from rayapp.config import Config
from rayapp.domain import Decision
from rayapp.ranking.fusion import reciprocal_rank_fusion
from rayapp.redone.policy import load_policy
from rayapp.redrec.history_input import Behaviour, TowerInput, tower_input, user_interests
from rayapp.serving.catalogue import LiveCatalogue
from rayapp.serving.catalogue_keywords import CatalogueKeywords
from rayapp.serving.interest_cache import InterestCache
from rayapp.serving.micro_batch import MicroBatch
from rayapp.serving.model_host import ModelHost, Served
from rayapp.stores.client import wait_for_store
from rayapp.stores.items import ItemReader
from rayapp.stores.registry import Manifest, Registry, RegistryError


class Interests(NamedTuple):
    """What the user tower says of one request; groups maps a scenario to its merged interests [K', D]."""

    model_version: str
    index: str
    groups: dict[str, np.ndarray]
    scenario_counts: dict[str, int]
    read_ids: list[str]
    read_vectors: np.ndarray


class Found(NamedTuple):
    """Per query the items found (id, score), best first, and for each the row of the nearest event read."""

    index_version: str
    hits: list[list[tuple[str, float]]]
    vectors: dict[str, np.ndarray]


class Engine:
    """What both parts stand on: catalogue, index and models of one process."""

    def __init__(self, config: Config, on_swap: Callable[[Manifest], None] | None = None) -> None:
        self.config = config
        reader = ItemReader(wait_for_store(config.store_url, 60))
        pending = load_policy(config.llm.policy or None).pending if config.llm.enabled else Decision.ALLOW
        self.catalogue = LiveCatalogue(reader, pending)
        self.catalogue.load()
        self.host = ModelHost(Registry(config.models, config.name), self.catalogue, config.serving.poll_s, on_swap)
        self.host.load()
        self.catalogue.start()
        self.host.start()

    @property
    def served(self) -> Served:
        if self.host.current is None:
            raise RegistryError(f"no version of {self.config.name} is there yet")
        return self.host.current

    def close(self) -> None:
        self.host.close()
        self.catalogue.close()


class UserTower:
    """Histories to interests, batched: whatever waits while a batch runs makes up the next one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cache = InterestCache(engine.config.serving.cached_interests)
        # Torch must not hold the event loop; one thread, for the cores are shared with others.
        self.batch: MicroBatch[tuple[list[Behaviour], str], Interests | None] = MicroBatch(self._run, 32, "user-tower")

    async def interests(self, history: list[Behaviour], scenario: str) -> Interests | None:
        """None when nothing of the history is known to the model."""
        return await self.batch((history, scenario)) if history else None

    def _run(self, requests: list[tuple[list[Behaviour], str]]) -> list[Interests | None]:
        served = self.engine.served
        vocabulary, length = served.user.vocabulary, served.user.config.length
        inputs = [tower_input(history, served.index.lookup, vocabulary, length) for history, _ in requests]
        known = [n for n, i in enumerate(inputs) if i.item_ids]
        results: list[Interests | None] = [None] * len(requests)
        if not known:
            return results
        rows = [vocabulary.query_scenarios(requests[n][1]) for n in known]
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


class Retriever:
    """Interests to items: exact search over what may be shown."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.keywords = CatalogueKeywords(engine.catalogue)
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="retriever")

    async def by_vectors(self, queries: np.ndarray, index: str, kind: str, k: int, excluded: frozenset[str]) -> Found:
        """The k nearest items of a kind to each query, in the item index that the queries were made with."""

        def run() -> Found:
            items = self.engine.host.index(index)
            hits = items.kinds[kind].search(queries, k, excluded)
            vectors = items.present({item_id for part in hits for item_id, _ in part})
            return Found(items.version, hits, vectors)

        return await asyncio.get_running_loop().run_in_executor(self.pool, run)

    async def by_query(
        self, vector: np.ndarray, words: dict[str, float], kind: str, k: int, excluded: frozenset[str]
    ) -> Found:
        """The k best for a search query: nearest by text, by words, and by other words, fused; and their vectors.

        `words`: the query's text with weight 1, expansions with less.
        """

        def run() -> Found:
            served, settings = self.engine.served, self.engine.config.search
            index = self.engine.catalogue.content.get(kind)
            near = index.search(vector[None], k, excluded)[0] if index is not None else []
            own = {text: 1.0 for text, weight in words.items() if weight == 1.0}
            lists = [[item_id for item_id, _ in near], self.keywords.search(kind, own, k, excluded)]
            weights = [1.0, settings.keywords]
            if len(own) < len(words):
                lists.append(self.keywords.search(kind, words, k, excluded))
                weights.append(settings.expansions)
            fused = reciprocal_rank_fusion(lists, weights)
            hits = list(fused.items())[:k]
            return Found(served.index_version, [hits], served.index.present(item_id for item_id, _ in hits))

        return await asyncio.get_running_loop().run_in_executor(self.pool, run)

    async def similar(self, item_id: str, k: int) -> Found:
        """Nearest items of the same kind to an item, itself left out."""
        served = self.engine.served
        item, found = self.engine.catalogue.items.get(item_id), served.index.lookup(item_id)
        if found is None or item is None:
            return Found(served.index_version, [[]], {})
        excluded = self.engine.catalogue.limited | {item_id}
        return await self.by_vectors(found[0][None], served.index.name, item.kind, k, excluded)


class Remote:
    """A deployment handle with the methods of the class it deploys."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.handle, name)

        async def call(*arguments: Any) -> Any:
            return await method.remote(*arguments)

        return call


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
