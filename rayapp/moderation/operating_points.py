"""What a threshold of the policy finds and what it costs, on labelled notes: what limits are chosen by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rayapp.moderation.calibration import Calibration, Labelled
from rayapp.moderation.policy import NONE

LIMITS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8)


class OperatingPoint(NamedTuple):
    """Shares: of the notes with a category those that are found, of those without those that are hit, of those that
    are found or hit the ones that have a category."""

    limit: float
    recall: float
    false_alarms: float
    precision: float


def operating_points(
    calibration: Calibration, notes: Sequence[Labelled], limits: Sequence[float] = LIMITS
) -> list[OperatingPoint]:
    """One a limit, the notes by their weights (the prevalence that the calibration is for).

    A note counts as found in any category of those that its set could have named: what another category says of it
    nobody has checked.
    """
    surest_N = np.array([_surest(calibration, note) for note in notes])
    weight_N = np.array([note.weight for note in notes])
    harmful_N = np.array([note.truth != NONE for note in notes])

    def share(of: np.ndarray, among: np.ndarray) -> float:
        total = weight_N[among].sum()
        return float(weight_N[of & among].sum() / total) if total else float("nan")

    found = ((limit, surest_N >= limit) for limit in limits)
    return [OperatingPoint(n, share(at, harmful_N), share(at, ~harmful_N), share(harmful_N, at)) for n, at in found]


def _surest(calibration: Calibration, note: Labelled) -> float:
    found = calibration.apply(note.labels)
    return max(found[name] for name in note.possible if name != NONE)
