from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.windows import MIN_SHARE, Plan, PlanLog, Range, WindowError, plan_window, verify, within

marks = st.dictionaries(
    st.integers(0, 8), st.tuples(st.integers(0, 50), st.integers(0, 500)).map(lambda m: (m[0], m[0] + m[1])), min_size=1
)


@given(marks, st.integers(1, 300), st.data())
def test_windows_cover_every_offset_once_in_order(watermarks: dict, max_rows: int, data: st.DataObject) -> None:
    known = data.draw(st.sets(st.sampled_from(sorted(watermarks))))
    starts = {p: data.draw(st.integers(*watermarks[p])) for p in known}
    at, number = dict(starts), 0
    covered: dict[int, list[int]] = {p: [] for p in watermarks}
    while (plan := plan_window(number, "t", at, watermarks, max_rows=max_rows)) is not None:
        assert 0 < plan.rows <= max_rows + len(watermarks)
        for r in plan.ranges:
            covered[r.partition] += range(r.start, r.end)
        at.update(plan.ends())
        number += 1
    for partition, (low, high) in watermarks.items():
        assert covered[partition] == list(range(starts.get(partition, low), high))


@given(marks, st.integers(1, 300))
def test_no_window_is_larger_than_its_bound(watermarks: dict, max_rows: int) -> None:
    plan = plan_window(1, "t", {}, watermarks, max_rows=max_rows)
    if plan is not None:
        assert plan.rows <= max_rows


@pytest.mark.parametrize(
    ("starts", "watermarks", "text"),
    [
        ({0: 3}, {0: (5, 9)}, "deleted by retention"),
        ({0: 12}, {0: (0, 9)}, "truncated or recreated"),
        ({0: 3, 4: 1}, {0: (0, 9)}, r"partitions \[4\]"),
    ],
)
def test_a_log_that_does_not_fit_the_checkpoint_stops_the_learner(starts: dict, watermarks: dict, text: str) -> None:
    with pytest.raises(WindowError, match=text):
        plan_window(1, "t", starts, watermarks, max_rows=100)


def test_a_new_partition_starts_at_its_beginning_and_says_what_was_gone() -> None:
    plan = plan_window(1, "t", {0: 9}, {0: (0, 9), 1: (2, 5)}, max_rows=100)
    assert plan == Plan(1, (Range("t", 1, 2, 5),), drained=(0, 1), gaps=(Range("t", 1, 0, 2),))


def test_under_overload_fewer_impressions_are_learned_from_and_the_lag_waits() -> None:
    plan = plan_window(1, "t", {}, {0: (0, 300), 1: (0, 100)}, max_rows=100)
    assert plan is not None
    assert (plan.rows, plan.share, plan.drained) == (100, 0.25, ())
    assert plan_window(1, "t", {}, {0: (0, 10**6)}, max_rows=100).share == MIN_SHARE  # type: ignore[union-attr]


@given(st.data())
def test_windows_over_growth_retention_and_crashes_learn_every_offset_once_or_name_it(data: st.DataObject) -> None:
    """A broker that grows and forgets, a learner that dies anywhere: each offset is in one plan or one gap."""
    folder = tempfile.TemporaryDirectory()
    log = PlanLog(folder.name)
    partitions = data.draw(st.integers(1, 4))
    marks = dict.fromkeys(range(partitions), (0, 0))
    committed: tuple[int, dict[int, int]] = (0, dict.fromkeys(marks, 0))  # the checkpoint: last window and offsets
    number, at = committed
    final: dict[int, Plan] = {}
    for _ in range(data.draw(st.integers(1, 15))):
        what = data.draw(st.sampled_from(["grow", "forget", "learn", "learn", "commit", "crash"]))
        if what == "grow":
            marks = {p: (low, high + data.draw(st.integers(0, 20))) for p, (low, high) in marks.items()}
        elif what == "forget":
            marks = {p: (data.draw(st.integers(low, high)), high) for p, (low, high) in marks.items()}
        elif what == "crash":
            number, at = committed[0], dict(committed[1])
        elif what == "commit":
            committed = (number, dict(at))
        elif what == "learn":
            plan = log.read(number + 1) or plan_window(number + 1, "t", at, marks, max_rows=15, skip_gaps=True)
            if plan is not None:
                plan = log.write(plan)
                assert final.setdefault(plan.number, plan) == plan, "a replayed window must be the same window"
                number = plan.number
                at.update(plan.ends())
    for partition in marks:
        parts = sorted(r for n in sorted(final) for r in (*final[n].ranges, *final[n].gaps) if r.partition == partition)
        assert [r.start for r in parts] == [0, *(r.end for r in parts[:-1])][: len(parts)]
    folder.cleanup()


def test_a_plan_is_written_once(tmp_path: Path) -> None:
    log = PlanLog(tmp_path)
    first, second = (Plan(3, (Range("t", 0, 0, end),)) for end in (5, 9))
    assert log.write(first) == first
    assert log.write(second) == first
    assert PlanLog(tmp_path).read(3) == first
    assert log.read(4) is None
    log.trim(below=4)
    assert log.read(3) is None
    assert list(tmp_path.iterdir()) == []


def test_what_was_read_must_be_what_was_planned() -> None:
    plan = Plan(1, (Range("t", 0, 0, 5), Range("t", 1, 2, 4)))
    verify(plan, {0: 5, 1: 2})
    verify(plan, {0: 5, 1: 1})  # an offset without a record: a transaction's mark
    with pytest.raises(WindowError, match="gave 3 rows, 2 were planned"):
        verify(plan, {0: 5, 1: 3})


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=4), st.data())
def test_a_plan_within_a_log_that_lost_its_tail_asks_for_nothing_that_is_gone(
    ranges: list, data: st.DataObject
) -> None:
    plan = Plan(1, tuple(Range("t", p, start, start + rows) for p, (start, rows) in enumerate(ranges)))
    highs = {p: data.draw(st.integers(0, 120)) for p in range(len(ranges))}
    left = within(plan, highs)
    for r in left.ranges:
        (own,) = (one for one in plan.ranges if one.partition == r.partition)
        assert (r.start, r.end) == (own.start, min(own.end, highs[r.partition]))
    assert within(plan, dict.fromkeys(highs, 200)) == plan
    assert left.rows == sum(max(0, min(r.end, highs[r.partition]) - r.start) for r in plan.ranges)


def test_a_damaged_plan_is_one_line_that_says_what_to_remove(tmp_path: Path) -> None:
    log = PlanLog(tmp_path)
    log.file(3).write_bytes(b"{")
    with pytest.raises(WindowError, match="is damaged"):
        log.read(3)
