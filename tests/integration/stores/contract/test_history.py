"""What the log applies is what requests read."""

from __future__ import annotations

import pytest

from rayapp.config import History
from rayapp.domain import Action, Event
from rayapp.stores.backend import AsyncStoreBackend, StoreBackend
from rayapp.stores.records import UserState

SCENARIOS = ("homefeed", "search", "ads")
HOUR = 3_600_000


def event(n: int, item: str | None = None, action: Action = Action.CLICK, scenario: str = "homefeed") -> Event:
    return Event(f"e{n}", "u", scenario, action, 1000 * n, 1000 * n, item_id=item or f"i{n}")


async def state(requests: AsyncStoreBackend, newest: int = 100, now_ms: int = 10**7) -> UserState:
    return await requests.history(History(ads_cap=2)).load("u", SCENARIOS, newest, now_ms)


async def test_newest_are_kept_late_ones_in_time_order_and_duplicates_once(
    backend: StoreBackend, requests: AsyncStoreBackend
) -> None:
    writer = backend.history_log(History(keep=3))
    assert writer.apply([(event(n), n) for n in (1, 5, 3, 2, 4, 5)]) == 5
    assert [e.timestamp_ms for e in (await state(requests)).events] == [3000, 4000, 5000]


async def test_what_was_seen_outlives_the_history(backend: StoreBackend, requests: AsyncStoreBackend) -> None:
    backend.history_log(History(keep=1)).apply([(event(n), n) for n in range(1, 6)])
    found = await state(requests)
    assert len(found.events) == 1
    assert found.seen == {f"i{n}" for n in range(1, 6)}


async def test_three_impressions_make_an_item_seen(backend: StoreBackend, requests: AsyncStoreBackend) -> None:
    writer = backend.history_log(History())
    writer.apply([(event(n, "x", Action.IMPRESSION), n) for n in (1, 2)])
    assert (await state(requests)).seen == frozenset()
    writer.apply([(event(2, "x", Action.IMPRESSION), 3)])  # the same event again
    assert (await state(requests)).seen == frozenset()
    writer.apply([(event(3, "x", Action.IMPRESSION), 4)])
    assert (await state(requests)).seen == {"x"}


async def test_hidden_items_and_the_ads_cap(backend: StoreBackend, requests: AsyncStoreBackend) -> None:
    writer = backend.history_log(History())
    writer.apply([(event(1, "h", Action.HIDE), 1)])
    writer.apply([(event(n, "ad", Action.IMPRESSION, "ads"), n * HOUR) for n in (2, 3)])
    found = await state(requests, now_ms=4 * HOUR)
    assert (found.hidden, found.capped_ads) == ({"h"}, {"ad"})
    assert (await state(requests, now_ms=30 * HOUR)).capped_ads == frozenset()


async def test_the_same_id_counts_again_after_a_day(backend: StoreBackend) -> None:
    writer = backend.history_log(History())
    assert [writer.apply([(event(1), at)]) for at in (HOUR, 24 * HOUR, 49 * HOUR)] == [1, 0, 1]


async def test_forgetting_leaves_nothing(backend: StoreBackend, requests: AsyncStoreBackend) -> None:
    writer = backend.history_log(History())
    writer.apply([(event(1), 1), (event(2, scenario="search"), 2), (event(3, action=Action.IMPRESSION), 3)])
    writer.forget("u")
    assert await state(requests) == UserState([], frozenset(), frozenset(), frozenset())


async def test_recent_clicks_weigh_more_in_popularity(backend: StoreBackend, requests: AsyncStoreBackend) -> None:
    writer = backend.history_log(History(popularity_half_life_days=1))
    day = 24 * HOUR
    base = 1_790_000_000_000
    writer.apply([(event(n, "old"), base) for n in (1, 2, 3)])
    writer.apply([(event(4, "new"), base + 2 * day)])
    popular = await requests.history(History()).popular("homefeed", 5)
    assert popular == [("new", 1.0), ("old", pytest.approx(0.75))]


async def test_the_most_clicked_of_several_scenarios_come_first(backend: StoreBackend) -> None:
    clicks = [event(n, "both", scenario=s) for n, s in ((1, "homefeed"), (2, "search"))]
    clicks += [event(3, "one"), *(event(n, "three", scenario="search") for n in (4, 5, 6))]
    backend.history_log(History()).apply([(e, 1_790_000_000_000) for e in clicks])
    counts = backend.click_counts()
    assert counts.most_clicked(SCENARIOS, 5) == ["three", "both", "one"]
    assert counts.most_clicked(["search"], 1) == ["three"]
    assert counts.most_clicked([], 5) == []
