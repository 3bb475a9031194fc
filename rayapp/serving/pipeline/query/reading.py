"""Reading a search query: its vector, and its words with those of the language model's expansions."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from cachetools import LRUCache

from rayapp.config import Config
from rayapp.content.item_encoder import ItemEncoder
from rayapp.llm.base_model import model_folder
from rayapp.serving.pipeline.query.understanding import QueryUnderstanding
from rayapp.serving.pipeline.query.understood import Understood
from rayapp.serving.pipeline.request import SearchQuery, Words

CACHED = 4096  # vectors of queries


class QueryEncoder:
    """Unit vectors of queries, made in a thread of their own; recent ones are cached."""

    def __init__(self, config: Config) -> None:
        self.encoder = ItemEncoder(config.encoder, partial(model_folder, cache=config.llm_cache))
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self.known: LRUCache[str, np.ndarray] = LRUCache(CACHED)
        self.encoder.encode(["warm up"])

    async def __call__(self, texts: list[str]) -> np.ndarray:
        """[N, E]."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, self._encode, texts)

    def _encode(self, texts: list[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        vectors = dict(zip(new, self.encoder.encode(new), strict=True))
        result = [vectors[text] if text in vectors else self.known[text] for text in texts]
        self.known.update(vectors)
        return np.stack(result)


class QueryReader:
    """A query to its vector and words, with the language model's help where that comes in time."""

    def __init__(self, encode: QueryEncoder, understanding: QueryUnderstanding) -> None:
        self.encode = encode
        self.understanding = understanding

    async def __call__(self, text: str, understand: bool) -> SearchQuery:
        """`understand`: may the language model help?"""
        understood = await self.understanding(text) if understand else Understood()
        # The query as it was typed counts as much as its correction: a small model corrects what was right, too.
        spelling = understood.what.spelling
        readings: tuple[str, ...] = (text,) if spelling in (None, "", text) else (text, str(spelling))
        expansions = tuple(e for e in dict.fromkeys(understood.what.expansions) if e not in readings)
        vector = (await self.encode(list(readings))).mean(0)
        return SearchQuery(text, vector, Words(readings, expansions), understood)
