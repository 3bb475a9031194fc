"""A store that takes nothing more: lists are answered, without a cursor, and nothing else is lost."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import redis


@pytest.fixture
def full(store: redis.Redis) -> Iterator[redis.Redis]:
    yield store
    store.config_set("maxmemory", 0)


async def test_a_feed_is_answered_without_a_cursor_while_the_store_is_full(
    http: httpx.AsyncClient, full: redis.Redis
) -> None:
    before = await http.get("/v1/feed", params={"user_id": "u", "k": 2})
    assert before.status_code == 200
    assert before.json()["cursor"]
    full.config_set("maxmemory", 1)
    during = await http.get("/v1/feed", params={"user_id": "u", "k": 2})
    assert during.status_code == 200
    assert len(during.json()["items"]) == 2
    assert not during.json()["cursor"]
    full.config_set("maxmemory", 0)
    after = await http.get("/v1/feed", params={"user_id": "u", "k": 2})
    assert after.json()["cursor"]
