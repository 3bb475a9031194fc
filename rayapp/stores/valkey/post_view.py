"""Post-view queries in the store, and the queue of notes that have none yet.

One sorted set: what clients requested comes first, then notes that arrived one
by one. Notes loaded in bulk enter the queue when a client requests them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from rayapp.stores import ports
from rayapp.stores.records import PostView, Wanted
from rayapp.stores.valkey.commands import AsyncClient, Client, Pipe
from rayapp.stores.valkey.errors import surfaced
from rayapp.stores.valkey.stored import readable, text

QUERIES = "post_view_queries"
QUEUE = "post_view_queue"
MODEL = "post_view_model"
ARRIVED = 10**13  # added to the time: after everything that was requested


_decoder = msgspec.json.Decoder(PostView)


def enqueue_arrived(client: Client | Pipe, item_ids: Iterable[str]) -> None:
    """Notes that came one by one; what clients requested stays before them."""
    mapping = dict.fromkeys(item_ids, ARRIVED + int(time.time() * 1000))
    if mapping:
        client.zadd(QUEUE, mapping, nx=True)


def forget(client: Client | Pipe, item_id: str) -> None:
    client.hdel(QUERIES, item_id)
    client.zrem(QUEUE, item_id)


@surfaced
class PostViewReader(ports.PostViewReader):
    """See ports.PostViewReader."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client

    async def get(self, item_id: str, text_key: str) -> PostView | None:
        """None: they are being written. Those of an earlier model are returned while new ones are written."""
        pipe = self.client.pipeline(transaction=False)
        pipe.hget(QUERIES, item_id)
        pipe.get(MODEL)
        raw, model = await pipe.execute()
        stored = readable(_decoder, raw, f"queries of item {item_id!r}") if raw else None
        current = stored if stored is not None and stored.text_key == text_key else None
        if current is None or (model is not None and current.model_version.encode() != model):
            await self.client.zadd(QUEUE, {item_id: int(time.time() * 1000)}, lt=True)
        return current


@surfaced
class PostViewStore(ports.PostViewStore):
    """See ports.PostViewStore."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def begin(self, model_version: str) -> None:
        self.client.set(MODEL, model_version)

    def get(self, item_id: str) -> PostView | None:
        raw = self.client.hget(QUERIES, item_id)
        return readable(_decoder, raw, f"queries of item {item_id!r}") if raw else None

    def waiting(self) -> int:
        return int(self.client.zcard(QUEUE))

    def next(self) -> Wanted | None:
        first = self.client.zrange(QUEUE, 0, 0, withscores=True)
        if not first:
            return None
        ((raw, score),) = first
        item_id = text(raw, "item that waits for queries")
        if item_id is None:  # no note has such an id: it would stand before the others for ever
            self.client.zrem(QUEUE, raw)
            return self.next()
        return Wanted(item_id, score < ARRIVED)

    def put(self, item_id: str, made: PostView | None) -> None:
        """A note that changed meanwhile has another text_key and is requested again."""
        pipe = self.client.pipeline(transaction=True)
        if made is not None:
            pipe.hset(QUERIES, item_id, msgspec.json.encode(made))
        pipe.zrem(QUEUE, item_id)
        pipe.execute()
