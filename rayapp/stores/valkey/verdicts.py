"""Verdicts in the store, and the queue of notes to be judged.

A verdict goes into the catalogue's stream of changes, so replicas follow it like
any other change of an item. The queue is one sorted set: what has the lowest score is judged first. New
and changed notes and reported ones come before notes whose policy or model
changed, and these before notes loaded in bulk. A verdict and its removal from
the queue are one step, so a kill in between judges no note twice and loses none.
"""

from __future__ import annotations

import importlib.resources
import time
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

import msgspec
import redis
import redis.exceptions

from rayapp.domain import Verdict, encode

CHANGES = "item_changes"
VERDICTS = "verdicts"
QUEUE = "moderation_queue"
AUDIT = "verdict_audit"
SCRIPT = importlib.resources.files("rayapp.stores.valkey").joinpath("verdict.lua").read_text()
KEEP_CHANGES = 200_000
_decoder = msgspec.json.Decoder(Verdict)


class Urgency(IntEnum):
    """Classes of the queue; within one, first come first served (bulk: most clicked first, see `next`)."""

    NOW = 0
    AGAIN = 1
    BULK = 2

    @property
    def base(self) -> int:
        return self.value * 10**13


class Queued(NamedTuple):
    item_id: str
    score: bytes  # as the store says it: compared, never computed with

    @property
    def urgency(self) -> Urgency:
        return Urgency(int(float(self.score) // 10**13))


def enqueue(client: redis.Redis | redis.client.Pipeline, item_ids: Iterable[str], urgency: Urgency) -> None:
    """NOW overtakes what is queued already (and has a note judged again that is being judged); the others wait."""
    score = urgency.base + int(time.time() * 1000)
    mapping = dict.fromkeys(item_ids, score)
    if mapping:
        client.zadd(QUEUE, mapping, nx=urgency is not Urgency.NOW)


class VerdictStore:
    """Reads and writes verdicts; safe with any number of writers."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.script = client.register_script(SCRIPT)

    def get(self, item_ids: list[str]) -> list[Verdict | None]:
        if not item_ids:
            return []
        return [_decoder.decode(raw) if raw else None for raw in self.client.hmget(VERDICTS, item_ids)]

    def put(self, verdict: Verdict, queued: Queued | None = None) -> bool:
        """False: a person's verdict stands. `queued` takes that entry off the queue unless it was renewed."""
        arguments = [verdict.item_id, encode(verdict), verdict.outcome, verdict.text_key]
        arguments += [queued.score if queued else "", KEEP_CHANGES]
        return bool(self.script(keys=[VERDICTS, QUEUE, CHANGES, AUDIT], args=arguments))

    def audit(self, item_id: str) -> list[Verdict]:
        """Every decision of a person on this note, oldest first."""
        entries = (_decoder.decode(fields[b"verdict"]) for _, fields in self.client.xrange(AUDIT))
        return [verdict for verdict in entries if verdict.item_id == item_id]

    def waiting(self) -> int:
        return int(self.client.zcard(QUEUE))

    def next(self, count: int, preferred: Iterable[str] = ()) -> list[Queued]:
        """The notes to judge now; while only bulk is left, `preferred` ones (most clicked first) before the others."""
        entries = [Queued(i.decode(), s) for i, s in self._range(0, count - 1)]
        if not entries or entries[0].urgency is not Urgency.BULK:
            return entries
        ids = list(preferred)
        scores = self.client.zmscore(QUEUE, ids) if ids else []
        first = [Queued(i, _text(s)) for i, s in zip(ids, scores, strict=True) if s is not None][:count]
        chosen = {entry.item_id for entry in first}
        return [*first, *(e for e in entries if e.item_id not in chosen)][:count]

    def queued(self, item_id: str) -> Queued | None:
        """Its entry, if it waits."""
        score = self.client.zscore(QUEUE, item_id)
        return Queued(item_id, _text(score)) if score is not None else None

    def drop(self, item_id: str) -> None:
        """A note that is gone: nothing to judge."""
        self.client.zrem(QUEUE, item_id)

    def _range(self, start: int, stop: int) -> list[tuple[bytes, bytes]]:
        rows = self.client.zrange(QUEUE, start, stop, withscores=True)
        return [(item, _text(score)) for item, score in rows]


def _text(score: float) -> bytes:
    """A score as Lua's ZSCORE returns it: ours are whole numbers."""
    return str(int(score)).encode()
