"""What the store answers with an error is told apart from a store that is away."""

from __future__ import annotations

import pytest
import redis

from rayapp.domain import Item
from rayapp.stores.backend import StoreBackend
from rayapp.stores.ports import StoreRefused


def test_a_refused_operation_is_not_worth_waiting_for(store: redis.Redis, backend: StoreBackend) -> None:
    store.set("items", "a string, where a hash belongs")
    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        backend.catalogue_store().known([Item(item_id="i", title="t")])
    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        list(backend.catalogue().scan())
