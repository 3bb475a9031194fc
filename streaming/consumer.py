"""A consumer loop: read a batch, apply it, then commit. Applying must be idempotent (at least once)."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Generator
from types import FrameType

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from rayapp.times import MIN_TIMESTAMP_MS
from rayapp.validation import MAX_CLOCK_AHEAD_MS
from streaming.applying import Applying, Handler, OnState
from streaming.dead_letters import DeadLetters
from streaming.log_check import LogCheck
from streaming.settings import Broker

IDLE_S = 0.05
log = logging.getLogger(__name__)


@contextlib.contextmanager
def stop_signals() -> Generator[threading.Event]:
    """An event that SIGTERM and SIGINT set: the loop ends after the batch in hand."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    previous = {s: signal.signal(s, handle) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class LogConsumer:
    """Follows one topic in a consumer group, from the earliest record on."""

    def __init__(self, broker: Broker, topic: str, group: str, *, batch: int = 1000) -> None:
        self.topic = topic
        self.group = group
        self.batch = batch
        self.embedded = broker.embedded
        settings = broker.client(
            {
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 100,
                "fetch.error.backoff.ms": 100,
                "topic.metadata.refresh.interval.ms": 5000,
                "session.timeout.ms": 10_000,
                "log_level": 2,
            }
        )
        self.consumer = Consumer(settings)
        if self.embedded:
            # One machine, one writer: the embedded broker keeps a killed member in the group for good, and its
            # successor would wait for it. Offsets are committed to the group all the same.
            partitions = self.consumer.list_topics(topic, timeout=10).topics[topic].partitions
            self.consumer.assign([TopicPartition(topic, p) for p in sorted(partitions)])
        else:
            self.consumer.subscribe([topic])
        self.next_offsets: dict[int, int] = {}
        self.appended: dict[int, int] = {}  # append time of the last record read, by partition
        self.log_check = LogCheck(topic) if self.embedded else None

    def run(self, handle: Handler, stop: threading.Event, *, dead: DeadLetters, on_state: OnState) -> None:
        """Until `stop`. A store that is away is waited for; nothing is committed before it is applied.

        `on_state` is told what is waited for, and None when applying goes on.
        """
        applying = Applying(handle, dead, stop=stop, on_state=on_state)
        try:
            while not stop.is_set():
                if not applying.patiently(self._check_log):
                    break
                messages = self._next_batch(stop)
                if not messages:
                    continue
                if applying.apply(messages):
                    self._commit(messages, on_state)
        finally:
            self.consumer.close()

    def _check_log(self) -> None:
        """Where the embedded broker lost the end of its log and new records took its offsets, read those."""
        if self.log_check is None:
            return
        for partition, offset in self.log_check.rewritten(self.consumer, self.next_offsets, self.appended).items():
            self.next_offsets[partition] = offset
            self.consumer.seek(TopicPartition(self.topic, partition, offset))

    def _next_batch(self, stop: threading.Event) -> list[Message]:
        """Waits for one record, then takes what else is there: no delay for a single click, few calls in bulk."""
        first = self.consumer.poll(0.05 if self.embedded else 0.5)
        if first is None:
            if self.embedded:
                self._wait_for_growth(stop)
            return []
        return [m for m in (first, *self.consumer.consume(self.batch - 1, timeout=0.005)) if m.error() is None]

    def _wait_for_growth(self, stop: threading.Event) -> None:
        """Stop fetching until the log grows.

        The embedded broker answers an empty fetch at once in place of holding
        it, so fetching while idle would keep two processes busy; asking for
        the log's end twenty times a second costs little. Fetching stops only
        when every partition is read to its end: a fetch that is merely slow
        must not be thrown away.
        """
        assigned = self.consumer.assignment()
        try:
            if not assigned or self._behind(assigned):
                return
            self.consumer.pause(assigned)
            try:
                while not stop.wait(IDLE_S) and self.consumer.assignment() == assigned:
                    self.consumer.poll(0)  # serves rebalances; paused partitions give no records
                    if self._behind(assigned):
                        return
            finally:
                self.consumer.resume(self.consumer.assignment())
        except KafkaException as error:  # the broker is away: fetching again will wait for it
            log.warning("waiting for the broker: %s", error)
            stop.wait(1.0)

    def _behind(self, assigned: list[TopicPartition]) -> bool:
        """Is there a record after the last one applied in any assigned partition?"""
        unknown = [p for p in assigned if p.partition not in self.next_offsets]
        for p in self.consumer.committed(unknown, timeout=5) if unknown else []:
            if p.offset >= 0:
                self.next_offsets[p.partition] = p.offset
        # The protocol's "latest" in place of a time: one question for all partitions.
        latest = [TopicPartition(self.topic, p.partition, OFFSET_END) for p in assigned]
        try:
            ends = self.consumer.offsets_for_times(latest, timeout=5)
        except KafkaException as error:
            if error.args[0].code() == KafkaError._UNKNOWN_PARTITION:
                return True  # the client is renewing what it knows of the topic: fetching does no harm meanwhile
            raise
        for end in ends:
            read = self.next_offsets.get(end.partition, 0)
            if end.offset == read:
                continue
            low, high = self.consumer.get_watermark_offsets(end, timeout=5)
            if high > max(low, read):  # unless retention took what is left
                return True
            if high < read:
                self._read_again(end.partition, read, high)
                return True
        return False

    def _read_again(self, partition: int, read: int, high: int) -> None:
        """The log is shorter than what was read: the broker lost its tail, or the topic was recreated. What is there
        is read from the beginning; applying it again changes nothing."""
        log.warning(
            "%s/%d ends at offset %d and was read up to %d: the broker lost records; reading it from the start",
            self.topic, partition, high, read,
        )  # fmt: skip
        self.next_offsets[partition] = 0
        self.consumer.seek(TopicPartition(self.topic, partition, OFFSET_BEGINNING))

    def _commit(self, messages: list[Message], on_state: OnState) -> None:
        for message in messages:
            partition, offset = place(message)
            self.next_offsets[partition] = offset + 1
            self.appended[partition] = append_ms(message)
        offsets = [TopicPartition(self.topic, p, o) for p, o in self.next_offsets.items()]
        try:
            self.consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:  # the batch is applied; it may be applied again, which changes nothing
            on_state(error)

    def lag(self) -> dict[int, int]:
        """Records behind the log's end per assigned partition, from the client's cached watermarks."""
        result: dict[int, int] = {}
        try:
            assigned = self.consumer.assignment()
        except RuntimeError:  # closed meanwhile
            return {}
        for partition in assigned:
            _, high = self.consumer.get_watermark_offsets(partition, cached=True)
            if high >= 0 and partition.partition in self.next_offsets:
                result[partition.partition] = max(0, high - self.next_offsets[partition.partition])
        return result


def place(message: Message) -> tuple[int, int]:
    """(partition, offset) of a record that was read: the client types both as optional, for those not yet written."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return partition, offset


def append_ms(message: Message) -> int:
    """The record's time: append time where the broker supports it, else what its producer says.

    A time that cannot be (before 1973, or further ahead than clocks are) is that of its arrival here, for everything
    that goes by it: a wrong unit on one producer dates no item, forgets no user too late and ends no consumer.
    """
    kind, at = message.timestamp()
    now = int(time.time() * 1000)
    return int(at) if kind and MIN_TIMESTAMP_MS <= at <= now + MAX_CLOCK_AHEAD_MS else now
