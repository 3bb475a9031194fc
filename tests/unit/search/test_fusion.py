from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.search.fusion import reciprocal_rank_fusion

LISTS = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), min_size=1, max_size=4)


def test_what_leads_every_list_has_one_and_what_two_lists_know_beats_what_one_does() -> None:
    fused = reciprocal_rank_fusion([["a", "b", "c"], ["a", "c", "d"]], [1.0, 1.0])
    assert fused["a"] == pytest.approx(1.0)
    assert list(fused) == ["a", "c", "b", "d"]


def test_a_heavier_list_decides() -> None:
    assert list(reciprocal_rank_fusion([["a"], ["b"]], [0.3, 1.0])) == ["b", "a"]
    with pytest.raises(ValueError, match="2 lists and 1 weights"):
        reciprocal_rank_fusion([["a"], ["b"]], [1.0])


@given(LISTS)
def test_an_item_never_falls_behind_one_that_no_list_prefers(lists: list[list[str]]) -> None:
    fused = reciprocal_rank_fusion(lists, [1.0] * len(lists))
    assert set(fused) == {item for ranked in lists for item in ranked}
    for first in fused:
        for second in fused:
            ranks = [(r.index(i) if i in r else 99) for r in lists for i in (first, second)]
            if all(a < b for a, b in zip(ranks[::2], ranks[1::2], strict=True) if (a, b) != (99, 99)):
                assert fused[first] > fused[second] or first == second
