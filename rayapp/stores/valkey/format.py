"""The format of what is stored, so that a store of an older release is brought up to date and one of a later is left
alone."""

from __future__ import annotations

from rayapp.stores.ports import StoreFormatError
from rayapp.stores.valkey.commands import Client

KEY = "format"
FORMAT = 1
PART = 1000


def upgrade(client: Client, user_ttl_s: int) -> int:
    """Bring the store up to FORMAT; how many keys were changed. Raises StoreFormatError for a later format.

    Format 0, of before there was this key: users' keys did not expire. An interrupted upgrade is done again.
    """
    stored = client.get(KEY)
    found = int(stored[:9]) if stored is not None and stored.isdigit() else 0  # of a damaged one no more digits
    if found > FORMAT:
        raise StoreFormatError(
            f"the store has format {found}, this release reads up to {FORMAT}; update rayapp, or name another store"
        )
    changed = 0
    if found < 1:
        changed = _expire_users(client, user_ttl_s)
    if found != FORMAT:
        client.set(KEY, FORMAT)
    return changed


def _expire_users(client: Client, ttl_s: int) -> int:
    """Give every key of a user that never expires the time that it would have now."""
    changed, cursor = 0, None
    while cursor != 0:
        cursor, keys = client.scan(cursor=cursor or 0, match="u:{*}:*", count=PART)
        if not keys:
            continue
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.ttl(key)
        forever = [key for key, left in zip(keys, pipe.execute(), strict=True) if left == -1]
        for key in forever:
            pipe.expire(key, ttl_s)
        if forever:
            pipe.execute()
        changed += len(forever)
    return changed
