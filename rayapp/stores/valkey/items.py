"""The catalogue in the store: item records, their content vectors, and a stream of changes.

The catalogue writer is the only writer. Replicas load everything once, then
follow the stream: each entry names an item that changed or was deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from rayapp.domain import Item, encode
from rayapp.stores import ports
from rayapp.stores.records import StoredItem, Urgency
from rayapp.stores.valkey import change_stream
from rayapp.stores.valkey.commands import Client
from rayapp.stores.valkey.errors import surfaced
from rayapp.stores.valkey.item_keys import ITEMS, VECTORS
from rayapp.stores.valkey.moderation_queue import QUEUE, enqueue
from rayapp.stores.valkey.popularity import CataloguePopularity
from rayapp.stores.valkey.post_view import enqueue_arrived, forget
from rayapp.stores.valkey.stored import readable, texts, vector
from rayapp.stores.valkey.verdicts import VERDICTS
from rayapp.stores.valkey.verdicts import decoder as verdict_decoder

_decoder = msgspec.json.Decoder(Item)


@surfaced
class ItemWriter(ports.CatalogueStore):
    """See ports.CatalogueStore."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.popularity = CataloguePopularity(client)

    def known(self, items: list[Item]) -> list[bool]:
        if not items:
            return []
        ids = [item.item_id for item in items]
        stored = self.client.hmget(ITEMS, ids)
        pipe = self.client.pipeline(transaction=False)
        for item_id in ids:
            pipe.hexists(VECTORS, item_id)
        return [raw == encode(item) and ok for raw, ok, item in zip(stored, pipe.execute(), items, strict=True)]

    def put(self, items: list[Item], contents: np.ndarray, judge: Mapping[str, Urgency] | None = None) -> None:
        if not items:
            return
        pipe = self.client.pipeline(transaction=True)
        pipe.hset(ITEMS, mapping={item.item_id: encode(item) for item in items})
        halves = contents.astype(np.float16)
        pipe.hset(VECTORS, mapping={item.item_id: halves[i].tobytes() for i, item in enumerate(items)})
        for item in items:
            change_stream.append(pipe, "put", item.item_id)
        for urgency in Urgency:
            enqueue(pipe, [i.item_id for i in items if judge and judge.get(i.item_id) is urgency], urgency)
        enqueue_arrived(pipe, [i.item_id for i in items if judge and judge.get(i.item_id) is Urgency.NOW])
        pipe.execute()
        self.popularity.entered([item.item_id for item in items])

    def delete(self, item_id: str) -> None:
        pipe = self.client.pipeline(transaction=True)
        pipe.hdel(ITEMS, item_id)
        pipe.hdel(VECTORS, item_id)
        pipe.hdel(VERDICTS, item_id)
        pipe.zrem(QUEUE, item_id)
        forget(pipe, item_id)
        change_stream.append(pipe, "delete", item_id)
        pipe.execute()
        self.popularity.left(item_id)


@surfaced
class ItemReader(ports.CatalogueFeed):
    """See ports.CatalogueReader and ports.CatalogueFeed."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def position(self) -> str:
        return change_stream.position(self.client)

    def changes(self, after: str, *, block_ms: int = 500, count: int = 5000) -> tuple[str, list[str]]:
        return change_stream.read(self.client, after, block_ms=block_ms, count=count)

    def scan(self, batch: int = 2000) -> Iterator[list[StoredItem]]:
        cursor: int | None = None
        while cursor != 0:
            cursor, page = self.client.hscan(ITEMS, cursor=cursor or 0, count=batch)
            if page:
                yield self.fetch(texts(page, "item"))

    def fetch(self, ids: list[str]) -> list[StoredItem]:
        if not ids:
            return []
        pipe = self.client.pipeline(transaction=False)
        pipe.hmget(ITEMS, ids)
        pipe.hmget(VECTORS, ids)
        pipe.hmget(VERDICTS, ids)
        result: list[StoredItem] = []
        for item_id, record, raw, verdict in zip(ids, *pipe.execute(), strict=True):
            item = None if record is None else readable(_decoder, record, f"item {item_id!r}")
            content = None if raw is None else vector(raw, f"vector of item {item_id!r}")
            if item is None or content is None:
                result.append(StoredItem(item_id, None, None))
                continue
            judged = readable(verdict_decoder, verdict, f"verdict of item {item_id!r}") if verdict else None
            result.append(StoredItem(item_id, item, content, judged))
        return result
