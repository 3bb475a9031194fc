"""Topics kept as Parquet beyond their retention: date folders, the offsets of every file in its name.

`<root>/<topic>/date=YYYY-MM-DD/<partition>-<first>-<end>.parquet`, date and
order by append time. What is archived is read off the names, so a second run
goes on where the first one stopped and a finished one changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rayapp.data.parquet import read_file
from rayapp.domain import INTERACTION_SCHEMA, Event, Forget, Item
from rayapp.validation import OWN_FIELDS, InvalidRecord, decode_object
from streaming.records import behaviour_record

PLACE = [("partition", pa.int32()), ("offset", pa.int64()), ("append_ms", pa.int64())]
BEHAVIOUR = pa.schema(
    [
        *INTERACTION_SCHEMA,
        ("event_id", pa.string()),
        ("request_id", pa.string()),
        ("received_ms", pa.int64()),
        ("dwell_ms", pa.int64()),
        ("bulk", pa.bool_()),
        *PLACE,
    ]
)
FORGOTTEN = pa.schema([("user_id", pa.string()), *PLACE])
RECORDS = pa.schema([("key", pa.string()), ("value", pa.string()), *PLACE])


class ArchivedRange(NamedTuple):
    """A file of the archive: offsets [first, end) of one partition."""

    file: Path
    partition: int
    first: int
    end: int


def archived(root: Path, topic: str) -> list[ArchivedRange]:
    """Every file of a topic, in (partition, offset) order."""
    found: list[ArchivedRange] = []
    for file in (root / topic).glob("date=*/[0-9]*.parquet"):
        partition, first, end = map(int, file.stem.split("-"))
        found.append(ArchivedRange(file, partition, first, end))
    return sorted(found, key=lambda r: (r.partition, r.first))


def ends(root: Path, topic: str) -> dict[int, int]:
    """Next offset to archive per partition."""
    return {r.partition: r.end for r in archived(root, topic)}


def by_date(rows: pa.Table) -> Iterable[tuple[str, pa.Table]]:
    """Rows of one partition in offset order, cut where the (UTC) date of appending changes; offsets stay contiguous."""
    days = [datetime.fromtimestamp(ms / 1000, UTC).date().isoformat() for ms in rows["append_ms"].to_pylist()]
    start = 0
    for n in range(1, len(days) + 1):
        if n == len(days) or days[n] > days[start]:
            yield days[start], rows.slice(start, n - start)
            start = n


def write_rows(root: Path, topic: str, rows: pa.Table, convert: Callable[[pa.Table], pa.Table]) -> int:
    """Archive rows (ROW_SCHEMA, one partition, offset order); how many records were kept."""
    kept = 0
    for day, part in by_date(rows):
        first, last = part["offset"][0].as_py(), part["offset"][-1].as_py()
        table = convert(part)
        kept += table.num_rows
        put(
            root / topic / f"date={day}" / f"{part['partition'][0].as_py()}-{first:020d}-{last + 1:020d}.parquet", table
        )
    return kept


def put(file: Path, table: pa.Table) -> None:
    """The whole file or none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    pq.write_table(table, partial, compression="zstd")
    partial.rename(file)


def behaviour_rows(topic: str, scenarios: tuple[str, ...]) -> Callable[[pa.Table], pa.Table]:
    """Valid events in the data-folder schema and more; forget records and bad ones are left out."""

    def convert(rows: pa.Table) -> pa.Table:
        found = [
            {
                "user_id": event.user_id,
                "item_id": event.item_id or "",
                "timestamp_ms": event.timestamp_ms,
                "scenario": event.scenario,
                "action": event.action.value,
                "query": event.query,
                "position": event.position or 0,
                "event_id": event.event_id,
                "request_id": event.request_id,
                "received_ms": event.received_ms,
                "dwell_ms": event.dwell_ms,
                **{name: row[name] for name in ("bulk", "partition", "offset", "append_ms")},
            }
            for event, row in _parsed(rows, topic, scenarios)
            if isinstance(event, Event)
        ]
        return pa.Table.from_pylist(found, schema=BEHAVIOUR)

    return convert


def forgotten_rows(rows: pa.Table, topic: str, scenarios: tuple[str, ...]) -> pa.Table:
    """The forget records among these rows."""
    found = [
        {"user_id": record.user_id, **{name: row[name] for name in ("partition", "offset", "append_ms")}}
        for record, row in _parsed(rows, topic, scenarios)
        if isinstance(record, Forget)
    ]
    return pa.Table.from_pylist(found, schema=FORGOTTEN)


def record_rows(rows: pa.Table) -> pa.Table:
    """Exposures and verdicts as they stand: the JSON text, and its user or item as key."""
    found: list[dict[str, Any]] = []
    for row in rows.to_pylist():
        try:
            value = decode_object(row["value"])
        except InvalidRecord:
            continue
        key = str(value.get("user_id") or value.get("item_id") or "")
        place = {name: row[name] for name in ("partition", "offset", "append_ms")}
        found.append({"key": key, "value": row["value"].decode(), **place})
    return pa.Table.from_pylist(found, schema=RECORDS)


def write_catalogue(root: Path, items: Iterable[Item]) -> int:
    """`items.parquet` of a data folder; further text columns become columns again."""
    found = list(items)
    fields = [f for f in Item.__struct_fields__ if f != "extra"]
    # A catalogue may hold items from before names of fields were refused there.
    extra = sorted({name for item in found for name in item.extra} - OWN_FIELDS)
    rows = [{**{f: getattr(i, f) for f in fields}, **{e: i.extra.get(e) for e in extra}} for i in found]
    if rows:
        put(root / "items.parquet", pa.Table.from_pylist(rows))
    return len(rows)


def note_forgotten(root: Path, found: pa.Table) -> None:
    """Add to `forgotten.parquet`; the newest record of a user counts."""
    if found.num_rows == 0:
        return
    file = root / "forgotten.parquet"
    tables = [read_file(file)] if file.is_file() else []
    newest = {row["user_id"]: row for row in pa.concat_tables([*tables, found]).sort_by("append_ms").to_pylist()}
    put(file, pa.Table.from_pylist(list(newest.values()), schema=FORGOTTEN))


def without_forgotten(table: pa.Table, forgotten: dict[str, int], key: str) -> pa.Table:
    """Rows but those of a forgotten user appended before the forget record."""
    if not forgotten or not table.num_rows:
        return table
    users, times = table[key].to_pylist(), table["append_ms"].to_pylist()
    return table.filter(pa.array([at > forgotten.get(user, -1) for user, at in zip(users, times, strict=True)]))


def forgotten_users(root: Path) -> dict[str, int]:
    """User to the append time of their newest forget record."""
    file = root / "forgotten.parquet"
    if not file.is_file():
        return {}
    columns = read_file(file).to_pydict()
    return dict(zip(columns["user_id"], columns["append_ms"], strict=True))


def rewrite(root: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Take forgotten users' records out of every file; how many records went."""
    forgotten = forgotten_users(root)
    files = [(r.file, "user_id") for r in archived(root, "behaviour")]
    files += [(r.file, "key") for r in archived(root, "exposures")]
    gone = 0
    for n, (file, key) in enumerate(files, start=1):
        table = read_file(file)
        if pc.any(pc.is_in(table[key], pa.array(list(forgotten), pa.string()))).as_py():
            kept = without_forgotten(table, forgotten, key)
            if kept.num_rows < table.num_rows:
                gone += table.num_rows - kept.num_rows
                put(file, kept)
        progress(n, len(files))
    return gone


def _parsed(rows: pa.Table, topic: str, scenarios: tuple[str, ...]) -> Iterable[tuple[Event | Forget, dict[str, Any]]]:
    for row in rows.to_pylist():
        try:
            yield (
                behaviour_record(
                    row["value"], scenarios, row["append_ms"], f"{topic}-{row['partition']}-{row['offset']}"
                ),
                row,
            )
        except InvalidRecord:
            continue  # it is in the dead-letter topic
