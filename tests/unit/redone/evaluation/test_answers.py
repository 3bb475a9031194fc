"""What a model is questionnaire for an evaluation, and what its answers are put together to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from rayapp.moderation.moderation import Moderation
from rayapp.moderation.policy import load_policy
from rayapp.redone.evaluation.answers import FRAME, QUESTION_TOKENS, Questionnaire, _cached, _collected, _requests
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.registry import task_of
from rayapp.redone.training.chat import ChatTokens

GENDER = Example("gender", "Does it appeal to women?", "Yes", ("Yes", "No"), instruction="Does it")
LONG = Example("mrc_simple", "Which sentences? " + "A note of many words. " * 400, "[]")


@pytest.fixture(scope="module")
def chat(language_model: Path) -> ChatTokens:
    return ChatTokens(AutoTokenizer.from_pretrained(language_model))


@pytest.fixture(scope="module")
def moderation(chat: ChatTokens) -> Moderation:
    return Moderation(chat.tokenizer, load_policy(None))


def test_a_long_question_is_cut_for_our_sets_and_as_long_as_the_model_takes_otherwise(
    chat: ChatTokens, moderation: Moderation
) -> None:
    (short,) = _requests(Questionnaire([LONG], [], []), chat, moderation, 0)
    (whole,) = _requests(Questionnaire([LONG], [], []), chat, moderation, 8192)
    (fitted,) = _requests(Questionnaire([LONG], [], []), chat, moderation, 1024)
    assert QUESTION_TOKENS <= len(short.ids) <= QUESTION_TOKENS + FRAME
    assert chat.tokenizer.decode(whole.ids).count("many words") == 400
    longest = [json.loads(request.sampling)["max_tokens"] for request in (short, whole, fitted)]
    assert len(fitted.ids) + longest[2] <= 1024
    assert longest[0] == task_of("mrc_simple").max_tokens < longest[1]


def test_options_are_scored_where_they_are_questionnaire_for_and_the_likeliest_is_by_mean_of_tokens(
    chat: ChatTokens, moderation: Moderation
) -> None:
    questionnaire = Questionnaire([GENDER, LONG], ["a note"], [GENDER])
    assert [r.kind for r in _requests(questionnaire._replace(options=False), chat, moderation, 0)] == [
        "said", "said", "text", "label"
    ]  # fmt: skip
    requests = list(_requests(questionnaire, chat, moderation, 0))
    yes, no = [request for request in requests if request.kind == "option"]
    assert chat.tokenizer.decode(yes.ids[yes.start :]).startswith("Yes")
    (question,) = moderation.questions
    results = {request.key: "[]" for request in requests if request.kind == "said"}
    results |= {yes.key: [-4.0, 4], no.key: [-3.0, 2]}
    results |= {requests[-2].key: [-6.0, 3], requests[-1].key: {str(token): -1.0 for token in question.answers}}
    answers = _collected(questionnaire, requests, results, moderation)
    assert answers.likeliest == ["Yes", None]
    assert answers.losses == [(6.0, 3)]
    assert sum(answers.labels[0].values()) == pytest.approx(1)


def test_what_was_answered_before_a_kill_is_known_but_for_a_line_cut_in_two(tmp_path: Path) -> None:
    cache = tmp_path / "answers.jsonl"
    assert _cached(cache) == {}
    cache.write_text('["a", "yes"]\n["b", [-1.5, 2]]\n["c", "ye')
    assert _cached(cache) == {"a": "yes", "b": [-1.5, 2]}
