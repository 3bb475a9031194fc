"""Publishing verdicts: first to the topic, then to the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import NamedTuple

from rayapp.domain import Verdict, encode
from rayapp.errors import Unavailable
from rayapp.stores.ports import VerdictStore
from rayapp.stores.records import Queued
from streaming.producer import EventProducer, Record

TIMEOUT_S = 30.0


class NotAcknowledged(Unavailable):
    """Kafka did not acknowledge the verdict; nothing is stored."""


class Judged(NamedTuple):
    """A verdict, and the queue's entry that it settles, if any."""

    verdict: Verdict
    queued: Queued | None = None


class VerdictLog:
    """A kill between topic and store writes the same verdict again; the other order would leave it out of the topic."""

    def __init__(self, producer: EventProducer, topic: str, store: VerdictStore) -> None:
        self.producer = producer
        self.topic = topic
        self.store = store

    def append(self, judged: Sequence[Judged]) -> list[bool]:
        """Publish in order; for each, False if a person's verdict stands. Raises KafkaException, StoreUnreachable."""
        self.producer.send_all((self._record(one.verdict) for one in judged), timeout_s=TIMEOUT_S)
        return [self.store.put(verdict, queued) for verdict, queued in judged]

    async def append_one(self, verdict: Verdict, *, executor: Executor | None = None) -> bool:
        """The same for one verdict on an event loop; the store is written in `executor`. Raises NotAcknowledged."""
        if any(await self.producer.send([self._record(verdict)])):
            raise NotAcknowledged("Kafka did not acknowledge the verdict; send it again")
        return await asyncio.get_running_loop().run_in_executor(executor, self.store.put, verdict)

    def _record(self, verdict: Verdict) -> Record:
        return Record(self.topic, verdict.item_id, encode(verdict))
