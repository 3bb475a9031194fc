"""The post-view queue: requested notes first, then those that arrived; bulk ones only on request."""

from __future__ import annotations

import numpy as np
import pytest

from rayapp.domain import Item
from rayapp.stores.backend import AsyncStoreBackend, StoreBackend
from rayapp.stores.ports import PostViewReader
from rayapp.stores.records import PostView, Urgency


@pytest.fixture
def reader(requests: AsyncStoreBackend) -> PostViewReader:
    return requests.post_views()


def put(backend: StoreBackend, urgency: Urgency, *ids: str) -> None:
    backend.catalogue_store().put(
        [Item(item_id=i, title=i) for i in ids], np.ones((len(ids), 4)), dict.fromkeys(ids, urgency)
    )


async def test_what_is_asked_for_comes_before_what_arrived_and_bulk_waits(
    backend: StoreBackend, reader: PostViewReader
) -> None:
    queue = backend.post_views()
    put(backend, Urgency.BULK, "loaded")
    assert queue.next() is None
    put(backend, Urgency.NOW, "first", "second")
    assert await reader.get("loaded", "k") is None
    assert await reader.get("second", "k") is None
    assert await reader.get("loaded", "k") is None  # asking twice gives up no place
    order = []
    while wanted := queue.next():
        order.append((wanted.item_id, wanted.requested))
        queue.put(wanted.item_id, PostView("k", "m@1", (wanted.item_id,)))
    assert order == [("loaded", True), ("second", True), ("first", False)]
    assert (await reader.get("first", "k")) == PostView("k", "m@1", ("first",))
    assert queue.next() is None


async def test_another_text_is_pending_and_another_model_is_ready_until_it_is_made_anew(
    backend: StoreBackend, reader: PostViewReader
) -> None:
    queue = backend.post_views()
    queue.begin("m@1")
    queue.put("a", PostView("k", "m@1", ("one",)))
    assert await reader.get("a", "other") is None
    assert queue.next() is not None
    queue.put("a", PostView("other", "m@1", ("two",)))
    queue.begin("m@2")
    found = await reader.get("a", "other")
    assert found is not None
    assert found.queries == ("two",)
    wanted = queue.next()
    assert wanted is not None
    assert wanted.item_id == "a"


async def test_a_deleted_note_takes_its_queries_with_it(backend: StoreBackend, reader: PostViewReader) -> None:
    put(backend, Urgency.NOW, "a")
    queue = backend.post_views()
    queue.put("a", PostView("k", "m@1", ("one",)))
    assert await reader.get("a", "other") is None
    backend.catalogue_store().delete("a")
    assert queue.get("a") is None
    assert queue.next() is None
