"""The data mixture found by regression (RegMix, Liu et al. 2024): tiny models on random mixtures, loss regressed on shares."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy.stats import spearmanr

CANDIDATES = 100_000
BEST = 128  # the mean of the best predicted mixtures is steadier than the best one


def random_mixtures(prior: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """[count, D] shares that sum to 1: Dirichlet about the sources' own shares `prior` [D], from even to extreme
    (RegMix, section 3.1)."""
    strengths = np.exp(rng.uniform(np.log(0.1), np.log(5.0), size=count))
    return np.stack([rng.dirichlet(np.maximum(strength * len(prior) * prior, 1e-3)) for strength in strengths])


class LossRegression:
    """Predicts a loss from shares. `boosted`: LightGBM with RegMix's settings; `linear`: least squares."""

    def __init__(self, kind: Literal["boosted", "linear"] = "boosted", seed: int = 42) -> None:
        self.kind = kind
        self.seed = seed
        self.model: Any = None

    def fit(self, shares: np.ndarray, losses: np.ndarray) -> LossRegression:
        """[N, D] and [N]."""
        if self.kind == "linear":
            from sklearn.linear_model import LinearRegression

            self.model = LinearRegression().fit(shares, losses)
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
        """[N]."""
        return np.asarray(self.model.predict(shares))


def rank_correlation(predicted: np.ndarray, true: np.ndarray) -> float:
    """Spearman's, -1 to 1."""
    return float(spearmanr(predicted, true).statistic)


def best_mixture(model: LossRegression, prior: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """([D] shares, predicted loss): mean of the best of many random mixtures."""
    tried = random_mixtures(prior, CANDIDATES, rng)
    order = np.argsort(model.predict(tried))[:BEST]
    chosen = tried[order].mean(0)
    return chosen, float(model.predict(chosen[None])[0])
