"""Search results reordered by the language model's relevance, if it answers in time."""

from __future__ import annotations

import asyncio
import logging

from rayapp.config import Config
from rayapp.errors import UserError
from rayapp.llm.completions import ModelAway
from rayapp.search.relevance import Relevance, reordered
from rayapp.serving.llm.client import LlmClient

log = logging.getLogger("ray.serve")


class Reranker:
    """Off unless `search: {rerank: N}` says how many results are put in order."""

    def __init__(self, config: Config, model: LlmClient) -> None:
        self.settings = config.search
        self.enabled = config.llm.enabled and config.search.rerank > 0
        self.model = model
        self.relevance: Relevance | None = None

    async def __call__(self, query: str, ids: list[str], texts: list[str]) -> list[str]:
        """`ids` in order of relevance, of which `texts` are the first ones'; unchanged if the model is late or away."""
        try:
            shares = await asyncio.wait_for(self._shares(query, texts), self.settings.rerank_ms / 1000)
        except (TimeoutError, ModelAway):
            return ids
        except (UserError, OSError) as error:
            log.warning("rerank: %s", error)
            return ids
        return reordered(ids, shares)

    async def _shares(self, query: str, texts: list[str]) -> list[float]:
        if self.relevance is None:
            self.relevance = Relevance(await self.model.open())
        relevance: list[float] = await self.model.run(self.relevance.shares, query, texts)
        return relevance
