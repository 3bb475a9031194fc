"""The words of a replica follow its catalogue: what is withheld or gone is not found."""

from __future__ import annotations

import numpy as np

from rayapp.domain import Decision, Item, Verdict
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.live.catalogue_keywords import CatalogueKeywords
from rayapp.stores.records import StoredItem

CONTENT = np.ones(4, dtype=np.float32)


def stored(item_id: str, title: str, decision: Decision | None = None, kind: str = "note") -> StoredItem:
    verdict = Verdict(item_id, decision, "judged", 1) if decision else None
    return StoredItem(item_id, Item(item_id=item_id, title=title, kind=kind), CONTENT, verdict)


def found(words: CatalogueKeywords, query: str, kind: str = "note") -> list[str]:
    words.flush()
    return words.search(kind, {query: 1.0}, 10, frozenset())


def test_what_is_there_already_and_what_changes() -> None:
    live = LiveCatalogue(reader=None)  # type: ignore[arg-type]  # changes are applied by hand
    live.apply([stored("a", "green tea"), stored("b", "black tea"), stored("ad", "tea pots", kind="ad")])
    words = CatalogueKeywords(live)
    assert set(found(words, "tea")) == {"a", "b"}
    assert found(words, "tea", "ad") == ["ad"]
    live.apply([stored("a", "green tea", Decision.BLOCK), stored("b", "coffee"), stored("c", "tea")])
    assert found(words, "tea") == ["c"]
    live.apply([stored("a", "green tea", Decision.ALLOW), StoredItem("c", None, None)])
    assert found(words, "tea") == ["a"]
    live.apply([stored("a", "green tea", kind="ad")])
    assert found(words, "tea") == []
    assert set(found(words, "tea", "ad")) == {"a", "ad"}


def test_what_is_withheld_is_not_found_before_the_index_knows() -> None:
    live = LiveCatalogue(reader=None)  # type: ignore[arg-type]
    live.apply([stored("a", "green tea"), stored("b", "black tea")])
    words = CatalogueKeywords(live)
    with words.changing:  # the index cannot change now
        live.apply([stored("a", "green tea", Decision.BLOCK)])
        assert words.search("note", {"tea": 1.0}, 10, frozenset()) == ["b"]


def test_a_verdict_that_changes_no_word_costs_no_commit() -> None:
    live = LiveCatalogue(reader=None)  # type: ignore[arg-type]
    live.apply([stored("a", "green tea")])
    words = CatalogueKeywords(live)
    words.kinds["note"].change = None  # type: ignore[assignment, method-assign]
    live.apply([stored("a", "green tea", Decision.ALLOW)])
    words.flush()
