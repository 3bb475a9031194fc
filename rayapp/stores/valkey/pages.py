"""What a reader was shown so far in one scroll: one set an open scroll, gone after `ttl_s` without a request."""

from __future__ import annotations

import uuid

from rayapp.stores import ports
from rayapp.stores.ports import CursorExpired
from rayapp.stores.valkey.commands import AsyncClient
from rayapp.stores.valkey.errors import surfaced
from rayapp.stores.valkey.stored import texts


@surfaced
class Pages(ports.PageStore):
    """See ports.PageStore."""

    def __init__(self, client: AsyncClient, ttl_s: int) -> None:
        self.client = client
        self.ttl_s = ttl_s

    def new(self) -> str:
        return uuid.uuid4().hex

    async def load(self, cursor: str) -> frozenset[str]:
        shown = await self.client.smembers(f"page:{cursor}")
        if not shown:
            raise CursorExpired(f"cursor {cursor[:64]!r} is unknown or older than {self.ttl_s} s; ask without a cursor")
        return frozenset(texts(shown, "shown item"))

    async def add(self, cursor: str, ids: list[str]) -> None:
        pipe = self.client.pipeline(transaction=False)
        pipe.sadd(f"page:{cursor}", "", *ids)
        pipe.expire(f"page:{cursor}", self.ttl_s)
        await pipe.execute()
