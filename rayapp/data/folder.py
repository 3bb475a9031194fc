"""Reads a data folder (docs/contract.md, section "A data folder") into tables and events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rayapp.data.catalogue import usable_items
from rayapp.data.errors import DataFolderError
from rayapp.data.interactions import usable_interactions
from rayapp.data.order import time_order
from rayapp.data.parquet import parts_of, read_file, read_table, together
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import INTERACTION_SCHEMA, Action, Event, Item

FORGOTTEN = {"user_id": pa.string(), "append_ms": pa.int64()}
ARCHIVED = {  # of an archive's behaviour, what is read (streaming/archive.py writes it)
    **{field.name: field.type for field in INTERACTION_SCHEMA},
    **{"event_id": pa.string(), "partition": pa.int32(), "offset": pa.int64(), "append_ms": pa.int64()},
}
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")


class DataFolder:
    """Reads `items.parquet` and `interactions.parquet`; ids become strings, missing columns get defaults.

    Rows that cannot be used are left out and counted in `notices`, a line a table, once it was read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.notices: list[str] = []
        self.archive = (self.path / "behaviour").is_dir() and not (self.path / "interactions.parquet").exists()
        if not self.archive and not (self.path / "interactions.parquet").exists():
            raise DataFolderError(f"{self.path} has no interactions.parquet{_instead(self.path)}")

    def digest(self) -> str:
        """Content hash of the folder, so that the same data is not sent twice."""
        digest = hashlib.sha256()
        archived = sorted(str(f.relative_to(self.path)) for f in self.path.glob("behaviour/date=*/[0-9]*.parquet"))
        for name in ("items.parquet", "interactions.parquet", "forgotten.parquet", *archived):
            for file in parts_of(self.path / name):
                digest.update(str(file.relative_to(self.path)).encode() + file.read_bytes())
        return digest.hexdigest()[:16]

    def interactions(self) -> pa.Table:
        """INTERACTION_SCHEMA, in the file's order. Raises DataFolderError."""
        return self._interactions

    @cached_property
    def _interactions(self) -> pa.Table:
        where = str(self.path / "interactions.parquet")
        table = self._archived() if self.archive else read_table(self.path / "interactions.parquet")
        usable, left_out = usable_interactions(table, str(self.path) if self.archive else where)
        left_out.check(table.num_rows)
        self._notice(left_out.line(table.num_rows))
        return usable

    def _notice(self, line: str) -> None:
        if line and line not in self.notices:
            self.notices.append(line)

    def _archived(self) -> pa.Table:
        """An archive's behaviour in log order, deduplicated, without forgotten users and searches."""
        files = sorted(self.path.glob("behaviour/date=*/[0-9]*.parquet"))
        if not files:
            raise DataFolderError(f"{self.path}/behaviour holds no file yet; run jobs.archive_events first")
        table = together([read_file(file, ARCHIVED) for file in files], self.path / "behaviour")
        table = table.sort_by([("partition", "ascending"), ("offset", "ascending")])
        gone: dict[str, int] = {}
        if (self.path / "forgotten.parquet").is_file():
            forgotten = read_file(self.path / "forgotten.parquet", FORGOTTEN)
            gone = dict(zip(forgotten["user_id"].to_pylist(), forgotten["append_ms"].to_pylist(), strict=True))
        seen: set[tuple[str, str]] = set()
        keep = []
        columns = (table[name].to_pylist() for name in ("user_id", "event_id", "item_id", "append_ms"))
        for user, event, item, at in zip(*columns, strict=True):
            keep.append((user, event) not in seen and bool(item) and at > gone.get(user, -1))
            seen.add((user, event))
        return table.filter(pa.array(keep, pa.bool_()))

    def items(self) -> list[Item]:
        """The catalogue, each id once (the last row of an id counts); without items.parquet all ids of the
        interactions, without content. Raises DataFolderError."""
        return list(self._items.values())

    @cached_property
    def _items(self) -> dict[str, Item]:
        file = self.path / "items.parquet"
        if not file.exists():
            ids = pc.unique(self.interactions()["item_id"]).to_pylist()
            return {i: Item(item_id=i, title=i) for i in sorted(ids)}
        found, notices = usable_items(read_table(file), file)
        for notice in notices:
            self._notice(notice)
        return found


def _instead(folder: Path) -> str:
    """What to do where interactions.parquet is missing."""
    guide = "see docs/how-to/your-own-data.md"
    if not folder.is_dir():
        return f": there is no such folder; {guide}"
    there = sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))
    tables = [name for name in there if name.endswith(TABLES) and name != "items.parquet"]
    if tables:
        return f"; it has {', '.join(tables[:8])}: write the interactions as interactions.parquet; {guide}"
    return f"; it has {', '.join(there[:8]) or 'nothing'}; {guide}"


def bootstrap_events(folder: DataFolder) -> Iterator[Event]:
    """The folder's interactions as events in time order; event ids derive from content, so a repeated send is
    deduplicated."""
    table = folder.interactions()
    scenario = table["scenario"].to_pylist()
    names = sorted(set(scenario))
    rank = np.array([names.index(s) for s in scenario])
    order = time_order(table["timestamp_ms"].to_numpy() // 1000, rank, table["position"].to_numpy())
    digest = folder.digest()
    for number, row in enumerate(table.take(pa.array(order)).to_pylist()):
        yield Event(
            event_id=f"b-{digest}-{number:09d}",
            user_id=row["user_id"],
            item_id=row["item_id"],
            scenario=row["scenario"],
            action=Action(row["action"]),
            timestamp_ms=row["timestamp_ms"],
            received_ms=row["timestamp_ms"],
            query=row["query"],
        )


def item_rows(items: list[Item]) -> dict[str, int]:
    """Item id to its row in the item table, in catalogue order."""
    return {item.item_id: row for row, item in enumerate(items)}


def of_scenarios(interactions: pa.Table, scenarios: tuple[str, ...]) -> pa.Table:
    """The events of these scenarios; all events if none is given."""
    if not scenarios:
        return interactions
    return interactions.filter(pc.is_in(interactions["scenario"], pa.array(scenarios, pa.string())))


def vocabulary_of(interactions: pa.Table) -> Vocabulary:
    scenarios = sorted(pc.unique(interactions["scenario"]).to_pylist())
    actions = sorted(a for a in pc.unique(interactions["action"]).to_pylist() if a != "impression")
    time = pc.min_max(interactions["timestamp_ms"])
    first, last = ((time[side].as_py() or 0) // 1000 for side in ("min", "max"))
    return Vocabulary(tuple(scenarios), tuple(actions), (first, last))
