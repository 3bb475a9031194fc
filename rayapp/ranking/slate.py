"""Slates: slots per scenario, a popular-and-fresh start, and exploration with known propensities. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np


class Candidate(NamedTuple):
    """An item that may be shown, with its score, its source and the reason in words."""

    item_id: str
    score: float
    source: str
    reason: str = ""


class Slot(NamedTuple):
    """A candidate at its position, with the probability that the policy shows it there.

    `team`: in interleaving, 0 or 1 for the ranker that contributed it.
    """

    candidate: Candidate
    propensity: float
    team: int | None = None


SMOOTHING = 0.25
OVERFETCH = 3  # candidates per slot of a list


def scenario_places(counts: Mapping[str, int], scenarios: tuple[str, ...], k: int) -> dict[str, int]:
    """Number of the k slots for each scenario's queries: the smoothed shares of the user's events, by largest
    remainder."""
    weights = np.array([counts.get(s, 0) + SMOOTHING for s in scenarios], dtype=float)
    exact = k * weights / weights.sum()
    places = np.floor(exact).astype(int)
    for index in np.argsort(places - exact, kind="stable")[: k - places.sum()]:
        places[index] += 1
    return dict(zip(scenarios, places.tolist(), strict=True))


def merge_groups(groups: Mapping[str, list[Candidate]], places: Mapping[str, int], k: int) -> list[Candidate]:
    """The best of each group up to its slots, each item once; free slots go to the best remaining.

    Groups are interleaved in proportion to their slots, each in its own order,
    because cosines to different scenarios' queries are not comparable.
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
    """For an anonymous user: popular items of all groups in turn, with a fresh one in every `fresh_every`-th slot."""
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
    """Replace each slot with probability `share` by an item drawn uniformly from the eligible ones.

    A drawn item that is in the slate already leaves the slot unchanged.
    Propensity: the probability that this slot shows this item.
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
