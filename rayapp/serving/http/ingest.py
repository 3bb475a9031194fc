"""Writing what clients send: events, items, deletions; every record is answered for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec
from confluent_kafka import KafkaError

from rayapp.config import Config
from rayapp.domain import Event, Forget, Item, encode
from rayapp.metrics import Metrics
from rayapp.serving.http.errors import ApiError
from rayapp.serving.http.schemas import Accepted, Rejected
from rayapp.validation import InvalidRecord, parse_event, parse_item
from streaming.producer import EventProducer, Record

log = logging.getLogger("ray.serve")
R = TypeVar("R", Event, Item)
MAX_RECORDS = 1000
# Of one record as JSON. Kafka clients and brokers refuse messages above 1,000,000 bytes with their framing by default.
MAX_RECORD_BYTES = 900_000


class Ingest:
    """The gateway's write side; accepted means acknowledged by Kafka."""

    def __init__(self, config: Config, producer: EventProducer, metrics: Metrics) -> None:
        self.config = config
        self.producer = producer
        self.metrics = metrics

    async def events(self, raw: list[Any]) -> Accepted:
        self._check_size("events", raw)
        now = int(time.time() * 1000)
        # received_ms is ours to stamp, whatever the client says.
        stamped = [{**record, "received_ms": now} if isinstance(record, dict) else record for record in raw]
        good, rejected = _checked(stamped, lambda record: parse_event(record, self.config.scenarios, now))
        topic = self.config.topic("behaviour")
        sent = await self._send([(index, Record(topic, event.user_id, encode(event))) for index, event in good])
        done = time.time() * 1000
        for _ in range(sent.accepted):
            self.metrics.observe("rayapp_freshness_seconds", (done - now) / 1000, stage="ingest")
        self._count(sent.accepted, len(rejected) + len(sent.rejected), len(sent.unknown))
        return sent.answer(rejected)

    async def items(self, raw: list[Any]) -> Accepted:
        self._check_size("items", raw)
        now = int(time.time() * 1000)
        good, rejected = _checked(raw, lambda record: _dated(parse_item(record, now), now))
        topic = self.config.topic("items")
        sent = await self._send([(index, Record(topic, item.item_id, encode(item))) for index, item in good])
        return sent.answer(rejected)

    async def delete_item(self, item_id: str) -> None:
        (await self._send([(0, Record(self.config.topic("items"), item_id, None))])).answer([])

    async def forget(self, user_id: str) -> None:
        record = Forget(forget=True, user_id=user_id, received_ms=int(time.time() * 1000))
        (await self._send([(0, Record(self.config.topic("behaviour"), user_id, encode(record)))])).answer([])

    async def _send(self, records: list[tuple[int, Record]]) -> Sent:
        """What became of each; a record that is too large for Kafka would be refused again and again."""
        fit = [(index, record) for index, record in records if len(record.value or b"") <= MAX_RECORD_BYTES]
        errors = await self.producer.send([record for _, record in fit])
        outcome = {index: error for (index, _), error in zip(fit, errors, strict=True)}
        sent = Sent(0, [], [])
        for index, record in records:
            error = outcome.get(index)
            if index not in outcome or (error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE):
                sent.rejected.append(Rejected(index, _too_large(len(record.value or b"")), None))
            elif error is not None:
                sent.unknown.append(index)
            else:
                sent = sent._replace(accepted=sent.accepted + 1)
        return sent

    def _check_size(self, field: str, raw: list[Any]) -> None:
        if not raw:
            raise ApiError(422, f"{field} is empty; send 1 to {MAX_RECORDS}", field)
        if len(raw) > MAX_RECORDS:
            raise ApiError(413, f"{field} has {len(raw):,} entries, at most {MAX_RECORDS:,}; send them in parts", field)

    def _count(self, accepted: int, rejected: int, unknown: int) -> None:
        for result, n in (("accepted", accepted), ("rejected", rejected), ("unknown", unknown)):
            if n:
                self.metrics.count("rayapp_events_total", n, result=result)


def _checked(raw: list[Any], parse: Callable[[Any], R]) -> tuple[list[tuple[int, R]], list[Rejected]]:
    """(index and record of those that can be used, the others). A bad record costs itself alone, whatever it does."""
    good: list[tuple[int, R]] = []
    rejected: list[Rejected] = []
    for index, record in enumerate(raw):
        try:
            good.append((index, parse(record)))
        except InvalidRecord as error:
            rejected.append(Rejected(index, str(error), error.field))
        except Exception:
            log.exception("a record was rejected by an error of its parser")
            rejected.append(Rejected(index, "the record cannot be read; check its values", None))
    return good, rejected


def _dated(item: Item, now: int) -> Item:
    return item if item.timestamp_ms is not None else msgspec.structs.replace(item, timestamp_ms=now)


class Sent(NamedTuple):
    """`unknown`: indices of records that Kafka did not acknowledge; `rejected`: those that it never will."""

    accepted: int
    rejected: list[Rejected]
    unknown: list[int]

    def answer(self, rejected: list[Rejected]) -> Accepted:
        """With those `rejected` before anything was sent. Raises ApiError 503."""
        if self.unknown:
            message = f"Kafka did not acknowledge {len(self.unknown)} records; send them again with the same ids"
            raise ApiError(503, message, retry_after=2, extra={"accepted": self.accepted, "unknown": self.unknown})
        return Accepted(self.accepted, sorted([*rejected, *self.rejected], key=lambda one: one.index))


def _too_large(size: int) -> str:
    return f"the record has {size:,} bytes as JSON, more than the log takes (at most {MAX_RECORD_BYTES:,}); shorten it"
