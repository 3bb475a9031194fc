"""What a training batch asks: the next events of the cut's own scenario, and nothing that is not there."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rayapp.data.sequences import EventSequence
from rayapp.redrec.training.batching import BatchConfig, Batcher

ITEMS = 50
rows = st.lists(st.lists(st.integers(1, 2), min_size=2, max_size=12), min_size=1, max_size=4)


def sequence(scenarios: list[int], first: int) -> EventSequence:
    n = len(scenarios)
    ones = np.ones(n, dtype=np.int64)
    return EventSequence(first + np.arange(n), np.array(scenarios), ones, np.arange(n) * 60)


@given(rows, st.integers(1, 4), st.integers(1, 12), st.integers(0, 99))
def test_targets_are_the_next_of_their_scenario(users: list[list[int]], window: int, cuts: int, seed: int) -> None:
    sequences = [sequence(scenarios, 12 * n) for n, scenarios in enumerate(users)]
    batcher = Batcher(BatchConfig(12, window, cuts), ITEMS, 2, np.ones(ITEMS))
    batch = batcher.train(sequences, np.random.default_rng(seed))
    assert batch is not None
    for b, row in enumerate(sequences):
        n = len(row.items)
        real = batch.target_mask_BCW[b].any(-1)
        assert int(real.sum()) == min(cuts, batch.cut_BC.shape[1], n - 1)
        assert len(set(batch.cut_BC[b][real].tolist())) == int(real.sum())
        for c in np.flatnonzero(real.numpy()):
            at = int(batch.cut_BC[b, c])
            assert batch.cut_scenario_BC[b, c] == row.scenarios[at]
            later = np.flatnonzero((row.scenarios == row.scenarios[at]) & (np.arange(n) >= at))[:window]
            found = batch.targets_BCW[b, c][batch.target_mask_BCW[b, c]]
            assert found.tolist() == row.items[later].tolist()
            assert batch.targets_BCW[b, c, 0] == row.items[at]


def test_popular_targets_are_dropped_but_never_a_whole_batch() -> None:
    counts = np.array([1000, 1, 1, 1])
    batcher = Batcher(BatchConfig(8, 1, 4, popular=1e-3), 4, 1, counts)
    ones = np.ones(4, dtype=np.int64)
    mixed = EventSequence(np.array([1, 0, 2, 0]), ones, ones, ones)
    batch = batcher.train([mixed] * 50, np.random.default_rng(0))
    assert batch is not None
    kept = batch.targets_BCW[batch.target_mask_BCW]
    assert (kept == 0).sum() < 20 < (kept == 2).sum() == 50
    alone = batcher.train([EventSequence(np.array([1, 0]), ones[:2], ones[:2], ones[:2])], np.random.default_rng(1))
    assert alone is not None
    assert alone.target_mask_BCW.any()
