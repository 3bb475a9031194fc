"""Items that match a search query, by meaning and by words."""

from __future__ import annotations

from typing import ClassVar

from rayapp.ranking.slate import OVERFETCH, Candidate
from rayapp.serving.pipeline.ports import QuerySearch, Retriever
from rayapp.serving.pipeline.request import QUERY, Request
from rayapp.serving.pipeline.stages import Pool


class QuerySource:
    stage: ClassVar[str] = "retrieve"
    ranker: ClassVar[str] = QUERY

    def __init__(self, retriever: Retriever) -> None:
        self.retriever = retriever

    def enabled(self, request: Request) -> bool:
        return request.query is not None

    async def candidates(self, request: Request) -> Pool:
        assert request.query is not None
        ask, query = request.ask, request.query
        search = QuerySearch(query.vector, query.words, ask.kind, OVERFETCH * ask.k, request.user.excluded)
        hits = await self.retriever.matching(request.scene, search)
        candidates = [Candidate(item_id, score, "search", "matches your search") for item_id, score in hits.lists[0]]
        return Pool({QUERY: candidates}, hits.index_version, hits.vectors)
