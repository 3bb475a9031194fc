from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.stats.quantile_sketch import QuantileSketch


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=300), st.floats(0, 1))
def test_quantiles_are_within_a_hundredth(values: list[float], q: float) -> None:
    sketch = QuantileSketch()
    for value in values:
        sketch.add(value)
    lower = float(np.quantile(values, q, method="lower"))
    upper = float(np.quantile(values, q, method="higher"))
    assert 0.99 * lower * 0.999 <= sketch.quantile(q) <= 1.01 * upper * 1.001
    assert len(sketch) == len(values)


def test_it_stays_small_and_takes_anything() -> None:
    sketch = QuantileSketch()
    for value in [0.0, float("nan"), float("inf"), *np.random.default_rng(0).lognormal(3, 2, 50_000)]:
        sketch.add(float(value))
    assert len(sketch.counts) < 1500
    assert len(sketch) == 50_001
    with pytest.raises(ValueError, match="no values"):
        QuantileSketch().quantile(0.5)
