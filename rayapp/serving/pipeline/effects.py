"""What happens once an answer is complete: its page is remembered, its version counted, its exposure logged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ClassVar

from rayapp.serving.pipeline.answer import Answer, exposure_of
from rayapp.serving.pipeline.exposures import Exposures
from rayapp.stores.ports import PageStore, StoreUnwilling

log = logging.getLogger("ray.serve")


class RememberPage:
    """So that the next page of the same scroll repeats nothing."""

    stage: ClassVar[str] = "page"

    def __init__(self, pages: PageStore) -> None:
        self.pages = pages

    async def tell(self, answer: Answer, latency_ms: float) -> Answer:
        """Without its cursor where the store takes nothing now: a list that cannot be paged is better than none."""
        try:
            await self.pages.add(answer.request.user.cursor, [slot.candidate.item_id for slot in answer.slots])
        except StoreUnwilling as error:
            log.warning("answers have no cursor: %s", error)
            return answer.without_cursor()
        return answer


class CountVersion:
    """The first answer of a version is a stage of freshness."""

    stage: ClassVar[str] = "freshness"

    def __init__(self, answered: Callable[[str], None]) -> None:
        self.answered = answered

    async def tell(self, answer: Answer, latency_ms: float) -> Answer:
        self.answered(answer.model_version)
        return answer


class LogExposure:
    """What was shown goes to the exposures topic."""

    stage: ClassVar[str] = "expose"

    def __init__(self, exposures: Exposures) -> None:
        self.exposures = exposures

    async def tell(self, answer: Answer, latency_ms: float) -> Answer:
        self.exposures.post(exposure_of(answer, latency_ms))
        return answer
