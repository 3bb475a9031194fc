"""The gate: sanity checks of a candidate, then a paired comparison with the served version.

Both models rank the same later positives, which neither has trained on. The
unit is the user: a user's positives resemble each other, so the differences
are averaged within a user before their mean is tested.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from rayapp.redrec.model.redrec import UserSide
from rayapp.stats.student import mean_interval

MIN_POSITIVES = 300  # fewer cannot tell the two models apart
MAX_POSITIVES = 2000  # more cost time and do not change the verdict
CONFIDENCE = 0.95
MAX_GROWTH = 2.0  # an update of minutes that doubles or halves the norm is a defect, not learning


class GateResult(NamedTuple):
    """Mean difference of reciprocal rank (candidate minus served) over users, with its confidence interval."""

    users: int
    positives: int
    candidate: float
    served: float
    difference: float
    low: float
    high: float


class GateComparison:
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
        """Ranks (from 1) of each positive under both models; `users`: the user of each positive."""
        for user, candidate, served in zip(users, 1 / candidate_ranks, 1 / served_ranks, strict=True):
            total = self.sums.setdefault(user, np.zeros(3))
            total += (candidate, served, 1.0)
        self.positives += len(users)

    def result(self) -> GateResult:
        """Student's t over users' mean differences; with fewer than two users the interval is infinite."""
        table = np.array(list(self.sums.values())).reshape(-1, 3)
        means = table[:, :2] / table[:, 2:]
        interval = mean_interval(means[:, 0] - means[:, 1], CONFIDENCE)
        candidate, served = means.mean(0).tolist() if len(means) else (0.0, 0.0)
        return GateResult(interval.n, self.positives, candidate, served, interval.mean, interval.low, interval.high)


def weight_defect(candidate: UserSide, served: UserSide) -> str | None:
    """What rules these weights out whatever they score: not finite, or a norm far from the served one; else None."""
    reference = dict(served.named_parameters())
    for name, weight in candidate.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            return f"weights are not finite: {name}"
    norm = _norm(list(candidate.parameters()))
    served_norm = _norm(list(reference.values()))
    if not 1 / MAX_GROWTH <= norm / served_norm <= MAX_GROWTH:
        return (
            f"weights' norm is {norm:.3g}, that of the served version {served_norm:.3g}; "
            f"they may differ by a factor of {MAX_GROWTH:g} at most"
        )
    return None


def gate_decision(reason: str | None, comparison: GateComparison) -> str:
    """`passed`, `unproven` (too few positives), or the reason for rejecting the candidate."""
    if reason is not None:
        return reason
    if not comparison.decided:
        return "unproven"
    result = comparison.result()
    if result.high < 0:
        return (
            f"worse than the served version: reciprocal rank {result.difference:+.4f} "
            f"({CONFIDENCE:.0%} interval {result.low:+.4f} to {result.high:+.4f}) over {result.users} users"
        )
    return "passed"


def _norm(weights: list[torch.nn.Parameter]) -> float:
    return float(torch.stack([w.detach().float().norm() for w in weights]).norm())
