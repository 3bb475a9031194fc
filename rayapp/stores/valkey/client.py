"""Connections to the store (Valkey or Redis); the first command connects, and values stay bytes."""

from __future__ import annotations

from typing import Any, cast

import redis
import redis.asyncio

from rayapp.stores.valkey.commands import AsyncClient, Client


def connect(url: str) -> Client:
    """A blocking client."""
    client: Any = redis.Redis
    return cast("Client", client.from_url(url, health_check_interval=10))


def connect_async(url: str) -> AsyncClient:
    """A client of an event loop."""
    client: Any = redis.asyncio.Redis
    return cast("AsyncClient", client.from_url(url, health_check_interval=10, max_connections=256))
