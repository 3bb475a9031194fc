"""Items near the user's interests, a group for each scenario's queries."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from rayapp.ranking.slate import OVERFETCH, Candidate
from rayapp.serving.pipeline.ports import NearestSearch, Retriever
from rayapp.serving.pipeline.request import INTERESTS, Request
from rayapp.serving.pipeline.stages import Pool


class InterestSource:
    stage: ClassVar[str] = "retrieve"
    ranker: ClassVar[str] = INTERESTS

    def __init__(self, retriever: Retriever) -> None:
        self.retriever = retriever

    def enabled(self, request: Request) -> bool:
        return request.ranker == self.ranker

    async def candidates(self, request: Request) -> Pool:
        assert request.interests is not None
        ask, groups = request.ask, request.interests.groups
        queries = np.concatenate(list(groups.values()))
        search = NearestSearch(queries, ask.kind, OVERFETCH * ask.k, request.user.excluded)
        hits = await self.retriever.nearest(request.scene, search)
        pools: dict[str, list[Candidate]] = {}
        row = 0
        for name, interests_KD in groups.items():
            best: dict[str, float] = {}
            for nearest in hits.lists[row : row + len(interests_KD)]:
                for item_id, score in nearest:
                    best[item_id] = max(score, best.get(item_id, -1.0))
            row += len(interests_KD)
            ranked = sorted(best.items(), key=lambda pair: -pair[1])
            pools[name] = [Candidate(item_id, score, "redrec") for item_id, score in ranked]
        return Pool(pools, hits.index_version, hits.vectors)
