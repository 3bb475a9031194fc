"""Intervals that hold what they say, and paired differences that are tighter than two intervals."""

from __future__ import annotations

import numpy as np

from rayapp.stats.bootstrap import draws, interval, mean_of


def mean(values) -> float:  # type: ignore[no-untyped-def]
    return float(np.mean(values))


def test_an_interval_holds_the_value_and_narrows() -> None:
    rng = np.random.default_rng(0)
    few, many = (interval(draws(mean, list(rng.normal(5, 1, size=n)))) for n in (50, 2000))
    assert few.low < few.value < few.high
    assert many.high - many.low < few.high - few.low
    assert many.low < 5 < many.high


def test_the_same_questions_are_drawn_for_every_model() -> None:
    rng = np.random.default_rng(1)
    one = rng.normal(0, 10, size=300)
    found = draws(mean, list(one + 1)) - draws(mean, list(one))
    gain = interval(found)
    assert np.allclose([gain.low, gain.value, gain.high], 1)


def test_a_mean_of_families_weighs_families_alike() -> None:
    found = {"a": np.array([1.0, 1.0]), "b": np.array([3.0, 3.0]), "c": np.array([8.0, 8.0])}
    assert mean_of(found, {"x": ["a", "b"], "y": ["c"]}).tolist() == [5.0, 5.0]
