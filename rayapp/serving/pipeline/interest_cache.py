"""A cache of interests by everything they depend on: a reader who scrolls has not clicked anything new.

The user tower is a pure function of the weights, the events read, their item
vectors and the requested scenario. All of them are in the key, so a hit equals
the tower's answer, and nothing needs to be invalidated.
"""

from __future__ import annotations

import hashlib

import numpy as np
from cachetools import LRUCache

from rayapp.redrec.model.history import TowerInput

Key = bytes


class InterestCache:
    """The newest `size` results, each [S', K, D] (a few KiB)."""

    def __init__(self, size: int) -> None:
        self.results: LRUCache[Key, np.ndarray] = LRUCache(size)

    @staticmethod
    def key(model_version: str, scenario_rows: np.ndarray, read: TowerInput) -> Key:
        digest = hashlib.blake2b(model_version.encode(), digest_size=16)
        for array in (scenario_rows, *read.sequence.columns, read.vectors):
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.digest()

    def get(self, key: Key) -> np.ndarray | None:
        return self.results.get(key)

    def put(self, key: Key, interests: np.ndarray) -> None:
        self.results[key] = interests
