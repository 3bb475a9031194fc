"""What happens once an answer is complete: its page is remembered, its version counted, its exposure logged."""

from __future__ import annotations

import time
from collections.abc import Callable

from rayapp.metrics import Metrics
from rayapp.serving.pipeline.answer import Answer, exposure_of
from rayapp.serving.pipeline.exposures import Exposures
from rayapp.stores.ports import PageStore


class RememberPage:
    """So that the next page of the same scroll repeats nothing."""

    def __init__(self, pages: PageStore, metrics: Metrics) -> None:
        self.pages = pages
        self.metrics = metrics

    async def tell(self, answer: Answer, latency_ms: float) -> None:
        started = time.perf_counter()
        await self.pages.add(answer.request.user.cursor, [slot.candidate.item_id for slot in answer.slots])
        self.metrics.observe("rayapp_stage_seconds", time.perf_counter() - started, stage="page")


class CountVersion:
    """The first answer of a version is a stage of freshness."""

    def __init__(self, answered: Callable[[str], None]) -> None:
        self.answered = answered

    async def tell(self, answer: Answer, latency_ms: float) -> None:
        self.answered(answer.model_version)


class LogExposure:
    def __init__(self, exposures: Exposures) -> None:
        self.exposures = exposures

    async def tell(self, answer: Answer, latency_ms: float) -> None:
        self.exposures.post(exposure_of(answer, latency_ms))
