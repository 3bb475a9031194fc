"""What many users took lately, for a user of whom nothing is known or an arm that compares with popularity."""

from __future__ import annotations

from typing import ClassVar, Protocol

from rayapp.ranking.slate import OVERFETCH, Candidate
from rayapp.serving.pipeline.request import POPULAR, Request
from rayapp.serving.pipeline.stages import Pool

DEEPEST = 10_000  # as many as a scenario keeps
BORROWED = 0.5  # the weight of another scenario's popularity


class PopularItems(Protocol):
    async def popular(self, scenario: str, count: int) -> list[tuple[str, float]]:
        """(item id, score relative to the best), best first."""
        ...


class Popular:
    stage: ClassVar[str] = "retrieve"
    ranker: ClassVar[str] = POPULAR

    def __init__(self, history: PopularItems, scenarios: tuple[str, ...]) -> None:
        self.history = history
        self.scenarios = scenarios

    def enabled(self, request: Request) -> bool:
        return request.ranker == self.ranker

    async def candidates(self, request: Request) -> Pool:
        ask = request.ask
        scores = await self._shown(request, ask.scenario)
        if len(scores) < OVERFETCH * ask.k:  # a scenario of few clicks borrows from the others
            for scenario in self.scenarios:
                for item_id, score in (await self._shown(request, scenario)).items():
                    scores.setdefault(item_id, BORROWED * score)
        ranked = sorted(scores.items(), key=lambda pair: -pair[1])
        shown = [Candidate(item_id, score, POPULAR, "popular now") for item_id, score in ranked]
        return Pool({POPULAR: shown}, request.scene.index.version)

    async def _shown(self, request: Request, scenario: str) -> dict[str, float]:
        """Scores of the most popular that may be shown: what was blocked or seen takes no place of theirs."""
        wanted = OVERFETCH * request.ask.k
        count = wanted + len(request.user.excluded)
        while True:
            found = await self.history.popular(scenario, count)
            shown = {item_id: score for item_id, score in found if request.may_show(item_id)}
            if len(shown) >= wanted or len(found) < count or count >= DEEPEST:
                return shown
            count = min(DEEPEST, 4 * count)
