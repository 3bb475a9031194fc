"""Packed rows as a dataset that a Trainer shuffles, and as the tensors of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from rayapp.redone.training.packing import IGNORED, Row, visible

COLUMNS = ("input_ids", "labels", "weights", "position_ids", "groups", "members")
PADDING_GROUP = -1


def as_dataset(rows: Sequence[Row]) -> Any:
    """A `datasets.Dataset` with one packed row a line."""
    from datasets import Dataset

    return Dataset.from_dict({name: [row[n] for row in rows] for n, name in enumerate(COLUMNS)})


def tokens_of(rows: Sequence[Row]) -> int:
    return sum(len(row.ids) for row in rows)


def learned_weight(rows: Sequence[Row]) -> float:
    """Mean over rows of the weight of all learned tokens: what a loss is divided by, whatever rows a batch has."""
    return float(np.mean([row.weights[row.labels != IGNORED].sum() for row in rows]))


class Collator:
    """Rows of a batch padded to the longest; padding sees itself alone. All are of equal length when rows are full."""

    def __init__(self, pad: int) -> None:
        self.fill = {"input_ids": pad, "labels": IGNORED, "weights": 0.0, "position_ids": 0, "groups": PADDING_GROUP}

    def __call__(self, features: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        length = max(len(feature["input_ids"]) for feature in features)
        columns = {
            name: np.stack(
                [
                    np.pad(np.asarray(f[name]), (0, length - len(f[name])), constant_values=self.fill.get(name, 0))
                    for f in features
                ]
            )
            for name in COLUMNS
        }
        # Padding is many members of one group, numbered, so that no row of the mask is empty and none sees another.
        for n, feature in enumerate(features):
            own = len(feature["input_ids"])
            columns["members"][n, own:] = np.arange(1, length - own + 1)
        mask = visible(columns.pop("groups"), columns.pop("members"))
        tensors = {name: torch.from_numpy(values) for name, values in columns.items()}
        return {**tensors, "attention_mask": torch.from_numpy(mask)[:, None]}
