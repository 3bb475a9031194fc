"""Queries in, a fixed form out, whatever the model says and whatever the query asks of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from rayapp.search.post_view import FORM as POST_VIEW_FORM
from rayapp.search.post_view import PostViewPrompt, queries_of
from rayapp.search.understanding import FORM, INTENTS, QueryPrompt, Understanding, normal, understood
from tests.hostile_notes import hostile_notes


def answer(spelling: str, similar: str, intent: str = "informational") -> str:
    return f"spelling: {spelling}\nintent: {intent}\nsimilar: {similar}\n"


def test_a_correction_and_other_words() -> None:
    found = understood(answer("espresso coffee", "coffee beans; Moka pot", "transactional"), "expresso cofee")
    assert found == Understanding("transactional", "espresso coffee", ("coffee beans", "Moka pot"))


@pytest.mark.parametrize("spelling", ["Hiking  BOOTS", "how to train a puppy", "boots"])
def test_a_correction_that_is_the_query_or_another_one_is_none(spelling: str) -> None:
    assert understood(answer(spelling, "trail shoes"), "hiking boots").spelling is None


def test_expansions_that_say_the_same_are_left_out() -> None:
    found = understood(answer("running shoes", "Running shoes; runing shoes; Sneakers; sneakers;  "), "runing shoes")
    assert found.expansions == ("sneakers",)


@pytest.mark.parametrize(
    "broken", ["", "spelling: a", "spelling: a\nintent: love\nsimilar: b\n", "no", '{"intent": 1}']
)
def test_an_answer_that_was_cut_off_says_nothing(broken: str) -> None:
    assert understood(broken, "a") == Understanding()


@given(st.from_regex(FORM, fullmatch=True), st.text(min_size=1))
def test_whatever_has_the_form_is_understood(text: str, query: str) -> None:
    found = understood(text, query)
    assert found.intent in INTENTS
    assert len(found.expansions) <= 3
    for expansion in found.expansions:
        assert normal(expansion) not in ("", normal(query))
        assert "\n" not in expansion


@given(st.from_regex(POST_VIEW_FORM, fullmatch=True))
def test_post_view_queries_are_few_and_differ(text: str) -> None:
    found = queries_of(text, "a title")
    assert len(found) <= 5
    assert len({tuple(sorted(normal(query).split())) for query in found}) == len(found)


def test_post_view_queries_leave_out_the_title_and_half_a_query() -> None:
    assert queries_of(" Grinder test; test grinder; burrs; BURRS; tamping\n", "grinder test") == ["burrs", "tamping"]
    assert queries_of(" burrs; tamping; how to cl", "x") == ["burrs", "tamping"]
    assert queries_of("", "x") == []


def test_hostile_texts_stay_one_line_and_without_control_tokens(language_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    special = set(tokenizer.all_special_ids)
    for prompt in (QueryPrompt(tokenizer), PostViewPrompt(tokenizer)):
        frame = prompt.prompt
        lines = tokenizer.decode([*frame.prefix, *frame.suffix]).count("\n")
        for text in hostile_notes():
            ids = prompt.ids(text)
            assert ids[: len(frame.prefix)] == list(frame.prefix)
            assert ids[-len(frame.suffix) :] == list(frame.suffix)
            assert not special & set(ids[len(frame.prefix) : -len(frame.suffix)])
            assert tokenizer.decode(ids).count("\n") == lines, text
        assert len(prompt.ids("word " * 10_000)) <= len(frame.prefix) + len(frame.suffix) + 192


def test_the_forms_bound_every_answer() -> None:
    for form in (FORM, POST_VIEW_FORM):
        assert not re.search(r"(?<!\\)[*+]", form), "an answer without an upper limit"
