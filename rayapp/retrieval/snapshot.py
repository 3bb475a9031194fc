"""A FAISS index over item vectors by id, with insertion, removal, save and load.

Flat (exact) below `IVF_FROM` items, IVF above: both can remove, HNSW cannot.
Rows are never reused: a changed item's old row is marked as removed and a new one
added; the index is rebuilt once a quarter of its rows are removed. Searches
exclude rows exactly, by a bitmap.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path

import faiss
import numpy as np

IVF_FROM = 200_000


class Snapshot:
    """Inner-product search over vectors [N, D]. Thread-safe: changes and searches take a lock."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.index: faiss.Index = faiss.IndexFlatIP(dim)
        self.ids: list[str] = []
        self.row_of: dict[str, int] = {}
        self.gone = np.zeros(0, dtype=bool)
        self.lock = threading.RLock()

    def __len__(self) -> int:
        return len(self.row_of)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self.row_of

    def put(self, ids: list[str], vectors_ND: np.ndarray) -> None:
        """Add items, or replace those present."""
        if vectors_ND.shape != (len(ids), self.dim):
            raise ValueError(f"vectors have shape {vectors_ND.shape}, must be ({len(ids)}, {self.dim})")
        if not ids:
            return
        with self.lock:
            self.remove(ids)
            first = len(self.ids)
            self.index.add(np.ascontiguousarray(vectors_ND, dtype=np.float32))
            self.ids.extend(ids)
            self.gone = np.append(self.gone, np.zeros(len(ids), dtype=bool))
            for row, item_id in enumerate(ids, start=first):
                if item_id in self.row_of:  # twice in one call: the last one counts
                    self.gone[self.row_of[item_id]] = True
                self.row_of[item_id] = row

    def remove(self, ids: Iterable[str]) -> int:
        """Remove items; unknown ids are ignored. Returns the number removed."""
        with self.lock:
            rows = [self.row_of.pop(item_id) for item_id in ids if item_id in self.row_of]
            self.gone[rows] = True
            if len(self.ids) > 64 and self.gone.sum() > len(self.ids) // 4:
                self._compact()
            return len(rows)

    def vectors(self, ids: list[str]) -> np.ndarray:
        """[N, D] of present items. Raises KeyError."""
        with self.lock:
            rows = np.array([self.row_of[item_id] for item_id in ids], dtype=np.int64)
            return self.index.reconstruct_batch(rows) if len(rows) else np.empty((0, self.dim), np.float32)

    def search(self, queries_QD: np.ndarray, k: int, excluded: Iterable[str] = ()) -> list[list[tuple[str, float]]]:
        """For each query the k best (id, inner product) that are not excluded, best first; fewer if fewer remain."""
        with self.lock:
            k = min(k, len(self.row_of))
            if k == 0:
                return [[] for _ in queries_QD]
            barred = self.gone.copy()
            barred[[self.row_of[i] for i in excluded if i in self.row_of]] = True
            allowed = np.packbits(~barred, bitorder="little")
            selector = faiss.IDSelectorBitmap(allowed)
            if isinstance(self.index, faiss.IndexIVF):
                params = faiss.SearchParametersIVF(sel=selector, nprobe=32)
            else:
                params = faiss.SearchParameters(sel=selector)
            scores, rows = self.index.search(np.ascontiguousarray(queries_QD, dtype=np.float32), k, params=params)
            return [
                [(self.ids[row], float(score)) for row, score in zip(r, s, strict=True) if row >= 0]
                for r, s in zip(rows, scores, strict=True)
            ]

    def _compact(self) -> None:
        alive = np.flatnonzero(~self.gone)
        vectors = self.index.reconstruct_batch(alive) if len(alive) else np.empty((0, self.dim), np.float32)
        ids = [self.ids[row] for row in alive]
        self._build(ids, vectors)

    def _build(self, ids: list[str], vectors_ND: np.ndarray) -> None:
        if len(ids) >= IVF_FROM:
            lists = int(4 * np.sqrt(len(ids)))
            index = faiss.IndexIVFFlat(faiss.IndexFlatIP(self.dim), self.dim, lists, faiss.METRIC_INNER_PRODUCT)
            index.train(vectors_ND)
            index.set_direct_map_type(faiss.DirectMap.Hashtable)
        else:
            index = faiss.IndexFlatIP(self.dim)
        index.add(vectors_ND)
        self.index, self.ids = index, ids
        self.row_of = {item_id: row for row, item_id in enumerate(ids)}
        self.gone = np.zeros(len(ids), dtype=bool)

    @classmethod
    def build(cls, ids: list[str], vectors_ND: np.ndarray) -> Snapshot:
        snapshot = cls(vectors_ND.shape[1])
        snapshot._build(list(ids), np.ascontiguousarray(vectors_ND, dtype=np.float32))
        return snapshot

    def save(self, folder: Path, **about: str) -> None:
        """`index.faiss` and `index.json` (ids and whatever the caller wants to find again), the latter last."""
        folder.mkdir(parents=True, exist_ok=True)
        with self.lock:
            self._compact()
            faiss.write_index(self.index, str(folder / "index.faiss.part"))
            description = json.dumps({"dim": self.dim, "ids": self.ids, "about": about})
        (folder / "index.faiss.part").replace(folder / "index.faiss")
        (folder / "index.json.part").write_text(description)
        (folder / "index.json.part").replace(folder / "index.json")

    @classmethod
    def load(cls, folder: Path) -> tuple[Snapshot, dict[str, str]]:
        """A saved snapshot and its `about`. Raises ValueError when index and ids do not match."""
        description = json.loads((folder / "index.json").read_text())
        index = faiss.read_index(str(folder / "index.faiss"))
        if index.ntotal != len(description["ids"]):
            raise ValueError(
                f"{folder}: index has {index.ntotal} vectors but {len(description['ids'])} ids; rebuild it"
            )
        snapshot = cls(description["dim"])
        snapshot.index, snapshot.ids = index, description["ids"]
        snapshot.row_of = {item_id: row for row, item_id in enumerate(snapshot.ids)}
        snapshot.gone = np.zeros(len(snapshot.ids), dtype=bool)
        return snapshot, description["about"]
