"""User sequences side by side as one padded batch."""

from __future__ import annotations

import numpy as np
import torch

from rayapp.data.sequences import EventSequence
from rayapp.redrec.model.batch import END_OF_TIME, Batch


def pad(rows: list[EventSequence], items: int) -> Batch:
    """Sequences side by side, padded at the end with row `items`, with one cut after the last event."""
    longest = max(1, max(len(row.items) for row in rows))
    tables = [np.full((len(rows), longest), fill, dtype=np.int64) for fill in (items, 0, 0, 0)]
    for b, row in enumerate(rows):
        n = len(row.items)
        for table, column in zip(tables, row.columns, strict=True):
            table[b, :n] = column
        if n:
            tables[3][b, n:] = row.seconds[-1]
    cut = torch.tensor([[len(row.items)] for row in rows])
    empty = torch.zeros(len(rows), 1, 1, dtype=torch.long)
    return Batch(
        *(torch.from_numpy(table) for table in tables),
        cut_BC=cut,
        cut_scenario_BC=torch.ones_like(cut),
        cut_seconds_BC=torch.full_like(cut, END_OF_TIME),
        targets_BCW=empty,
        target_mask_BCW=empty.bool(),
    )
