"""Writing to Kafka: idempotent, acks=all, and knowing which records were acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streaming.settings import Broker

log = logging.getLogger(__name__)
Delivered = Callable[[KafkaError | None, Message], None]


class Record(NamedTuple):
    topic: str
    key: str | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class EventProducer:
    """One producer a process, with a thread that serves its delivery reports.

    `send` returns, per record, None when the broker acknowledged it and the
    error otherwise; an unknown outcome (time-out) is an error too, and sending
    the same event_id again is safe. After an error that librdkafka calls fatal
    (the log lost records that the broker had acknowledged, so that sequence
    numbers no longer follow) it goes on with a new producer.
    """

    def __init__(self, broker: Broker, *, linger_ms: float = 1.0, timeout_s: float | None = None) -> None:
        timeout_ms = int((timeout_s or broker.settings.timeout_s) * 1000)
        self._fatal = threading.Event()
        self._settings = broker.client(
            {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": linger_ms,
                "message.timeout.ms": timeout_ms,
                "request.timeout.ms": timeout_ms,
                "queue.buffering.max.messages": 500_000,
                # What every Kafka client can read. The embedded broker writes its whole log to disk again and again,
                # byte by byte as text: a fifth of the bytes is a fifth of its work.
                "compression.type": "gzip",
                "compression.level": 1,
                "log_level": 2,
            }
        )
        self.producer = Producer(self._settings)
        self.timeout_s = timeout_ms / 1000
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="kafka-delivery", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                self.producer.poll(0.1)
            except Exception as error:  # or of one sender's report, whose loop is closed by now: the others go on
                log.warning("Kafka producer: %s", error)
                self._note(error)
            if self._fatal.is_set():
                self._renew()

    def _note(self, error: Exception) -> None:
        """A fatal error is raised once, wherever the client happens to be asked, and then by every new record."""
        first = error.args[0] if error.args else None
        if isinstance(first, KafkaError) and (first.fatal() or first.code() == KafkaError._FATAL):
            self._fatal.set()

    def _renew(self) -> None:
        """The old one takes nothing more and all its records are reported before there is a new one, so that nobody
        waits for reports at the wrong one."""
        self.producer.purge()
        while len(self.producer):
            with contextlib.suppress(KafkaException):
                self.producer.flush(self.timeout_s)
        self._fatal.clear()
        self.producer = Producer(self._settings)

    async def send(self, records: list[Record]) -> list[KafkaError | None]:
        """Produce and wait for every record's report."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        results: list[KafkaError | None] = [KafkaError(KafkaError._TIMED_OUT)] * len(records)
        left = len(records)
        lock = threading.Lock()

        def outcome(index: int, error: KafkaError | None) -> None:
            nonlocal left
            with lock:
                results[index] = error
                left -= 1
                last = left == 0
            if last:
                loop.call_soon_threadsafe(done.set)

        def report(index: int, error: KafkaError | None, _message: Message) -> None:
            outcome(index, error)

        for index, record in enumerate(records):
            try:
                self._produce(record, partial(report, index))
            except (BufferError, KafkaException) as error:
                full = KafkaError(KafkaError._QUEUE_FULL)
                failed = error.args[0] if isinstance(error, KafkaException) else full
                outcome(index, failed)
        if records:
            # What has no report by then stays "timed out" in the results: its outcome is unknown.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), self.timeout_s + 1)
        return results

    def post(self, record: Record) -> bool:
        """Produce without waiting (exposures); False when the queue is full."""
        try:
            self._produce(record, None)
        except (BufferError, KafkaException):
            return False
        return True

    def send_all(self, records: Iterable[Record], timeout_s: float = 600.0) -> int:
        """Bulk: produce all, wait until acknowledged. Raises KafkaException with the first failure."""
        failures: list[KafkaError] = []

        def report(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failures.append(error)

        count = 0
        for record in records:
            while True:
                try:
                    self._produce(record, report)
                    break
                except BufferError:
                    self.producer.poll(0.1)
            count += 1
            if failures:
                raise KafkaException(failures[0])
        left = self.producer.flush(timeout_s)
        if failures:
            raise KafkaException(failures[0])
        if left:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{left} records were not acknowledged"))
        return count

    def _produce(self, record: Record, callback: Delivered | None) -> None:
        try:
            self.producer.produce(
                record.topic,
                key=record.key,
                value=record.value,
                headers=list(record.headers) or None,
                on_delivery=callback,
            )
        except KafkaException as error:
            self._note(error)
            raise

    def reachable(self, timeout_s: float = 2.0) -> bool:
        """Does a broker answer? Blocks up to `timeout_s`."""
        try:
            self.producer.list_topics(timeout=timeout_s)
        except KafkaException:
            return False
        return True

    def close(self) -> None:
        self.producer.flush(self.timeout_s)
        self._closed.set()
        self._thread.join(timeout=2)
