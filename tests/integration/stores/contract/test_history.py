"""What the log applies is what requests read."""

from __future__ import annotations

import numpy as np
import pytest

from rayapp.config import History
from rayapp.domain import Action, Event, Item
from rayapp.stores.backend import AsyncStoreBackend, StoreBackend
from rayapp.stores.records import UserState

SCENARIOS = ("homefeed", "search", "ads")
HOUR = 3_600_000


BASE = 1_790_000_000_000
DAY = 24 * HOUR


def put(backend: StoreBackend, *ids: str) -> None:
    backend.catalogue_store().put([Item(item_id=i, title=i) for i in ids], np.zeros((len(ids), 4), np.float32))


def event(
    n: int, item: str | None = None, action: Action = Action.CLICK, scenario: str = "homefeed", user: str = "u"
) -> Event:
    return Event(f"e{n}", user, scenario, action, 1000 * n, 1000 * n, item_id=item or f"i{n}")


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
    put(backend, "old", "new")
    writer.apply([(event(n, "old", user=f"u{n}"), BASE) for n in (1, 2, 3)])
    writer.apply([(event(4, "new"), BASE + 2 * DAY)])
    popular = await requests.history(History()).popular("homefeed", 5)
    assert popular == [("new", 1.0), ("old", pytest.approx(0.75))]


async def test_a_user_counts_once_an_item_and_day(backend: StoreBackend, requests: AsyncStoreBackend) -> None:
    writer = backend.history_log(History(popularity_half_life_days=1000))
    put(backend, "often", "two")
    writer.apply([(event(n, "often"), BASE) for n in range(400)])
    writer.apply([(event(n, "two", user=f"u{n}"), BASE) for n in (1000, 1001)])
    writer.apply([(event(2000, "often"), BASE + DAY)])
    popular = dict(await requests.history(History()).popular("homefeed", 5))
    assert popular == {"often": pytest.approx(1, abs=0.01), "two": pytest.approx(1, abs=0.01)}


async def test_only_items_of_the_catalogue_are_popular_and_clicks_before_them_wait(
    backend: StoreBackend, requests: AsyncStoreBackend
) -> None:
    writer, reader = backend.history_log(History()), requests.history(History())
    writer.apply([(event(n, f"invented{n}"), BASE) for n in range(50)])
    writer.apply([(event(99, "late"), BASE), (event(100, "late", user="v"), BASE)])
    assert await reader.popular("homefeed", 100) == []
    put(backend, "late", "other")
    writer.apply([(event(101, "other"), BASE)])
    assert await reader.popular("homefeed", 100) == [("late", 1.0), ("other", pytest.approx(0.5))]
    backend.catalogue_store().delete("late")
    assert await reader.popular("homefeed", 100) == [("other", 1.0)]


@pytest.mark.parametrize("half_life", [0.05, 0.25, 1, 7, 3650])
async def test_popularity_never_leaves_the_range_of_a_double(
    backend: StoreBackend, requests: AsyncStoreBackend, half_life: float
) -> None:
    writer = backend.history_log(History(popularity_half_life_days=half_life))
    put(backend, *(f"i{n}" for n in range(4)))
    for n, years in enumerate((0, 1, 20, 60)):
        at = BASE + years * 365 * DAY
        writer.apply([(event(2 * n, f"i{n}"), at), (event(2 * n + 1, f"i{n}", user="v"), at)])
        popular = await requests.history(History()).popular("homefeed", 5)
        assert popular[0] == (f"i{n}", 1.0)
        assert all(0 <= score <= 1 for _, score in popular)
    writer.apply([(event(50, "i0", user="w"), BASE)])  # late by sixty years
    assert (await requests.history(History()).popular("homefeed", 1))[0][0] == "i3"


async def test_the_most_clicked_of_several_scenarios_come_first(backend: StoreBackend) -> None:
    put(backend, "both", "one", "three")
    clicks = [event(n, "both", scenario=s) for n, s in ((1, "homefeed"), (2, "search"))]
    clicks += [event(3, "one"), *(event(n, "three", scenario="search", user=f"u{n}") for n in (4, 5, 6))]
    backend.history_log(History()).apply([(e, BASE) for e in clicks])
    counts = backend.click_counts()
    assert counts.most_clicked(SCENARIOS, 5) == ["three", "both", "one"]
    assert counts.most_clicked(["search"], 1) == ["three"]
    assert counts.most_clicked([], 5) == []
