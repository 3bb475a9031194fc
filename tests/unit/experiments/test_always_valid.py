"""An interval that is looked at all the time covers the truth as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.experiments.always_valid import always_valid


def test_ten_thousand_random_walks_looked_at_a_thousand_times_each() -> None:
    rng = np.random.default_rng(0)
    steps, looks = 1000, np.arange(20, 1000)
    crossed = naive = 0
    for _ in range(20):
        walks = rng.normal(size=(500, steps)).cumsum(1)[:, looks] / (looks + 1)
        error = 1 / np.sqrt(looks + 1)
        half = np.array([always_valid(0.0, e, 0.1).high for e in error])
        crossed += int((np.abs(walks) > half).any(1).sum())
        naive += int((np.abs(walks) > 1.96 * error).any(1).sum())
    assert crossed / 10_000 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 10_000)
    assert crossed / 10_000 > 0.005, "not empty: it does reject"
    assert naive / 10_000 > 0.3, "what looking does to an ordinary interval"


@given(st.floats(-5, 5), st.floats(1e-3, 2), st.floats(1e-3, 2), st.floats(0.001, 0.2))
def test_the_interval_leaves_zero_out_just_when_the_pvalue_says_so(
    difference: float, error: float, typical: float, alpha: float
) -> None:
    found = always_valid(difference, error, typical, alpha)
    assert found.low < difference < found.high
    assert 0 < found.pvalue <= 1 or found.pvalue == 0
    if abs(found.pvalue - alpha) > 1e-9:
        assert (found.pvalue < alpha) == (found.low > 0 or found.high < 0)


@pytest.mark.parametrize(
    ("error", "typical", "alpha"), [(0, 1, 0.05), (1, 0, 0.05), (1, 1, 2), (float("nan"), 1, 0.05)]
)
def test_what_has_no_interval(error: float, typical: float, alpha: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        always_valid(0.0, error, typical, alpha)
