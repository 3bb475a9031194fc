"""Scrolls, and values that expire."""

from __future__ import annotations

import asyncio

import pytest

from rayapp.stores.backend import AsyncStoreBackend
from rayapp.stores.ports import CursorExpired


async def test_pages_remember_what_was_shown(requests: AsyncStoreBackend) -> None:
    pages = requests.pages(ttl_s=60)
    cursor = pages.new()
    await pages.add(cursor, ["a"])
    await pages.add(cursor, ["b"])
    assert await pages.load(cursor) >= {"a", "b"}
    with pytest.raises(CursorExpired, match="ask without a cursor"):
        await pages.load("unknown")


async def test_a_page_without_items_keeps_its_cursor(requests: AsyncStoreBackend) -> None:
    pages = requests.pages(ttl_s=60)
    cursor = pages.new()
    await pages.add(cursor, [])
    await pages.load(cursor)


async def test_caches_are_apart_and_values_expire(requests: AsyncStoreBackend) -> None:
    cache = requests.cache("one")
    assert await cache.get("key") is None
    await cache.put("key", b"value", ttl_s=1)
    assert await cache.get("key") == b"value"
    assert await requests.cache("two").get("key") is None
    await asyncio.sleep(1.2)
    assert await cache.get("key") is None
