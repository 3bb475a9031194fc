"""Intervals of means by Student's t: against SciPy, by user, and of samples too small to have one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rayapp.stats.student import mean_interval, paired_by_user


def test_the_interval_is_scipys() -> None:
    values = np.random.default_rng(0).normal(1.0, 2.0, 30)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    n, mean, low, high = mean_interval(values, 0.9)
    assert (n, mean) == (30, pytest.approx(values.mean()))
    assert (low, high) == (pytest.approx(expected.low), pytest.approx(expected.high))


@pytest.mark.parametrize("values", [[], [3.0]])
def test_fewer_than_two_values_prove_nothing(values: list[float]) -> None:
    n, mean, low, high = mean_interval(np.array(values))
    assert (n, mean) == (len(values), sum(values))
    assert (low, high) == (-np.inf, np.inf)


def test_a_user_counts_once_whatever_their_number_of_pairs() -> None:
    users = np.array(["a", "a", "a", "b", "c"])
    first, second = np.array([1.0, 1.0, 0.0, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0, 0.0])
    assert paired_by_user(users, first, second) == mean_interval(np.array([2 / 3, -1.0, 1.0]))
