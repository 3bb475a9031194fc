"""The catalogue in the store: item records, their content vectors, and a stream of changes.

The catalogue writer is the only writer. Replicas load everything once, then
follow the stream: each entry names an item that changed or went.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
import redis
import redis.asyncio

from rayapp.domain import Item, Verdict, encode
from rayapp.stores.valkey.post_view import enqueue_arrived, forget
from rayapp.stores.valkey.verdicts import CHANGES, KEEP_CHANGES, QUEUE, VERDICTS, Urgency, enqueue

ITEMS = "items"
VECTORS = "item_vectors"
_decoder = msgspec.json.Decoder(Item)
_verdict = msgspec.json.Decoder(Verdict)


class StoredItem(NamedTuple):
    """content: float32 [E]; None: the item is gone. Without a verdict nobody judged it yet."""

    item_id: str
    item: Item | None
    content: np.ndarray | None
    verdict: Verdict | None = None


class ItemWriter:
    """Writes items and deletions; idempotent."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    def known(self, items: list[Item]) -> list[bool]:
        """Which of these are stored exactly like that already, with their vector."""
        if not items:
            return []
        ids = [item.item_id for item in items]
        stored = self.client.hmget(ITEMS, ids)
        pipe = self.client.pipeline(transaction=False)
        for item_id in ids:
            pipe.hexists(VECTORS, item_id)
        return [raw == encode(item) and ok for raw, ok, item in zip(stored, pipe.execute(), items, strict=True)]

    def put(self, items: list[Item], contents: np.ndarray, judge: Mapping[str, Urgency] | None = None) -> None:
        """contents: [N, E]; stored as float16. `judge`: ids that enter the moderation queue in the same
        step; those that come one by one enter the post-view queue too."""
        if not items:
            return
        pipe = self.client.pipeline(transaction=True)
        pipe.hset(ITEMS, mapping={item.item_id: encode(item) for item in items})
        halves = contents.astype(np.float16)
        pipe.hset(VECTORS, mapping={item.item_id: halves[i].tobytes() for i, item in enumerate(items)})
        for item in items:
            pipe.xadd(CHANGES, {"put": item.item_id}, maxlen=KEEP_CHANGES, approximate=True)
        for urgency in Urgency:
            enqueue(pipe, [i.item_id for i in items if judge and judge.get(i.item_id) is urgency], urgency)
        enqueue_arrived(pipe, [i.item_id for i in items if judge and judge.get(i.item_id) is Urgency.NOW])
        pipe.execute()

    def delete(self, item_id: str) -> None:
        pipe = self.client.pipeline(transaction=True)
        pipe.hdel(ITEMS, item_id)
        pipe.hdel(VECTORS, item_id)
        pipe.hdel(VERDICTS, item_id)
        pipe.zrem(QUEUE, item_id)
        forget(pipe, item_id)
        pipe.xadd(CHANGES, {"delete": item_id}, maxlen=KEEP_CHANGES, approximate=True)
        pipe.execute()


class ItemReader:
    """Reads the catalogue as it stands, then its changes."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    def count(self) -> int:
        return int(self.client.hlen(ITEMS))

    def position(self) -> str:
        """The stream's end: changes after this are new."""
        last = self.client.xrevrange(CHANGES, count=1)
        return last[0][0].decode() if last else "0-0"

    def scan(self, batch: int = 2000) -> Iterator[list[StoredItem]]:
        """Every stored item, in batches; an item changed meanwhile appears in the stream as well."""
        cursor: int | None = None
        while cursor != 0:
            cursor, page = self.client.hscan(ITEMS, cursor=cursor or 0, count=batch)
            if page:
                yield self.fetch([key.decode() for key in page])

    def fetch(self, ids: list[str]) -> list[StoredItem]:
        """These items as they stand now."""
        if not ids:
            return []
        pipe = self.client.pipeline(transaction=False)
        pipe.hmget(ITEMS, ids)
        pipe.hmget(VECTORS, ids)
        pipe.hmget(VERDICTS, ids)
        result = []
        for item_id, record, vector, verdict in zip(ids, *pipe.execute(), strict=True):
            if record is None or vector is None:
                result.append(StoredItem(item_id, None, None))
            else:
                content = np.frombuffer(vector, dtype=np.float16).astype(np.float32)
                judged = _verdict.decode(verdict) if verdict else None
                result.append(StoredItem(item_id, _decoder.decode(record), content, judged))
        return result

    def changes(self, after: str, block_ms: int = 500, count: int = 5000) -> tuple[str, list[str]]:
        """(new position, ids changed since `after`), waiting up to `block_ms` for the first."""
        reply = self.client.xread({CHANGES: after}, count=count, block=block_ms)
        if not reply:
            return after, []
        entries = reply[0][1]
        ids = dict.fromkeys(next(iter(fields.values())).decode() for _, fields in entries)
        return entries[-1][0].decode(), list(ids)
