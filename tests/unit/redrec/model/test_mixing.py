from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.data.order import time_order
from rayapp.redrec.model.mixing import mix, quotas

events = st.lists(st.integers(1, 4), max_size=120).map(lambda v: np.array(v, dtype=np.int64))


@given(events, st.integers(4, 40), st.none() | st.integers(0, 99))
def test_mixing_fills_the_length_and_keeps_time_order(scenarios: np.ndarray, length: int, seed: int | None) -> None:
    rng = None if seed is None else np.random.default_rng(seed)
    kept = mix(scenarios, length, quotas(length, (1, 2, 3, 4)), rng)
    assert len(kept) == min(length, len(scenarios))
    assert (np.diff(kept) > 0).all()


@given(events, st.integers(4, 40))
def test_a_rare_scenario_keeps_its_newest_events(scenarios: np.ndarray, length: int) -> None:
    quota = quotas(length, (1, 2, 3, 4))
    kept = set(mix(scenarios, length, quota).tolist())
    for scenario, size in quota.items():
        newest = np.flatnonzero(scenarios == scenario)[-size:]
        assert set(newest.tolist()) <= kept


def test_a_thousand_feed_events_do_not_drown_one_search() -> None:
    scenarios = np.array([2] + [1] * 1000)
    assert 0 in mix(scenarios, 32, quotas(32, (1, 2)))


def test_serving_is_deterministic_and_training_samples() -> None:
    scenarios = np.array([1, 2] * 200)
    quota = quotas(32, (1, 2))
    assert (mix(scenarios, 32, quota) == mix(scenarios, 32, quota)).all()
    drawn = {tuple(mix(scenarios, 32, quota, np.random.default_rng(s))) for s in range(5)}
    assert len(drawn) == 5


def test_ties_are_ordered_by_scenario_then_position() -> None:
    order = time_order(np.array([5, 5, 5, 1]), np.array([2, 1, 1, 9]), np.array([0, 7, 3, 0]))
    assert order.tolist() == [3, 2, 1, 0]


def test_quotas_follow_shares_and_leave_nobody_out() -> None:
    assert quotas(12, (1, 2), {1: 3.0, 2: 1.0}) == {1: 9, 2: 3}
    assert min(quotas(10, (1, 2, 3), {1: 100.0}).values()) >= 1
    with pytest.raises(ValueError, match="at least the number of scenarios"):
        quotas(2, (1, 2, 3))
