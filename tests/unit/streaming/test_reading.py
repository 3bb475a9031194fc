"""How a plan's ranges are shared out among read tasks; reading itself is tested with a broker elsewhere."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.reading import ROWS_A_TASK, tasks_of
from streaming.windows import Plan, Range


@settings(deadline=None)
@given(st.lists(st.integers(1, 2 * ROWS_A_TASK), max_size=12))
def test_every_range_is_in_one_task_in_order_and_tasks_are_neither_small_nor_large(rows: list[int]) -> None:
    ranges = tuple(Range("t", n, 5, 5 + count) for n, count in enumerate(rows))
    tasks = tasks_of(Plan(1, ranges))
    assert tuple(r for task in tasks for r in task) == ranges
    sizes = [sum(r.rows for r in task) for task in tasks]
    assert all(size <= ROWS_A_TASK or len(task) == 1 for size, task in zip(sizes, tasks, strict=True))
    assert all(sum(pair) > ROWS_A_TASK for pair in pairwise(sizes))


def test_a_small_window_is_one_task() -> None:
    assert len(tasks_of(Plan(1, tuple(Range("t", n, 0, 250) for n in range(4))))) == 1
    assert tasks_of(Plan(1, ())) == []
