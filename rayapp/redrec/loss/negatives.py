"""The pool of sampled negatives and how often each item is expected in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Gather = Callable[[Tensor], Tensor]  # from one worker's rows (equally many on each) to the rows of all workers


class NegativePool(NamedTuple):
    """P sampled item rows for one scenario, and the log of each one's expected count among them."""

    rows_P: Tensor
    log_expected_P: Tensor

    def to(self, device: torch.device) -> NegativePool:
        return NegativePool(*(column.to(device) for column in self))


class NegativeSampler:
    """Negatives of three kinds: uniform draws from each scenario's items, the batch's targets, and hard ones.

    The uniform part covers the whole scenario, the in-batch part (drawn by
    popularity, over all scenarios and workers) the popular items. The
    expected count of item i for a row of scenario s is
    `uniform / |items of s|` (if i is one of them) plus
    `in_batch * workers * p(i)`, with p(i) the share of i among the training
    targets as they are sampled. A scenario with no more items than draws gives
    each item once, and if all scenarios do there is no in-batch part: that is
    the full softmax.

    The `hard` part is the draws with the highest softmax mass in the previous
    step (`keep`); these are selected, not drawn, so each adds one to its
    expected count.
    """

    def __init__(
        self,
        scenario_items: dict[int, np.ndarray],
        target_counts: np.ndarray,
        *,
        uniform: int,
        in_batch: int,
        seed: int,
        hard: int = 0,
        gather: Gather = lambda rows: rows,
    ) -> None:
        self.scenario_items = {s: torch.as_tensor(rows, dtype=torch.long) for s, rows in scenario_items.items()}
        counts = torch.as_tensor(target_counts, dtype=torch.float32)
        self.share = counts / counts.sum().clamp(min=1)
        self.member = {s: _membership(rows, len(counts)) for s, rows in self.scenario_items.items()}
        self.uniform = uniform
        self.in_batch = in_batch if any(len(rows) > uniform for rows in scenario_items.values()) else 0
        self.hard = hard
        self.gather = gather
        self.hardest: dict[int, Tensor] = {}
        self.generator = torch.Generator().manual_seed(seed)

    def restart(self, seed: int) -> None:
        """Draw as a new sampler with this seed would."""
        self.generator.manual_seed(seed)
        self.hardest.clear()

    def draw(self, scenarios: list[int], targets_M: Tensor) -> dict[int, NegativePool]:
        """A pool for each of these scenarios, for a batch with these targets (item rows)."""
        shared = torch.empty(0, dtype=torch.long)
        if self.in_batch and len(targets_M):
            in_batch_rows = targets_M[torch.randint(len(targets_M), (self.in_batch,), generator=self.generator)]
            shared = self.gather(in_batch_rows)
        return {scenario: self._pool(scenario, shared) for scenario in scenarios}

    def _pool(self, scenario: int, shared: Tensor) -> NegativePool:
        items = self.scenario_items[scenario]
        rate, rows = 1.0, items
        if self.uniform < len(items):
            rate = self.uniform / len(items)
            rows = items[torch.randint(len(items), (self.uniform,), generator=self.generator)]
        hard_rows = self.hardest.get(scenario, shared[:0]) if rate < 1 else shared[:0]
        rows = torch.cat((rows, hard_rows, shared))
        count = self.member[scenario][rows] * rate + len(shared) * self.share[rows] + torch.isin(rows, hard_rows)
        return NegativePool(rows, count.clamp(min=1e-12).log())

    def keep(self, pools: dict[int, NegativePool], mass: dict[int, Tensor]) -> None:
        """Store each scenario's hardest draws; `mass` [P]: the softmax mass of each draw, summed over rows."""
        for scenario, pool in pools.items():
            in_scenario = self.member[scenario][pool.rows_P] > 0
            mass_I = torch.zeros(len(self.share)).index_add_(
                0, pool.rows_P[in_scenario], mass[scenario][in_scenario].cpu()
            )
            self.hardest[scenario] = mass_I.topk(min(self.hard, int((mass_I > 0).sum()))).indices


def _membership(rows: Tensor, items: int) -> Tensor:
    member = torch.zeros(items)
    member[rows] = 1.0
    return member
