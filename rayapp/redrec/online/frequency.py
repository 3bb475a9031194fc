"""Item frequency among targets, estimated from the stream: the q of the log-Q correction.

Counts halve every `half_life` positives, so the estimate follows current
popularity (Yi et al., "Sampling-bias-corrected neural modeling", RecSys 2019,
section 4; they hash ids, here every id has its own count). Time is measured in
positives, not seconds, so that it is a function of the log.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FORGOTTEN = 1e-3  # a count below this is dropped


class Frequency:
    """Decayed counts by item id."""

    def __init__(self, half_life: float = 5_000.0) -> None:
        self.half_life = half_life
        self.counts: dict[str, float] = {}
        self.total = 0.0

    def add(self, item_ids: list[str]) -> None:
        """Count a window's targets."""
        if not item_ids:
            return
        decay = 0.5 ** (len(item_ids) / self.half_life)
        self.counts = {i: c * decay for i, c in self.counts.items() if c * decay > FORGOTTEN}
        for item_id in item_ids:
            self.counts[item_id] = self.counts.get(item_id, 0.0) + 1.0
        self.total = sum(self.counts.values())

    def share(self, item_ids: list[str]) -> np.ndarray:
        """Probability that a target is this item, float32 [N]; an unseen item counts half an event."""
        total = max(self.total, 1.0)
        return np.array([self.counts.get(i, 0.5) / total for i in item_ids], dtype=np.float32)

    def save(self, folder: Path) -> None:
        """`frequency.parquet`."""
        table = pa.table(
            {
                "item_id": pa.array(self.counts.keys(), pa.string()),
                "count": pa.array(self.counts.values(), pa.float64()),
            }
        )
        pq.write_table(table, folder / "frequency.parquet")

    @classmethod
    def load(cls, folder: Path, half_life: float = 5_000.0) -> Frequency:
        """Empty where a version has none."""
        frequency = cls(half_life)
        if (folder / "frequency.parquet").is_file():
            columns = pq.read_table(folder / "frequency.parquet").to_pydict()
            frequency.counts = dict(zip(columns["item_id"], columns["count"], strict=True))
            frequency.total = sum(frequency.counts.values())
        return frequency
