"""What the online learner remembers besides weights: histories and event ids, as the log told them.

A pure function of the log: rows in offset order go in, training examples come
out, and an example's history holds only events of lower offset. The store's
present content is never asked (that would leak the label).
"""

from __future__ import annotations

from bisect import insort
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from rayapp.domain import Event, Forget
from rayapp.redrec.history_input import Behaviour, behaviour_of

DAY_MS = 86_400_000


class Example(NamedTuple):
    """One user's new positives in a window, and the history before it."""

    user_id: str
    history: list[Behaviour]
    targets: list[Behaviour]


class LearnerState:
    """Newest `length` positive behaviours per user and scenario, and the event ids of the last day of append time."""

    def __init__(self, length: int, dedupe_ms: int = DAY_MS) -> None:
        self.length = length
        self.dedupe_ms = dedupe_ms
        self.histories: dict[str, dict[str, list[Behaviour]]] = {}
        self.recent_ids: dict[tuple[str, str], int] = {}  # (user, event id) -> append ms, oldest first

    def history(self, user_id: str) -> list[Behaviour]:
        return sorted(b for part in self.histories.get(user_id, {}).values() for b in part)

    def remember(self, event: Event) -> Behaviour | None:
        """Put an event into its user's history; None when it is not a positive one."""
        behaviour = behaviour_of(event)
        if behaviour is not None:
            part = self.histories.setdefault(event.user_id, {}).setdefault(event.scenario, [])
            insort(part, behaviour)
            del part[: -self.length]
        return behaviour

    def is_duplicate(self, event: Event, append_ms: int) -> bool:
        """The same event_id of a user within a day of append time counts once."""
        key = (event.user_id, event.event_id)
        if append_ms - self.recent_ids.get(key, -self.dedupe_ms - 1) <= self.dedupe_ms:
            return True
        self.recent_ids[key] = append_ms
        return False

    def advance(self, rows: list[tuple[Event | Forget, int]]) -> tuple[list[Example], int]:
        """Apply a window's (record, append_ms) in offset order; returns (examples, events that counted)."""
        targets: dict[str, list[Behaviour]] = {}
        before: dict[str, list[Behaviour]] = {}
        counted = 0
        for record, append_ms in rows:
            if isinstance(record, Forget):
                self.forget(record.user_id)
                targets.pop(record.user_id, None)
                before.pop(record.user_id, None)
                continue
            if self.is_duplicate(record, append_ms):
                continue
            counted += 1
            before.setdefault(record.user_id, self.history(record.user_id))
            behaviour = self.remember(record)
            if behaviour is not None:
                targets.setdefault(record.user_id, []).append(behaviour)
        if rows:
            self._expire(max(append_ms for _, append_ms in rows))
        return [Example(user, before[user], found) for user, found in targets.items()], counted

    def forget(self, user_id: str) -> None:
        self.histories.pop(user_id, None)
        for key in [key for key in self.recent_ids if key[0] == user_id]:
            del self.recent_ids[key]

    def _expire(self, now_ms: int) -> None:
        for key in [key for key, at in self.recent_ids.items() if at < now_ms - self.dedupe_ms]:
            del self.recent_ids[key]

    def save(self, folder: Path) -> None:
        """`histories.parquet` and `recent_ids.parquet`."""
        rows = [(user, *b) for user, parts in self.histories.items() for part in parts.values() for b in part]
        names = ("user_id", *Behaviour._fields)
        columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {name: [] for name in names}
        types = [(n, pa.int64() if n == "timestamp_ms" else pa.string()) for n in names]
        pq.write_table(pa.table(columns, schema=pa.schema(types)), folder / "histories.parquet")
        ids = {
            "user_id": [user for user, _ in self.recent_ids],
            "event_id": [event for _, event in self.recent_ids],
            "append_ms": list(self.recent_ids.values()),
        }
        schema = pa.schema([("user_id", pa.string()), ("event_id", pa.string()), ("append_ms", pa.int64())])
        pq.write_table(pa.table(ids, schema=schema), folder / "recent_ids.parquet")

    @classmethod
    def load(cls, folder: Path, length: int, dedupe_ms: int = DAY_MS) -> LearnerState:
        state = cls(length, dedupe_ms)
        columns = pq.read_table(folder / "histories.parquet").to_pydict()
        for user, *fields in zip(*columns.values(), strict=True):
            behaviour = Behaviour(*fields)
            state.histories.setdefault(user, {}).setdefault(behaviour.scenario, []).append(behaviour)
        ids = pq.read_table(folder / "recent_ids.parquet").to_pydict()
        for user, event, at in zip(ids["user_id"], ids["event_id"], ids["append_ms"], strict=True):
            state.recent_ids[(user, event)] = at
        return state
