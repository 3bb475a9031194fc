"""The pool of sampled negatives and how often each item is expected in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Pool(NamedTuple):
    """P draws for rows of S scenarios; +inf in log_expected_SP: not in that scenario's pool."""

    rows_P: Tensor
    log_expected_SP: Tensor


class NegativeSampler:
    """Uniform draws from each scenario's items, and the batch's own targets beside them.

    The uniform part teaches the whole scenario, the in-batch part (drawn by
    popularity, of every scenario) the hard and popular items. The expected
    count of item i for a row of scenario s is
    `uniform / |items of s|` (if i is one of them) plus `in_batch * p(i)`,
    with p(i) the share of i among the training targets as they are sampled.
    A scenario with no more items than draws gives each of them once: with
    `in_batch` 0 that is the full softmax.
    """

    def __init__(
        self, scenario_items: dict[int, np.ndarray], target_counts: np.ndarray, uniform: int, in_batch: int, seed: int
    ) -> None:
        self.scenario_items = {s: torch.as_tensor(rows, dtype=torch.long) for s, rows in scenario_items.items()}
        counts = torch.as_tensor(target_counts, dtype=torch.float32)
        self.share = counts / counts.sum().clamp(min=1)
        self.member = {s: _membership(rows, len(counts)) for s, rows in self.scenario_items.items()}
        self.uniform = uniform
        self.in_batch = in_batch
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self, scenarios: list[int], targets_M: Tensor) -> Pool:
        """A pool for a batch whose rows have these scenarios and these targets (item rows)."""
        parts, owners = [], []
        for scenario in scenarios:
            items = self.scenario_items[scenario]
            if self.uniform < len(items):
                items = items[torch.randint(len(items), (self.uniform,), generator=self.generator)]
            parts.append(items)
            owners.append(torch.full((len(items),), scenario))
        taken = 0
        if self.in_batch and len(targets_M):
            pick = torch.randint(len(targets_M), (self.in_batch,), generator=self.generator)
            parts.append(targets_M[pick])
            owners.append(torch.full((self.in_batch,), -1))
            taken = self.in_batch
        rows, owner = torch.cat(parts), torch.cat(owners)
        expected = []
        for scenario in scenarios:
            rate = min(1.0, self.uniform / len(self.scenario_items[scenario]))
            count = self.member[scenario][rows] * rate + taken * self.share[rows]
            visible = (owner == scenario) | (owner == -1)
            expected.append(torch.where(visible, count.clamp(min=1e-12).log(), torch.inf))
        return Pool(rows, torch.stack(expected))


def _membership(rows: Tensor, items: int) -> Tensor:
    member = torch.zeros(items)
    member[rows] = 1.0
    return member
