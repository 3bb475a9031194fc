"""Retrieval in this process: exact nearest neighbours and keywords over what may be shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rayapp.config import Search
from rayapp.search.fusion import reciprocal_rank_fusion
from rayapp.serving.live.scene import Scene
from rayapp.serving.pipeline.ports import Hits, NearestSearch, QuerySearch

EXPANSION = 0.5  # weight of an expansion's words beside the query's own in one BM25 query


class LocalRetriever:
    """One thread: FAISS and tantivy release the interpreter's lock, and cores are shared with others."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="retriever")

    async def nearest(self, scene: Scene, search: NearestSearch) -> Hits:
        """The k nearest items of a kind to each query."""

        def run() -> Hits:
            index = scene.index
            lists = index.kinds[search.kind].search(search.queries, search.k, search.excluded)
            return Hits(index.version, lists, index.present({item_id for hits in lists for item_id, _ in hits}))

        return await self._in_thread(run)

    async def matching(self, scene: Scene, search: QuerySearch) -> Hits:
        """The k best for a search query: by meaning, by its words, and by words of expansions, fused by rank."""

        def run() -> Hits:
            assert scene.keywords is not None, "this replica holds no keyword index"
            kind, k, excluded = search.kind, search.k, search.excluded
            content = scene.catalogue.content.get(kind)
            near = content.search(search.vector[None], k, excluded)[0] if content is not None else []
            own = dict.fromkeys(search.words.own, 1.0)
            lists = [[item_id for item_id, _ in near], scene.keywords.search(kind, own, k, excluded)]
            weights = [1.0, self.search.keywords]
            if search.words.expansions:
                terms = {**dict.fromkeys(search.words.expansions, EXPANSION), **own}
                lists.append(scene.keywords.search(kind, terms, k, excluded))
                weights.append(self.search.expansions)
            hits = list(reciprocal_rank_fusion(lists, weights).items())[:k]
            return Hits(scene.index.version, [hits], scene.index.present(item_id for item_id, _ in hits))

        return await self._in_thread(run)

    async def similar(self, scene: Scene, item_id: str, k: int) -> Hits:
        """Nearest items of the same kind to an item, itself left out."""
        item, known = scene.catalogue.items.get(item_id), scene.index.lookup(item_id)
        if known is None or item is None:
            return Hits(scene.index.version, [[]], {})
        excluded = scene.catalogue.limited | {item_id}
        return await self.nearest(scene, NearestSearch(known[0][None], item.kind, k, excluded))

    async def _in_thread(self, run: Callable[[], Hits]) -> Hits:
        return await asyncio.get_running_loop().run_in_executor(self.pool, run)
