"""Intervals of scores, and of differences between two models on the same questions (paired bootstrap, Koehn 2004)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

RESAMPLES = 300
Scorer = Callable[[Sequence[Any]], float]


class Interval(NamedTuple):
    """95%, by percentiles."""

    value: float
    low: float
    high: float


def draws(scorer: Scorer, judged: Sequence[Any], seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """[resamples + 1] scores: of all of `judged` first, then of resamples; the same seed draws the same questions."""
    rng = np.random.default_rng(seed)
    rows = (rng.integers(len(judged), size=len(judged)) for _ in range(resamples))
    return np.array([scorer(judged), *(scorer([judged[n] for n in chosen]) for chosen in rows)])


def interval(found: np.ndarray) -> Interval:
    """Of what `draws` gave, or of the difference of two of them, or of a mean of several."""
    low, high = np.quantile(found[1:], [0.025, 0.975])
    return Interval(float(found[0]), float(low), float(high))


def mean_of(found: Mapping[str, np.ndarray], groups: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Draws of a mean over groups of a mean over each group's members."""
    return np.mean([np.mean([found[name] for name in members], axis=0) for members in groups.values()], axis=0)
