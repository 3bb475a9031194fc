"""From what a model says to how often it is right: one temperature and one shift a category.

Vector scaling restricted to a common temperature (Guo et al. 2017, section
4.2), fitted by likelihood on labelled notes. Labelled sets are full of what
they are about, a network is not: the notes are weighted as if every category
were as common as `prevalence` says, or half of all notes would look offensive.
A category that no labelled set covers cannot be calibrated: it is marked so,
and the policy says what its probability may do then.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from scipy.optimize import minimize

from rayapp.errors import UserError
from rayapp.llm.base_model import TRAINED_FOLDER
from rayapp.moderation.policy import NONE, Policy

# Of the models that come with the package: the base as it is, and the trained one beside its adapter.
PACKAGED = (Path(__file__).with_name("calibration.json"), TRAINED_FOLDER / "calibration.json")
PRIOR = 1e-3  # pulls shifts to 0, so that a category which is never right has a finite one


class CalibrationError(UserError):
    """A calibration file cannot be used."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one model asked with one policy's categories; `calibrated` are those that had labelled notes."""

    model_version: str
    categories: dict[str, str]
    temperature: float
    shifts: dict[str, float]
    calibrated: list[str]
    notes: int
    prevalence: float

    @property
    def version(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:6]

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
    weight: float = 1.0


def prevalence_weights(truths: Sequence[str], prevalence: float) -> list[float]:
    """Weights of one set's notes, mean 1, under which each of its categories has this share and `none` the rest."""
    counts = Counter(truths)
    categories = [name for name in counts if name != NONE]
    if not 0 < prevalence * len(categories) < 1:
        raise ValueError(f"prevalence == {prevalence}, must be above 0 and below 1 / {len(categories)} categories")
    share = dict.fromkeys(categories, prevalence) | {NONE: 1 - prevalence * len(categories)}
    return [share[truth] * len(truths) / counts[truth] for truth in truths]


def described(policy: Policy) -> dict[str, str]:
    return {name: category.description for name, category in policy.categories.items()}


def fit(model_version: str, policy: Policy, notes: Sequence[Labelled], prevalence: float) -> Calibration:
    """Weighted maximum likelihood over all notes; a set that knows no spam says nothing against spam in its notes."""
    names = policy.names
    column = {name: n for n, name in enumerate(names)}
    logs_NC = np.log(np.maximum([[note.labels[name] for name in names] for note in notes], 1e-12))
    weight_N = np.array([note.weight for note in notes])
    weight_N /= weight_N.sum()
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
        value = -(weight_N * np.log(np.maximum(shares[rows, truth_N], 1e-12))).sum() + PRIOR * (x**2).sum()
        delta = shares.copy()
        delta[rows, truth_N] -= 1.0
        delta *= weight_N[:, None]
        by_temperature = -(delta * np.where(possible_NC, logs_NC, 0.0)).sum() / temperature
        return value, np.array([by_temperature, *delta.sum(0)[free]]) + 2 * PRIOR * x

    found = minimize(loss, np.zeros(1 + len(free)), jac=True, method="L-BFGS-B")
    temperature, shifts = split(found.x)
    # Uncalibrated categories get the mean shift: the model's fondness for naming anything at all is theirs too.
    mean = float(shifts[free].mean()) if free else 0.0
    by_name = {name: float(shifts[column[name]]) if name in seen else mean for name in policy.categories}
    return Calibration(model_version, described(policy), temperature, by_name, seen, len(notes), prevalence)


def load_calibration(file: str | Path | None, model_version: str, policy: Policy) -> Calibration | None:
    """The file's calibration, or a packaged one, if it is this model's and this policy's; else None.

    Raises CalibrationError for a file that is named and cannot be used.
    """
    for path in (Path(file),) if file else PACKAGED:
        try:
            calibration = msgspec.json.decode(path.read_bytes(), type=Calibration)
        except OSError as error:
            raise CalibrationError(f"calibration {path} cannot be read: {error.strerror}") from None
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise CalibrationError(
                f"calibration {path}: {error}; write it anew with jobs.calibrate_moderation"
            ) from None
        if calibration.fits(model_version, policy):
            return calibration
    return None
