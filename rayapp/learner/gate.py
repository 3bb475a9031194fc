"""Whether a learned candidate may be served: sanity first, then a paired comparison with what is served now.

Both models rank the same later positives, which neither has trained on. The
unit is the user: a user's positives resemble each other, so the differences
are averaged within a user before their mean is tested.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import stats

from rayapp.redrec.model.redrec import UserSide

MIN_POSITIVES = 300  # fewer say nothing either way
MAX_POSITIVES = 2000  # more cost time and change no verdict
CONFIDENCE = 0.95
MAX_GROWTH = 2.0  # an update of minutes that doubles or halves the weights is a defect, not learning


class Paired(NamedTuple):
    """Mean difference of reciprocal rank (candidate minus served) over users, with its confidence interval."""

    users: int
    positives: int
    candidate: float
    served: float
    difference: float
    low: float
    high: float


class Comparison:
    """Reciprocal ranks of the two models on the same positives, collected window by window."""

    def __init__(self) -> None:
        self.sums: dict[str, np.ndarray] = {}
        self.positives = 0

    @property
    def decided(self) -> bool:
        return self.positives >= MIN_POSITIVES

    @property
    def room(self) -> int:
        """How many more positives are worth ranking."""
        return MAX_POSITIVES - self.positives

    def add(self, users: list[str], candidate_ranks: np.ndarray, served_ranks: np.ndarray) -> None:
        """Ranks (from 1) of each positive under both models; users[n] is whose positive it is."""
        for user, mine, theirs in zip(users, 1 / candidate_ranks, 1 / served_ranks, strict=True):
            total = self.sums.setdefault(user, np.zeros(3))
            total += (mine, theirs, 1.0)
        self.positives += len(users)

    def result(self) -> Paired:
        """Student's t over users' mean differences; with fewer than two users the interval is infinite."""
        table = np.array(list(self.sums.values())).reshape(-1, 3)
        means = table[:, :2] / table[:, 2:]
        difference = means[:, 0] - means[:, 1]
        n = len(difference)
        mean = float(difference.mean()) if n else 0.0
        half = np.inf
        if n > 1:
            half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) * difference.std(ddof=1) / np.sqrt(n))
        candidate, served = means.mean(0).tolist() if n else (0.0, 0.0)
        return Paired(n, self.positives, candidate, served, mean, mean - half, mean + half)


def insane(candidate: UserSide, served: UserSide) -> str | None:
    """Why these weights cannot be served whatever they score; None when nothing is wrong with them."""
    reference = dict(served.named_parameters())
    for name, weight in candidate.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            return f"weights are not finite: {name}"
    mine = _norm(list(candidate.parameters()))
    theirs = _norm(list(reference.values()))
    if not 1 / MAX_GROWTH <= mine / theirs <= MAX_GROWTH:
        return (
            f"weights' norm is {mine:.3g}, that of the served version {theirs:.3g}; at most {MAX_GROWTH:g} times apart"
        )
    return None


def decide(reason: str | None, comparison: Comparison) -> str:
    """`passed`, `unproven` (too few positives to tell), or why the candidate is rejected."""
    if reason is not None:
        return reason
    if not comparison.decided:
        return "unproven"
    found = comparison.result()
    if found.high < 0:
        return (
            f"worse than the served version: reciprocal rank {found.difference:+.4f} "
            f"({CONFIDENCE:.0%} interval {found.low:+.4f} to {found.high:+.4f}) over {found.users} users"
        )
    return "passed"


def _norm(weights: list[torch.nn.Parameter]) -> float:
    return float(torch.stack([w.detach().float().norm() for w in weights]).norm())
