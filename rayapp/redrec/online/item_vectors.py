"""Item vectors by id in one space: the item table, later items, and learned id embeddings.

An item without text gets an id embedding, added to its content vector, that learns
online (row-wise Adagrad, as usual for embedding tables). Each id has its own row,
without hash collisions (as in Monolith, section 2.2.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F

from rayapp.content.text_encoder import text_key
from rayapp.redrec.model.artifact import ItemSpace

LATER = pa.schema(
    [("item_id", pa.string()), ("scenario", pa.string()), ("vector", pa.binary()), ("has_text", pa.bool_())]
)
DELTA = pa.schema([("item_id", pa.string()), ("vector", pa.binary())])
LEARNED = pa.schema([("item_id", pa.string()), ("delta", pa.binary()), ("energy", pa.float32())])


class NewItem(NamedTuple):
    """An item that is not in the item table: its scenario and its content vector [D] as float32 bytes."""

    item_id: str
    scenario: str | None
    vector: bytes
    has_text: bool


class ItemVectors:
    """Rows never change: an item keeps its first content vector, also after a restart."""

    def __init__(self, space: ItemSpace, all_ids: bool = False) -> None:
        self.space = space
        self.all_ids = all_ids
        self.no_text = text_key(space.encoder, "")
        self.ids: list[str] = list(space.ids)
        self.scenarios: list[str | None] = list(space.scenarios)
        self.rows: dict[str, int] = dict(space.rows)
        base = space.project(space.content.float().numpy(), space.ids)
        self._base, self._vectors = base, base.copy()
        self._delta = np.zeros_like(base)
        self._energy = np.zeros(len(base), dtype=np.float32)
        self._learns = np.array([all_ids or key == self.no_text for key in space.keys], dtype=bool)
        self.learning = bool(self._learns.any())

    @property
    def vectors(self) -> np.ndarray:
        """[I, D], L2-normalised, by row."""
        return self._vectors[: len(self.ids)]

    def missing(self, ids: Iterable[str]) -> list[str]:
        return sorted({i for i in ids if i not in self.rows})

    def project(self, contents: list[tuple[str, str | None, np.ndarray, bool]]) -> list[NewItem]:
        """Project (id, scenario, content vector [E], has text) into this space."""
        if not contents:
            return []
        vectors = self.space.project(np.stack([content for _, _, content, _ in contents]), [row[0] for row in contents])
        return [
            NewItem(i, scenario, v.tobytes(), text) for (i, scenario, _, text), v in zip(contents, vectors, strict=True)
        ]

    def add(self, items: list[NewItem]) -> None:
        """Add new items; known ones are unchanged."""
        new = [item for item in items if item.item_id not in self.rows]
        if not new:
            return
        first, last = len(self.ids), len(self.ids) + len(new)
        if last > len(self._vectors):
            room = max(1024, last)  # doubles, for amortised constant cost per item
            for name in ("_base", "_vectors", "_delta", "_energy", "_learns"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros((room, *old.shape[1:]), dtype=old.dtype)]))
        for row, item in enumerate(new, start=first):
            self.rows[item.item_id] = row
            self.ids.append(item.item_id)
            self.scenarios.append(item.scenario)
        self._base[first:last] = np.stack([np.frombuffer(item.vector, dtype=np.float32) for item in new])
        self._vectors[first:last] = self._base[first:last]
        self._learns[first:last] = [self.all_ids or not item.has_text for item in new]
        self.learning = self.learning or bool(self._learns[first:last].any())

    def __call__(self, item_id: str) -> tuple[np.ndarray, str | None] | None:
        row = self.rows.get(item_id)
        return None if row is None else (self._vectors[row], self.scenarios[row])

    def leaf(self, rows: torch.Tensor) -> torch.Tensor:
        """Content plus id embedding of these rows [U, D], not normalised, ready for gradients if ids learn."""
        index = rows.numpy()
        if not self.learning:
            return torch.from_numpy(self._vectors[index])
        return torch.from_numpy(self._base[index] + self._delta[index]).requires_grad_()

    def step(self, rows: torch.Tensor, gradient_UD: torch.Tensor, lr: float) -> None:
        """Row-wise Adagrad on the ids among these rows (each row once)."""
        gradient = gradient_UD.numpy()
        moved = self._learns[rows.numpy()] & (gradient != 0).any(1)
        index, gradient = rows.numpy()[moved], gradient[moved]
        self._energy[index] += (gradient**2).mean(1)
        self._delta[index] -= lr * gradient / np.sqrt(self._energy[index] + 1e-12)[:, None]
        self._refresh(index)

    def _refresh(self, index: np.ndarray) -> None:
        self._vectors[index] = F.normalize(torch.from_numpy(self._base[index] + self._delta[index]), dim=-1).numpy()

    def content_vectors(self, first: int) -> np.ndarray:
        """Content vectors [., D] from row `first` on, without id embeddings."""
        return self._base[first : len(self.ids)]

    def learned(self) -> dict[str, np.ndarray]:
        """Vectors [D] of items with a trained id embedding: an index delta against the space."""
        moved = np.flatnonzero(self._energy[: len(self.ids)])
        return {self.ids[row]: self._vectors[row] for row in moved}

    def save(self, folder: Path) -> None:
        """`later_items.parquet` (in the order they came), `id_embeddings.parquet`, and the `index_delta.parquet`."""
        first, last = len(self.space.ids), len(self.ids)
        content = [v.tobytes() for v in self._base[first:last]]
        text = [not learns for learns in self._learns[first:last].tolist()]
        later = (self.ids[first:], self.scenarios[first:], content, text)
        moved = np.flatnonzero(self._energy[:last])
        learned = ([self.ids[row] for row in moved], [self._delta[row].tobytes() for row in moved], self._energy[moved])
        vectors = self.learned()
        delta = (list(vectors), [v.tobytes() for v in vectors.values()])
        tables = (("later_items", LATER, later), ("id_embeddings", LEARNED, learned), ("index_delta", DELTA, delta))
        for name, schema, columns in tables:
            arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            pq.write_table(pa.Table.from_arrays(arrays, schema=schema), folder / f"{name}.parquet")

    @classmethod
    def load(cls, space: ItemSpace, folder: Path, all_ids: bool = False) -> ItemVectors:
        items = cls(space, all_ids)
        if (folder / "later_items.parquet").is_file():
            columns = pq.read_table(folder / "later_items.parquet").to_pydict()
            items.add([NewItem(*row) for row in zip(*columns.values(), strict=True)])
        if (folder / "id_embeddings.parquet").is_file():
            columns = pq.read_table(folder / "id_embeddings.parquet").to_pydict()
            index = np.array([items.rows[i] for i in columns["item_id"]], dtype=np.int64)
            if len(index):
                items._delta[index] = np.stack([np.frombuffer(d, dtype=np.float32) for d in columns["delta"]])
                items._energy[index] = columns["energy"]
                items._refresh(index)
        return items


def load_index_delta(folder: Path) -> dict[str, np.ndarray]:
    """A version's index delta: vectors [D] that replace those of the space; empty if it has none."""
    file = folder / "index_delta.parquet"
    if not file.is_file():
        return {}
    columns = pq.read_table(file).to_pydict()
    vectors = (np.frombuffer(v, dtype=np.float32) for v in columns["vector"])
    return dict(zip(columns["item_id"], vectors, strict=True))
