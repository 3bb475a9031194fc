"""The moderation queue: one sorted set, the lowest score is judged first.

New, changed and reported notes come before notes whose policy or model
changed, these before notes loaded in bulk, and these before notes that wait for
the language model alone: class times 10^13 plus the time in milliseconds. The score identifies an entry (its ticket).
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from rayapp.stores import ports
from rayapp.stores.records import Queued, Urgency
from rayapp.stores.valkey.commands import Client, Pipe
from rayapp.stores.valkey.errors import surfaced
from rayapp.stores.valkey.stored import text

QUEUE = "moderation_queue"
CLASS = 10**13


def enqueue(client: Client | Pipe, item_ids: Iterable[str], urgency: Urgency) -> None:
    """NOW overtakes what is queued already (a note that is being judged is judged again); the others wait."""
    score = urgency * CLASS + int(time.time() * 1000)
    mapping = dict.fromkeys(item_ids, score)
    if mapping:
        client.zadd(QUEUE, mapping, nx=urgency is not Urgency.NOW)


@surfaced
class ModerationQueue(ports.ModerationQueue):
    """See ports.ModerationQueue."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def enqueue(self, item_ids: Iterable[str], urgency: Urgency) -> None:
        enqueue(self.client, item_ids, urgency)

    def next(self, count: int, preferred: Iterable[str] = ()) -> list[Queued]:
        rows = self.client.zrange(QUEUE, 0, count - 1, withscores=True)
        unreadable = [item for item, _ in rows if text(item, "queued item") is None]
        if unreadable:  # no note has such an id: it would stand before the others for ever
            self.client.zrem(QUEUE, *unreadable)
            return self.next(count, preferred)
        entries = [_entry(item.decode(), score) for item, score in rows]
        if not entries:
            return []
        urgency = entries[0].urgency
        entries = [entry for entry in entries if entry.urgency is urgency]
        if urgency not in (Urgency.BULK, Urgency.OPEN):
            return entries
        ids = list(preferred)
        scores = self.client.zmscore(QUEUE, ids) if ids else []
        known = [_entry(i, s) for i, s in zip(ids, scores, strict=True) if s is not None]
        first = [entry for entry in known if entry.urgency is urgency][:count]
        chosen = {entry.item_id for entry in first}
        return [*first, *(e for e in entries if e.item_id not in chosen)][:count]

    def entry(self, item_id: str) -> Queued | None:
        score = self.client.zscore(QUEUE, item_id)
        return _entry(item_id, score) if score is not None else None

    def drop(self, item_id: str) -> None:
        self.client.zrem(QUEUE, item_id)

    def postpone(self, entries: Iterable[Queued]) -> None:
        waiting = list(entries)
        scores = self.client.zmscore(QUEUE, [e.item_id for e in waiting]) if waiting else []
        score = Urgency.OPEN * CLASS + int(time.time() * 1000)
        same = [e.item_id for e, s in zip(waiting, scores, strict=True) if s is not None and _ticket(s) == e.ticket]
        if same:  # queued again between the two commands: it is judged a little later, with its present text
            self.client.zadd(QUEUE, dict.fromkeys(same, score), xx=True)

    def waiting(self, least: Urgency = Urgency.OPEN) -> int:
        return int(self.client.zcount(QUEUE, "-inf", f"({(least + 1) * CLASS}"))


def _entry(item_id: str, score: float) -> Queued:
    """The ticket is the score. One that we did not write belongs to the class it is nearest to."""
    urgency = next((one for one in Urgency if score < (one + 1) * CLASS), Urgency.OPEN)
    return Queued(item_id, _ticket(score), urgency)


def _ticket(score: float) -> bytes:
    return repr(score).encode()
