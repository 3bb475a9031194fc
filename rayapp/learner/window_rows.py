"""A plan's records: read, checked against the plan, parsed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaException, TopicPartition

from rayapp.cluster import arrow_tables
from rayapp.domain import Event
from rayapp.learner.waiting import Waiting
from rayapp.redrec.online.learner_state import LogRow
from rayapp.validation import InvalidRecord
from streaming.reading import ROW_SCHEMA, consumer_for, read_plan, read_ranges, tasks_of
from streaming.records import behaviour_record
from streaming.settings import Broker
from streaming.topics import BrokerUnreachable, wait_for_broker
from streaming.windows import LogTruncated, Plan, Range, ReadTimeout, verify


class WindowRows(NamedTuple):
    """Usable rows in (partition, offset) order, receive times of live events, and skipped records by reason."""

    rows: list[LogRow]
    live_ms: list[int]
    skipped: dict[str, int]


def read_rows(broker: Broker, plan: Plan) -> pa.Table:
    """Rows in (partition, offset) order. Raises WindowError when more came than was planned.

    Ray Data reads what is worth several read tasks. Less is read here: a dataset costs more time than its rows, and
    the memory of its metrics (0.7 MB in Ray's stats actor, as much in each node's agent) until the cluster ends.
    """
    if len(tasks_of(plan)) > 1:
        tables = list(arrow_tables(read_plan(broker, plan).iter_batches(batch_size=None, batch_format="pyarrow")))
    else:
        tables = list(read_ranges(broker, plan.ranges))
    table = pa.concat_tables([ROW_SCHEMA.empty_table(), *tables]).sort_by(
        [("partition", "ascending"), ("offset", "ascending")]
    )
    partitions, counts = np.unique(table["partition"].to_numpy(), return_counts=True)
    verify(plan, dict(zip(partitions.tolist(), counts.tolist(), strict=True)))
    return table


def read_patiently(broker: Broker, plan: Plan, *, waiting: Waiting) -> pa.Table:
    """As read_rows; after a failure it waits for the broker and reads again, however long. Raises LogTruncated."""
    try:
        return read_rows(broker, plan)
    except Exception as error:  # Ray has classes of its own for what a read task raises
        text = f"window {plan.number} could not be read ({error}); waiting for the broker to read it again"
        waiting.on("window", text)
    while True:
        try:
            wait_for_broker(broker)
            check_present(broker, plan)
            table = read_rows(broker, plan)
        except (BrokerUnreachable, KafkaException, ReadTimeout):
            continue
        waiting.over("window")
        return table


def check_present(broker: Broker, plan: Plan) -> None:
    """Raises LogTruncated where the log ends before the plan does: waiting would not bring it."""
    consumer = consumer_for(broker)
    try:
        for planned in plan.ranges:
            place = TopicPartition(planned.topic, planned.partition)
            _, high = consumer.get_watermark_offsets(place, timeout=10)
            if high < planned.end:
                raise LogTruncated(planned.topic, planned.partition, planned.end, high)
    finally:
        consumer.close()


def last_appended(table: pa.Table) -> dict[int, int]:
    """Append time of each partition's last row; `table` as from `read_rows`."""
    return dict(zip(table["partition"].to_pylist(), table["append_ms"].to_pylist(), strict=True))


def last_records(
    topic: str, offsets: Mapping[int, int], appended: Mapping[int, int], marks: Mapping[int, tuple[int, int]]
) -> Plan:
    """A plan of the record before each offset, where the log still has it; the next plan detects truncation."""
    ranges = []
    for partition in sorted(appended):
        low, high = marks.get(partition, (0, 0))
        if low < offsets[partition] <= high:
            ranges.append(Range(topic, partition, offsets[partition] - 1, offsets[partition]))
    return Plan(0, tuple(ranges))


def recreated(table: pa.Table, appended: Mapping[int, int]) -> dict[int, int]:
    """Partitions whose last record read was appended at another time than the checkpoint says, with that time."""
    rows = ((row["partition"], row["append_ms"]) for row in table.to_pylist())
    return {partition: at for partition, at in rows if at != appended[partition]}


def parse_rows(table: pa.Table, topic: str, scenarios: tuple[str, ...]) -> WindowRows:
    """Records that cannot be used are counted; the history writer sends them to the dead-letter topic."""
    rows: list[LogRow] = []
    live: list[int] = []
    skipped: Counter[str] = Counter()
    for row in table.to_pylist():
        place = f"{topic}-{row['partition']}-{row['offset']}"
        try:
            record = behaviour_record(row["value"], scenarios, row["append_ms"], place)
        except InvalidRecord as error:
            skipped[error.reason] += 1
            continue
        rows.append(LogRow(record, row["append_ms"], row["partition"]))
        if isinstance(record, Event) and not row["bulk"]:
            live.append(record.received_ms)
    return WindowRows(rows, live, dict(skipped))
