"""Reading planned ranges with Ray Data: a few ranges a read task, nothing clamped, nothing skipped."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import pyarrow as pa
import ray.data
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from ray.data import Datasource, ReadTask
from ray.data.block import Block, BlockMetadata

from streaming.consumer import append_ms
from streaming.consumer import place as offset_of
from streaming.records import is_bulk
from streaming.settings import Broker
from streaming.windows import LogTruncated, Plan, Range, ReadTimeout

ROW_SCHEMA = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("append_ms", pa.int64()),
        ("bulk", pa.bool_()),
        ("value", pa.binary()),
    ]
)
BYTES_A_ROW = 400
ROWS_A_TASK = 10_000


def consumer_for(broker: Broker) -> Consumer:
    settings = broker.client(
        {
            "group.id": "rayapp-window-reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
            "log_level": 2,
        }
    )
    return Consumer(settings)


def watermarks(consumer: Consumer, topic: str, timeout_s: float = 10.0) -> dict[int, tuple[int, int]]:
    """(low, high) per partition of a topic, asked of the broker."""
    metadata = consumer.list_topics(topic, timeout=timeout_s).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=timeout_s) for p in metadata.partitions}


def read_ranges(broker: Broker, ranges: Sequence[Range], timeout_s: float = 30.0) -> Iterator[pa.Table]:
    """Rows of each range as ROW_SCHEMA, in offset order, through one connection.

    Raises ReadTimeout when the broker does not give a range within `timeout_s`, LogTruncated, KafkaException.
    """
    consumer = consumer_for(broker)
    try:
        for planned in ranges:
            yield _read_range(consumer, planned, broker.address, timeout_s)
    finally:
        consumer.close()


def _read_range(consumer: Consumer, planned: Range, address: str, timeout_s: float) -> pa.Table:
    """Every record of the range. Offsets without one are left out: transactions mark their end with an offset of their
    own, aborted ones are never seen, and compaction takes what was replaced."""
    place = TopicPartition(planned.topic, planned.partition, planned.start)
    rows: list[tuple[int, int, int, bool, bytes | None]] = []
    consumer.assign([place])
    deadline = time.monotonic() + timeout_s
    reached = planned.start
    while reached < planned.end:
        if time.monotonic() > deadline:
            raise ReadTimeout(
                f"{planned.topic}/{planned.partition}: {len(rows)} of {planned.rows} rows came within "
                f"{timeout_s:.0f} s; is the broker reachable at {address}?"
            )
        for message in consumer.consume(min(10_000, planned.rows), timeout=1.0):
            error = message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                end = message.offset() or 0
                reached = max(reached, end)
                if end < planned.end:
                    _check_present(consumer, planned)
                continue
            _, offset = offset_of(message)
            reached = offset + 1
            if offset < planned.end:
                rows.append((planned.partition, offset, append_ms(message), is_bulk(message), message.value()))
    columns = list(zip(*rows, strict=True)) or [[] for _ in ROW_SCHEMA]
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, ROW_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=ROW_SCHEMA)


def _check_present(consumer: Consumer, planned: Range) -> None:
    """Raises LogTruncated where the log has lost its tail: the range will never come."""
    _, high = consumer.get_watermark_offsets(TopicPartition(planned.topic, planned.partition), timeout=10)
    if high < planned.end:
        raise LogTruncated(planned.topic, planned.partition, planned.end, high)


def tasks_of(plan: Plan) -> list[tuple[Range, ...]]:
    """The plan's ranges, some to a read task: a small window is not worth a process for each partition."""
    tasks: list[list[Range]] = []
    rows = ROWS_A_TASK
    for planned in plan.ranges:
        if rows + planned.rows > ROWS_A_TASK:
            tasks.append([])
            rows = 0
        tasks[-1].append(planned)
        rows += planned.rows
    return [tuple(task) for task in tasks]


class PlannedRanges(Datasource):
    """A window's plan as a Ray Data source, known in size before it is read."""

    def __init__(self, broker: Broker, plan: Plan) -> None:
        super().__init__()
        self.broker = broker
        self.plan = plan

    def estimate_inmemory_data_size(self) -> int:
        return self.plan.rows * BYTES_A_ROW

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: object = None
    ) -> list[ReadTask]:
        def task(ranges: tuple[Range, ...]) -> ReadTask:
            broker = self.broker

            def read() -> Iterable[Block]:
                yield from read_ranges(broker, ranges)

            rows = sum(planned.rows for planned in ranges)
            about = BlockMetadata(num_rows=rows, size_bytes=rows * BYTES_A_ROW, input_files=None, exec_stats=None)
            return ReadTask(read, about, schema=ROW_SCHEMA)

        return [task(ranges) for ranges in tasks_of(self.plan)]


def read_plan(broker: Broker, plan: Plan) -> ray.data.Dataset:
    """The window's rows as a dataset."""
    return cast("Any", ray.data).read_datasource(
        PlannedRanges(broker, plan), override_num_blocks=max(1, len(tasks_of(plan)))
    )
