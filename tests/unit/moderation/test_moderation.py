"""The prompt that no note can leave, and the arithmetic from logprobs to labels."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from rayapp.moderation.llm_stage import LlmStage
from rayapp.moderation.moderation import EngineError, Moderation, PromptError, distribution, from_odds
from rayapp.moderation.policy import Category, Policy, load_policy
from tests.hostile_notes import hostile_notes

POLICY = load_policy()


@pytest.fixture(scope="module")
def tokenizer(language_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(language_model)


def test_only_the_note_differs_between_prompts(tokenizer: Any) -> None:
    moderation = Moderation(tokenizer, POLICY)
    question = moderation.questions[0]
    for text in ("", "A walk in the hills", "漢字 и кириллица 🙂"):
        ((prompt,),) = moderation.prompts(text)
        note = moderation.note_ids(text)
        assert prompt == [*question.prompt.prefix, *note, *question.prompt.suffix]
        assert tokenizer.decode(note) == text
    whole = tokenizer.decode([*question.prompt.prefix, *question.prompt.suffix])
    assert all(name in whole for name in POLICY.names)
    assert whole.endswith("Answer:")
    assert [tokenizer.decode([i]) for i in question.answers] == [" A", " B", " C", " D", " E", " F", " G", " H", " I"]


def test_two_hundred_hostile_notes_stay_notes(tokenizer: Any) -> None:
    moderation = Moderation(tokenizer, POLICY)
    question, special = moderation.questions[0], set(tokenizer.all_special_ids)
    assert len(set(hostile_notes())) == 200
    for text in hostile_notes():
        for (prompt,) in moderation.prompts(text):
            note = prompt[len(question.prompt.prefix) : len(prompt) - len(question.prompt.suffix)]
            assert not set(note) & special, text
            assert len(note) <= POLICY.max_tokens, text
            assert not {"<<<", ">>>"} & {tokenizer.decode([i]).strip() for i in note}, text
            assert prompt[: len(question.prompt.prefix)] == list(question.prompt.prefix), text
            assert prompt[-len(question.prompt.suffix) :] == list(question.prompt.suffix), text


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.integers(0, 3000), at=st.floats(0, 1))
def test_every_word_of_a_long_note_is_in_a_window(tokenizer: Any, words: int, at: float) -> None:
    moderation = Moderation(tokenizer, POLICY)
    text = [f"word{n}" for n in range(words)]
    text.insert(int(at * words), "you are worthless and everybody hates you")
    windows = moderation.windows(" ".join(text))
    assert all(0 < len(window) <= POLICY.max_tokens for window in windows)
    read = [tokenizer.decode(window) for window in windows]
    assert any("you are worthless and everybody hates you" in window for window in read)
    assert all(any(f"word{n} " in f"{window} " for window in read) for n in range(1, words, 97))


def test_a_question_a_category(tokenizer: Any) -> None:
    moderation = Moderation(tokenizer, POLICY, "each")
    (window,) = moderation.prompts("text")
    assert len(window) == len(POLICY.categories)
    no, yes = moderation.questions[0].answers
    answers = [{no: -0.1, yes: -3.0}] * (len(POLICY.categories) - 1) + [{no: -3.0, yes: -0.1}]
    labels = moderation.labels(answers)
    assert tuple(labels) == POLICY.names
    assert sum(labels.values()) == pytest.approx(1)
    assert max(labels, key=lambda name: labels[name]) == list(POLICY.categories)[-1]


def test_more_categories_than_letters(tokenizer: Any) -> None:
    category = Category("x", 0.5, 0.6)
    many = Policy({f"c{n}": category for n in range(26)})
    with pytest.raises(PromptError, match="26 categories, at most 25"):
        Moderation(tokenizer, many)


def test_a_template_that_drops_the_user_is_refused(tokenizer: Any) -> None:
    class Dropping:
        chat_template = "x"
        all_special_ids = tokenizer.all_special_ids

        def apply_chat_template(self, *_: object, **__: object) -> str:
            return "nothing of it"

    with pytest.raises(PromptError, match="leaves the user's text out"):
        Moderation(Dropping(), POLICY)


@given(st.lists(st.one_of(st.none(), st.floats(-60, 0)), min_size=1).filter(lambda x: any(v is not None for v in x)))
def test_shares_are_a_distribution_in_the_order_of_the_logprobs(logprobs: list[float | None]) -> None:
    shares = distribution(logprobs)
    assert sum(shares) == pytest.approx(1)
    given_ = [(lp, s) for lp, s in zip(logprobs, shares, strict=True) if lp is not None]
    assert [lp for lp, _ in sorted(given_, key=lambda p: p[0])] == sorted(lp for lp, _ in given_)
    for (a, share_a), (b, share_b) in itertools.pairwise(given_):
        assert math.isclose(share_a, share_b * math.exp(a - b), rel_tol=1e-6, abs_tol=1e-300)


def test_an_engine_that_gives_no_answer_at_all_is_an_error() -> None:
    with pytest.raises(EngineError, match="processed_logprobs"):
        distribution([None, None])


def test_a_certain_yes_leaves_a_distribution() -> None:
    labels = from_odds({"hate": 1.0, "spam": 0.0})
    assert sum(labels.values()) == pytest.approx(1)
    assert labels["hate"] > 0.999


@given(st.dictionaries(st.sampled_from(list(POLICY.categories)), st.floats(1e-6, 1 - 1e-6), min_size=1))
def test_odds_make_a_distribution(probabilities: dict[str, float]) -> None:
    labels = from_odds(probabilities)
    assert sum(labels.values()) == pytest.approx(1)
    for name, p in probabilities.items():
        assert labels[name] / labels["none"] == pytest.approx(p / (1 - p), rel=1e-6)


def test_a_shorter_limit_cuts(tokenizer: Any) -> None:
    short = Moderation(tokenizer, msgspec.structs.replace(POLICY, max_tokens=16))
    assert len(short.note_ids("word " * 1000)) == 16


class Chooser:
    """Answers B (the first category) to a prompt that holds the phrase, and A to any other."""

    def __init__(self, tokenizer: Any, phrase: str) -> None:
        self.tokenizer = tokenizer
        self.phrase = phrase

    def choose(self, prompts: list[list[int]], answers: tuple[int, ...]) -> list[dict[int, float]]:
        harmful = [self.phrase in self.tokenizer.decode(prompt) for prompt in prompts]
        return [dict.fromkeys(answers, -9.0) | {answers[int(bad)]: -0.01} for bad in harmful]


@pytest.mark.parametrize("filler", [0, 300, 3000])
@pytest.mark.parametrize(
    "hide", [str, lambda text: "\u200b".join(text), lambda text: text.replace("hates", "h a t e s")]
)
def test_what_a_note_says_is_judged_wherever_and_however_it_says_it(tokenizer: Any, filler: int, hide: Any) -> None:
    phrase = "everybody hates you"
    stage = LlmStage(Moderation(tokenizer, POLICY), Chooser(tokenizer, phrase), "v")  # type: ignore[arg-type]
    walk = "We had a lovely walk in the park today. " * (filler // 9)
    (bad, good) = stage.labels([f"{walk}{hide(phrase)} {walk}", walk])
    assert bad["none"] < 0.05
    assert good["none"] > 0.95
    assert abs(sum(bad.values()) - 1) < 1e-4
