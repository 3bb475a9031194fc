"""The catalogue's change stream: one entry for each item that was put, judged or deleted."""

from __future__ import annotations

from rayapp.stores.ports import ChangesLost
from rayapp.stores.valkey.commands import Client, Pipe
from rayapp.stores.valkey.stored import texts

CHANGES = "item_changes"
KEEP_CHANGES = 200_000


def append(pipe: Pipe, kind: str, item_id: str) -> None:
    """`kind`: put or delete."""
    pipe.xadd(CHANGES, {kind: item_id}, maxlen=KEEP_CHANGES, approximate=True)


def position(client: Client) -> str:
    """The stream's end."""
    last = client.xrevrange(CHANGES, count=1)
    return last[0][0].decode() if last else "0-0"


def has_gap(client: Client, after: str) -> bool:
    """Whether entries after `after` were trimmed before they were read: a stream that is followed from `after` would
    miss them."""
    first = client.xrange(CHANGES, count=1)
    if not first or _order(after) >= _order(first[0][0].decode()):
        return False
    about = client.xinfo_stream(CHANGES)
    return int(about["entries-added"]) > int(about["length"])  # nothing was trimmed yet while they are equal


def _order(entry: str) -> tuple[int, int]:
    ms, _, number = entry.partition("-")
    return int(ms), int(number)


def read(client: Client, after: str, *, block_ms: int, count: int) -> tuple[str, list[str]]:
    """(new position, ids changed since `after`, each once), waiting up to `block_ms` for the first.

    Raises ChangesLost when entries after `after` were trimmed before they were read.
    """
    reply = client.xread({CHANGES: after}, count=count, block=block_ms)
    if not reply:
        return after, []
    if has_gap(client, after):
        raise ChangesLost(f"the changes after {after} were dropped: more than {KEEP_CHANGES:,} came since")
    entries = reply[0][1]
    ids = dict.fromkeys(texts((next(iter(fields.values())) for _, fields in entries), "changed item"))
    return entries[-1][0].decode(), list(ids)
