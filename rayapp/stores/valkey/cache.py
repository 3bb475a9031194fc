"""Values that expire, one key each below a prefix."""

from __future__ import annotations

from rayapp.stores import ports
from rayapp.stores.valkey.commands import AsyncClient
from rayapp.stores.valkey.errors import surfaced


@surfaced
class Cache(ports.KeyValueCache):
    """See ports.KeyValueCache."""

    def __init__(self, client: AsyncClient, prefix: str) -> None:
        self.client = client
        self.prefix = prefix

    async def get(self, key: str) -> bytes | None:
        return await self.client.get(f"{self.prefix}:{key}")

    async def put(self, key: str, value: bytes, *, ttl_s: int) -> None:
        await self.client.set(f"{self.prefix}:{key}", value, ex=ttl_s)
