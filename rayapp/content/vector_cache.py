"""Content vectors by content: what was encoded once is never encoded again, whichever catalogue it stands in."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema([("key", pa.string()), ("vector", pa.binary())])


class VectorCache:
    """Parquet parts of one encoder below a folder; a part is written whole or not at all, by any number of writers.

    Vectors are kept as float16: what comes back is the same whether it was cached or not (`rounded`).
    """

    def __init__(self, folder: str | Path, encoder: str) -> None:
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", encoder)[-60:]
        self.folder = Path(folder) / f"{readable}-{hashlib.sha256(encoder.encode()).hexdigest()[:8]}"

    def get(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """Those of the keys that are known, float32 [D] each."""
        wanted = pa.array(sorted(set(keys)))
        found: dict[str, np.ndarray] = {}
        for part in sorted(self.folder.glob("*.parquet")):
            table = pq.read_table(part, filters=pa.compute.field("key").isin(wanted))
            for key, raw in zip(table["key"].to_pylist(), table["vector"].to_pylist(), strict=True):
                found[key] = np.frombuffer(raw, dtype=np.float16).astype(np.float32)
        return found

    def put(self, keys: Sequence[str], vectors_ND: np.ndarray) -> None:
        """A part more."""
        if not keys:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = [vector.tobytes() for vector in vectors_ND.astype(np.float16)]
        partial = self.folder / f"{uuid.uuid4().hex}.part"
        pq.write_table(pa.table({"key": list(keys), "vector": rows}, schema=SCHEMA), partial)
        partial.rename(partial.with_suffix(".parquet"))


def rounded(vectors_ND: np.ndarray) -> np.ndarray:
    """As the cache gives them back."""
    return vectors_ND.astype(np.float16).astype(np.float32)
