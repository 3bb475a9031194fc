"""Scorers: what changes the order of candidates after they were found."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from rayapp.serving.pipeline.query.reranker import Reranker
from rayapp.serving.pipeline.request import QUERY, Request
from rayapp.serving.pipeline.stages import Pool


class Personal:
    """Moves search results a little towards what the user likes."""

    stage: ClassVar[str] = "personal"

    def __init__(self, weight: float) -> None:
        """`weight` of the largest cosine to an interest, beside a score that is 1 at most."""
        self.weight = weight

    def enabled(self, request: Request) -> bool:
        return request.query is not None and request.interests is not None

    async def score(self, request: Request, pool: Pool) -> Pool:
        assert request.interests is not None
        liked_KD = np.concatenate(list(request.interests.groups.values()))
        moved = []
        for candidate in pool.groups[QUERY]:
            vector = pool.vectors.get(candidate.item_id)
            bonus = 0.0 if vector is None else self.weight * float((liked_KD @ vector).max())
            moved.append(candidate._replace(score=candidate.score + bonus))
        return replace(pool, groups={QUERY: sorted(moved, key=lambda c: -c.score)})


class Relevance:
    """Puts the first search results in the language model's order of relevance."""

    stage: ClassVar[str] = "rerank"

    def __init__(self, reranker: Reranker, first: int) -> None:
        """`first`: how many results are put in order."""
        self.reranker = reranker
        self.first = first

    def enabled(self, request: Request) -> bool:
        return self.reranker.enabled and request.query is not None and request.ask.params.llm is not False

    async def score(self, request: Request, pool: Pool) -> Pool:
        assert request.query is not None
        ranked = pool.groups[QUERY][: max(request.ask.k, self.first)]
        if not ranked:
            return pool
        items = [request.scene.catalogue.items.get(c.item_id) for c in ranked[: self.first]]
        texts = [item.text if item is not None else "" for item in items]
        order = await self.reranker(request.query.text, [c.item_id for c in ranked], texts)
        by_id = {candidate.item_id: candidate for candidate in ranked}
        return replace(pool, groups={QUERY: [by_id[item_id] for item_id in order]})
