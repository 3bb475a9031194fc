"""Confidence intervals of a mean by Student's t, for one sample and for pairs averaged within users."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats


class MeanInterval(NamedTuple):
    """A mean over `n` independent values with its two-sided confidence interval."""

    n: int
    mean: float
    low: float
    high: float


def mean_interval(values_N: np.ndarray, confidence: float = 0.95) -> MeanInterval:
    """Student's t interval (Student 1908) of the mean of N independent values.

    With fewer than two values the interval is infinite; the mean of none is 0.
    """
    n = len(values_N)
    mean = float(values_N.mean()) if n else 0.0
    half = np.inf
    if n > 1:
        half = float(stats.t.ppf(0.5 + confidence / 2, n - 1) * values_N.std(ddof=1) / np.sqrt(n))
    return MeanInterval(n, mean, mean - half, mean + half)


def paired_by_user(users_N: np.ndarray, a_N: np.ndarray, b_N: np.ndarray) -> MeanInterval:
    """95% interval of the mean over users of their mean difference a - b; `users_N` names the user of each pair.

    The user is the unit, because the pairs of one user are not independent (a paired t test on cluster means;
    Deng, Knoblich and Lu, KDD 2018, section 2, on the unit of analysis).
    """
    _, index = np.unique(users_N, return_inverse=True)
    pairs = np.bincount(index)
    return mean_interval(np.bincount(index, weights=a_N.astype(float) - b_N) / pairs)
