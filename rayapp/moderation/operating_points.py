"""Calibration on labelled notes that nothing was trained on: the two models' weights, and thresholds by budget."""

# pyright: basic

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from rayapp.moderation.calibration import RATES, Curve, Weights
from rayapp.moderation.fast.sources import LabelledNotes

LEAST = 20  # notes of a category, or its probabilities are not calibrated
WEAK = 0.1  # recall at 1% false positives, below which a category may not act by itself


def log_odds(p: np.ndarray) -> np.ndarray:
    kept = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(kept / (1 - kept))


def weights_of_models(
    fast_NC: np.ndarray, llm_NC: np.ndarray, notes: LabelledNotes, names: Sequence[str]
) -> dict[str, Weights]:
    """Of the notes that both were asked about, by category: logistic regression of the label on the two log-odds.

    A model that would count against what it says is left out of the sum.
    """
    found: dict[str, Weights] = {}
    for column, name in enumerate(names):
        known = ~np.isnan(notes.labels[:, column])
        labels = notes.labels[known, column] > 0
        if min(labels.sum(), (~labels).sum()) < LEAST:
            continue
        pairs = np.stack([log_odds(fast_NC[known, column]), log_odds(llm_NC[known, column])], 1)
        used = [0, 1]
        while used:
            model = LogisticRegression(C=1.0).fit(pairs[:, used], labels)
            against = [n for n, weight in zip(used, model.coef_[0], strict=True) if weight <= 0]
            if not against:
                both = dict(zip(used, model.coef_[0].tolist(), strict=True))
                found[name] = Weights(both.get(0, 0.0), both.get(1, 0.0), float(model.intercept_[0]))
                break
            used = [n for n in used if n not in against]
    return found


def curves(scores_NC: np.ndarray, notes: LabelledNotes, names: Sequence[str], weights: np.ndarray) -> dict[str, Curve]:
    """`scores_NC`: final probabilities of `names`, columns of `notes.labels`; `weights` [N]: how much a harmless note
    counts. One quantile serves all categories, chosen so that the share of harmless notes found in any is the rate.

    A note counts as harmless where every category was looked for: sets about one kind of harm hold others unlabelled.
    """
    columns = range(len(names))
    harmless = clean(notes)
    harmless_NC, weight_N = scores_NC[harmless, : len(names)], weights[harmless]
    weight_N = weight_N / weight_N.sum()
    ordered = [_ordered(harmless_NC[:, column], weight_N) for column in columns]
    thresholds_RC = np.array([_thresholds(ordered, harmless_NC, weight_N, rate) for rate in RATES])
    found: dict[str, Curve] = {}
    for column, name in enumerate(names):
        of_it = notes.labels[:, column] > 0
        if of_it.sum() < LEAST:
            continue
        recall = [float((scores_NC[of_it, column] >= t).mean()) for t in thresholds_RC[:, column]]
        steps = [round(float(t), 6) for t in thresholds_RC[:, column]]
        found[name] = Curve(steps, [round(r, 4) for r in recall], weak=recall[RATES.index(0.01)] < WEAK)
    return found


def clean(notes: LabelledNotes) -> np.ndarray:
    """[N]: every category was looked for and none found."""
    return (notes.labels[:, :-1] == 0).all(1)


def threshold_of_distress(scores_N: np.ndarray, labels_N: np.ndarray, rate: float = 0.01) -> float:
    """Of notes that were looked at for it: what at most this share of the others reaches."""
    others = np.sort(scores_N[labels_N == 0])[::-1]
    return round(float(others[int(len(others) * rate)]), 6)


def _ordered(scores_N: np.ndarray, weight_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores from the highest down, and the weight of the notes that reach each."""
    order = np.argsort(-scores_N, kind="stable")
    return scores_N[order], np.cumsum(weight_N[order])


def _thresholds(
    ordered: list[tuple[np.ndarray, np.ndarray]], harmless_NC: np.ndarray, weight_N: np.ndarray, rate: float
) -> np.ndarray:
    low, high = 0.0, rate
    for _ in range(40):
        share = (low + high) / 2
        tried_C = np.array([_above(scores, reached, share) for scores, reached in ordered])
        if weight_N[(harmless_NC >= tried_C).any(1)].sum() <= rate:
            low = share
        else:
            high = share
    return np.array([_above(scores, reached, low) for scores, reached in ordered])


def _above(scores: np.ndarray, reached: np.ndarray, share: float) -> float:
    """The least score that at most this share of the weight reaches."""
    place = int(np.searchsorted(reached, share, side="right"))
    if place == 0:
        return float(np.nextafter(scores[0], 2))
    return float(scores[place - 1]) if place == len(scores) else float(np.nextafter(scores[place], 2))
