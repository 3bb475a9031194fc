"""What the writer puts is what readers load and follow."""

from __future__ import annotations

import numpy as np

from rayapp.domain import Item
from rayapp.stores.backend import StoreBackend

ITEMS = [Item(item_id=f"i{n}", title=f"t{n}") for n in range(5)]
VECTORS = np.arange(20, dtype=np.float32).reshape(5, 4)


def test_what_is_put_is_read_and_changes_are_followed(backend: StoreBackend) -> None:
    writer, reader = backend.catalogue_store(), backend.catalogue()
    writer.put(ITEMS, VECTORS)
    position = reader.position()
    found = {s.item_id: s for page in reader.scan() for s in page}
    assert {i: s.item for i, s in found.items()} == {item.item_id: item for item in ITEMS}
    assert np.array_equal(found["i2"].content, VECTORS[2])
    assert reader.changes(position, block_ms=1)[1] == []
    writer.delete("i1")
    writer.put(ITEMS[3:4], VECTORS[:1])
    after, ids = reader.changes(position, block_ms=100)
    assert ids == ["i1", "i3"]
    assert reader.fetch(["i1"])[0].item is None
    assert np.array_equal(reader.fetch(["i3"])[0].content, VECTORS[0])
    assert reader.changes(after, block_ms=1) == (after, [])


def test_known_items_need_no_work(backend: StoreBackend) -> None:
    writer = backend.catalogue_store()
    writer.put(ITEMS[:2], VECTORS[:2])
    changed = Item(item_id="i1", title="other")
    assert writer.known([ITEMS[0], changed, ITEMS[2]]) == [True, False, False]
