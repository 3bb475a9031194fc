"""The catalogue's change stream: one entry for each item that was put, judged or deleted."""

from __future__ import annotations

from rayapp.stores.valkey.commands import Client, Pipe

CHANGES = "item_changes"
KEEP_CHANGES = 200_000


def append(pipe: Pipe, kind: str, item_id: str) -> None:
    """`kind`: put or delete."""
    pipe.xadd(CHANGES, {kind: item_id}, maxlen=KEEP_CHANGES, approximate=True)


def position(client: Client) -> str:
    """The stream's end."""
    last = client.xrevrange(CHANGES, count=1)
    return last[0][0].decode() if last else "0-0"


def read(client: Client, after: str, *, block_ms: int, count: int) -> tuple[str, list[str]]:
    """(new position, ids changed since `after`, each once), waiting up to `block_ms` for the first."""
    reply = client.xread({CHANGES: after}, count=count, block=block_ms)
    if not reply:
        return after, []
    entries = reply[0][1]
    ids = dict.fromkeys(next(iter(fields.values())).decode() for _, fields in entries)
    return entries[-1][0].decode(), list(ids)
