"""The history script: a restarted server has lost it, and applying a log twice leaves the same keys."""

from __future__ import annotations

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rayapp.config import History
from rayapp.domain import Action, Event
from rayapp.stores.backend import StoreBackend


def event(n: int, item: str, action: Action = Action.CLICK) -> Event:
    return Event(f"e{n}", "u", "homefeed", action, 1000 * n, 1000 * n, item_id=item)


def test_a_restarted_store_without_scripts_is_no_problem(store: redis.Redis, backend: StoreBackend) -> None:
    writer = backend.history_log(History())
    store.script_flush()
    assert writer.apply([(event(1, "i1"), 1)]) == 1


def test_forgetting_leaves_no_key(store: redis.Redis, backend: StoreBackend) -> None:
    writer = backend.history_log(History())
    writer.apply([(event(1, "i1"), 1), (event(2, "i2", Action.IMPRESSION), 2)])
    writer.forget("u")
    assert [key for key in store.scan_iter() if key.startswith(b"u:")] == []


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(1, 12), st.sampled_from("abc"), st.sampled_from([Action.CLICK, Action.IMPRESSION])),
        max_size=30,
    ),
    st.integers(0, 30),
)
def test_applying_again_after_a_crash_changes_nothing(
    store: redis.Redis, backend: StoreBackend, log: list, cut: int
) -> None:
    store.flushall()
    writer = backend.history_log(History(keep=5))
    rows = [(event(n, item, action), n) for n, item, action in log]

    def content() -> dict:
        return {
            key: sorted(store.smembers(key)) if store.type(key) == b"set" else store.dump(key)
            for key in sorted(store.scan_iter())
            if not bytes(key).startswith(b"popular")
        }

    writer.apply(rows)
    before = content()
    writer.apply(rows[cut:])
    assert content() == before
