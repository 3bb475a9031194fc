from __future__ import annotations

import numpy as np
import pytest

from rayapp.data.sequences import EventSequence
from rayapp.redrec.model.history import TowerInput
from rayapp.serving.pipeline.interest_cache import InterestCache


def read(length: int = 3, action: int = 1, shift: float = 0.0) -> TowerInput:
    ones = np.ones(length, dtype=np.int64)
    vectors = np.arange(length * 4, dtype=np.float32).reshape(length, 4) + np.float32(shift)
    return TowerInput(EventSequence(0 * ones, ones, action * ones, np.arange(length)), vectors, ["a"] * length)


ROWS = np.array([1, 2])


def test_the_same_question_gives_the_same_answer() -> None:
    cache = InterestCache(2)
    assert cache.get(cache.key("1", ROWS, read())) is None
    answer = np.zeros((2, 3, 4))
    cache.put(cache.key("1", ROWS, read()), answer)
    assert cache.get(cache.key("1", ROWS.copy(), read())) is answer


@pytest.mark.parametrize(
    ("version", "rows", "asked"),
    [
        ("2", ROWS, read()),  # other weights
        ("1", ROWS[:1], read()),  # another scenario
        ("1", ROWS, read(length=4)),  # one click more
        ("1", ROWS, read(action=2)),  # another action on the same item
        ("1", ROWS, read(shift=1e-3)),  # an item's text was changed
    ],
)
def test_whatever_the_tower_reads_is_in_the_key(version: str, rows: np.ndarray, asked: TowerInput) -> None:
    assert InterestCache.key(version, rows, asked) != InterestCache.key("1", ROWS, read())


def test_the_oldest_goes_first() -> None:
    cache = InterestCache(2)
    keys = [cache.key(version, ROWS, read()) for version in "123"]
    for key in keys:
        cache.put(key, np.zeros(1))
    assert [cache.get(key) is not None for key in keys] == [False, True, True]
