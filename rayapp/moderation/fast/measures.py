"""How well harmful notes are found: PR-AUC and recall at a false-positive rate, a category and the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score

from rayapp.moderation.fast.sources import HEADS, LabelledNotes

LEAST = 10  # notes of a category for a figure
WHOLE = "any"


class Measure(NamedTuple):
    """`recall_1`, `recall_5`: share found where 1% and 5% of the harmless notes are hit."""

    harmful: int
    harmless: int
    pr_auc: float
    recall_1: float
    recall_5: float


def threshold_at(scores_N: np.ndarray, rate: float) -> float:
    """The least score above which at most this share of them lies."""
    ordered = np.sort(scores_N)[::-1]
    return float(ordered[min(len(ordered) - 1, int(len(ordered) * rate))])


def measure(scores_N: np.ndarray, harmful_N: np.ndarray) -> Measure:
    found = [float((scores_N[harmful_N] > threshold_at(scores_N[~harmful_N], rate)).mean()) for rate in (0.01, 0.05)]
    auc = float(average_precision_score(harmful_N, scores_N))
    return Measure(int(harmful_N.sum()), int((~harmful_N).sum()), auc, *found)


def measures(probabilities_NC: np.ndarray, notes: LabelledNotes, names: Sequence[str] = HEADS) -> dict[str, Measure]:
    """By category, where it was looked for; and of the whole: any category against notes that are known harmless.

    `names`: of the columns, distress the last."""
    found: dict[str, Measure] = {}
    for column, name in enumerate(names):
        known = ~np.isnan(notes.labels[:, column])
        harmful = notes.labels[known, column] > 0
        if min(harmful.sum(), (~harmful).sum()) >= LEAST:
            found[name] = measure(probabilities_NC[known, column], harmful)
    harmful = notes.harmful
    decided = harmful | notes.harmless
    if min(harmful.sum(), (decided & ~harmful).sum()) >= LEAST:
        found[WHOLE] = measure(risk(probabilities_NC)[decided], harmful[decided])
    return found


def risk(probabilities_NC: np.ndarray) -> np.ndarray:
    """[N]: that any category fits, each for itself."""
    return 1.0 - np.prod(1.0 - probabilities_NC[:, :-1], axis=1)
