"""A policy with the calibration of what judges: from probabilities to a decision."""

from __future__ import annotations

from collections.abc import Mapping

from rayapp.domain import Decision
from rayapp.moderation.calibration import ALWAYS, Calibration
from rayapp.moderation.fast.sources import DISTRESS
from rayapp.moderation.policy import Policy, mildest, strictest

OF_DISTRESS = ("self-harm", "violence")  # what somebody who wants to die is easily taken for


class Rules:
    """What `scores` (by category and for distress a probability, each for itself) call for."""

    def __init__(self, policy: Policy, calibration: Calibration) -> None:
        self.policy = policy
        self.calibration = calibration
        self.thresholds = calibration.thresholds(policy)
        self.open_from = calibration.open_from

    def distressed(self, scores: Mapping[str, float]) -> bool:
        return scores.get(DISTRESS, 0.0) >= self.calibration.distress

    def decide(self, scores: Mapping[str, float]) -> Decision:
        """Somebody in distress is not blocked for speaking of death, limited at most."""
        if not self.distressed(scores):
            return self.policy.decide(scores, self.thresholds)
        spared = {
            name: threshold._replace(most=mildest([threshold.most, Decision.LIMIT]))
            for name, threshold in self.thresholds.items()
            if name in OF_DISTRESS and scores.get(name, 0.0) <= scores[DISTRESS]
        }
        return self.policy.decide(scores, self.thresholds | spared)

    def open_categories(self, scores: Mapping[str, float]) -> list[str]:
        """Those of which `scores` say neither yes nor no."""
        return [n for n in self.policy.categories if scores.get(n, 0.0) >= self.open_from.get(n, ALWAYS)]

    def fallback(self, scores: Mapping[str, float] | None) -> Decision:
        """The decision while the language model is away: what `scores` call for, and no less than the open categories'
        `on_failure`. Without scores, or calibration, any category may be open."""
        if scores is None:
            return self.policy.on_failure
        waiting = {*self.open_categories(scores), *(self.policy.categories.keys() - self.open_from.keys())}
        return strictest([self.decide(scores), *(self.policy.categories[name].on_failure for name in waiting)])
