"""Words of any script, lists as models write them, and the measures of texts and sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.redone.tasks.texts import (
    anls,
    bleu,
    listed,
    micro_f1,
    overlap,
    rouge,
    sentences,
    set_counts,
    word_f1,
    words,
)

names = st.lists(st.text("abcd", min_size=1, max_size=3), max_size=5, unique=True)


def test_words_of_latin_and_chinese() -> None:
    assert words("Don't PANIC, it's 5 o'clock") == ["don't", "panic", "it's", "5", "o'clock"]
    assert words("我爱Ray！") == ["我", "爱", "ray"]
    assert overlap("red shoes", "my shoes are blue") == 0.5
    assert sentences("One. Two!  Three\nfour") == ["One.", "Two!", "Three", "four"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("[]", []),
        ("none", []),
        ("a; b", ["a", "b"]),
        ('["a", "b"]', ["a", "b"]),
        ("- a\n- b\n- a", ["a", "b"]),
        ("甲、乙", ["甲", "乙"]),
        ("  ", None),
    ],
)
def test_lists_as_models_write_them(said: str, found: list[str] | None) -> None:
    assert listed(said) == found


@given(names, names)
def test_f1_is_one_for_equal_sets_alone(one: list[str], other: list[str]) -> None:
    f1 = micro_f1([set_counts(one, other)])
    assert 0 <= f1 <= 1
    assert (f1 == 1) == (set(one) == set(other))


def test_always_empty_is_worth_its_share_of_the_empty() -> None:
    truths = [[], [], ["a"], ["b"]]
    counts = [set_counts([], truth) for truth in truths]
    assert counts == [(1, 0, 0), (1, 0, 0), (0, 1, 1), (0, 1, 1)]
    assert micro_f1(counts) == 0.5


def test_measures_of_texts() -> None:
    assert rouge("the cat sat", "the cat sat") == (1, 1, 1)
    one, two, longest = rouge("the cat sat down", "the dog sat down")
    assert (one, two, longest) == pytest.approx((0.75, 1 / 3, 0.75))
    assert bleu("the cat sat on the mat", "the cat sat on the mat") == pytest.approx(1)
    assert bleu("", "the cat") == 0
    assert anls("ray serv", "ray serve") == pytest.approx(8 / 9)
    assert anls("something", "else") == 0
    assert word_f1("a b", "b c") == 0.5
    assert word_f1("", "") == 1
