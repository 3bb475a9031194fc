"""Slates: places per scenario, a popular-and-fresh start, and exploration with known propensities. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np


class Candidate(NamedTuple):
    """An item that may be shown, where it comes from, and why in words."""

    item_id: str
    score: float
    source: str
    reason: str = ""


class Slot(NamedTuple):
    """A candidate in its place, with the probability that the policy shows it there.

    `team`: where two rankers share a list, 0 or 1 for the one that put it there.
    """

    candidate: Candidate
    propensity: float
    team: int | None = None


SMOOTHING = 0.25
OVERFETCH = 3  # candidates for every place of a list


def scenario_places(counts: Mapping[str, int], scenarios: tuple[str, ...], k: int) -> dict[str, int]:
    """How many of k places each scenario's queries fill: shares of the user's own events, smoothed, largest remainder.

    A user who only ever clicked toys gets toys, with a place or none for the rest.
    """
    weights = np.array([counts.get(s, 0) + SMOOTHING for s in scenarios], dtype=float)
    exact = k * weights / weights.sum()
    places = np.floor(exact).astype(int)
    for index in np.argsort(places - exact, kind="stable")[: k - places.sum()]:
        places[index] += 1
    return dict(zip(scenarios, places.tolist(), strict=True))


def merge_groups(groups: Mapping[str, list[Candidate]], places: Mapping[str, int], k: int) -> list[Candidate]:
    """The best of each group up to its places, an item once; free places go to the best left.

    Groups are interleaved in proportion to their places, each in its own
    order: cosines to different scenarios' queries cannot be compared.
    """
    taken: dict[str, tuple[float, Candidate]] = {}
    rest: list[Candidate] = []
    for name in sorted(groups, key=lambda g: -places.get(g, 0)):
        ahead = 0
        for candidate in groups[name]:
            if candidate.item_id in taken:
                continue
            if ahead < places.get(name, 0):
                taken[candidate.item_id] = ((ahead + 0.5) / places[name], candidate)
                ahead += 1
            else:
                rest.append(candidate)
    for candidate in sorted(rest, key=lambda c: -c.score):
        if len(taken) >= k:
            break
        taken.setdefault(candidate.item_id, (1.0, candidate))
    ranked = sorted(taken.values(), key=lambda pair: (pair[0], -pair[1].score))
    return [candidate for _, candidate in ranked][:k]


def start_slate(
    popular: list[Candidate],
    fresh: Iterable[Candidate],
    *,
    group_of: Callable[[str], str],
    k: int,
    fresh_every: int = 5,
) -> list[Candidate]:
    """For somebody unknown: popular items of all groups in turn, every fifth place a new one."""
    queues: dict[str, list[Candidate]] = {}
    for candidate in popular:
        queues.setdefault(group_of(candidate.item_id), []).append(candidate)
    turns = [
        c
        for rank in range(max(map(len, queues.values()), default=0))
        for q in queues.values()
        for c in q[rank : rank + 1]
    ]
    result: list[Candidate] = []
    used: set[str] = set()
    sources = {"popular": iter(turns), "fresh": iter(fresh)}
    while len(result) < k:
        want = "fresh" if len(result) % fresh_every == fresh_every - 1 else "popular"
        other = "popular" if want == "fresh" else "fresh"
        candidate = None
        for source in (want, other):
            candidate = next((c for c in sources[source] if c.item_id not in used), None)
            if candidate is not None:
                break
        if candidate is None:
            break
        used.add(candidate.item_id)
        result.append(candidate)
    return result


def explore(
    slate: list[Slot],
    eligible: Callable[[], list[str]],
    share: float,
    rng: np.random.Generator,
) -> list[Slot]:
    """Fill each place with probability `share` by an item drawn uniformly from the eligible ones.

    A drawn item that is in the slate already leaves the place as it was.
    Propensity: the probability that this place shows this item.
    """
    draws = rng.random(len(slate)) < share
    pool = eligible() if draws.any() else None
    shown = {slot.candidate.item_id for slot in slate}
    slots = []
    for slot, drawn in zip(slate, draws, strict=True):
        if drawn and pool:
            item = pool[int(rng.integers(len(pool)))]
            if item not in shown:
                shown.add(item)
                slots.append(Slot(Candidate(item, 0.0, "explore", "shown to learn"), share / len(pool)))
                continue
        slots.append(slot._replace(propensity=1.0 - share))
    return slots
