"""Two rankers in one list: fair whatever the lists are, and the better one wins."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rayapp.experiments.interleaving import Preference, interleave, preference

items = st.lists(st.sampled_from([f"i{n}" for n in range(12)]), unique=True)


@given(items, items, st.integers(0, 15), st.integers(0, 99))
def test_every_item_once_each_team_in_its_own_order_and_both_alike_often(
    first: list[str], second: list[str], k: int, seed: int
) -> None:
    found = interleave(first, second, k, np.random.default_rng(seed))
    assert len(found.items) == len(set(found.items)) == min(k, len({*first, *second}))
    for team, own in enumerate((first, second)):
        places = [own.index(i) for i, t in zip(found.items, found.teams, strict=True) if t == team]
        assert places == sorted(places)
    counts = [found.teams.count(0), found.teams.count(1)]
    if k <= min(len(first), len(second)) // 2:
        assert abs(counts[0] - counts[1]) <= 1


def test_the_better_ranker_is_preferred_and_equal_ones_are_not_told_apart() -> None:
    rng = np.random.default_rng(0)

    def clicks(second: list[str]) -> dict[str, list[int]]:
        best = [f"i{n}" for n in range(20)]
        found = {}
        for user in range(300):
            shown = interleave(best, second, 10, rng)
            rates = [0.4 / (1 + best.index(i)) ** 0.5 for i in shown.items]
            found[f"u{user}"] = [t for t, rate in zip(shown.teams, rates, strict=True) if rng.random() < rate]
        return found

    worse = preference(clicks([f"i{n}" for n in reversed(range(20))]))
    assert worse.first > worse.second
    assert worse.credit < 0
    assert worse.pvalue < 0.001
    assert preference(clicks([f"i{n}" for n in range(20)])).pvalue > 0.01
    assert preference({"u": []}) == Preference(0, 0, 0, 0.0, 1.0)
