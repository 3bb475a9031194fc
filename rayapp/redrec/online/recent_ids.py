"""The event ids of a day, for deduplication; small enough to be written with every version.

An id is stored as 128 bits, 64 of the user and 64 of the event within the user,
so two of a user's n events collide with probability n^2 / 2^65.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BUCKETS = 24  # expiry removes whole buckets; this many cover `keep_ms`
HALF = 8
SCHEMA = pa.schema([("id", pa.binary(2 * HALF)), ("append_ms", pa.int64())])


class RecentIds:
    """Ids by append time, in buckets; an id is known for `keep_ms`."""

    def __init__(self, keep_ms: int) -> None:
        self.keep_ms = keep_ms
        self.bucket_ms = max(1, keep_ms // BUCKETS)
        self.buckets: dict[int, dict[bytes, int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self.buckets.values()))

    def known(self, user_id: str, event_id: str, append_ms: int) -> bool:
        """Whether the id occurred within the last `keep_ms`; it is recorded either way."""
        key = _half(user_id) + _half(event_id)
        for bucket in self.buckets.values():
            at = bucket.get(key)
            if at is not None and append_ms - at <= self.keep_ms:
                return True
        self._put(key, append_ms)
        return False

    def forget(self, user_id: str) -> None:
        user = _half(user_id)
        for number, bucket in list(self.buckets.items()):
            for key in [key for key in bucket if key.startswith(user)]:
                del bucket[key]
            if not bucket:
                del self.buckets[number]

    def expire(self, now_ms: int) -> None:
        """Drop expired buckets."""
        oldest = (now_ms - self.keep_ms) // self.bucket_ms
        self.buckets = {number: bucket for number, bucket in self.buckets.items() if number >= oldest}

    def save(self, folder: Path) -> None:
        """`event_ids.parquet`."""
        keys = pa.py_buffer(b"".join(chain.from_iterable(self.buckets.values())))
        times = np.fromiter(chain.from_iterable(b.values() for b in self.buckets.values()), np.int64, len(self))
        ids = pa.FixedSizeBinaryArray.from_buffers(SCHEMA.field("id").type, len(self), [None, keys])
        table = pa.Table.from_arrays([ids, pa.array(times)], schema=SCHEMA)
        # Hashes have nothing to compress.
        pq.write_table(table, folder / "event_ids.parquet", compression="none", use_dictionary=False)

    @classmethod
    def load(cls, folder: Path, keep_ms: int) -> RecentIds:
        """Empty where a version (the first of a model) has none."""
        recent = cls(keep_ms)
        if (folder / "event_ids.parquet").is_file():
            table = pq.read_table(folder / "event_ids.parquet")
            for key, at in zip(table["id"].to_pylist(), table["append_ms"].to_pylist(), strict=True):
                recent._put(key, at)
        return recent

    def _put(self, key: bytes, append_ms: int) -> None:
        self.buckets.setdefault(append_ms // self.bucket_ms, {})[key] = append_ms


def _half(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=HALF).digest()
