"""Item vectors by id in one space: those of the item table, and later items as the learner met them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rayapp.redrec.artifact import ItemSpace


class NewItem(NamedTuple):
    """An item that the item table does not have: its own scenario and its vector [D] as float32 bytes."""

    item_id: str
    scenario: str | None
    vector: bytes


class ItemVectors:
    """Rows never change: an item keeps the vector it was first met with, after a restart too."""

    def __init__(self, space: ItemSpace) -> None:
        self.space = space
        self.ids: list[str] = list(space.ids)
        self.vectors: np.ndarray = space.project(space.content.float().numpy(), space.ids)
        self.scenarios: list[str | None] = list(space.scenarios)
        self.rows: dict[str, int] = dict(space.rows)

    def missing(self, ids: Iterable[str]) -> list[str]:
        return sorted({i for i in ids if i not in self.rows})

    def project(self, found: list[tuple[str, str | None, np.ndarray]]) -> list[NewItem]:
        """(id, own scenario, content vector [E]) to items of this space."""
        if not found:
            return []
        vectors = self.space.project(np.stack([content for *_, content in found]), [i for i, *_ in found])
        return [NewItem(i, scenario, v.tobytes()) for (i, scenario, _), v in zip(found, vectors, strict=True)]

    def add(self, found: list[NewItem]) -> None:
        """Make items known; those that are already keep what they have."""
        new = [item for item in found if item.item_id not in self.rows]
        if not new:
            return
        for item in new:
            self.rows[item.item_id] = len(self.ids)
            self.ids.append(item.item_id)
            self.scenarios.append(item.scenario)
        vectors = np.stack([np.frombuffer(item.vector, dtype=np.float32) for item in new])
        self.vectors = np.concatenate([self.vectors, vectors])

    def __call__(self, item_id: str) -> tuple[np.ndarray, str | None] | None:
        row = self.rows.get(item_id)
        return None if row is None else (self.vectors[row], self.scenarios[row])

    def save(self, folder: Path) -> None:
        """`later_items.parquet`: what the space does not have, in the order it came."""
        first = len(self.space.ids)
        schema = pa.schema([("item_id", pa.string()), ("scenario", pa.string()), ("vector", pa.binary())])
        columns = [self.ids[first:], self.scenarios[first:], [v.tobytes() for v in self.vectors[first:]]]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), folder / "later_items.parquet")

    @classmethod
    def load(cls, space: ItemSpace, folder: Path) -> ItemVectors:
        items = cls(space)
        if (folder / "later_items.parquet").is_file():
            columns = pq.read_table(folder / "later_items.parquet").to_pydict()
            items.add([NewItem(*row) for row in zip(*columns.values(), strict=True)])
        return items
