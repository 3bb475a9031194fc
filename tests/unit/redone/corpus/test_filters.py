"""Rules, near duplicates, contamination and quality: what is left out, and why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.redone.corpus.contamination import Contamination
from rayapp.redone.corpus.duplicates import Duplicates
from rayapp.redone.corpus.quality import Quality, keep
from rayapp.redone.corpus.rules import Rules, reason

NOTE = "Three days in Lisbon with two children, and every one of them had ice cream for breakfast"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (NOTE, None),
        ("我们在里斯本住了三天，孩子们每天早上都吃冰淇淋", None),
        ("so nice", "too short"),
        ("4 5 6 7 8 9 *** --- 12 13", "few letters"),
        ("@user @user look https://a.example/xyz", "mostly links and names"),
        ("buy buy buy buy now buy buy buy buy now buy", "one word again and again"),
    ],
)
def test_rules(text: str, why: str | None) -> None:
    assert reason(text, Rules()) == why


def test_near_duplicates_go_and_the_first_stays() -> None:
    texts = [
        NOTE,
        NOTE + "!",
        NOTE.upper(),
        NOTE.replace("Lisbon", "Porto") + " at the harbour by the river",
        "Something else",
    ]
    seen = Duplicates()
    assert [text for text in texts if seen.is_new(text)] == [texts[0], texts[3], texts[4]]


def test_text_that_repeats_an_evaluation_set() -> None:
    known = Contamination([NOTE, "what a lovely day", "hi"])
    assert known.repeats("They wrote: three days in Lisbon, with two children, and every one")
    assert known.repeats("What a lovely day!")
    assert not known.repeats("what a lovely day it was by the sea with all of them")
    assert not known.repeats("three days in Lisbon")
    assert not known.repeats("hi")  # too short to say where it comes from


@given(st.lists(st.text("abcdef ", min_size=1, max_size=200), max_size=8))
def test_every_evaluation_text_of_some_length_repeats_itself(texts: list[str]) -> None:
    known = Contamination(texts)
    assert all(known.repeats(text) for text in texts if len(text.split()) >= 4)


@given(st.lists(st.floats(0, 10), max_size=50))
def test_quality_leaves_out_the_ends(losses: list[float]) -> None:
    kept = keep(np.array(losses), Quality(odd=0.1, empty=0.1))
    assert len(kept) == len(losses)
    if losses:
        assert kept.mean() >= 0.5 or len(losses) < 5
        inside = np.array(losses)[kept]
        assert not len(inside) or (inside.min() >= min(losses) and inside.max() <= max(losses))
