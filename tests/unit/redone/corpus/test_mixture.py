"""Mixtures found by regression, on losses whose best mixture is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.redone.corpus.mixture import (
    LossRegression,
    best_mixture,
    best_regression,
    random_mixtures,
    rank_correlation,
)
from rayapp.redone.corpus.proxies import HELD_OUT, LENGTH, TextPool, proxy_losses

PRIOR = np.array([0.5, 0.3, 0.2])


@given(st.integers(2, 8), st.integers(1, 20), st.integers(0, 99))
def test_mixtures_are_shares(sources: int, count: int, seed: int) -> None:
    prior = np.full(sources, 1 / sources)
    found = random_mixtures(prior, count, np.random.default_rng(seed))
    assert found.shape == (count, sources)
    assert (found >= 0).all()
    assert np.allclose(found.sum(1), 1)


@pytest.mark.parametrize(("kind", "least"), [("boosted", 0.9), ("linear", 0.7)])
def test_the_regression_ranks_unseen_mixtures_and_finds_the_best_one(kind: str, least: float) -> None:
    rng = np.random.default_rng(0)

    def loss(shares: np.ndarray) -> np.ndarray:
        return ((shares - np.array([0.1, 0.2, 0.7])) ** 2).sum(1)

    train, tests = random_mixtures(PRIOR, 400, rng), random_mixtures(PRIOR, 100, rng)
    model = LossRegression(kind).fit(train, loss(train))  # type: ignore[arg-type]
    assert rank_correlation(model.predict(tests), loss(tests)) > least
    best, _ = best_mixture(model, PRIOR, rng)
    assert best.argmax() == 2
    assert loss(best[None])[0] < loss(PRIOR[None])[0]


def test_of_a_few_runs_the_best_mixture_is_between_the_sources() -> None:
    """Each source's loss falls with the logarithm of what is read of it, so all are worth reading."""
    rng = np.random.default_rng(0)
    prior = np.array([0.3, 0.3, 0.3, 0.1])

    def loss(shares: np.ndarray) -> np.ndarray:
        return 7 - 0.2 * np.log(shares + 0.02) @ np.array([0.2, 0.3, 0.4, 0.1])

    shares = random_mixtures(prior, 24, rng)
    model, rank = best_regression(shares, loss(shares) + rng.normal(0, 0.01, 24))
    assert model.kind == "roots"
    assert rank > 0.9
    best, _ = best_mixture(model, prior, rng)
    assert loss(best[None])[0] < loss(prior[None])[0]
    line, _ = best_mixture(LossRegression("linear").fit(shares, loss(shares)), prior, rng)
    assert loss(line[None])[0] > loss(prior[None])[0]  # why a line is not asked


def test_of_many_runs_of_an_uneven_loss_the_boosted_trees_are_taken() -> None:
    rng = np.random.default_rng(0)
    shares = random_mixtures(PRIOR, 200, rng)
    model, rank = best_regression(shares, (shares[:, 0] > 0.3) + 0.2 * shares[:, 1])
    assert model.kind == "boosted"
    assert rank > 0.8


def test_a_tiny_model_learns_the_source_that_it_is_given() -> None:
    rng = np.random.default_rng(0)
    pools = [
        TextPool(name, (low + rng.integers(0, 4, size=(HELD_OUT + 64) * LENGTH)).tolist())
        for name, low in (("low", 0), ("high", 60))
    ]
    low = proxy_losses(pools, np.array([1.0, 0.0]), vocabulary=64, steps=12, seed=0)
    high = proxy_losses(pools, np.array([0.0, 1.0]), vocabulary=64, steps=12, seed=0)
    assert low[0] < low[1]
    assert high[1] < high[0]
    assert (proxy_losses(pools, np.array([1.0, 0.0]), vocabulary=64, steps=12, seed=0) == low).all()
