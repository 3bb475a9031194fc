"""What is held out, and what may be read for it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rayapp.data.sequences import EventSequence
from rayapp.data.split import leave_one_out, leave_one_out_by_scenario

events = st.lists(st.tuples(st.integers(1, 2), st.integers(0, 6)), max_size=14)


def sequence(rows: list[tuple[int, int]]) -> EventSequence:
    """Events of (scenario, day); items are numbered in time order."""
    table = np.array(sorted(rows, key=lambda row: row[::-1]), dtype=np.int64).reshape(-1, 2)
    n = len(table)
    return EventSequence(np.arange(n), table[:, 0], np.ones(n, dtype=np.int64), table[:, 1])


@given(st.lists(events, max_size=4), st.integers(1, 2))
def test_targets_are_never_trained_on_and_histories_are_strictly_earlier(rows: list, back: int) -> None:
    sequences = [sequence(row) for row in rows]
    train, split = leave_one_out_by_scenario(sequences, back)
    assert len(train) == len(sequences)
    assert len(split.histories) == len(split.targets)
    for history, target, scenario, at, user in zip(*split, strict=True):
        assert target not in train[user].items
        assert (history.seconds < at).all()
        whole = sequences[user]
        assert len(history.items) == (whole.seconds < at).sum()
        own = whole.items[whole.scenarios == scenario]
        assert own[-back] == target
        assert not np.isin(own[-back:], train[user].items).any()
    expected = sum(int((s.scenarios == n).sum() > back) for s in sequences for n in (1, 2))
    assert len(split.targets) == expected


@given(events.filter(lambda rows: len(rows) > 1))
def test_with_one_scenario_the_target_is_the_same_as_by_the_last_event(rows: list) -> None:
    one = sequence([(1, day) for _, day in rows])
    assert leave_one_out([one], 1)[1].targets.tolist() == leave_one_out_by_scenario([one], 1)[1].targets.tolist()
