"""Reads a data folder (docs/contract.md, section "A data folder") into tables and events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rayapp.data.order import time_order
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import ACTIONS, INTERACTION_SCHEMA, Action, Event, Item
from rayapp.errors import UserError
from rayapp.validation import InvalidRecord, parse_item

DEFAULT_SCENARIO = "homefeed"


class DataFolderError(UserError):
    """The folder cannot be used; the message names file, column and remedy."""


class DataFolder:
    """Reads `items.parquet` and `interactions.parquet`; ids become strings, missing columns get defaults."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.archive = (self.path / "behaviour").is_dir() and not (self.path / "interactions.parquet").is_file()
        if not self.archive and not (self.path / "interactions.parquet").is_file():
            raise DataFolderError(f"{self.path} has no interactions.parquet; see docs/how-to/your-own-data.md")

    def digest(self) -> str:
        """Content hash of the folder, so that the same data is not sent twice."""
        digest = hashlib.sha256()
        archived = sorted(str(f.relative_to(self.path)) for f in self.path.glob("behaviour/date=*/[0-9]*.parquet"))
        for name in ("items.parquet", "interactions.parquet", "forgotten.parquet", *archived):
            file = self.path / name
            if file.is_file():
                digest.update(name.encode() + file.read_bytes())
        return digest.hexdigest()[:16]

    def interactions(self) -> pa.Table:
        """INTERACTION_SCHEMA, in the file's order."""
        if self.archive:
            return normalise_interactions(self._archived(), str(self.path))
        return normalise_interactions(pq.read_table(self.path / "interactions.parquet"), str(self.path))

    def _archived(self) -> pa.Table:
        """An archive's behaviour in log order, deduplicated, without forgotten users and searches."""
        files = sorted(self.path.glob("behaviour/date=*/[0-9]*.parquet"))
        if not files:
            raise DataFolderError(f"{self.path}/behaviour holds no file yet; run jobs.archive_events first")
        table = pa.concat_tables([pq.read_table(f, partitioning=None) for f in files])
        table = table.sort_by([("partition", "ascending"), ("offset", "ascending")])
        gone: dict[str, int] = {}
        if (self.path / "forgotten.parquet").is_file():
            forgotten = pq.read_table(self.path / "forgotten.parquet")
            gone = dict(zip(forgotten["user_id"].to_pylist(), forgotten["append_ms"].to_pylist(), strict=True))
        seen: set[tuple[str, str]] = set()
        keep = []
        columns = (table[name].to_pylist() for name in ("user_id", "event_id", "item_id", "append_ms"))
        for user, event, item, at in zip(*columns, strict=True):
            keep.append((user, event) not in seen and bool(item) and at > gone.get(user, -1))
            seen.add((user, event))
        return table.filter(pa.array(keep, pa.bool_()))

    def items(self) -> list[Item]:
        """The catalogue; without items.parquet all ids of the interactions, without content."""
        file = self.path / "items.parquet"
        if not file.is_file():
            ids = pc.unique(self.interactions()["item_id"]).to_pylist()
            return [Item(item_id=i, title=i) for i in sorted(ids)]
        items = []
        for number, row in enumerate(pq.read_table(file).to_pylist()):
            if row.get("image"):
                row["image"] = str((self.path / row["image"]).resolve())
            try:
                items.append(parse_item(row))
            except InvalidRecord as error:
                raise DataFolderError(f"{file} row {number}: {error}") from None
        return items


def normalise_interactions(table: pa.Table, where: str = "interactions") -> pa.Table:
    """Convert a table with the contract's columns to INTERACTION_SCHEMA. Raises DataFolderError."""
    names = set(table.schema.names)
    for needed in ("user_id", "item_id"):
        if needed not in names:
            raise DataFolderError(f"{where}: interactions have no column {needed!r}; they have {sorted(names)}")
    n = table.num_rows
    if "timestamp_ms" in names:
        times = table["timestamp_ms"].cast(pa.int64())
    elif "timestamp" in names:
        times = pc.cast(pc.multiply(table["timestamp"].cast(pa.float64()), 1000.0), pa.int64(), safe=False)
    else:
        raise DataFolderError(f"{where}: interactions need a column timestamp (s) or timestamp_ms")

    def column(name: str, default: object, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
        if name not in names:
            return pa.array([default] * n, type=kind)
        values = table[name].cast(kind)
        return values if default is None else pc.fill_null(values, default)

    columns = {
        "user_id": table["user_id"].cast(pa.string()),
        "item_id": table["item_id"].cast(pa.string()),
        "timestamp_ms": times,
        "scenario": column("scenario", DEFAULT_SCENARIO, pa.string()),
        "action": column("action", "click", pa.string()),
        "query": column("query", None, pa.string()),
        "position": column("position", 0, pa.int64()),
    }
    for name in ("user_id", "item_id", "timestamp_ms"):
        if columns[name].null_count:
            raise DataFolderError(f"{where}: column {name!r} has {columns[name].null_count} empty values; fill or drop")
    unknown = set(pc.unique(columns["action"]).to_pylist()) - set(ACTIONS)
    if unknown:
        raise DataFolderError(f"{where}: unknown actions {sorted(unknown)}; use {', '.join(ACTIONS)}")
    return pa.table(columns, schema=INTERACTION_SCHEMA)


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
