"""What a reader was shown so far in one scroll, so that the next page repeats nothing."""

from __future__ import annotations

import uuid
from typing import ClassVar

import redis.asyncio

from rayapp.errors import UserError


class CursorExpired(UserError):
    """The cursor is unknown or too old; start again without one."""

    code: ClassVar[str] = "bad_request"
    field: str | None = "cursor"


class Pages:
    """One set an open scroll, gone after `ttl_s` without a request."""

    def __init__(self, client: redis.asyncio.Redis, ttl_s: int) -> None:
        self.client = client
        self.ttl_s = ttl_s

    @staticmethod
    def new() -> str:
        return uuid.uuid4().hex

    async def load(self, cursor: str) -> frozenset[str]:
        """The ids shown so far. Raises CursorExpired."""
        shown = await self.client.smembers(f"page:{cursor}")
        if not shown:
            raise CursorExpired(f"cursor {cursor[:64]!r} is unknown or older than {self.ttl_s} s; ask without a cursor")
        return frozenset(item.decode() for item in shown)

    async def add(self, cursor: str, ids: list[str]) -> None:
        pipe = self.client.pipeline(transaction=False)
        pipe.sadd(f"page:{cursor}", "", *ids)
        pipe.expire(f"page:{cursor}", self.ttl_s)
        await pipe.execute()
