"""Moderation on the request path: what clients ask to be judged now, and what people decide."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from rayapp.config import Config
from rayapp.domain import Decision, Item, Verdict
from rayapp.errors import Unavailable, UserError
from rayapp.metrics import Metrics
from rayapp.moderation.judge import Judge, Note
from rayapp.moderation.verdict_log import VerdictLog
from rayapp.serving.micro_batch import MicroBatch
from rayapp.stores.open import open_store
from streaming.producer import EventProducer

AT_ONCE = 16  # requests


class NotJudged(Unavailable):
    """The language model did not answer."""

    retry_after: ClassVar[int] = 5


class Moderator:
    """Notes of concurrent requests go to the model together; the model is opened on first use."""

    def __init__(self, config: Config, producer: EventProducer, metrics: Metrics) -> None:
        self.config = config
        self.metrics = metrics
        self.judge: Judge | None = None
        self.batch: MicroBatch[list[Note], list[Verdict]] = MicroBatch(self._judge, AT_ONCE, "moderation")
        self.log = VerdictLog(producer, config.topic("verdicts"), open_store(config.store_url).verdicts())
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="verdicts")

    async def verdicts(self, notes: list[Note]) -> list[Verdict]:
        """Raises NotJudged while the language model is away."""
        try:
            return await self.batch(notes)
        except UserError as error:
            self.metrics.count("rayapp_verdicts_total", len(notes), decision="none", outcome="refused")
            raise NotJudged(str(error)) from None

    async def decide(self, item: Item, decision: Decision, reason: str) -> Verdict:
        """A person's verdict: it wins over the model's, and the topic and the store's audit stream keep it."""
        verdict = Verdict(
            item_id=item.item_id,
            decision=decision,
            outcome="person",
            at_ms=int(time.time() * 1000),
            text_key=item.text_key,
            reason=reason,
            stage="person",
        )
        await self.log.append_one(verdict, executor=self.pool)
        self.metrics.count("rayapp_verdicts_total", decision=decision.value, outcome="person")
        return verdict

    def _judge(self, requests: list[list[Note]]) -> list[list[Verdict]]:
        if self.judge is None:
            self.judge = Judge.open(self.config.llm_access)
        verdicts = iter(self.judge.verdicts([note for notes in requests for note in notes]))
        return [list(itertools.islice(verdicts, len(notes))) for notes in requests]
