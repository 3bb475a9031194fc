"""A reader goes on where a broker lost the end of its log, also when new records have taken the lost offsets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Message

from streaming.consumer import LogConsumer
from streaming.dead_letters import DeadLetters
from streaming.producer import EventProducer, Record
from tests.helpers import eventually
from tests.integration.streaming.killed_broker import KilledBroker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KilledBroker]:
    started = KilledBroker(tmp_path)
    yield started
    started.stop()


def send(broker: KilledBroker, start: int, count: int, *values: bytes) -> None:
    producer = EventProducer(broker.config.broker)
    topic = broker.config.topic("behaviour")
    numbers = [str(n).encode() for n in range(start, start + count)]
    producer.send_all([Record(topic, f"u{n % 20}", v) for n, v in enumerate((*numbers, *values))], timeout_s=20)
    producer.close()


@pytest.mark.parametrize("more", [5, 400])
def test_records_in_the_place_of_lost_ones_are_read(broker: KilledBroker, more: int) -> None:
    """`more`: fewer than were lost, so the log is shorter than what was read, or so many that it is longer."""
    read: set[bytes] = set()
    stop, busy, go_on = threading.Event(), threading.Event(), threading.Event()

    def handle(messages: list[Message]) -> None:
        read.update(message.value() or b"" for message in messages)
        if b"busy" in read and not go_on.is_set():  # it sees nothing of what happens to the log meanwhile
            busy.set()
            assert go_on.wait(60)

    def run() -> None:
        consumer = LogConsumer(broker.config.broker, broker.config.topic("behaviour"), "lost-tail")
        dead: DeadLetters = None  # type: ignore[assignment]  # nothing here is bad
        consumer.run(handle, stop, dead=dead, on_state=print)

    send(broker, 0, 100)
    broker.save()
    send(broker, 100, 100)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        eventually(lambda: len(read) == 200, 30, "everything is read")
        for first in (1000, 2000):  # the second loss begins at the offsets of the first
            send(broker, 0, 0, b"busy")
            assert busy.wait(30)
            broker.lose_the_end()
            send(broker, first, more)
            go_on.set()
            wanted = {str(n).encode() for n in range(first, first + more)}
            eventually(lambda wanted=wanted: wanted <= read, 30, f"what came after the loss is read, of {more}")
            read.discard(b"busy")
            busy.clear()
            go_on.clear()
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
