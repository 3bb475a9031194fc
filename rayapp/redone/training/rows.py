"""Packed rows as a dataset that a Trainer shuffles, and as the tensors of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rayapp.redone.training.packing import IGNORED, PackedRow
from rayapp.redone.training.prefix_attention import layout_of

COLUMNS = ("input_ids", "labels", "weights", "position_ids", "groups", "members")
OPEN = "open"


def as_dataset(rows: Sequence[PackedRow]) -> Any:
    """A `datasets.Dataset` with one packed row a line."""
    from datasets import Dataset

    return Dataset.from_dict({name: [row[n] for row in rows] for n, name in enumerate((*COLUMNS, OPEN))})


def tokens_of(rows: Sequence[PackedRow]) -> int:
    return sum(len(row.ids) for row in rows)


def examples_of(rows: Sequence[PackedRow]) -> int:
    """How many were packed; a prefix that they share is none."""
    return sum(len(np.unique(np.stack([row.groups, row.members])[:, row.members > 0], axis=1).T) for row in rows)


def learned_weight(rows: Sequence[PackedRow]) -> float:
    """Mean over rows of the weight of all learned tokens: what a loss is divided by, whatever rows a batch has."""
    return float(np.mean([row.weights[row.labels != IGNORED].sum() for row in rows]))


def token_losses(logits_ND: torch.Tensor, labels_T: torch.Tensor, places_N: torch.Tensor, open_P2: torch.Tensor) -> Any:
    """[N]: negative log-likelihood of each learned label among the tokens that are not open there.

    `labels_T`, `places_N` count from a row's second token, as logits do; `open_P2` from its first, as `collated` has
    it."""
    scores = logits_ND.float()
    if len(open_P2):
        left_out = torch.zeros_like(scores, dtype=torch.bool)
        left_out[torch.searchsorted(places_N, open_P2[:, 0] - 1), open_P2[:, 1]] = True
        scores = scores.masked_fill(left_out, float("-inf"))
    return torch.nn.functional.cross_entropy(scores, labels_T[places_N], reduction="none")


def collated(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows one after another as one sequence [1, T], with the layout of what each token sees."""
    columns = {name: np.concatenate([np.asarray(row[name]) for row in rows]) for name in COLUMNS}
    groups, members = columns.pop("groups"), columns.pop("members")
    # Rows count their groups from 0, each for itself.
    first = np.cumsum([0, *(max(row["groups"]) + 1 for row in rows[:-1])])
    groups = groups + np.repeat(first, [len(row["groups"]) for row in rows])
    tensors = {name: torch.from_numpy(values)[None] for name, values in columns.items()}
    starts = np.cumsum([0, *(len(row["groups"]) for row in rows)])
    pairs = [
        np.asarray(row[OPEN], dtype=np.int64).reshape(-1, 2) + np.array([start, 0])
        for row, start in zip(rows, starts, strict=False)
    ]
    return {
        **tensors,
        OPEN: torch.from_numpy(np.concatenate(pairs)),
        "prefix_layout": layout_of(groups, members),
        "rows": len(rows),
    }
