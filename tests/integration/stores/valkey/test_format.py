"""A store of an older release is brought up to date, one of a later release is left alone."""

from __future__ import annotations

import pytest
import redis

from rayapp.config import Config, History
from rayapp.domain import Action, Event
from rayapp.stores.backend import StoreBackend
from rayapp.stores.open import open_async_store
from rayapp.stores.ports import StoreFormatError
from rayapp.stores.valkey.format import FORMAT

EVENT = Event("e", "ann", "homefeed", Action.CLICK, 1_790_000_000_000, 1_790_000_000_000, item_id="i")


async def test_an_older_store_is_read_and_its_users_expire_from_now_on(
    store: redis.Redis, backend: StoreBackend, server_config: Config
) -> None:
    backend.history_log(History()).apply([(EVENT, 1_790_000_000_000)])
    keys = list(store.scan_iter(match="u:*"))
    for key in keys:
        store.persist(key)
    store.set("other", "x")
    assert backend.upgrade(History(user_days=2)) == len(keys) > 3
    assert all(0 < store.ttl(key) <= 2 * 86_400 for key in keys)
    assert store.ttl("other") == -1
    assert backend.upgrade(History()) == 0, "it is up to date"
    requests = open_async_store(server_config.store_url)
    assert await requests.history(History()).history("ann", ("homefeed",), 5) == [EVENT]
    await requests.close()


def test_a_store_of_a_later_release_is_left_alone(store: redis.Redis, backend: StoreBackend) -> None:
    store.set("format", FORMAT + 1)
    with pytest.raises(StoreFormatError, match="update rayapp"):
        backend.upgrade(History())
    assert store.get("format") == str(FORMAT + 1).encode()


def test_an_empty_store_gets_the_format_of_today(store: redis.Redis, backend: StoreBackend) -> None:
    assert backend.upgrade(History()) == 0
    assert store.get("format") == str(FORMAT).encode()


def test_every_key_of_a_user_expires(store: redis.Redis, backend: StoreBackend) -> None:
    writer = backend.history_log(History())
    actions = [Action.CLICK, Action.HIDE, Action.IMPRESSION, Action.FOLLOW]
    for n, action in enumerate(actions):
        for scenario in ("homefeed", "ads", "search"):
            event = Event(f"e{n}{scenario}", "ann", scenario, action, 10**12, 10**12, item_id=f"i{n}")
            writer.apply([(event, 10**12)])
    keys = list(store.scan_iter(match="u:*"))
    assert len(keys) >= 9
    assert [key for key in keys if store.ttl(key) < 0] == []
