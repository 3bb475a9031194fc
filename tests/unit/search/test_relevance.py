from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from rayapp.llm.language_model import LanguageModel
from rayapp.search.relevance import Relevance, reordered
from tests.hostile_notes import hostile_notes


class Scripted:
    """Yes to prompts whose note holds the word `tea`."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def choose(self, prompts: Sequence[list[int]], allowed: Sequence[int]) -> list[dict[int, float]]:
        notes = [self.tokenizer.decode(p).rpartition("<<<")[2] for p in prompts]
        return [{allowed[0]: -0.1 if "tea" in note else -3.0, allowed[1]: -2.0} for note in notes]

    def write(self, prompt: list[int], form: str, max_tokens: int) -> str:
        raise AssertionError("one prefill, nothing written")


def test_one_prefill_a_note_with_the_query_before_it(language_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    relevance = Relevance(LanguageModel(tokenizer, "m@1", Scripted(tokenizer)))
    prompts = relevance.prompts("green tea", ["a", "another note"])
    shared = sum(1 for a, b in zip(*prompts, strict=False) if a == b)
    assert tokenizer.decode(prompts[0][:shared]).endswith("green tea\n>>>\n<<<\n")
    shares = relevance.shares("leaves", ["green tea", "coffee", *hostile_notes()[:5]])
    assert shares[0] > 0.8
    assert shares[1] < 0.5
    assert all(0 <= share <= 1 for share in shares)


@given(st.lists(st.text(min_size=1), unique=True), st.data())
def test_only_what_was_judged_moves(ids: list[str], data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(ids)))
    shares = data.draw(st.lists(st.floats(0, 1), min_size=count, max_size=count))
    after = reordered(ids, shares)
    assert sorted(after) == sorted(ids)
    assert after[count:] == ids[count:]
    by_id = dict(zip(ids, shares, strict=False))
    assert [by_id[i] for i in after[:count]] == sorted(shares, reverse=True)
