"""What was said of a long note's windows becomes one verdict, once the last of them came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from transformers import AutoTokenizer

from rayapp.domain import Decision, Verdict
from rayapp.llm.offline import NoAnswers
from rayapp.moderation.batch import WholeNotes
from rayapp.moderation.calibration import Weights
from rayapp.moderation.judge import Judge
from rayapp.moderation.llm_stage import LlmStage
from rayapp.moderation.moderation import Moderation
from rayapp.moderation.policy import load_policy
from tests.scripted_classifier import Scripted, calibrated

POLICY = load_policy()


@pytest.fixture
def whole(language_model: Path) -> WholeNotes:
    stage = LlmStage(Moderation(AutoTokenizer.from_pretrained(language_model), POLICY), NoAnswers(), "llm@1")
    weighed = dict.fromkeys(POLICY.categories, Weights(1.0, 1.0, 0.0))
    return WholeNotes(Judge(POLICY, Scripted(), stage, replace(calibrated(POLICY, "llm@1"), weights=weighed)))


def window(item_id: str, hate: float, parts: int, begun: float) -> dict[str, Any]:
    said = {"none": 1 - hate, "hate": hate, **dict.fromkeys(list(POLICY.categories)[1:], 1e-6)}
    scores = {"hate": 0.4, "distress": 0.01}
    encoded = {"said": msgspec.json.encode(said), "scores": msgspec.json.encode(scores)}
    return {"item_id": item_id, "text": "t", "text_key": "k", "parts": parts, "begun": begun, **encoded}


def test_the_strictest_window_of_a_note_counts(whole: WholeNotes) -> None:
    assert whole.add([window("long", 0.01, 3, 5.0), window("long", 0.99, 3, 4.0)]) == []
    first, second = whole.add([window("short", 0.01, 1, 7.0), window("long", 0.02, 3, 6.0)])
    assert (first["item_id"], second["item_id"], second["begun"]) == ("short", "long", 4.0)
    mild, strict = (msgspec.json.decode(row["verdict"], type=Verdict) for row in (first, second))
    assert (mild.decision, strict.decision) == (Decision.ALLOW, Decision.BLOCK)
    assert strict.stage == "llm"
    assert whole.waiting == {}
