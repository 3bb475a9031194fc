"""Connections to the store (Valkey or Redis), and waiting for it."""

from __future__ import annotations

import time

import redis
import redis.asyncio

from rayapp.stores.ports import StoreUnreachable


def connect(url: str) -> redis.Redis:
    """A blocking client; values stay bytes."""
    return redis.Redis.from_url(url, health_check_interval=10)


def connect_async(url: str) -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(url, health_check_interval=10, max_connections=256)


def wait_for_store(url: str, timeout_s: float = 30.0) -> redis.Redis:
    """A client whose server answers and has its data loaded. Raises StoreUnreachable after `timeout_s`."""
    client = connect(url)
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            client.ping()
            return client
        except redis.RedisError as error:
            if time.monotonic() > deadline:
                raise StoreUnreachable(
                    f"no store answers at {url} within {timeout_s:.0f} s ({error}); start it, or correct store.url"
                ) from None
            time.sleep(0.05)
