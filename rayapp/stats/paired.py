"""Two recommenders on the same targets: the difference of a metric and its relative size, bootstrapped by user."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Gain(NamedTuple):
    """Of b over a, with 95% intervals by percentiles; `relative` is the gain over a's mean."""

    a: float
    b: float
    difference: float
    low: float
    high: float
    relative: float
    relative_low: float
    relative_high: float


def gain(users_N: np.ndarray, a_N: np.ndarray, b_N: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> Gain:
    """`users_N`: whose target each value is of. Users are drawn, with all of their targets, because these belong
    together."""
    _, owner = np.unique(users_N, return_inverse=True)
    count = np.bincount(owner).astype(float)
    sums = np.stack([np.bincount(owner, a_N), np.bincount(owner, b_N), count])
    rng = np.random.default_rng(seed)
    drawn = np.stack([sums[:, rng.integers(len(count), size=len(count))].sum(1) for _ in range(resamples)])
    means_a, means_b = drawn[:, 0] / drawn[:, 2], drawn[:, 1] / drawn[:, 2]
    a, b = float(a_N.mean()), float(b_N.mean())
    low, high = np.quantile(means_b - means_a, [0.025, 0.975])
    if not a_N.any():  # nothing to be relative to
        return Gain(a, b, b - a, float(low), float(high), *[float("nan")] * 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative_low, relative_high = np.nanquantile(means_b / means_a - 1, [0.025, 0.975])
    return Gain(a, b, b - a, float(low), float(high), b / a - 1, float(relative_low), float(relative_high))
