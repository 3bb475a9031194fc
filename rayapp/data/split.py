"""Leave-one-out splits: the events held out as targets, and the histories available to predict them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rayapp.data.sequences import EventSequence


class Split(NamedTuple):
    """Histories with one target each; `target_scenario` selects the queries, `users` indexes the target's sequence."""

    histories: list[EventSequence]
    targets: np.ndarray
    target_scenario: np.ndarray
    target_seconds: np.ndarray
    users: np.ndarray


LeaveOneOut = Callable[[list[EventSequence], int], tuple[list[EventSequence], Split]]


def leave_one_out(sequences: list[EventSequence], back: int) -> tuple[list[EventSequence], Split]:
    """Hold out the event `back` places from the end (1 = last = test, 2 = validation).

    Training sees the events before it; users with too few events are trained on
    in full and not evaluated.
    """
    train, histories, held = [], [], []
    for user, sequence in enumerate(sequences):
        n = len(sequence.items)
        if n < back + 1:
            train.append(sequence)
            continue
        before = sequence.take(slice(0, n - back))
        train.append(before)
        histories.append(before)
        held.append((sequence.items[n - back], sequence.scenarios[n - back], sequence.seconds[n - back], user))
    return train, _split(histories, held)


def leave_one_out_by_scenario(sequences: list[EventSequence], back: int) -> tuple[list[EventSequence], Split]:
    """Leave-one-out within each scenario of a user; histories are the events of all scenarios at strictly earlier
    times.

    Training sees no target and no event after a target of its scenario; of a user's two targets the earlier one may be
    in the history of the later.
    """
    train, histories, held = [], [], []
    for user, sequence in enumerate(sequences):
        keep = np.ones(len(sequence.items), dtype=bool)
        for scenario in np.unique(sequence.scenarios):
            positions = np.flatnonzero(sequence.scenarios == scenario)
            if len(positions) < back + 1:
                continue
            keep[positions[-back:]] = False
            target = positions[-back]
            histories.append(sequence.take(sequence.seconds < sequence.seconds[target]))
            held.append((sequence.items[target], scenario, sequence.seconds[target], user))
        train.append(sequence.take(keep))
    return train, _split(histories, held)


def _split(histories: list[EventSequence], held: list[tuple[int, int, int, int]]) -> Split:
    columns = np.array(held, dtype=np.int64).reshape(-1, 4)
    return Split(histories, *columns.T)


SPLITS: dict[str, LeaveOneOut] = {"last": leave_one_out, "scenario": leave_one_out_by_scenario}
