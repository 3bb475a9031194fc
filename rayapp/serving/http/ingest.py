"""Writing what clients send: events, items, deletions; every record is answered for."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from rayapp.config import Config
from rayapp.domain import Event, Forget, Item, encode
from rayapp.metrics import Metrics
from rayapp.serving.http.errors import ApiError
from rayapp.serving.http.schemas import Accepted, Rejected
from rayapp.validation import InvalidRecord, parse_event, parse_item
from streaming.producer import EventProducer, Record

MAX_RECORDS = 1000


class Ingest:
    """The gateway's write side; accepted means acknowledged by Kafka."""

    def __init__(self, config: Config, producer: EventProducer, metrics: Metrics) -> None:
        self.config = config
        self.producer = producer
        self.metrics = metrics

    async def events(self, raw: list[Any]) -> Accepted:
        self._check_size("events", raw)
        now = int(time.time() * 1000)
        good: list[tuple[int, Event]] = []
        rejected = []
        for index, record in enumerate(raw):
            if isinstance(record, dict):
                record = {**record, "received_ms": now}  # ours to stamp, whatever the client says
            try:
                good.append((index, parse_event(record, self.config.scenarios, now)))
            except InvalidRecord as error:
                rejected.append(Rejected(index, str(error), error.field))
        topic = self.config.topic("behaviour")
        unknown = await self._send(
            [(index, Record(topic, event.user_id, encode(event))) for index, event in good],
        )
        done = time.time() * 1000
        for _ in range(len(good) - len(unknown)):
            self.metrics.observe("rayapp_freshness_seconds", (done - now) / 1000, stage="ingest")
        self._count(len(good) - len(unknown), len(rejected), len(unknown))
        if unknown:
            raise self._not_acknowledged(len(good) - len(unknown), unknown)
        return Accepted(len(good), rejected)

    async def items(self, raw: list[Any]) -> Accepted:
        self._check_size("items", raw)
        now = int(time.time() * 1000)
        good: list[tuple[int, Item]] = []
        rejected = []
        for index, record in enumerate(raw):
            try:
                item = parse_item(record)
                if item.timestamp_ms is None:
                    item = msgspec.structs.replace(item, timestamp_ms=now)
                good.append((index, item))
            except InvalidRecord as error:
                rejected.append(Rejected(index, str(error), error.field))
        topic = self.config.topic("items")
        unknown = await self._send([(index, Record(topic, item.item_id, encode(item))) for index, item in good])
        if unknown:
            raise self._not_acknowledged(len(good) - len(unknown), unknown)
        return Accepted(len(good), rejected)

    async def delete_item(self, item_id: str) -> None:
        if await self._send([(0, Record(self.config.topic("items"), item_id, None))]):
            raise self._not_acknowledged(0, [0])

    async def forget(self, user_id: str) -> None:
        record = Forget(forget=True, user_id=user_id, received_ms=int(time.time() * 1000))
        if await self._send([(0, Record(self.config.topic("behaviour"), user_id, encode(record)))]):
            raise self._not_acknowledged(0, [0])

    async def _send(self, records: list[tuple[int, Record]]) -> list[int]:
        """Indices whose outcome is unknown."""
        errors = await self.producer.send([record for _, record in records])
        return [index for (index, _), error in zip(records, errors, strict=True) if error is not None]

    def _check_size(self, field: str, raw: list[Any]) -> None:
        if not raw:
            raise ApiError(422, f"{field} is empty; send 1 to {MAX_RECORDS}", field)
        if len(raw) > MAX_RECORDS:
            raise ApiError(413, f"{field} has {len(raw):,} entries, at most {MAX_RECORDS:,}; send them in parts", field)

    def _count(self, accepted: int, rejected: int, unknown: int) -> None:
        for result, n in (("accepted", accepted), ("rejected", rejected), ("unknown", unknown)):
            if n:
                self.metrics.count("rayapp_events_total", n, result=result)

    @staticmethod
    def _not_acknowledged(accepted: int, unknown: list[int]) -> ApiError:
        message = f"Kafka did not acknowledge {len(unknown)} records; send them again with the same ids"
        return ApiError(503, message, retry_after=2, extra={"accepted": accepted, "unknown": unknown})
