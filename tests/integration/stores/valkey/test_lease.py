"""One holder at a time, on a real store."""

from __future__ import annotations

import time

import pytest
import redis

from rayapp.stores.ports import LeaseTaken
from rayapp.stores.valkey import lease
from rayapp.stores.valkey.lease import Lease


def test_a_second_holder_is_refused_and_a_released_lease_is_free(store: redis.Redis) -> None:
    with Lease(store, "moderator"), pytest.raises(LeaseTaken, match="another moderator"):
        Lease(store, "moderator", wait_s=0.1).__enter__()
    with Lease(store, "moderator", wait_s=0.1), Lease(store, "other", wait_s=0.1):
        pass


def test_a_held_lease_is_renewed_and_a_killed_holders_runs_out(
    store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "TTL_S", 0.5)
    monkeypatch.setattr(lease, "RENEW_S", 0.1)
    with Lease(store, "moderator") as held:
        with pytest.raises(LeaseTaken):
            Lease(store, "moderator", wait_s=1.0).__enter__()
        assert not held.lost.is_set()
    store.lock("lease:moderator", timeout=0.5).acquire()  # and its holder is gone
    started = time.monotonic()
    with Lease(store, "moderator", wait_s=5.0):
        assert time.monotonic() - started < 4


def test_a_lost_lease_is_noticed(store: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_S", 0.05)
    with Lease(store, "moderator") as held:
        store.delete("lease:moderator")
        assert held.lost.wait(5)
