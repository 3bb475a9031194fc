from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rayapp.experiments.aged import BUCKET_MS, Aged


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 50)), max_size=60), st.integers(0, 50))
def test_what_is_young_is_there_and_what_is_old_is_not(puts: list[tuple[int, int]], before: int) -> None:
    aged: Aged[int, int] = Aged()
    first: dict[int, int] = {}
    for key, hour in puts:
        aged.put(key, key, hour * BUCKET_MS)
        first.setdefault(key, hour)
    aged.expire(before * BUCKET_MS)
    kept = {key for key, hour in first.items() if hour >= before}
    assert set(aged) == kept
    assert len(aged) == len(kept)
    assert all((aged.get(key) == key) == (key in kept) for key in first)
    aged.remove(lambda value: value % 2 == 0)
    assert set(aged) == {key for key in kept if key % 2}
