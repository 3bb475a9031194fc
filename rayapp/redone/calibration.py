"""From what a model says to how often it is right: one temperature and one shift a category.

Vector scaling restricted to a common temperature (Guo et al. 2017, section
4.2), fitted by likelihood on labelled notes. A category that no labelled set
covers cannot be calibrated: it is marked so, and the policy says what its
probability may do then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from scipy.optimize import minimize

from rayapp.redone.policy import NONE, Policy

PACKAGED = Path(__file__).with_name("calibration.json")
PRIOR = 1e-3  # pulls shifts to 0, so that a category which is never right has a finite one


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one model asked with one policy's categories; `calibrated` are those that had labelled notes."""

    model_version: str
    categories: dict[str, str]
    temperature: float
    shifts: dict[str, float]
    calibrated: list[str]
    notes: int

    def fits(self, model_version: str, policy: Policy) -> bool:
        """The same model, and the same categories in the same words: thresholds may differ."""
        return self.model_version == model_version and self.categories == described(policy)

    def apply(self, labels: Mapping[str, float]) -> dict[str, float]:
        """Labels (which sum to 1) to calibrated labels (which do too)."""
        scores = {
            name: math.log(max(share, 1e-12)) / self.temperature + self.shifts.get(name, 0.0)
            for name, share in labels.items()
        }
        best = max(scores.values())
        weights = {name: math.exp(score - best) for name, score in scores.items()}
        total = sum(weights.values())
        return {name: weight / total for name, weight in weights.items()}


class Labelled(NamedTuple):
    """A note's labels as the model gave them, and the category it has; `possible`: what its set could have said."""

    labels: Mapping[str, float]
    truth: str
    possible: frozenset[str]


def described(policy: Policy) -> dict[str, str]:
    return {name: category.description for name, category in policy.categories.items()}


def fit(model_version: str, policy: Policy, notes: Sequence[Labelled]) -> Calibration:
    """Maximum likelihood over all notes; a set that knows no spam says nothing against spam in its notes."""
    names = policy.names
    column = {name: n for n, name in enumerate(names)}
    logs_NC = np.log(np.maximum([[note.labels[name] for name in names] for note in notes], 1e-12))
    truth_N = np.array([column[note.truth] for note in notes])
    possible_NC = np.array([[name in note.possible for name in names] for note in notes])
    seen = sorted({note.truth for note in notes} - {NONE})
    free = [column[name] for name in seen]  # shifts are relative to `none`

    def split(x: np.ndarray) -> tuple[float, np.ndarray]:
        shifts = np.zeros(len(names))
        shifts[free] = x[1:]
        return float(np.exp(x[0])), shifts

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        temperature, shifts = split(x)
        scores = np.where(possible_NC, logs_NC / temperature + shifts, -np.inf)
        scores -= scores.max(1, keepdims=True)
        shares = np.exp(scores)
        shares /= shares.sum(1, keepdims=True)
        rows = np.arange(len(notes))
        value = -np.log(np.maximum(shares[rows, truth_N], 1e-12)).mean() + PRIOR * (x**2).sum()
        delta = shares.copy()
        delta[rows, truth_N] -= 1.0
        by_temperature = -(delta * np.where(possible_NC, logs_NC, 0.0) / temperature).sum(1).mean()
        return value, np.array([by_temperature, *delta.mean(0)[free]]) + 2 * PRIOR * x

    found = minimize(loss, np.zeros(1 + len(free)), jac=True, method="L-BFGS-B")
    temperature, shifts = split(found.x)
    # Uncalibrated categories get the mean shift: the model's fondness for naming anything at all is theirs too.
    mean = float(shifts[free].mean()) if free else 0.0
    by_name = {name: float(shifts[column[name]]) if name in seen else mean for name in policy.categories}
    return Calibration(model_version, described(policy), temperature, by_name, seen, len(notes))


def load_calibration(file: str | Path | None, model_version: str, policy: Policy) -> Calibration | None:
    """The file's calibration, or the packaged one, if it is this model's and this policy's; else None."""
    path = Path(file or PACKAGED)
    if not path.is_file():
        return None
    calibration = msgspec.json.decode(path.read_bytes(), type=Calibration)
    return calibration if calibration.fits(model_version, policy) else None
