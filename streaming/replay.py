"""Sending logs to Kafka: a data folder's catalogue and interactions, or any behaviour log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from rayapp.data.folder import DataFolderError, normalise_interactions
from rayapp.domain import Event, Item, encode
from rayapp.validation import InvalidRecord, parse_event
from streaming.producer import EventProducer, Record

Progress = Callable[[int], None]


def behaviour_record(topic: str, event: Event, origin: str) -> Record:
    return Record(topic, event.user_id, encode(event), (("origin", origin.encode()),))


def item_record(topic: str, item: Item) -> Record:
    """Of many: what comes one by one is judged before it."""
    return Record(topic, item.item_id, encode(item), (("origin", b"bootstrap"),))


def paced(records: Iterable[Record], rate: float | None, progress: Progress) -> Iterator[Record]:
    """Records no faster than `rate` a second; reports how many went out."""
    start = time.monotonic()
    count = 0
    for count, record in enumerate(records, start=1):
        if rate:
            ahead = count / rate - (time.monotonic() - start)
            if ahead > 0:
                time.sleep(ahead)
        if count % 1000 == 0:
            progress(count)
        yield record
    progress(count)


def send_items(producer: EventProducer, items: list[Item], *, topic: str, progress: Progress) -> int:
    return producer.send_all(paced((item_record(topic, item) for item in items), None, progress))


def send_events(
    producer: EventProducer,
    events: Iterable[Event],
    *,
    topic: str,
    origin: str,
    progress: Progress,
    rate: float | None = None,
) -> int:
    return producer.send_all(paced((behaviour_record(topic, e, origin) for e in events), rate, progress), 3600)


def log_events(file: Path, scenarios: tuple[str, ...]) -> Iterator[Event]:
    """Events of a behaviour log: JSON lines of events, or Parquet with a data folder's interaction columns.

    Raises DataFolderError with file and line. Events without an id get one
    made from file name and place, so replaying the file again counts once.
    """
    if not file.is_file():
        raise DataFolderError(f"{file} does not exist; give a .jsonl or .parquet behaviour log")
    now = int(time.time() * 1000)
    if file.suffix == ".parquet":
        table = normalise_interactions(pq.read_table(file), str(file)).sort_by("timestamp_ms")
        rows: Iterable[dict[str, Any]] = table.drop_columns(["position"]).to_pylist()
    else:
        rows = (msgspec.json.decode(line) for line in file.read_bytes().splitlines() if line.strip())
    for number, raw in enumerate(rows, start=1):
        try:
            yield parse_event(raw, scenarios, now, default_id=f"r-{file.name}-{number:09d}")
        except InvalidRecord as error:
            raise DataFolderError(f"{file} record {number}: {error}") from None
