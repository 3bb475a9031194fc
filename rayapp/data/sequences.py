"""A user's events as arrays, for training and evaluation."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rayapp.data.order import time_order
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import SEQUENCE_SCHEMA


def user_sequences(interactions: pa.Table, vocabulary: Vocabulary, rows: dict[str, int]) -> pa.Table:
    """Interactions (any order) to SEQUENCE_SCHEMA: one row a user, events in time order.

    Impressions and items that are not in the catalogue are left out. Ties are
    ordered by scenario, then by `position`.
    """
    users = interactions["user_id"].combine_chunks().dictionary_encode()
    user = users.indices.to_numpy(zero_copy_only=False)
    item = np.array([rows.get(i, -1) for i in interactions["item_id"].to_pylist()], dtype=np.int64)
    scenario = np.array([vocabulary.scenario(s) for s in interactions["scenario"].to_pylist()], dtype=np.int16)
    action = np.array([vocabulary.action(a) for a in interactions["action"].to_pylist()], dtype=np.int16)
    seconds = interactions["timestamp_ms"].to_numpy() // 1000
    position = interactions["position"].to_numpy()
    impression = pc.equal(interactions["action"], "impression").to_numpy()
    order = time_order(seconds, scenario, position)
    order = order[np.argsort(user[order], kind="stable")]
    order = order[(item[order] >= 0) & ~impression[order]]
    names = users.dictionary.to_pylist()
    present, starts = np.unique(user[order], return_index=True)
    offsets = pa.array(np.append(starts, len(order)).astype(np.int32))

    def lists(values: np.ndarray, kind: pa.DataType) -> pa.Array:
        return pa.ListArray.from_arrays(offsets, pa.array(values[order], type=kind))

    return pa.table(
        {
            "user_id": pa.array([names[u] for u in present], type=pa.string()),
            "items": lists(item, pa.int32()),
            "scenarios": lists(scenario, pa.int16()),
            "actions": lists(action, pa.int16()),
            "seconds": lists(seconds, pa.int64()),
        },
        schema=SEQUENCE_SCHEMA,
    )


@dataclass(frozen=True, slots=True)
class EventSequence:
    """One user's N events in time order, as int64 arrays [N]: item rows, scenario and action ids (from 1), seconds."""

    items: np.ndarray
    scenarios: np.ndarray
    actions: np.ndarray
    seconds: np.ndarray

    @property
    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return self.items, self.scenarios, self.actions, self.seconds

    def take(self, index: np.ndarray | slice) -> EventSequence:
        """The events at these positions."""
        return EventSequence(*(column[index] for column in self.columns))


def sequences_of(table: pa.Table) -> list[EventSequence]:
    """SEQUENCE_SCHEMA rows to arrays."""
    columns = []
    for name in (field.name for field in fields(EventSequence)):
        array = table[name].combine_chunks()
        offsets = array.offsets.to_numpy()
        values = array.values.to_numpy(zero_copy_only=False).astype(np.int64)
        columns.append([values[a:b] for a, b in itertools.pairwise(offsets)])
    return [EventSequence(*row) for row in zip(*columns, strict=True)]
