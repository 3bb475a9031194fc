"""Content vectors that were made elsewhere, such as those of RED-MMU: a Parquet file by item id."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rayapp.data.errors import DataFolderError


class TableError(DataFolderError):
    """The file cannot be used; the text names file, column and remedy."""


class TableEncoder:
    """`file`: Parquet with `item_id` and `vector` (a list of numbers, all of one length). Raises TableError.

    A text has no vector here, so queries are found by their words alone; an item that the file does not have is placed
    by its id embedding, if it has one.
    """

    def __init__(self, file: str) -> None:
        try:
            table = pq.read_table(file, columns=["item_id", "vector"])
        except (OSError, pa.ArrowInvalid, KeyError) as error:
            raise TableError(f"encoder table:{file}: {error}; give a Parquet file with item_id and vector") from None
        vectors = table["vector"].combine_chunks()
        widths = pc.unique(pc.list_value_length(vectors)).to_pylist()
        if len(widths) != 1 or not widths[0]:
            raise TableError(f"encoder table:{file}: vectors have {widths} numbers; they must all be of one length")
        self.dim = int(widths[0])
        values = pc.list_flatten(vectors).to_numpy(zero_copy_only=False)
        self.vectors_ND = values.astype(np.float32).reshape(-1, self.dim)
        ids = table["item_id"].cast(pa.string()).to_pylist()
        self.rows = {item_id: row for row, item_id in enumerate(ids)}

    def of(self, item_ids: list[str]) -> np.ndarray:
        """[N, dim], L2-normalised; zeros where there is none."""
        found = np.zeros((len(item_ids), self.dim), dtype=np.float32)
        known = [n for n, item_id in enumerate(item_ids) if item_id in self.rows]
        found[known] = self.vectors_ND[[self.rows[item_ids[n]] for n in known]]
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)

    def encode(self, texts: list[str], batch_size: int = 128) -> np.ndarray:
        """[N, dim] of zeros."""
        return np.zeros((len(texts), self.dim), dtype=np.float32)
