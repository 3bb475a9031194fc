"""A uniform sample of all past positives, replayed against forgetting.

Algorithm R (Vitter 1985) with its draws seeded by the window's number, so the
sample is a function of log and seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rayapp.redrec.model.history import Behaviour
from rayapp.redrec.online.learner_state import JoinedExample


class Reservoir:
    """At most `size` positive examples, each with its newest `length` behaviours."""

    def __init__(self, size: int, length: int, seed: int = 0) -> None:
        self.size = size
        self.length = length
        self.seed = seed
        self.seen = 0
        self.examples: list[JoinedExample] = []

    def add(self, builders: Iterable[Callable[[], JoinedExample]], number: int) -> None:
        """Offer window `number`'s positives in order; only sampled ones are built."""
        rng = np.random.default_rng([self.seed, 1, number])
        for build in builders:
            self.seen += 1
            place = len(self.examples)
            if place >= self.size:
                place = int(rng.integers(self.seen))
                if place >= self.size:
                    continue
            example = build()
            example = example._replace(history=example.history[-self.length :])
            self.examples[place : place + 1] = [example]

    def draw(self, count: int, number: int) -> list[JoinedExample]:
        """At most `count` examples for window `number`, in random order."""
        rng = np.random.default_rng([self.seed, 2, number])
        return [self.examples[i] for i in rng.permutation(len(self.examples))[:count]]

    def forget(self, user_id: str) -> None:
        self.examples = [e for e in self.examples if e.user_id != user_id]

    def save(self, folder: Path) -> None:
        """`reservoir.parquet`: one row a behaviour, the target last; `seen` in the metadata."""
        rows = []
        for n, example in enumerate(self.examples):
            rows += [(n, example.user_id, True, *b) for b in example.history]
            rows.append((n, example.user_id, False, 0, "", example.item_ids[0], example.scenario, ""))
        schema = pa.schema(
            [("example", pa.int32()), ("user_id", pa.string()), ("history", pa.bool_()), ("timestamp_ms", pa.int64())]
            + [(name, pa.string()) for name in Behaviour._fields[1:]],
            metadata={"seen": str(self.seen)},
        )
        columns = [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), schema, strict=True)] if rows else None
        table = pa.Table.from_arrays(columns, schema=schema) if columns else schema.empty_table()
        pq.write_table(table, folder / "reservoir.parquet", compression="zstd")

    @classmethod
    def load(cls, folder: Path, size: int, length: int, seed: int = 0) -> Reservoir:
        """Empty where a version has none; the first `size` of a larger one."""
        reservoir = cls(size, length, seed)
        if not (folder / "reservoir.parquet").is_file():
            return reservoir
        table = pq.read_table(folder / "reservoir.parquet")
        reservoir.seen = int((table.schema.metadata or {})[b"seen"])
        history: list[Behaviour] = []
        for _, user_id, is_history, *fields in zip(*table.to_pydict().values(), strict=True):
            behaviour = Behaviour(*fields)
            if is_history:
                history.append(behaviour)
                continue
            reservoir.examples.append(JoinedExample(user_id, history, behaviour.scenario, [behaviour.item_id], True))
            history = []
        del reservoir.examples[size:]
        return reservoir
