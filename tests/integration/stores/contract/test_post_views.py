from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest
import redis
import redis.asyncio

from rayapp.config import Config
from rayapp.domain import Item
from rayapp.stores.valkey.client import connect_async
from rayapp.stores.valkey.items import ItemWriter
from rayapp.stores.valkey.post_view import PostView, PostViewReader, PostViewStore
from rayapp.stores.valkey.verdicts import Urgency


@pytest.fixture
async def reader(store: redis.Redis, server_config: Config) -> AsyncIterator[PostViewReader]:
    client = connect_async(server_config.store_url)
    yield PostViewReader(client)
    await client.aclose()


def put(store: redis.Redis, urgency: Urgency, *ids: str) -> None:
    ItemWriter(store).put([Item(item_id=i, title=i) for i in ids], np.ones((len(ids), 4)), dict.fromkeys(ids, urgency))


async def test_what_is_asked_for_comes_before_what_arrived_and_bulk_waits(
    store: redis.Redis, reader: PostViewReader
) -> None:
    queue = PostViewStore(store)
    put(store, Urgency.BULK, "loaded")
    assert queue.next() is None
    put(store, Urgency.NOW, "first", "second")
    assert await reader.get("loaded", "k") is None
    assert await reader.get("second", "k") is None
    assert await reader.get("loaded", "k") is None  # asking twice gives up no place
    order = []
    while wanted := queue.next():
        order.append((wanted.item_id, wanted.asked))
        queue.put(wanted.item_id, PostView("k", "m@1", (wanted.item_id,)))
    assert order == [("loaded", True), ("second", True), ("first", False)]
    assert (await reader.get("first", "k")) == PostView("k", "m@1", ("first",))
    assert queue.next() is None


async def test_another_text_is_pending_and_another_model_is_ready_until_it_is_made_anew(
    store: redis.Redis, reader: PostViewReader
) -> None:
    queue = PostViewStore(store)
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


async def test_a_deleted_note_takes_its_queries_with_it(store: redis.Redis, reader: PostViewReader) -> None:
    put(store, Urgency.NOW, "a")
    queue = PostViewStore(store)
    queue.put("a", PostView("k", "m@1", ("one",)))
    assert await reader.get("a", "other") is None
    ItemWriter(store).delete("a")
    assert queue.get("a") is None
    assert queue.next() is None
