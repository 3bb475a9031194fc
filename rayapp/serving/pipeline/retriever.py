"""The retriever on the request path: interests and queries to items, exact search over what may be shown."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from rayapp.search.fusion import reciprocal_rank_fusion
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.live.catalogue_keywords import CatalogueKeywords
from rayapp.serving.live.engine import Engine
from rayapp.serving.live.variant import DEFAULT, Variant


class Found(NamedTuple):
    """Per query the items found (id, score), best first, and for each the row of the nearest event read."""

    index_version: str
    hits: list[list[tuple[str, float]]]
    vectors: dict[str, np.ndarray]


class Retriever:
    """Interests to items: exact search over what may be shown."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.keywords: dict[str, CatalogueKeywords] = {}  # by moderation, as the engine's catalogues
        with engine.lock:
            engine.opened.append(self._read_words)
            for moderation, catalogue in engine.catalogues.items():
                self._read_words(moderation, catalogue)
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="retriever")

    async def by_vectors(
        self,
        queries: np.ndarray,
        index: str,
        kind: str,
        k: int,
        excluded: frozenset[str],
        variant: Variant = DEFAULT,
    ) -> Found:
        """The k nearest items of a kind to each query, in the item index that the queries were made with."""

        def run() -> Found:
            items = self.engine.index(index, variant)
            hits = items.kinds[kind].search(queries, k, excluded)
            vectors = items.present({item_id for part in hits for item_id, _ in part})
            return Found(items.version, hits, vectors)

        return await asyncio.get_running_loop().run_in_executor(self.pool, run)

    async def by_query(
        self,
        vector: np.ndarray,
        words: dict[str, float],
        kind: str,
        k: int,
        excluded: frozenset[str],
        variant: Variant = DEFAULT,
    ) -> Found:
        """The k best for a search query: nearest by text, by words, and by other words, fused; and their vectors.

        `words`: the query's text with weight 1, expansions with less.
        """

        def run() -> Found:
            served, settings = self.engine.served(variant), self.engine.config.search
            index = self.engine.catalogue_of(variant.moderation).content.get(kind)
            keywords = self.keywords[variant.moderation]
            near = index.search(vector[None], k, excluded)[0] if index is not None else []
            own = {text: 1.0 for text, weight in words.items() if weight == 1.0}
            lists = [[item_id for item_id, _ in near], keywords.search(kind, own, k, excluded)]
            weights = [1.0, settings.keywords]
            if len(own) < len(words):
                lists.append(keywords.search(kind, words, k, excluded))
                weights.append(settings.expansions)
            fused = reciprocal_rank_fusion(lists, weights)
            hits = list(fused.items())[:k]
            return Found(served.index_version, [hits], served.index.present(item_id for item_id, _ in hits))

        return await asyncio.get_running_loop().run_in_executor(self.pool, run)

    async def similar(self, item_id: str, k: int) -> Found:
        """Nearest items of the same kind to an item, itself left out."""
        served = self.engine.served()
        item, found = self.engine.catalogue.items.get(item_id), served.index.lookup(item_id)
        if found is None or item is None:
            return Found(served.index_version, [[]], {})
        excluded = self.engine.catalogue.limited | {item_id}
        return await self.by_vectors(found[0][None], served.index.name, item.kind, k, excluded)

    def _read_words(self, moderation: str, catalogue: LiveCatalogue) -> None:
        others = {name: words for name, words in self.keywords.items() if not words.catalogue.closed.is_set()}
        self.keywords = {**others, moderation: CatalogueKeywords(catalogue)}
