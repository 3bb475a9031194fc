"""Against a real Valkey: what the writer applies is what the reader sees."""

from __future__ import annotations

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rayapp.config import Config, History
from rayapp.domain import Action, Event
from rayapp.stores.valkey.client import connect_async
from rayapp.stores.valkey.history import HistoryReader, HistoryWriter, UserState
from rayapp.stores.valkey.pages import CursorExpired, Pages

SCENARIOS = ("homefeed", "search", "ads")
HOUR = 3_600_000


def event(n: int, item: str | None = None, action: Action = Action.CLICK, scenario: str = "homefeed") -> Event:
    return Event(f"e{n}", "u", scenario, action, 1000 * n, 1000 * n, item_id=item or f"i{n}")


async def state(config: Config, newest: int = 100, now_ms: int = 10**7) -> UserState:
    client = connect_async(config.store_url)
    try:
        return await HistoryReader(client, ads_cap=2).load("u", SCENARIOS, newest, now_ms)
    finally:
        await client.aclose()


async def test_newest_are_kept_late_ones_in_time_order_and_duplicates_once(
    store: redis.Redis, server_config: Config
) -> None:
    writer = HistoryWriter(store, History(keep=3))
    assert writer.apply([(event(n), n) for n in (1, 5, 3, 2, 4, 5)]) == 5
    assert [e.timestamp_ms for e in (await state(server_config)).events] == [3000, 4000, 5000]


async def test_what_was_seen_outlives_the_history(store: redis.Redis, server_config: Config) -> None:
    HistoryWriter(store, History(keep=1)).apply([(event(n), n) for n in range(1, 6)])
    found = await state(server_config)
    assert len(found.events) == 1
    assert found.seen == {f"i{n}" for n in range(1, 6)}


async def test_three_impressions_make_an_item_seen(store: redis.Redis, server_config: Config) -> None:
    writer = HistoryWriter(store, History())
    writer.apply([(event(n, "x", Action.IMPRESSION), n) for n in (1, 2)])
    assert (await state(server_config)).seen == frozenset()
    writer.apply([(event(2, "x", Action.IMPRESSION), 3)])  # the same event again
    assert (await state(server_config)).seen == frozenset()
    writer.apply([(event(3, "x", Action.IMPRESSION), 4)])
    assert (await state(server_config)).seen == {"x"}


async def test_hidden_items_and_the_ads_cap(store: redis.Redis, server_config: Config) -> None:
    writer = HistoryWriter(store, History())
    writer.apply([(event(1, "h", Action.HIDE), 1)])
    writer.apply([(event(n, "ad", Action.IMPRESSION, "ads"), n * HOUR) for n in (2, 3)])
    found = await state(server_config, now_ms=4 * HOUR)
    assert (found.hidden, found.capped_ads) == ({"h"}, {"ad"})
    assert (await state(server_config, now_ms=30 * HOUR)).capped_ads == frozenset()


async def test_the_same_id_counts_again_after_a_day(store: redis.Redis) -> None:
    writer = HistoryWriter(store, History())
    assert [writer.apply([(event(1), at)]) for at in (HOUR, 24 * HOUR, 49 * HOUR)] == [1, 0, 1]


async def test_forgetting_leaves_nothing(store: redis.Redis, server_config: Config) -> None:
    writer = HistoryWriter(store, History())
    writer.apply([(event(1), 1), (event(2, scenario="search"), 2), (event(3, action=Action.IMPRESSION), 3)])
    writer.forget("u")
    assert await state(server_config) == UserState([], frozenset(), frozenset(), frozenset())
    assert [key for key in store.scan_iter() if key.startswith(b"u:")] == []


async def test_recent_clicks_weigh_more_in_popularity(store: redis.Redis, server_config: Config) -> None:
    writer = HistoryWriter(store, History(popularity_half_life_days=1))
    day = 24 * HOUR
    base = 1_790_000_000_000
    writer.apply([(event(n, "old"), base) for n in (1, 2, 3)])
    writer.apply([(event(4, "new"), base + 2 * day)])
    client = connect_async(server_config.store_url)
    assert await HistoryReader(client).popular("homefeed", 5) == [("new", 1.0), ("old", pytest.approx(0.75))]
    await client.aclose()


async def test_a_restarted_store_without_scripts_is_no_problem(store: redis.Redis) -> None:
    writer = HistoryWriter(store, History())
    store.script_flush()
    assert writer.apply([(event(1), 1)]) == 1


async def test_pages_remember_what_was_shown(store: redis.Redis, server_config: Config) -> None:
    client = connect_async(server_config.store_url)
    pages = Pages(client, ttl_s=60)
    cursor = pages.new()
    await pages.add(cursor, ["a"])
    await pages.add(cursor, ["b"])
    assert await pages.load(cursor) >= {"a", "b"}
    with pytest.raises(CursorExpired, match="ask without a cursor"):
        await pages.load("unknown")
    await client.aclose()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(1, 12), st.sampled_from("abc"), st.sampled_from([Action.CLICK, Action.IMPRESSION])),
        max_size=30,
    ),
    st.integers(0, 30),
)
def test_applying_again_after_a_crash_changes_nothing(store: redis.Redis, log: list, cut: int) -> None:
    store.flushall()
    writer = HistoryWriter(store, History(keep=5))
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
