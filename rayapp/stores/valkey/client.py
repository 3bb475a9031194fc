"""Connections to the store (Valkey or Redis); the first command connects, and values stay bytes."""

from __future__ import annotations

from typing import Any, cast

import redis
import redis.asyncio

from rayapp.stores.valkey.commands import AsyncClient, Client


def check_url(url: str) -> None:
    """Makes a connection that connects to nothing. Raises ValueError for a URL that none can be made from."""
    try:
        pool: Any = cast("Any", redis.ConnectionPool).from_url(url)
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, AttributeError) as error:  # an option that connections do not have, or of another type
        raise ValueError(" ".join(str(error).rpartition("() ")[2].split())) from None
    port = pool.connection_kwargs.get("port", 1)
    if not 1 <= port <= 65_535:
        raise ValueError(f"port {port} is not between 1 and 65535")


def connect(url: str) -> Client:
    """A blocking client."""
    client: Any = redis.Redis
    return cast("Client", client.from_url(url, health_check_interval=10))


def connect_async(url: str) -> AsyncClient:
    """A client of an event loop."""
    client: Any = redis.asyncio.Redis
    return cast("AsyncClient", client.from_url(url, health_check_interval=10, max_connections=256))
