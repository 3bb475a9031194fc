from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rayapp.ranking.slate import Candidate, Slot, explore, merge_groups, scenario_places, start_slate


def candidates(prefix: str, n: int, top: float = 1.0) -> list[Candidate]:
    return [Candidate(f"{prefix}{i}", top - i / 1000, "redrec") for i in range(n)]


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 50)), st.integers(1, 100))
def test_places_add_up(counts: dict[str, int], k: int) -> None:
    places = scenario_places(counts, ("a", "b", "c"), k)
    assert sum(places.values()) == k
    assert min(places.values()) >= 0


def test_five_clicks_on_toys_give_at_least_eighteen_toys_of_twenty() -> None:
    places = scenario_places({"toys": 5}, ("beauty", "toys"), 20)
    assert places["toys"] >= 18
    groups = {"toys": candidates("t", 60), "beauty": candidates("b", 60, top=2.0)}
    slate = merge_groups(groups, places, 20)
    assert sum(c.item_id.startswith("t") for c in slate) >= 18


def test_merging_takes_an_item_once_and_fills_up_from_what_is_left() -> None:
    groups = {"a": candidates("x", 3), "b": [*candidates("x", 2), *candidates("y", 10, 0.5)]}
    slate = merge_groups(groups, {"a": 5, "b": 5}, 10)
    assert len({c.item_id for c in slate}) == len(slate) == 10
    assert [c.item_id for c in slate if c.item_id[0] == "y"] == [f"y{i}" for i in range(7)]


def test_a_group_with_one_place_stands_in_the_middle() -> None:
    groups = {"toys": candidates("t", 30), "beauty": candidates("b", 30, top=2.0)}
    slate = merge_groups(groups, {"toys": 19, "beauty": 1}, 20)
    assert [n for n, c in enumerate(slate) if c.item_id.startswith("b")] in ([9], [10])


def test_the_start_is_diverse_with_every_fifth_place_fresh() -> None:
    popular = [Candidate(f"{g}{i}", 1.0, "popular") for g in "aab" for i in range(20)]
    fresh = [Candidate(f"f{i}", 0.0, "fresh") for i in range(20)]
    slate = start_slate(popular, fresh, group_of=lambda item: item[0], k=20)
    assert [n for n, c in enumerate(slate) if c.source == "fresh"] == [4, 9, 14, 19]
    shown = Counter(c.item_id[0] for c in slate if c.source == "popular")
    assert shown == {"a": 8, "b": 8}
    assert len({c.item_id for c in slate}) == 20


def test_the_start_ends_when_nothing_is_left() -> None:
    assert len(start_slate(candidates("a", 2), candidates("a", 3), group_of=lambda _: "", k=10)) == 3


def slots_of(found: list[Candidate]) -> list[Slot]:
    return [Slot(candidate, 1.0) for candidate in found]


def test_exploration_has_the_share_and_the_propensity_it_says() -> None:
    rng = np.random.default_rng(0)
    pool = [f"p{i}" for i in range(100)]
    explored = shown = 0
    for _ in range(2000):
        slots = explore(slots_of(candidates("s", 10)), lambda: pool, 0.1, rng)
        assert len({s.candidate.item_id for s in slots}) == 10
        for slot in slots:
            shown += 1
            if slot.candidate.source == "explore":
                explored += 1
                assert slot.propensity == 0.1 / 100
            else:
                assert slot.propensity == 0.9
    assert abs(explored / shown - 0.1) < 4 * (0.1 * 0.9 / shown) ** 0.5


def test_without_exploration_the_pool_is_not_even_asked_for() -> None:
    def never() -> list[str]:
        raise AssertionError("asked")

    assert [
        s.candidate for s in explore(slots_of(candidates("s", 3)), never, 0.0, np.random.default_rng(0))
    ] == candidates("s", 3)
