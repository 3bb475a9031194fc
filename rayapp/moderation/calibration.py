"""From what classifier and language model say to how often they are right, and to thresholds that keep a budget.

Where both were asked, a category's two log-odds are weighed by logistic regression on held-out notes (Platt scaling of
a sum). A threshold is the probability that a given share of the harmless held-out notes reaches, so a policy asks for a
false-positive rate and not for a number that means something else in every model.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import msgspec
import numpy as np

from rayapp.errors import UserError
from rayapp.llm.base_model import TRAINED_FOLDER
from rayapp.moderation.policy import Policy, Threshold, mildest

# Of what comes with the package: the classifier alone, and with RedOne.
PACKAGED = (
    Path(__file__).parent / "fast" / "weights" / "calibration.json",
    TRAINED_FOLDER / "calibration.json",
)
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
OPEN = 0.2  # of the harmless notes the language model is asked about at most so many
ALWAYS = 2.0  # a probability that no note reaches


class CalibrationError(UserError):
    """A calibration file cannot be used."""


class Weights(msgspec.Struct, frozen=True):
    """log-odds = fast * those of the classifier + llm * those of the language model + bias."""

    fast: float
    llm: float
    bias: float

    def probability(self, fast: float, llm: float) -> float:
        return 1.0 / (1.0 + math.exp(-(self.fast * log_odds(fast) + self.llm * log_odds(llm) + self.bias)))


class Curve(msgspec.Struct, frozen=True):
    """`thresholds`: by RATES the probability from which a note is found at that false-positive rate of all categories
    together; `recall`: the share of the category's notes that reach it. `weak`: too few do."""

    thresholds: list[float]
    recall: list[float]
    weak: bool = False

    def at(self, rate: float) -> float:
        """Between two rates: on a straight line over the rates' logarithms."""
        return float(np.interp(math.log(rate), np.log(RATES), self.thresholds))


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one classifier (`fast`), alone or with one language model (`llm`) that reads these descriptions of the
    `categories`. `distress`: the probability from which a note counts as that of somebody in distress. `open_from`: the
    classifier's probabilities that a share OPEN of the harmless notes reaches: from them on a note is open."""

    fast: str
    llm: str
    categories: dict[str, str]
    weights: dict[str, Weights]
    curves: dict[str, Curve]
    distress: float
    open_from: dict[str, float]
    notes: int
    harmless: int

    @property
    def version(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:6]

    def fits(self, fast: str, llm: str, policy: Policy) -> bool:
        """The same models, and for a language model the same categories in the same words: budgets may differ."""
        return (self.fast, self.llm) == (fast, llm) and (not llm or self.categories == described(policy))

    def thresholds(self, policy: Policy) -> dict[str, Threshold]:
        """A category that was never held against the truth, or fails it, goes no further than `uncalibrated` says."""
        found: dict[str, Threshold] = {}
        for name, category in policy.categories.items():
            curve = self.curves.get(name)
            limit, block = (
                given if given is not None else curve.at(rate) if curve is not None else ALWAYS
                for given, rate in ((category.limit, policy.budget.limit), (category.block, policy.budget.block))
            )
            trusted = curve is not None and not curve.weak
            most = category.most if trusted else mildest([category.most, policy.uncalibrated])
            found[name] = Threshold(limit, max(limit, block), most)
        return found


def uncalibrated(fast: str, llm: str, policy: Policy) -> Calibration:
    """Nothing is known: only numbers in the policy decide, and no more than it trusts them."""
    return Calibration(fast, llm, described(policy), {}, {}, ALWAYS, {}, 0, 0)


def log_odds(probability: float) -> float:
    kept = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))


def described(policy: Policy) -> dict[str, str]:
    return {name: category.description for name, category in policy.categories.items()}


def load_calibration(file: str | Path | None, fast: str, llm: str, policy: Policy) -> Calibration | None:
    """The file's calibration, or a packaged one, if it is of these models and this policy; else None.

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
        if calibration.fits(fast, llm, policy):
            return calibration
    return None


def calibration_of(file: str | Path | None, fast: str, llm: str, policy: Policy) -> Calibration | None:
    """Of both models, else of the classifier alone (`llm` empty: that at once); a named file before a packaged one.

    Raises CalibrationError.
    """
    for version in dict.fromkeys((llm, "")):
        for source in dict.fromkeys((file or None, None)):
            if found := load_calibration(source, fast, version, policy):
                return found
    return None
