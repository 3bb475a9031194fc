from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rayapp.search.keywords import KeywordIndex


@pytest.fixture
def index() -> KeywordIndex:
    index = KeywordIndex()
    index.change(
        {
            "a": "Running shoes for trails. hiking, outdoors",
            "b": "A café in Lyon. coffee, breakfast",
            "c": "如何选择咖啡机",
            "d": "Coffee machines compared: espresso, filter, capsules",
        }
    )
    return index


def ids(index: KeywordIndex, query: str, k: int = 10, excluded: tuple[str, ...] = ()) -> list[str]:
    return [item_id for item_id, _ in index.search({query: 1.0}, k, excluded)]


def test_words_are_found_in_other_forms_and_without_accents(index: KeywordIndex) -> None:
    assert ids(index, "run SHOE") == ["a"]
    assert ids(index, "cafe") == ["b"]
    assert set(ids(index, "coffees")) == {"b", "d"}


def test_a_script_without_spaces_is_found_by_a_part_of_the_sentence(index: KeywordIndex) -> None:
    assert ids(index, "咖啡") == ["c"]
    assert ids(index, "机") == ["c"]
    assert ids(index, "茶") == []


def test_nothing_in_a_query_is_syntax(index: KeywordIndex) -> None:
    for query in ('"', "a AND", "item_id:a", "-(", "*", "", "  ", "words:[a TO z]", "\x00", "🍵"):
        index.search({query: 1.0}, 5)
    assert ids(index, "item_id:b") == []


def test_changes_show_at_once(index: KeywordIndex) -> None:
    index.change({"a": "Sandals"}, remove=["b", "unknown"])
    assert ids(index, "shoes") == []
    assert ids(index, "sandal") == ["a"]
    assert ids(index, "breakfast") == []
    assert len(index) == 3


def test_a_lighter_text_counts_less(index: KeywordIndex) -> None:
    assert [i for i, _ in index.search({"espresso": 0.1, "breakfast": 1.0}, 5)] == ["b", "d"]
    assert [i for i, _ in index.search({"espresso": 1.0, "breakfast": 0.1}, 5)] == ["d", "b"]


@settings(deadline=None, max_examples=25)
@given(excluded=st.sets(st.integers(0, 59)), k=st.integers(1, 70))
def test_as_many_as_are_left_come_back_however_many_are_excluded(excluded: set[int], k: int) -> None:
    found = ids(MANY, "tea", k, tuple(str(n) for n in excluded))
    assert len(found) == len(set(found)) == min(k, 60 - len(excluded))
    assert not set(found) & {str(n) for n in excluded}


MANY = KeywordIndex()
MANY.change({str(n): "tea " * (1 + n % 7) for n in range(60)})
