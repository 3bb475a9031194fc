"""Which notes an arm's catalogue shows."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from rayapp.config import Config, Llm
from rayapp.domain import Decision, Verdict
from rayapp.moderation.calibration import described, load_calibration
from rayapp.moderation.fast.stage import FastStage
from rayapp.moderation.policy import DEFAULT_POLICY, PACKAGED_POLICIES, PolicyError, load_policy
from rayapp.serving.live.catalogue_view import catalogue_view

JUDGED = Verdict(
    "n", Decision.BLOCK, "judged", 1, labels={"none": 0.5, "hate": 0.5}, scores={"hate": 0.8},
    model_version=FastStage.open().version,
)  # fmt: skip
PERSON = Verdict("n", Decision.BLOCK, "person", 1)
FAILED = Verdict("n", Decision.HOLD, "failed", 1)


def decisions(config: Config, moderation: str) -> list[Decision]:
    view = catalogue_view(config, moderation)
    return [view.decide(verdict) for verdict in (JUDGED, PERSON, FAILED)]


def test_without_moderation_a_persons_verdict_alone_holds() -> None:
    assert decisions(Config(), "") == [Decision.BLOCK, Decision.BLOCK, Decision.HOLD]
    assert decisions(Config(), "off") == [Decision.ALLOW, Decision.BLOCK, Decision.ALLOW]
    assert catalogue_view(Config(), "off").pending is Decision.ALLOW


def test_another_policy_decides_by_its_own_thresholds(tmp_path: Path) -> None:
    file = tmp_path / "lenient.yaml"
    raw = msgspec.yaml.decode(DEFAULT_POLICY.read_bytes())
    for category in raw["categories"].values():
        category.update(limit=0.75, block=0.95, on_failure="allow")
    file.write_bytes(msgspec.yaml.encode(raw))
    config = Config(llm=Llm(policies={"lenient": str(file)}))
    assert decisions(config, "lenient") == [Decision.LIMIT, Decision.BLOCK, Decision.ALLOW]
    del raw["categories"]["hate"]
    file.write_bytes(msgspec.yaml.encode(raw))
    with pytest.raises(PolicyError, match="an arm can change thresholds alone"):
        catalogue_view(config, "lenient")


def test_an_unknown_policy_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(PolicyError, match="'strictest' is unknown; use off, strict"):
        catalogue_view(Config(), "strictest")


def test_the_packaged_strict_policy_reads_the_same_categories_and_finds_more() -> None:
    strict, default = load_policy(PACKAGED_POLICIES["strict"]), load_policy()
    assert described(strict) == described(default)
    assert strict.budget.limit > default.budget.limit
    assert strict.on_failure == default.on_failure
    version = FastStage.open().version
    known = load_calibration(None, version, "", default)
    assert known is not None
    between = (known.thresholds(default)["hate"].limit + known.thresholds(strict)["hate"].limit) / 2
    verdict = Verdict("n", Decision.ALLOW, "judged", 1, scores={"hate": between}, model_version=version)
    assert catalogue_view(Config(), "").decide(verdict) is Decision.ALLOW
    assert catalogue_view(Config(), "strict").decide(verdict) is Decision.LIMIT
