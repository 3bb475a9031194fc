"""The total order of events in time, with ties resolved."""

from __future__ import annotations

import numpy as np


def time_order(seconds: np.ndarray, scenarios: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """int64 [N]: indices that sort events by time, ties by scenario, then by position within it."""
    return np.lexsort((positions, scenarios, seconds))
