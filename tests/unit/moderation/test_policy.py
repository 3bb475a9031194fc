"""What a policy decides, and that a wrong one says what is wrong."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.domain import Decision
from rayapp.moderation.policy import NONE, Policy, PolicyError, Threshold, load_policy

POLICY = load_policy()
THRESHOLDS = dict.fromkeys(POLICY.categories, Threshold(0.5, 0.9, Decision.BLOCK)) | {
    "self-harm": Threshold(0.4, 0.7, Decision.LIMIT)
}
SHARES = st.floats(0.0, 1.0)


def test_the_packaged_policy_has_the_usual_categories() -> None:
    assert {"hate", "harassment", "sexism", "sexual", "violence", "self-harm", "spam", "fraud"} <= set(POLICY.names)
    assert POLICY.names[0] == NONE
    assert POLICY.pending is Decision.ALLOW


@pytest.mark.parametrize(
    ("scores", "decision"),
    [
        ({}, Decision.ALLOW),
        ({"spam": 0.49}, Decision.ALLOW),
        ({"spam": 0.5}, Decision.LIMIT),
        ({"spam": 0.9}, Decision.BLOCK),
        ({"self-harm": 0.4, "spam": 0.55}, Decision.LIMIT),
        ({"self-harm": 0.9, "spam": 0.55}, Decision.LIMIT),
        ({"unknown": 1.0}, Decision.ALLOW),
    ],
)
def test_the_strictest_category_decides(scores: dict[str, float], decision: Decision) -> None:
    assert POLICY.decide(scores, THRESHOLDS) is decision


@given(st.dictionaries(st.sampled_from(list(POLICY.categories)), SHARES), st.sampled_from(list(POLICY.categories)))
def test_more_of_a_category_is_never_milder(scores: dict[str, float], name: str) -> None:
    more = {**scores, name: min(1.0, scores.get(name, 0.0) + 0.1)}
    assert POLICY.decide(more, THRESHOLDS).strictness >= POLICY.decide(scores, THRESHOLDS).strictness


def test_without_the_model_the_strictest_word_holds() -> None:
    assert POLICY.on_failure is Decision.HOLD


def test_a_version_names_its_rules() -> None:
    assert load_policy().version == POLICY.version
    assert msgspec.structs.replace(POLICY, max_tokens=128).version != POLICY.version


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("categories: {}", "length"),
        ("categories: {spam: {description: x, limit: 0}}", "limit"),
        ("categories: {spam: {description: x}}\nbudget: {limit: 0.01, block: 0.05}", "fewer notes may be blocked"),
        ("categories: {spam: {description: x, limit: 0.5, block: 1.5}}", "<= 1.0"),
        ("categories: {spam: {description: x, limit: 0.5, block: 0.4}}", "block == 0.4 is below limit == 0.5"),
        ("categories: {none: {description: x, limit: 0.5, block: 0.6}}", "rename"),
        ("categories: {spam: {description: x, limit: 0.5, block: 0.6}}\npending: block", "use allow or hold"),
        ("categories: {spam: {description: x, limit: 0.5, block: 0.6, colour: red}}", "colour"),
        ("[", "policy"),
    ],
)
def test_a_wrong_policy_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(PolicyError, match=message):
        load_policy(file)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(PolicyError, match="no-such-policy.yaml cannot be read"):
        load_policy("no-such-policy.yaml")


def test_a_policy_survives_yaml() -> None:
    assert msgspec.yaml.decode(msgspec.yaml.encode(POLICY), type=Policy) == POLICY
