"""Data mixtures by regression (RegMix, Liu et al. 2024): proxy models on random mixtures, loss regressed on shares."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from scipy.stats import spearmanr

CANDIDATES = 100_000
BEST = 128  # the mean of the best predicted mixtures has less variance than the best one
FOLDS = 8
Kind = Literal["boosted", "roots", "linear"]


def random_mixtures(prior: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """[count, D] shares that sum to 1: Dirichlet around the sources' proportions `prior` [D], from even to extreme
    (RegMix, section 3.1)."""
    strengths = np.exp(rng.uniform(np.log(0.1), np.log(5.0), size=count))
    return np.stack([rng.dirichlet(np.maximum(strength * len(prior) * prior, 1e-3)) for strength in strengths])


class LossRegression:
    """Predicts a loss from shares. `boosted`: LightGBM with RegMix's settings; `roots`: least squares on the shares'
    square roots, for a few dozen runs; `linear`: on the shares themselves.

    Returns of a source diminish, which a root models and a line does not: the best mixture of a line is always a
    single source.
    """

    def __init__(self, kind: Kind = "boosted", seed: int = 42) -> None:
        self.kind = kind
        self.seed = seed
        self.model: Any = None

    def fit(self, shares: np.ndarray, losses: np.ndarray) -> LossRegression:
        """Fit on shares [N, D] and losses [N]."""
        if self.kind != "boosted":
            from sklearn.linear_model import LinearRegression

            self.model = LinearRegression().fit(self._features(shares), losses)
            return self
        import lightgbm

        self.model = lightgbm.LGBMRegressor(
            n_estimators=1000,
            learning_rate=1e-2,
            num_leaves=31,
            min_child_samples=min(20, max(2, len(shares) // 10)),
            random_state=self.seed,
            n_jobs=1,
            verbose=-1,
        )
        self.model.fit(shares, losses)
        return self

    def predict(self, shares: np.ndarray) -> np.ndarray:
        """Predicted losses [N] of shares [N, D]."""
        return np.asarray(self.model.predict(self._features(shares)))

    def _features(self, shares: np.ndarray) -> np.ndarray:
        return np.sqrt(shares) if self.kind == "roots" else shares


def best_regression(shares: np.ndarray, losses: np.ndarray, seed: int = 42) -> tuple[LossRegression, float]:
    """(the kind with the least cross-validated squared error, fitted on all runs; the Spearman correlation of its
    cross-validated predictions with the losses)."""
    fold = np.random.default_rng(seed).permutation(len(losses)) % min(FOLDS, len(losses))
    fits = []
    for kind in get_args(Kind):
        predicted = np.empty(len(losses))
        for n in range(fold.max() + 1):
            out = fold == n
            predicted[out] = LossRegression(kind, seed).fit(shares[~out], losses[~out]).predict(shares[out])
        fits.append((float(((predicted - losses) ** 2).mean()), kind, rank_correlation(predicted, losses)))
    _, kind, rank = min(fits)
    return LossRegression(kind, seed).fit(shares, losses), rank


def rank_correlation(predicted: np.ndarray, true: np.ndarray) -> float:
    """Spearman's rank correlation, -1 to 1."""
    correlation, _ = spearmanr(predicted, true)
    return float(correlation)


def best_mixture(model: LossRegression, prior: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """([D] shares, predicted loss): mean of the best of many random mixtures."""
    tried = random_mixtures(prior, CANDIDATES, rng)
    order = np.argsort(model.predict(tried))[:BEST]
    chosen = tried[order].mean(0)
    return chosen, float(model.predict(chosen[None])[0])
