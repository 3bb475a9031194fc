"""Which notes a catalogue shows: by their verdicts, by another policy's thresholds, or without the model's verdicts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from rayapp.config import Config
from rayapp.domain import Decision, Verdict
from rayapp.moderation.calibration import calibration_of, uncalibrated
from rayapp.moderation.policy import PACKAGED_POLICIES, PolicyError, load_policy
from rayapp.moderation.rules import Rules

OFF = "off"


class CatalogueView(NamedTuple):
    """`pending`: the decision about notes without a verdict; `decide`: about those with one."""

    pending: Decision
    decide: Callable[[Verdict], Decision]


def as_decided(verdict: Verdict) -> Decision:
    return verdict.decision


AS_JUDGED = CatalogueView(Decision.ALLOW, as_decided)


def catalogue_view(config: Config, moderation: str = "") -> CatalogueView:
    """A person's verdict holds in each of them. `moderation`: empty, off, or the name of a packaged policy or of one in
    `llm.policies`. Raises PolicyError."""
    if moderation == OFF:
        return CatalogueView(Decision.ALLOW, lambda v: v.decision if v.outcome == "person" else Decision.ALLOW)
    if not moderation:
        return CatalogueView(load_policy(config.llm.policy or None).pending, as_decided)
    named = PACKAGED_POLICIES | config.llm.policies
    if moderation not in named:
        known = ", ".join([OFF, *named])
        raise PolicyError(f"moderation {moderation!r} is unknown; use {known} (llm.policies in the configuration)")
    policy, judging = load_policy(named[moderation]), load_policy(config.llm.policy or None)
    if policy.names != judging.names:
        raise PolicyError(
            f"policy {moderation!r} has the categories {', '.join(policy.categories)}; the verdicts are of "
            f"{', '.join(judging.categories)}: an arm can change thresholds alone"
        )

    @lru_cache(8)
    def rules(model_version: str) -> Rules:
        fast, _, llm = model_version.partition("+")
        found = calibration_of(config.llm.calibration, fast, llm, judging)
        return Rules(policy, found or uncalibrated(fast, llm, policy))

    def decide(verdict: Verdict) -> Decision:
        if verdict.outcome == "person":
            return verdict.decision
        if verdict.outcome == "failed":
            return policy.on_failure
        return rules(verdict.model_version).decide(verdict.scores or verdict.labels)

    return CatalogueView(policy.pending, decide)
