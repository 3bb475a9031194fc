"""A plan's records: read with Ray Data, checked against the plan, parsed."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from rayapp.domain import Event, InvalidRecord
from rayapp.redrec.learner_state import Row
from streaming.reading import consumer_for, read_plan, read_range, watermarks
from streaming.records import behaviour_record
from streaming.windows import Plan, Range, WindowError, verify


class WindowRows(NamedTuple):
    """Usable rows in (partition, offset) order, when live events were received, and what was skipped by reason."""

    rows: list[Row]
    live_ms: list[int]
    skipped: dict[str, int]


def read_rows(bootstrap: str, plan: Plan) -> pa.Table:
    """Rows in (partition, offset) order. Raises WindowError when they are not what was planned."""
    batches = read_plan(bootstrap, plan).iter_batches(batch_size=None, batch_format="pyarrow")
    table = pa.concat_tables(batches).sort_by([("partition", "ascending"), ("offset", "ascending")])
    partitions, counts = np.unique(table["partition"].to_numpy(), return_counts=True)
    verify(plan, dict(zip(partitions.tolist(), counts.tolist(), strict=True)))
    return table


def last_appended(table: pa.Table) -> dict[int, int]:
    """Append time of each partition's last row; rows as `read_rows` gives them."""
    return dict(zip(table["partition"].to_pylist(), table["append_ms"].to_pylist(), strict=True))


def check_log(bootstrap: str, topic: str, offsets: dict[int, int], appended: dict[int, int]) -> None:
    """The record before each offset must be the one that was read then. Raises WindowError for a recreated topic."""
    consumer = consumer_for(bootstrap)
    try:
        marks = watermarks(consumer, topic)
    finally:
        consumer.close()
    for partition, at in sorted(appended.items()):
        last = offsets[partition] - 1
        low, high = marks.get(partition, (0, 0))
        if not low <= last < high:
            continue  # deleted by retention, or too short: the next plan says so
        found = read_range(bootstrap, Range(topic, partition, last, last + 1))["append_ms"][0].as_py()
        if found != at:
            raise WindowError(
                f"{topic}/{partition}: offset {last} was appended at {found} ms, the checkpoint read one of {at} ms; "
                "the topic was recreated: restore it, or start again with a new state folder"
            )


def parse_rows(table: pa.Table, topic: str, scenarios: tuple[str, ...]) -> WindowRows:
    """Records that cannot be used are counted; the history writer sends them to the dead-letter topic."""
    rows: list[Row] = []
    live: list[int] = []
    skipped: Counter[str] = Counter()
    for row in table.to_pylist():
        place = f"{topic}-{row['partition']}-{row['offset']}"
        try:
            record = behaviour_record(row["value"], scenarios, row["append_ms"], place)
        except InvalidRecord as error:
            skipped[error.reason] += 1
            continue
        rows.append(Row(record, row["append_ms"], row["partition"]))
        if isinstance(record, Event) and not row["bulk"]:
            live.append(record.received_ms)
    return WindowRows(rows, live, dict(skipped))
