"""Recall, false alarms and precision of thresholds, by weight, and of categories that a set could name."""

from __future__ import annotations

import pytest

from rayapp.moderation.calibration import Calibration, Labelled, described
from rayapp.moderation.operating_points import operating_points
from rayapp.moderation.policy import load_policy

AS_SAID = Calibration("m", described(load_policy()), 1.0, {}, ["hate", "sexism"], 4, 0.05)
HATE = frozenset({"hate", "none"})


def note(truth: str, hate: float, sexism: float, weight: float = 1.0) -> Labelled:
    return Labelled({"hate": hate, "sexism": sexism, "none": 1 - hate - sexism}, truth, HATE, weight)


def test_by_weight_and_of_what_the_set_could_name() -> None:
    notes = [note("hate", 0.6, 0.0), note("hate", 0.2, 0.7), note("none", 0.3, 0.0, 4.0), note("none", 0.0, 0.9, 6.0)]
    low, middle, high = operating_points(AS_SAID, notes, (0.1, 0.25, 0.5))
    assert low[1:] == pytest.approx((1.0, 0.4, 2 / 6))
    assert middle[1:] == pytest.approx((0.5, 0.4, 1 / 5))
    assert high[1:] == pytest.approx((0.5, 0.0, 1.0))
