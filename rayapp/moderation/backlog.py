"""Where a backlog's notes come from and where its verdicts go; both know what was judged before."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import ray
import ray.data

from rayapp.data.parquet import metadata_of, parts_of, read_file
from rayapp.domain import Item, Verdict
from rayapp.errors import UserError
from rayapp.llm.batch import in_small_blocks
from rayapp.moderation.batch import note_of
from rayapp.moderation.verdict_log import Judged, VerdictLog
from rayapp.parsing import Unreadable, json_object
from rayapp.stores.backend import StoreBackend
from rayapp.validation import InvalidRecord, decode_object, parse_item
from streaming.producer import EventProducer
from streaming.reading import consumer_for, read_ranges, watermarks
from streaming.settings import Broker
from streaming.windows import Range

PAGE = 1000
SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("decision", pa.string()),
        ("labels", pa.map_(pa.string(), pa.float64())),
        ("text_key", pa.string()),
        ("at_ms", pa.int64()),
        ("error", pa.string()),
    ]
)
_decoder = msgspec.json.Decoder(Verdict)


class BacklogError(UserError):
    """The notes or the folder of verdicts cannot be used."""


def _about(file: Path) -> dict[str, Any] | None:
    """None for one that a full disk or a kill cut off."""
    try:
        return json_object(file.read_bytes())
    except Unreadable:
        return None


class ParquetBacklog:
    """A table in, a folder of Parquet parts out. A part is written whole or not at all; its notes are not judged again.

    `about.json` beside the parts names model and policy: verdicts of two policies are not mixed.
    """

    def __init__(self, notes: Path, verdicts: Path, versions: tuple[str, str]) -> None:
        if not notes.exists():
            raise BacklogError(f"{notes}: there is no such file or folder; give Parquet with item_id and title or text")
        self.notes = notes
        self.verdicts = verdicts
        about = dict(zip(("model_version", "policy_version"), versions, strict=True))
        file = verdicts / "about.json"
        if file.is_file() and _about(file) != about:
            raise BacklogError(f"{verdicts} holds verdicts of another model or policy ({file}); give another folder")
        if verdicts.is_file():
            raise BacklogError(f"{verdicts} is a file; give a folder for the verdicts")
        verdicts.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(about))
        for torn in verdicts.glob("*.part"):
            torn.unlink()

    def waiting(self) -> tuple[ray.data.Dataset, int, int]:
        """Notes to judge, as `note_of` makes them; how many; and how many are judged already."""
        files = parts_of(self.notes)
        if not files:
            raise BacklogError(f"{self.notes} is a folder without a .parquet file; give Parquet")
        about = {file: metadata_of(file) for file in files}
        for file, (names, _) in about.items():
            if not {"item_id", "id"} & set(names):
                raise BacklogError(f"{file} has no column item_id; it has {', '.join(names)}")
        done = self._done()
        total = sum(rows for _, rows in about.values())
        known = cast("Any", ray).put(done)
        rows = cast("Any", ray.data).read_parquet([str(file) for file in files]).map(note_of)

        def fresh(row: dict[str, Any]) -> bool:
            return (row["item_id"], row["text_key"]) not in ray.get(known)

        if done:
            rows = rows.filter(fresh)
        return rows, total, len(done)

    def keep(self, rows: list[dict[str, Any]]) -> None:
        found: list[dict[str, Any]] = []
        for row in rows:
            verdict = _decoder.decode(row["verdict"]) if row["verdict"] else None
            found.append(
                {
                    "item_id": row["item_id"],
                    "decision": verdict.decision.value if verdict else None,
                    "labels": list(verdict.labels.items()) if verdict else None,
                    "text_key": verdict.text_key if verdict else "",
                    "at_ms": verdict.at_ms if verdict else None,
                    "error": row["error"],
                }
            )
        part = self.verdicts / f"{uuid.uuid4().hex}.part"
        pq.write_table(pa.Table.from_pylist(found, schema=SCHEMA), part)
        part.replace(part.with_suffix(".parquet"))

    def _done(self) -> frozenset[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for file in self.verdicts.glob("*.parquet"):
            table = read_file(file, {"item_id": pa.string(), "text_key": pa.string()})
            found.update(zip(table["item_id"].to_pylist(), table["text_key"].to_pylist(), strict=True))
        return frozenset(found)


class TopicBacklog:
    """All of `rayapp.items` as it stands; verdicts go where the moderator's go. Judged notes are in the store."""

    def __init__(self, broker: Broker, store: StoreBackend, versions: tuple[str, str]) -> None:
        self.broker = broker
        self.reader = store.catalogue()
        self.queue = store.moderation_queue()
        self.log = VerdictLog(EventProducer(broker), broker.topic("verdicts"), store.verdicts())
        self.versions = versions

    def waiting(self) -> tuple[ray.data.Dataset, int, int]:
        """See ParquetBacklog.waiting."""
        items = self._items()
        rows = [row for page in _pages(list(items.values())) for row in self._unsettled(page)]
        schema = pa.schema([(name, pa.string()) for name in note_of({})])
        return in_small_blocks(rows, schema), len(items), len(items) - len(rows)

    def keep(self, rows: list[dict[str, Any]]) -> None:
        verdicts = [_decoder.decode(row["verdict"]) for row in rows]
        stored = self.reader.fetch([verdict.item_id for verdict in verdicts])
        # A note that changed or went meanwhile waits in the moderator's queue with its new text, or nowhere.
        now = [s.item.text_key if s.item is not None else None for s in stored]
        current = [verdict for verdict, key in zip(verdicts, now, strict=True) if verdict.text_key == key]
        self.log.append([Judged(verdict, self.queue.entry(verdict.item_id)) for verdict in current])

    def _items(self) -> dict[str, Item]:
        """The newest record of every item."""
        topic = self.broker.topic("items")
        newest: dict[str, Item] = {}
        consumer = consumer_for(self.broker)
        try:
            ends = watermarks(consumer, topic)
        finally:
            consumer.close()
        for table in read_ranges(
            self.broker, [Range(topic, p, low, high) for p, (low, high) in ends.items() if high > low]
        ):
            for value in table["value"].to_pylist():
                try:
                    item = parse_item(decode_object(value))
                except InvalidRecord:
                    continue  # a deletion, or what the catalogue writer sent to the dead-letter topic
                newest[item.item_id] = item
        return newest

    def _unsettled(self, items: list[Item]) -> Iterator[dict[str, Any]]:
        for item, stored in zip(items, self.reader.fetch([i.item_id for i in items]), strict=True):
            if stored.item is None:  # deleted
                continue
            if stored.verdict is not None and stored.verdict.stands(item.text_key, self.versions):
                continue
            yield {"item_id": item.item_id, "text": item.text, "text_key": item.text_key, "error": ""}


def _pages(items: list[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(items), PAGE):
        yield list(itertools.islice(items, start, start + PAGE))
