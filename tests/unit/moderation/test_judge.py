"""The cascade: who decides which note, and what a verdict says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from transformers import AutoTokenizer

from rayapp.domain import Decision
from rayapp.llm.completions import ModelAway
from rayapp.moderation.calibration import Weights
from rayapp.moderation.judge import Judge, Note
from rayapp.moderation.llm_stage import LlmStage
from rayapp.moderation.moderation import Moderation
from rayapp.moderation.policy import Category, Policy, load_policy
from tests.scripted_classifier import FAST, Scripted, calibrated

POLICY = load_policy()
CLASSIFIER = Scripted(
    {
        "surely": {"hate": 0.97},
        "perhaps": {"hate": 0.4},
        "both": {"hate": 0.6, "harassment": 0.6},
        "tired of it all": {"self-harm": 0.95, "distress": 0.96},
        "do it": {"self-harm": 0.97, "distress": 0.5},
        "tired and hateful": {"self-harm": 0.95, "distress": 0.96, "hate": 0.9},
    }
)


class Chooser:
    """Answers B (hate) to a prompt that holds the phrase, and A to any other; away when told."""

    def __init__(self, tokenizer: Any, phrase: str) -> None:
        self.tokenizer = tokenizer
        self.phrase = phrase
        self.away = False
        self.asked = 0

    def choose(self, prompts: list[list[int]], answers: tuple[int, ...]) -> list[dict[int, float]]:
        if self.away:
            raise ModelAway("scripted")
        self.asked += len(prompts)
        harmful = [self.phrase in self.tokenizer.decode(prompt) for prompt in prompts]
        return [dict.fromkeys(answers, -9.0) | {answers[int(bad)]: -0.01} for bad in harmful]


@pytest.fixture(scope="module")
def tokenizer(language_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(language_model)


def stage(tokenizer: Any, phrase: str = "indeed", policy: Policy = POLICY) -> LlmStage:
    return LlmStage(Moderation(tokenizer, policy), Chooser(tokenizer, phrase), "llm@1")  # type: ignore[arg-type]


def cascade(tokenizer: Any) -> Judge:
    weighed = {name: Weights(1.0, 1.0, 0.0) for name in POLICY.categories}
    return Judge(POLICY, CLASSIFIER, stage(tokenizer), replace(calibrated(POLICY, "llm@1"), weights=weighed))


def test_without_a_language_model_the_classifier_decides_everything() -> None:
    judge = Judge(POLICY, CLASSIFIER, None, calibrated(POLICY))
    allowed, blocked, unsure = judge.verdicts([Note("a", "a walk"), Note("b", "surely"), Note("c", "perhaps")])
    assert [v.decision for v in (allowed, blocked, unsure)] == [Decision.ALLOW, Decision.BLOCK, Decision.ALLOW]
    assert {v.stage for v in (allowed, blocked, unsure)} == {"fast"}
    assert allowed.model_version == FAST
    assert (blocked.scores["hate"], blocked.read) == (0.97, 1.0)


def test_categories_that_fit_together_do_not_weaken_each_other() -> None:
    (found,) = Judge(POLICY, CLASSIFIER, None, calibrated(POLICY)).verdicts([Note("a", "both")])
    assert found.decision is Decision.LIMIT
    assert max(v for k, v in found.labels.items() if k != "none") < 0.5, "labels are one distribution"
    assert sum(found.labels.values()) == pytest.approx(1, abs=1e-5)


def test_the_language_model_is_asked_about_what_is_open_alone(tokenizer: Any) -> None:
    judge = cascade(tokenizer)
    notes = [Note("a", "a walk"), Note("b", "surely"), Note("c", "perhaps"), Note("d", "perhaps, indeed")]
    allowed, blocked, acquitted, convicted = judge.verdicts(notes)
    assert judge.llm is not None
    assert judge.llm.chooser.asked == 2  # type: ignore[attr-defined]
    assert [v.stage for v in (allowed, blocked, acquitted, convicted)] == ["fast", "fast", "llm", "llm"]
    assert acquitted.decision is Decision.ALLOW
    assert convicted.decision is Decision.BLOCK
    assert acquitted.scores["hate"] < 0.1 < 0.9 < convicted.scores["hate"]
    assert judge.model_version == f"{FAST}+llm@1"


def test_a_model_that_was_never_calibrated_is_not_asked(tokenizer: Any) -> None:
    judge = Judge(POLICY, CLASSIFIER, stage(tokenizer), calibrated(POLICY))
    (found,) = judge.verdicts([Note("d", "perhaps, indeed")])
    assert (found.stage, found.decision, judge.model_version) == ("fast", Decision.ALLOW, FAST)


def test_what_the_classifier_does_not_know_the_language_model_is_asked_of_every_note(tokenizer: Any) -> None:
    own = msgspec.structs.replace(POLICY, categories={"politics": Category("talk of elections", 0.5, 0.8)})
    judge = Judge(own, CLASSIFIER, stage(tokenizer, "vote", own))
    (found,) = judge.verdicts([Note("a", "go and vote")])
    assert found.scores["politics"] > 0.9
    assert found.decision is Decision.ALLOW, "it was never held against labelled notes"
    trusting = Judge(replace(own, uncalibrated=Decision.LIMIT), CLASSIFIER, stage(tokenizer, "vote", own))
    assert trusting.verdicts([Note("a", "go and vote")])[0].decision is Decision.LIMIT


def test_while_the_language_model_is_away_open_notes_follow_the_policy(tokenizer: Any) -> None:
    judge = cascade(tokenizer)
    assert judge.llm is not None
    judge.llm.chooser.away = True  # type: ignore[attr-defined]
    closed, open_ = judge.look([Note("b", "surely"), Note("c", "perhaps")])
    assert (closed.open, open_.open) == (False, True)
    with pytest.raises(ModelAway):
        judge.conclude([open_])
    assert judge.conclude([closed])[0].decision is Decision.BLOCK
    fallback = judge.unjudged(open_.note, open_)
    assert (fallback.decision, fallback.outcome, fallback.stage) == (Decision.ALLOW, "failed", "policy")
    assert judge.unjudged(open_.note).decision is POLICY.on_failure, "nothing is known of it"


def test_somebody_in_distress_is_never_blocked_and_is_answered_with_help() -> None:
    judge = Judge(POLICY, CLASSIFIER, None, calibrated(POLICY))
    (found,) = judge.verdicts([Note("a", "tired of it all")])
    assert found.decision is Decision.LIMIT
    assert found.help == POLICY.help
    encouraging, hateful = judge.verdicts([Note("b", "do it"), Note("c", "tired and hateful")])
    assert (encouraging.decision, encouraging.help) == (Decision.BLOCK, "")
    assert hateful.decision is Decision.BLOCK, "distress excuses no hate"


def test_versions_change_with_what_decides() -> None:
    one = Judge(POLICY, CLASSIFIER, None, calibrated(POLICY))
    assert one.versions == Judge(POLICY, CLASSIFIER, None, calibrated(POLICY)).versions
    other = Judge(POLICY, CLASSIFIER, None, calibrated(POLICY, open_from=0.2))
    assert one.policy_version != other.policy_version
    assert Judge(replace(POLICY, help=""), CLASSIFIER, None, calibrated(POLICY)).versions != one.versions
