"""Current popularity of items: counts with exponential decay in event time, and counts in a sliding window."""

from __future__ import annotations

from collections import deque

import numpy as np


class DecayedPopularity:
    """Counts by item row that halve every `half_life_ms`."""

    def __init__(self, half_life_ms: float, items: int = 0) -> None:
        self.half_life_ms = half_life_ms
        self.counts = np.zeros(items)
        self.at_ms = 0

    def grow(self, items: int) -> None:
        if items > len(self.counts):
            self.counts = np.concatenate([self.counts, np.zeros(items - len(self.counts))])

    def add(self, rows: np.ndarray, at_ms: int) -> None:
        """Events on these rows (any may repeat) at this time, not before an earlier call's."""
        self.counts *= 0.5 ** (max(0, at_ms - self.at_ms) / self.half_life_ms)
        self.at_ms = max(self.at_ms, at_ms)
        np.add.at(self.counts, rows, 1.0)

    def log(self, floor: float = 0.01) -> np.ndarray:
        """Log counts, float32 [I]: an additive term of a score whose softmax is over items."""
        return np.log(self.counts + floor).astype(np.float32)


class RecentPopularity:
    """Counts by item row over the last `window_ms`, exact at every event: a baseline."""

    def __init__(self, window_ms: int) -> None:
        self.window_ms = window_ms
        self.events: deque[tuple[int, int]] = deque()
        self.counts = np.zeros(1024, dtype=np.int32)

    def rank(self, row: int, at_ms: int) -> int:
        """Rank (from 1, ties count against it) of an item before this event."""
        while self.events and self.events[0][0] < at_ms - self.window_ms:
            self.counts[self.events.popleft()[1]] -= 1
        count = self.counts[row] if row < len(self.counts) else 0
        return int((self.counts >= count).sum()) if count else len(self.counts) + 1

    def add(self, row: int, at_ms: int) -> None:
        if row >= len(self.counts):
            more = np.zeros(max(row + 1, len(self.counts)), dtype=np.int32)
            self.counts = np.concatenate([self.counts, more])
        self.counts[row] += 1
        self.events.append((at_ms, row))
