"""The queue's order, and that a person's verdict, a renewed entry and a deletion are respected."""

from __future__ import annotations

import numpy as np

from rayapp.domain import Decision, Item, Verdict
from rayapp.stores.backend import StoreBackend
from rayapp.stores.records import Queued, Urgency

ITEMS = [Item(item_id=f"i{n}", title=f"t{n}") for n in range(6)]
VECTORS = np.ones((6, 4), dtype=np.float32)


def verdict(item_id: str, decision: Decision, outcome: str = "judged", text_key: str = "k") -> Verdict:
    return Verdict(item_id, decision, outcome, 1, text_key=text_key)  # type: ignore[arg-type]


def test_urgent_before_again_before_bulk_and_the_most_clicked_of_the_bulk_first(backend: StoreBackend) -> None:
    verdicts, queue = backend.verdicts(), backend.moderation_queue()
    queue.enqueue(["b1", "b2", "b3"], Urgency.BULK)
    queue.enqueue(["a"], Urgency.AGAIN)
    queue.enqueue(["n"], Urgency.NOW)
    for expected in (("n", Urgency.NOW), ("a", Urgency.AGAIN)):
        (queued,) = queue.next(3, ["b3"])
        assert (queued.item_id, queued.urgency) == expected
        verdicts.put(verdict(queued.item_id, Decision.ALLOW), queued)
    assert [q.item_id for q in queue.next(2, ["unknown", "b3"])] == ["b3", "b1"]
    assert queue.waiting() == 3


def test_what_waits_for_the_language_model_alone_comes_last(backend: StoreBackend) -> None:
    queue = backend.moderation_queue()
    queue.enqueue(["b1", "b2", "b3"], Urgency.BULK)
    queue.postpone(queue.next(2))
    assert [q.item_id for q in queue.next(5, ["b1"])] == ["b3"], "a preferred note waits for its class too"
    assert (queue.waiting(), queue.waiting(Urgency.BULK), queue.waiting(Urgency.AGAIN)) == (3, 1, 0)
    queue.drop("b3")
    assert [(q.item_id, q.urgency) for q in queue.next(5, ["b2"])] == [("b2", Urgency.OPEN), ("b1", Urgency.OPEN)]
    queue.postpone([])
    queue.enqueue(["b1"], Urgency.NOW)
    assert queue.next(1)[0].urgency is Urgency.NOW


def test_bulk_never_pushes_a_waiting_note_back(backend: StoreBackend) -> None:
    queue = backend.moderation_queue()
    queue.enqueue(["n"], Urgency.NOW)
    queue.enqueue(["n"], Urgency.BULK)
    assert queue.next(1)[0].urgency is Urgency.NOW


def test_a_note_queued_again_while_it_was_judged_stays_queued(backend: StoreBackend) -> None:
    verdicts, queue = backend.verdicts(), backend.moderation_queue()
    old = Queued("n", b"1", Urgency.NOW)
    queue.enqueue(["n"], Urgency.NOW)
    assert verdicts.put(verdict("n", Decision.ALLOW), old)
    assert queue.waiting() == 1
    assert verdicts.put(verdict("n", Decision.ALLOW), queue.next(1)[0])
    assert queue.waiting() == 0


def test_a_persons_verdict_wins_and_is_audited(backend: StoreBackend) -> None:
    verdicts = backend.verdicts()
    verdicts.put(verdict("n", Decision.BLOCK))
    assert verdicts.put(verdict("n", Decision.ALLOW, "person"))
    assert not verdicts.put(verdict("n", Decision.BLOCK))  # the same text: the person knew better
    assert verdicts.get(["n"])[0].decision is Decision.ALLOW  # type: ignore[union-attr]
    assert verdicts.put(verdict("n", Decision.BLOCK, text_key="edited"))  # another text was never seen by a person
    assert verdicts.put(verdict("n", Decision.LIMIT, "person", text_key="edited"))
    assert not verdicts.put(verdict("n", Decision.ALLOW, text_key="edited once more"))  # not milder than the person
    assert [v.decision for v in verdicts.audit("n")] == [Decision.ALLOW, Decision.LIMIT]
    assert verdicts.audit("other") == []


def test_a_refused_verdict_still_leaves_the_queue(backend: StoreBackend) -> None:
    verdicts, queue = backend.verdicts(), backend.moderation_queue()
    verdicts.put(verdict("n", Decision.ALLOW, "person"))
    queue.enqueue(["n"], Urgency.NOW)
    assert not verdicts.put(verdict("n", Decision.BLOCK), queue.next(1)[0])
    assert queue.waiting() == 0


def test_a_verdict_is_a_change_of_its_item(backend: StoreBackend) -> None:
    reader = backend.catalogue()
    backend.catalogue_store().put(ITEMS, VECTORS, {"i1": Urgency.NOW, "i2": Urgency.BULK})
    position = reader.position()
    verdicts, queue = backend.verdicts(), backend.moderation_queue()
    assert queue.entry("i1") == queue.next(10)[0]
    verdicts.put(verdict("i1", Decision.BLOCK))
    assert reader.changes(position, block_ms=100)[1] == ["i1"]
    assert reader.fetch(["i1"])[0].verdict == verdict("i1", Decision.BLOCK)
    backend.catalogue_store().delete("i1")
    assert verdicts.get(["i1"]) == [None]
    assert [q.item_id for q in queue.next(10)] == ["i2"]


def test_an_entry_is_looked_up_and_a_dropped_note_is_not_judged(backend: StoreBackend) -> None:
    queue = backend.moderation_queue()
    queue.enqueue(["a", "b"], Urgency.AGAIN)
    assert queue.entry("a") == queue.next(1)[0]
    queue.drop("a")
    assert queue.entry("a") is None
    assert [q.item_id for q in queue.next(5)] == ["b"]
    queue.enqueue([], Urgency.NOW)
    assert queue.waiting() == 1
