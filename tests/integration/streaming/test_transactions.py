"""A topic that is written with transactions has offsets without records: marks of their ends, and aborted ones."""

from __future__ import annotations

import threading

import pytest
from confluent_kafka import Message, Producer

from rayapp.config import Config
from streaming.consumer import LogConsumer
from streaming.dead_letters import DeadLetters
from streaming.reading import consumer_for, read_ranges, watermarks
from streaming.windows import Plan, plan_window, verify
from tests.helpers import eventually

ABORTED_TOO = (True, False, True, False)


def write(config: Config, transactions: tuple[bool, ...]) -> list[bytes]:
    """What was committed of these transactions (True: committed, False: aborted), five records each."""
    topic = config.topic("behaviour")
    producer = Producer(config.broker.client({"transactional.id": topic, "log_level": 0}))
    producer.init_transactions(20)
    kept: list[bytes] = []
    for number, commits in enumerate(transactions):
        producer.begin_transaction()
        values = [f"{number}-{n}".encode() for n in range(5)]
        for value in values:
            producer.produce(topic, key="u", value=value)
        producer.flush(10)
        if commits:
            producer.commit_transaction(20)
            kept += values
        else:
            producer.abort_transaction(20)
    return kept


# The embedded broker hides from a reader that begins behind an aborted transaction what its producer wrote later, so
# with aborted ones the window is the whole log; Apache Kafka names only the transactions that reach into what is read.
@pytest.mark.parametrize(("transactions", "max_rows"), [((True,) * 4, 4), ((True,) * 4, 5), (ABORTED_TOO, 1000)])
def test_windows_read_what_was_committed_and_end(stream: Config, transactions: tuple[bool, ...], max_rows: int) -> None:
    kept = write(stream, transactions)
    topic = stream.topic("behaviour")
    consumer = consumer_for(stream.broker)
    marks = watermarks(consumer, topic)
    consumer.close()
    assert sum(high - low for low, high in marks.values()) > len(kept), "there are offsets without records"
    at: dict[int, int] = {}
    read: list[bytes] = []
    plans: list[Plan] = []
    while (plan := plan_window(len(plans), topic, at, marks, max_rows=max_rows)) is not None:
        plans.append(plan)
        tables = list(read_ranges(stream.broker, plan.ranges, 20))
        verify(plan, {r.partition: table.num_rows for r, table in zip(plan.ranges, tables, strict=True)})
        read += [value for table in tables for value in table["value"].to_pylist()]
        at.update(plan.ends())
    assert read == kept
    assert at == {partition: high for partition, (_, high) in marks.items() if high}


def test_a_writer_applies_what_was_committed(stream: Config) -> None:
    kept = write(stream, ABORTED_TOO)
    read: list[bytes] = []
    stop = threading.Event()

    def handle(messages: list[Message]) -> None:
        read.extend(message.value() or b"" for message in messages)

    def run() -> None:
        consumer = LogConsumer(stream.broker, stream.topic("behaviour"), "transactions")
        dead: DeadLetters = None  # type: ignore[assignment]  # nothing here is bad
        consumer.run(handle, stop, dead=dead, on_state=print)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        eventually(lambda: len(read) >= len(kept), 30, "what was committed is applied")
    finally:
        stop.set()
        thread.join(20)
    assert read == kept
