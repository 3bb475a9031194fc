"""Sending logs to Kafka: a data folder's catalogue and interactions, or any behaviour log."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rayapp.data.errors import DataFolderError
from rayapp.data.interactions import usable_interactions
from rayapp.data.left_out import LeftOut
from rayapp.data.parquet import read_table
from rayapp.domain import Event, Item, encode
from rayapp.parsing import Unreadable, json_lines
from rayapp.validation import InvalidRecord, parse_event
from streaming.producer import EventProducer, Record

KINDS = (".jsonl", ".ndjson", ".parquet")
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


class LogFile:
    """Events of a behaviour log: JSON lines of events, or Parquet with a data folder's interaction columns.

    Records that cannot be used are left out, counted and named; one of them ends nothing. Events without an id get
    one made from their content and how often it came before, so replaying a file again counts once, and another file
    is another log whatever it is called.
    """

    def __init__(self, file: Path, scenarios: tuple[str, ...]) -> None:
        """Raises DataFolderError for a file that is missing or of another kind."""
        if not file.exists():
            raise DataFolderError(f"{file} does not exist; give a .jsonl or .parquet behaviour log")
        if file.suffix not in KINDS:
            raise DataFolderError(f"{file} is no {' or '.join(KINDS)} file; convert it to one of them")
        if file.is_dir() and file.suffix != ".parquet":
            raise DataFolderError(f"{file} is a folder; give one of its files, or a folder of Parquet parts")
        self.file = file
        self.scenarios = scenarios
        self.left_out = LeftOut(str(file))
        self.records = 0

    def events(self) -> Iterator[Event]:
        """In the file's order; of Parquet in time order. Raises DataFolderError for a file that cannot be read, and at
        the end for one of which nothing can be used."""
        seen: Counter[bytes] = Counter()
        now = int(time.time() * 1000)
        for record in self._parquet() if self.file.suffix == ".parquet" else self._lines():
            content = hashlib.blake2b(json.dumps(record, sort_keys=True, default=str).encode(), digest_size=12).digest()
            seen[content] += 1
            try:
                yield parse_event(record, self.scenarios, now, default_id=f"r-{content.hex()}-{seen[content]}")
            except InvalidRecord as error:
                self.left_out.add(str(error).removeprefix("event: "))
        if self.left_out.rows == self.records:
            self.left_out.check(self.records)

    def report(self) -> str:
        """What was left out; empty when nothing was."""
        return self.left_out.line(self.records)

    def _parquet(self) -> Iterator[dict[str, Any]]:
        table = read_table(self.file)
        usable, left_out = usable_interactions(table, str(self.file))
        self.records = table.num_rows
        self.left_out.reasons.update(left_out.reasons)
        for batch in usable.sort_by("timestamp_ms").drop_columns(["position"]).to_batches(max_chunksize=10_000):
            yield from batch.to_pylist()

    def _lines(self) -> Iterator[dict[str, Any]]:
        with self.file.open("rb") as file:
            for _number, record in json_lines(file, what=self.file.name):
                self.records += 1
                if isinstance(record, Unreadable):
                    self.left_out.add(str(record))
                else:
                    yield record
