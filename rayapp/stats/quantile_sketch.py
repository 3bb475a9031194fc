"""Quantiles of a stream in a few hundred counters (Masson, Rim, Lee 2019: DDSketch), each within 1% of the true one."""

from __future__ import annotations

import math
from collections import Counter

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
LEAST = 1e-3  # values below count as this


class QuantileSketch:
    """`add` values of 0 and more, then ask for any `quantile`."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def __len__(self) -> int:
        return self.counts.total()

    def add(self, value: float) -> None:
        """Values that are not finite are left out."""
        if math.isfinite(value):
            self.counts[math.ceil(math.log(max(value, LEAST)) / math.log(GAMMA))] += 1

    def quantile(self, q: float) -> float:
        """Raises ValueError without values."""
        if not self.counts:
            raise ValueError("a quantile of no values; add some")
        rank = q * (len(self) - 1)
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen > rank:
                return 2 * GAMMA**bucket / (GAMMA + 1)
        raise AssertionError("the ranks of all values were passed")
