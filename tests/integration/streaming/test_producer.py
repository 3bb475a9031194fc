"""The producer against a broker that is killed and has lost the end of its log, as after a crash between two saves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException

from streaming.producer import EventProducer, Record
from tests.helpers import eventually
from tests.integration.streaming.killed_broker import KilledBroker

USERS = 20  # over all partitions


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KilledBroker]:
    started = KilledBroker(tmp_path)
    yield started
    started.stop()


def one_by_one(producer: EventProducer, records: list[Record]) -> int:
    """How many were acknowledged, each sent as the gateway sends."""

    async def send() -> int:
        errors = [error for record in records for error in await producer.send([record])]
        return sum(1 for error in errors if error is None)  # a KafkaError cannot be compared with None by ==

    return asyncio.run(send())


def in_bulk(producer: EventProducer, records: list[Record]) -> int:
    """As a replay sends: all or an error."""
    try:
        return producer.send_all(records, timeout_s=20)
    except KafkaException:
        return 0


@pytest.mark.parametrize("send", [one_by_one, in_bulk])
def test_a_log_that_lost_its_end_costs_a_moment(broker: KilledBroker, send: Callable) -> None:
    producer = EventProducer(broker.config.broker)
    records = [Record(broker.config.topic("behaviour"), f"u{n}", b"{}") for n in range(USERS)]
    try:
        assert send(producer, records) == USERS
        broker.save()
        eventually(lambda: send(producer, records) == USERS, 30, "accepted after a restart")
        broker.lose_the_end()
        acknowledged, before = 0, broker.records()
        assert before == USERS

        def all_accepted() -> bool:
            nonlocal acknowledged
            accepted = send(producer, records)
            acknowledged += accepted
            return accepted == USERS

        eventually(all_accepted, 30, "accepted again")
        assert broker.records() >= before + acknowledged  # what was acknowledged is there
    finally:
        producer.close()
