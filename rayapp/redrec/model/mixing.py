"""2-D dense mixing: which of a user's events enter the tower, across scenario and time (RED-Rec, section 3.2).

Every scenario has a quota, so a rare search or ad event is not drowned by
thousands of feed events. Serving takes the newest of each; training may sample.
What is chosen is laid out in one deterministic order; the tower learns place
from encodings (rank, time gap, scenario), not from the layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

# dense: the default. The others are what the paper's ablation holds against it:
#   scenario      1-D: quotas of every scenario, but neither rank nor time gap is told
#   concatenated  quotas, scenario after scenario: rank, gap and age count within the scenario
#   time          the newest events whatever their scenario, which is not told
Mixing = Literal["dense", "scenario", "concatenated", "time"]


def quotas(length: int, scenarios: tuple[int, ...], shares: Mapping[int, float] | None = None) -> dict[int, int]:
    """How many of `length` places each scenario may hold at most; at least one each.

    Without `shares` all scenarios have equal ones. Places that one scenario
    leaves empty are filled by `mix` from the others.
    """
    if length < len(scenarios):
        raise ValueError(f"length == {length}, must be at least the number of scenarios, {len(scenarios)}")
    weights = np.array([(shares or {}).get(s, 1.0) for s in scenarios], dtype=float)
    sizes = np.maximum(1, np.floor(length * weights / weights.sum()).astype(int))
    return {s: int(n) for s, n in zip(scenarios, sizes, strict=True)}


def mix(
    scenarios: np.ndarray,
    length: int,
    quota: Mapping[int, int],
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Choose at most `length` of N events given in time order; returns int64 indices, ascending.

    scenarios: int [N], the scenario of each event. The newest `quota` events
    of each scenario are kept (a random sample of its newest 2 x quota with
    `rng`), and free places go to the newest of what is left, so nothing is
    dropped while there is room.
    """
    n = len(scenarios)
    if n <= length:
        return np.arange(n)
    chosen = np.zeros(n, dtype=bool)
    for scenario, size in quota.items():
        positions = np.flatnonzero(scenarios == scenario)
        if rng is not None and len(positions) > size:
            positions = rng.choice(positions[-2 * size :], size=min(size, len(positions)), replace=False)
        chosen[positions[-size:] if rng is None else positions] = True
    excess = int(chosen.sum()) - length
    if excess > 0:  # quotas may add up to more than the length: the oldest go
        chosen[np.flatnonzero(chosen)[:excess]] = False
    rest = np.flatnonzero(~chosen)
    chosen[rest[len(rest) - max(0, -excess) :]] = True
    return np.flatnonzero(chosen)


class Mixer:
    """Chooses the events that a tower of this `length` reads, for training, evaluation and serving alike."""

    def __init__(self, length: int, scenarios: int, mixing: Mixing = "dense") -> None:
        """`scenarios`: how many are known; events of an unknown one (0) have no quota."""
        self.length = length
        self.quota = {} if mixing == "time" else quotas(length, tuple(range(1, scenarios + 1)))

    def choose(self, scenarios: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """As `mix`; nothing is sampled where there is one scenario only."""
        return mix(scenarios, self.length, self.quota, rng if len(self.quota) > 1 else None)
