"""Team-draft interleaving: two rankers in one list, compared by whose notes are clicked (Radlinski et al. 2008).

Each user sees both, so far fewer clicks than in an A/B test tell them apart; what
it says is which is preferred, not by how much the business gains.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np


class Interleaved(NamedTuple):
    """`teams`: of each item 0 or 1, the ranker that put it there."""

    items: tuple[str, ...]
    teams: tuple[int, ...]


class Preference(msgspec.Struct, frozen=True):
    """`first`, `second`: users who clicked more of that ranker's notes; `ties` counts the others.
    `credit`: mean over users of the second's share of clicks less one half; `pvalue`: two-sided, over users."""

    first: int
    second: int
    ties: int
    credit: float
    pvalue: float


def interleave(first: Sequence[str], second: Sequence[str], k: int, rng: np.random.Generator) -> Interleaved:
    """At most `k` items: the team with fewer items drafts next, by lot when even; each its best that is left."""
    lists, places = (first, second), [0, 0]
    chosen: dict[str, int] = {}
    counts = [0, 0]
    while len(chosen) < k:
        for team in (0, 1):
            while places[team] < len(lists[team]) and lists[team][places[team]] in chosen:
                places[team] += 1
        open_ = [team for team in (0, 1) if places[team] < len(lists[team])]
        if not open_:
            break
        if len(open_) == 2:
            even = counts[0] == counts[1]
            team = int(rng.integers(2)) if even else int(counts[1] < counts[0])
        else:
            team = open_[0]
        chosen[lists[team][places[team]]] = team
        counts[team] += 1
    return Interleaved(tuple(chosen), tuple(chosen.values()))


def preference(clicks: Mapping[str, Iterable[int]]) -> Preference:
    """`clicks`: of every user the teams of the notes clicked. The unit is the user, as in every report."""
    from scipy.stats import wilcoxon  # slow to import, and the request path needs the draft alone

    credits = np.array([np.mean(list(teams)) - 0.5 for teams in clicks.values() if list(teams)])
    first, second = int((credits < 0).sum()), int((credits > 0).sum())
    decided = credits[credits != 0]
    pvalue = float(wilcoxon(decided).pvalue) if len(decided) else 1.0
    credit = float(credits.mean()) if len(credits) else 0.0
    return Preference(first, second, len(credits) - first - second, credit, pvalue)
