"""What a verdict does to a replica's catalogue."""

from __future__ import annotations

import numpy as np

from rayapp.domain import Decision, Item, Verdict
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.live.catalogue_view import CatalogueView, as_decided
from rayapp.stores.records import StoredItem

CONTENT = np.ones(4, dtype=np.float32)


def stored(item_id: str, decision: Decision | None = None, author: str = "a") -> StoredItem:
    verdict = Verdict(item_id, decision, "judged", 1) if decision else None
    return StoredItem(item_id, Item(item_id=item_id, title=item_id, author=author), CONTENT, verdict)


def catalogue(pending: Decision = Decision.ALLOW) -> LiveCatalogue:
    return LiveCatalogue(reader=None, view=CatalogueView(pending, as_decided))  # type: ignore[arg-type]  # changes are applied by hand


def test_blocked_and_held_notes_are_found_by_id_alone() -> None:
    live = catalogue()
    heard: list[StoredItem] = []
    live.listeners.append(heard.extend)
    live.apply([stored("ok"), stored("blocked"), stored("held")])
    live.apply([stored("blocked", Decision.BLOCK), stored("held", Decision.HOLD)])
    assert set(live.items) == {"ok"} == set(live.ids("note")) == set(live.newest("note"))
    assert "blocked" not in live.content["note"]
    assert live.find("blocked") is not None
    assert [c.item for c in heard[-2:]] == [None, None]
    live.apply([stored("held", Decision.ALLOW)])
    assert set(live.items) == {"ok", "held"}
    assert "held" in live.content["note"]
    assert not live.withheld.keys() - {"blocked"}


def test_limited_notes_are_for_followers() -> None:
    live = catalogue()
    live.apply([stored("ok"), stored("l1", Decision.LIMIT, "ann"), stored("l2", Decision.LIMIT, "bob")])
    assert live.limited == {"l1", "l2"}
    assert set(live.newest("note")) == {"ok"}
    assert live.not_recommended(frozenset()) == {"l1", "l2"}
    assert live.not_recommended(frozenset(["ann"])) == {"l2"}
    live.apply([stored("l1", Decision.ALLOW, "ann"), StoredItem("l2", None, None)])
    assert live.limited == frozenset()


def test_a_note_without_a_verdict_follows_the_policy() -> None:
    live = catalogue(Decision.HOLD)
    live.apply([stored("new")])
    assert live.find("new")
    assert not live.items
    live.apply([stored("new", Decision.ALLOW)])
    assert set(live.items) == {"new"}
    live.apply([StoredItem("new", None, None)])
    assert live.find("new") is None
