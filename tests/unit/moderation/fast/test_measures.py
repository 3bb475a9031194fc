from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.moderation.fast.measures import WHOLE, measures, risk, threshold_at
from rayapp.moderation.fast.sources import HEADS, notes_of


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.floats(0, 0.99))
def test_no_more_than_the_rate_lies_above_its_threshold(scores: list[float], rate: float) -> None:
    found = np.array(scores)
    assert (found > threshold_at(found, rate)).mean() <= rate + 1e-9


def test_a_category_is_measured_where_it_was_looked_for() -> None:
    labels = np.zeros((40, len(HEADS)), np.float32)
    labels[:10, 0] = 1
    labels[30:, 0] = np.nan
    probabilities = np.full(labels.shape, 0.01, np.float32)
    probabilities[:10, 0] = 0.9
    probabilities[30:, 0] = 0.99  # unknown: says nothing for or against it
    found = measures(probabilities, notes_of(["x"] * 40, labels.tolist(), "s"))
    assert set(found) == {HEADS[0], WHOLE}
    assert (found[HEADS[0]].harmful, found[HEADS[0]].harmless) == (10, 20)
    assert found[HEADS[0]].recall_1 == 1.0
    assert found[WHOLE].harmless == 30


def test_the_risk_is_that_of_any_category() -> None:
    distressed = 0.9  # no category
    assert risk(np.array([[0.5, 0.5, distressed], [0.0, 0.2, distressed]])) == pytest.approx([0.75, 0.2])
