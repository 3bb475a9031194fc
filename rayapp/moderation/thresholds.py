"""Where a set draws its line: shifts of the log-probabilities, fitted to its dev split.

What one network calls harassment another lets pass, and a model that learned from several sets answers for all of
them. An operator would move the policy's thresholds; here they are fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.metrics import f1_score

GRID = np.round(np.arange(-5, 5.01, 0.1), 1)
ROUNDS = 2


def decide(labels: Mapping[str, float], shifts: Mapping[str, float]) -> str:
    """The likeliest of the categories in `shifts` after their shifts."""
    return max(sorted(shifts), key=lambda name: np.log(max(labels[name], 1e-12)) + shifts[name])


def fit(labels: Sequence[Mapping[str, float]], truths: Sequence[str], possible: frozenset[str]) -> dict[str, float]:
    """Shifts of the best macro-F1, one category after the other; the smallest of those that are as good."""
    names = sorted(possible)
    logs_NC = np.log(np.maximum([[row[name] for name in names] for row in labels], 1e-12))
    truth_N = np.array([names.index(truth) for truth in truths])
    shift_C = np.zeros(len(names))

    def score(shift: np.ndarray) -> float:
        answers = (logs_NC + shift).argmax(1)
        return float(f1_score(truth_N, answers, labels=range(len(names)), average="macro", zero_division=0))

    for _ in range(ROUNDS if len(names) > 2 else 1):
        for column in range(1, len(names)):  # the first stays: shifts are relative
            tried = [np.where(np.arange(len(names)) == column, value, shift_C) for value in GRID]
            shift_C = max(tried, key=lambda s: (round(score(s), 6), -abs(s).sum()))
    return dict(zip(names, shift_C.tolist(), strict=True))
