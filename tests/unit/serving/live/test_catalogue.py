"""What cannot be in an index costs itself alone, wherever it stands."""

from __future__ import annotations

import numpy as np
import pytest

from rayapp.domain import Item
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.stores.records import StoredItem


def stored(item_id: str, dim: int) -> StoredItem:
    return StoredItem(item_id, Item(item_id, "title"), np.ones(dim, np.float32))


@pytest.mark.parametrize("place", range(4))
def test_a_vector_of_another_length_shuts_out_no_other(place: int) -> None:
    live = LiveCatalogue(reader=None)  # type: ignore[arg-type]  # changes are applied by hand
    changes = [stored(f"i{n}", 8) for n in range(3)]
    changes.insert(place, stored("odd", 2))
    live.apply_each(changes)
    assert set(live.items) == {"i0", "i1", "i2"}
    live.apply_each([stored("later", 8), stored("odd too", 4)])
    assert set(live.items) == {"i0", "i1", "i2", "later"}
