from __future__ import annotations

import numpy as np
import pytest

from rayapp.stats.paired import gain


def test_a_gain_that_everybody_has_is_certain_and_none_is_not() -> None:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(400), 2)
    a = rng.random(800) < 0.2
    found = gain(users, a, a | (rng.random(800) < 0.1))
    assert found.low > 0
    assert found.relative == pytest.approx(found.b / found.a - 1)
    assert found.relative_low < found.relative < found.relative_high
    same = gain(users, a, a[::-1])
    assert same.low < 0 < same.high


def test_users_are_drawn_whole() -> None:
    """Eight targets that always agree are one observation, not eight."""
    rng = np.random.default_rng(1)
    one = rng.random(100) < 0.5
    apart = gain(np.arange(800), np.zeros(800), np.repeat(one, 8))
    together = gain(np.repeat(np.arange(100), 8), np.zeros(800), np.repeat(one, 8))
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_over_nothing_a_gain_has_no_relative_size() -> None:
    found = gain(np.arange(10), np.zeros(10), np.ones(10))
    assert found.difference == 1
    assert np.isnan([found.relative, found.relative_low, found.relative_high]).all()
