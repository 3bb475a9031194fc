"""That thresholds keep their budget, and that a language model that knows nothing has no say."""

from __future__ import annotations

import numpy as np
import pytest

from rayapp.moderation.calibration import RATES
from rayapp.moderation.fast.sources import HEADS, LabelledNotes
from rayapp.moderation.operating_points import curves, threshold_of_distress, weights_of_models

NAMES = HEADS[:3]


@pytest.fixture(scope="module")
def noted() -> tuple[LabelledNotes, np.ndarray]:
    """Two categories that are scored well, one that is scored by chance; a fifth of the labels is unknown."""
    rng = np.random.default_rng(0)
    labels = np.zeros((6000, 4), np.float32)
    for column in range(3):
        labels[rng.permutation(6000)[:400], column] = 1
    scores = 1 / (1 + np.exp(-(rng.normal(size=(6000, 4)) + 4 * labels * [1, 1, 0, 0] - 2)))
    labels[:3000][rng.random((3000, 4)) < 0.2] = np.nan
    return LabelledNotes([""] * 6000, labels, np.full(6000, "x", dtype=object)), scores


def test_as_many_harmless_notes_are_found_as_the_budget_allows(noted: tuple[LabelledNotes, np.ndarray]) -> None:
    notes, scores = noted
    weights = np.random.default_rng(1).random(6000)
    found = curves(scores, notes, NAMES, weights)
    harmless = (notes.labels[:, :3] == 0).all(1)
    assert 0 < harmless.sum() < notes.harmless.sum(), "what nobody looked for may be there"
    share = weights[harmless] / weights[harmless].sum()
    for number, rate in enumerate(RATES):
        limits = [found[name].thresholds[number] for name in NAMES]
        hit = (scores[harmless, :3] >= limits).any(1)
        assert share[hit].sum() == pytest.approx(rate, rel=0.1, abs=0.001)
    good, chance = found[NAMES[0]], found[NAMES[2]]
    assert good.recall[RATES.index(0.05)] > 0.8
    assert (good.weak, chance.weak) == (False, True)


def test_a_category_with_too_few_notes_has_no_curve(noted: tuple[LabelledNotes, np.ndarray]) -> None:
    notes, scores = noted
    few = notes._replace(labels=notes.labels.copy())
    few.labels[np.flatnonzero(few.labels[:, 0] > 0)[5:], 0] = np.nan
    assert set(curves(scores, few, NAMES, np.ones(6000))) == set(NAMES[1:])


def test_a_model_that_knows_nothing_or_the_contrary_has_no_say(noted: tuple[LabelledNotes, np.ndarray]) -> None:
    notes, scores = noted
    found = weights_of_models(scores, 1 - scores, notes, NAMES)[NAMES[0]]
    assert found.llm == 0
    assert found.fast > 0.5
    both = weights_of_models(scores, scores, notes, NAMES)[NAMES[0]]
    assert both.llm == pytest.approx(both.fast, rel=0.05)


def test_distress_is_told_by_what_the_others_reach() -> None:
    scores = np.linspace(0, 1, 101)
    labels = np.where(scores > 0.995, 1.0, 0.0)
    labels[50] = np.nan
    assert threshold_of_distress(scores, labels) == pytest.approx(0.98, abs=0.011)
