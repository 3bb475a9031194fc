"""A question in other words asks the same thing, of the same note, with the same candidates."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

from rayapp.llm.prompt import one_line
from rayapp.redone.tasks.chlw import chlw
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.gender import gender
from rayapp.redone.tasks.hashtag import hashtag
from rayapp.redone.tasks.mrc import complex_, simple
from rayapp.redone.tasks.ner import ner
from rayapp.redone.tasks.query_corr import correlates, correlation
from rayapp.redone.tasks.query_gen import query_gen
from rayapp.redone.tasks.registry import TASKS
from rayapp.redone.tasks.taxonomy import taxonomy, taxonomy_path
from rayapp.redone.tasks.translation import translation
from rayapp.redone.tasks.wording import WORDINGS, reworded, unseen

NOTE = "Note: the café {opens} at 7.\nQuery: is it dear? Yes."
PATHS = [("food", "drinks", "coffee"), ("food", "sweets", "cake")]
EXAMPLES = [
    taxonomy(NOTE, ("joy", "anger"), "joy", about="the emotion", source="s"),
    taxonomy_path(NOTE, PATHS, PATHS[1], "s"),
    hashtag(NOTE, ["coffee", "cake"], ["coffee"], "s"),
    hashtag(NOTE, ["coffee", "cake", "tea"], ["coffee", "tea"], "s"),
    correlates("dear café", NOTE, True, "s"),
    correlation("dear café", NOTE, 2, grades=(-1, 1, 2, 3), source="s"),
    simple("When?", NOTE, ["It opens at 7."], "s"),
    complex_("When?", NOTE, ["7", "8"], reasons={0: "opens at 7."}, source="s"),
    ner(NOTE, "places", ["café"], "s"),
    gender(NOTE, "women", False, "s"),
    chlw(NOTE, ["café", "dear"], ["dear"], "s"),
    query_gen(NOTE, "café prices", "s"),
    translation(NOTE, "那家咖啡馆", "zh", "s"),
    translation("那家咖啡馆", "the café", "en", "s"),
]


def others(example: Example) -> Iterator[Example]:
    rng = np.random.default_rng(0)
    yield from (reworded(example, rng) for _ in range(30))
    yield unseen(example)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.task)
def test_other_words_say_all_that_the_own_ones_say(example: Example) -> None:
    found = list(others(example))
    assert len({one.question for one in found}) > 8
    for one in found:
        assert one.question != example.question
        assert one_line(example.note or "那家咖啡馆") in one.question
        assert one.question.startswith(one.instruction)
        assert all(str(option) in one.question for option in example.options)
        assert all(word in one.question for word in re.split("; |, ", example.query)), "what is asked about"
        assert (one.answer, one.options, one.note, one.query) == (
            example.answer, example.options, example.note, example.query
        )  # fmt: skip
        assert bool(one.instruction) <= bool(example.instruction), "only what a kind shares is its instruction"


def test_every_task_but_the_free_ones_has_wordings_and_none_of_training_is_the_unseen_one() -> None:
    assert set(WORDINGS) == {example.task for example in EXAMPLES} == set(TASKS) - {"instruction_form"}
    for wordings in WORDINGS.values():
        assert wordings.unseen not in wordings.others
    asked = {re.split(r"[\n:]", unseen(example).question)[0] for example in EXAMPLES}
    drawn = {one.question for example in EXAMPLES for one in list(others(example))[:-1]}
    assert not any(head in question for head in asked for question in drawn)


def test_what_is_worded_otherwise_already_stays() -> None:
    own = Example("gender", "Is it for women?", "Yes", ("Yes", "No"))
    assert unseen(own) == reworded(own, np.random.default_rng(0)) == own
    free = Example("instruction", "Write a poem.", "Roses")
    assert unseen(free) == reworded(free, np.random.default_rng(0)) == free
