"""The newest items, which a start page mixes with what is popular."""

from __future__ import annotations

from itertools import islice
from typing import ClassVar

from rayapp.ranking.slate import Candidate
from rayapp.serving.pipeline.request import POPULAR, Request
from rayapp.serving.pipeline.stages import Pool

FRESH = "fresh"


class Fresh:
    stage: ClassVar[str] = "retrieve"
    ranker: ClassVar[str] = POPULAR

    def enabled(self, request: Request) -> bool:
        return request.ranker == self.ranker

    async def candidates(self, request: Request) -> Pool:
        newest = filter(request.may_show, request.scene.catalogue.newest(request.ask.kind))
        # A list of k takes at most k of them, and skips at most k that it has as popular ones.
        shown = [Candidate(item_id, 0.0, FRESH, "new") for item_id in islice(newest, 2 * request.ask.k)]
        return Pool({FRESH: shown}, request.scene.index.version)
