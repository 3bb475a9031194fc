"""A search request before the pipeline: the query understood, and its vector."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from cachetools import LRUCache

from rayapp.config import Config
from rayapp.content.item_encoder import ItemEncoder
from rayapp.llm.base_model import model_folder
from rayapp.serving.pipeline.answer import Ask
from rayapp.serving.pipeline.pipeline import Pipeline, SearchQuery
from rayapp.serving.pipeline.query_understanding import QueryUnderstanding, Understood

OTHER_WORDS = 0.5  # of an expansion, beside the query's own in one BM25 query
REMEMBERED = 4096  # vectors of queries


class QueryEncoder:
    """Unit vectors of queries, made in a thread of their own; those of late are remembered."""

    def __init__(self, config: Config) -> None:
        self.encoder = ItemEncoder(config.encoder, partial(model_folder, cache=config.state_path / "llm"))
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self.known: LRUCache[str, np.ndarray] = LRUCache(REMEMBERED)
        self.encoder.encode(["warm up"])

    async def __call__(self, texts: list[str]) -> np.ndarray:
        """[N, E]."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, self._encode, texts)

    def _encode(self, texts: list[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        vectors = dict(zip(new, self.encoder.encode(new), strict=True))
        found = [vectors[text] if text in vectors else self.known[text] for text in texts]
        self.known.update(vectors)
        return np.stack(found)


class Search:
    """Queries in, the contract's answers out."""

    def __init__(self, pipeline: Pipeline, encode: QueryEncoder, understanding: QueryUnderstanding) -> None:
        self.pipeline = pipeline
        self.encode = encode
        self.understanding = understanding

    async def __call__(self, ask: Ask) -> dict[str, Any]:
        """`ask.query` is not None."""
        assert ask.query is not None
        off = ask.params.llm is False
        understood = Understood() if off else await self.understanding(ask.query)
        # The query as it was typed counts as much as its correction: a small model corrects what was right, too.
        readings = [ask.query, *([understood.what.spelling] if understood.what.spelling else [])]
        words = {**dict.fromkeys(understood.what.expansions, OTHER_WORDS), **dict.fromkeys(readings, 1.0)}
        vector = (await self.encode(readings)).mean(0)
        body = await self.pipeline.run(ask, SearchQuery(ask.query, vector, words))
        body["understanding"] = understood.body()
        return body
