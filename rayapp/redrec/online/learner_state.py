"""State of the online learner besides weights: histories, event ids and open impressions, as a function of the log.

A pure function of the log: rows in offset order go in, training examples come
out, and an example's history holds only events of lower offset. The store is
never read (that would leak the label).
"""

from __future__ import annotations

from bisect import insort
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from rayapp.domain import Action, Event, Forget
from rayapp.redrec.model.history import Behaviour, behaviour_of
from rayapp.redrec.online.joiner import LATE_MS, Impression, Joiner, Key
from rayapp.redrec.online.recent_ids import RecentIds

DAY_MS = 86_400_000


class LogRow(NamedTuple):
    """A record of the log, when it was appended and where."""

    record: Event | Forget
    append_ms: int
    partition: int = 0


class JoinedExample(NamedTuple):
    """A positive (one item) or the impressions without feedback of one answer, with the history before it."""

    user_id: str
    history: list[Behaviour]
    scenario: str
    item_ids: list[str]
    positive: bool


class Marks(msgspec.Struct):
    """Events counted so far, and the count at each behaviour newer than the oldest open impression."""

    counted: int = 0
    applied: list[tuple[str, str, int]] = []


class LearnerState:
    """Newest `length` positive behaviours per user and scenario, the event ids of a day, the open impressions."""

    def __init__(self, length: int, dedupe_ms: int = DAY_MS, late_ms: int = LATE_MS) -> None:
        self.length = length
        self.histories: dict[str, dict[str, list[Behaviour]]] = {}
        self.recent_ids = RecentIds(dedupe_ms)
        self.joiner = Joiner(late_ms)
        self.counted = 0
        self.applied: dict[tuple[str, str], int] = {}  # (user, event id) of a behaviour -> `counted` then

    def history(self, user_id: str, mark: int | None = None) -> list[Behaviour]:
        """In time order; with a mark, as it was when that many events had been counted."""
        behaviours = sorted(b for part in self.histories.get(user_id, {}).values() for b in part)
        if mark is None:
            return behaviours
        return [b for b in behaviours if self.applied.get((user_id, b.event_id), 0) <= mark]

    def remember(self, event: Event) -> Behaviour | None:
        """Put an event into its user's history; None when it is not a positive one."""
        behaviour = behaviour_of(event)
        if behaviour is not None:
            part = self.histories.setdefault(event.user_id, {}).setdefault(event.scenario, [])
            insort(part, behaviour)
            del part[: -self.length]
        return behaviour

    def advance(self, rows: list[LogRow], drained: tuple[int, ...] = ()) -> tuple[list[JoinedExample], int]:
        """Apply a window in offset order; returns (examples, events that counted).

        `drained`: partitions that the window reads to their end (see Joiner.close).
        """
        examples: list[JoinedExample] = []
        counted = 0
        for record, append_ms, partition in rows:
            self.joiner.tick(partition, append_ms)
            if isinstance(record, Forget):
                self.forget(record.user_id)
                examples = [e for e in examples if e.user_id != record.user_id]
            elif not self.recent_ids.known(record.user_id, record.event_id, append_ms):
                counted += 1
                self.counted += 1
                examples += self._apply(record, append_ms, partition)
        examples += self._closed(drained)
        if rows:
            self.recent_ids.expire(max(row.append_ms for row in rows))
        return examples, counted

    def _apply(self, event: Event, append_ms: int, partition: int) -> list[JoinedExample]:
        """One event that counts: at most one example."""
        if event.item_id is None:
            return []
        key = Key(event.user_id, event.request_id or "", event.item_id)
        if event.action is Action.IMPRESSION:
            self.joiner.impression(key, Impression(append_ms, partition, event.scenario, self.counted))
            return []
        self.joiner.feedback(key, append_ms, partition)
        history = self.history(event.user_id)
        behaviour = self.remember(event)
        if behaviour is not None:
            self.applied[(event.user_id, event.event_id)] = self.counted
        # Feedback that is not positive (hide, report) is a negative at once.
        return [JoinedExample(event.user_id, history, event.scenario, [event.item_id], behaviour is not None)]

    def _closed(self, drained: tuple[int, ...]) -> list[JoinedExample]:
        """Impressions whose join window closed without feedback, grouped by answer."""
        groups: dict[tuple[str, str, str], JoinedExample] = {}
        for key, impression in self.joiner.close(drained):
            group = (key.user_id, key.request_id, impression.scenario)
            if group not in groups:
                history = self.history(key.user_id, impression.mark)
                groups[group] = JoinedExample(key.user_id, history, impression.scenario, [], False)
            groups[group].item_ids.append(key.item_id)
        oldest = self.joiner.oldest_mark()
        self.applied = {k: n for k, n in self.applied.items() if oldest is not None and n > oldest}
        return list(groups.values())

    def forget(self, user_id: str) -> None:
        self.histories.pop(user_id, None)
        self.joiner.forget(user_id)
        self.recent_ids.forget(user_id)
        for key in [key for key in self.applied if key[0] == user_id]:
            del self.applied[key]

    def save(self, folder: Path) -> None:
        """`histories.parquet`, `marks.msgpack`, the event ids' file and the joiner's."""
        self.joiner.save(folder)
        self.recent_ids.save(folder)
        marks = Marks(self.counted, [(*key, n) for key, n in self.applied.items()])
        (folder / "marks.msgpack").write_bytes(msgspec.msgpack.encode(marks))
        rows = [(user, *b) for user, parts in self.histories.items() for part in parts.values() for b in part]
        names = ("user_id", *Behaviour._fields)
        columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {name: [] for name in names}
        types = [(n, pa.int64() if n == "timestamp_ms" else pa.string()) for n in names]
        pq.write_table(pa.table(columns, schema=pa.schema(types)), folder / "histories.parquet")

    @classmethod
    def load(cls, folder: Path, length: int, dedupe_ms: int = DAY_MS, late_ms: int = LATE_MS) -> LearnerState:
        state = cls(length, dedupe_ms, late_ms)
        state.joiner = Joiner.load(folder, late_ms)
        state.recent_ids = RecentIds.load(folder, dedupe_ms)
        if (folder / "marks.msgpack").is_file():
            marks = msgspec.msgpack.decode((folder / "marks.msgpack").read_bytes(), type=Marks)
            state.counted = marks.counted
            state.applied = {(user, event): n for user, event, n in marks.applied}
        columns = pq.read_table(folder / "histories.parquet").to_pydict()
        for user, *fields in zip(*columns.values(), strict=True):
            behaviour = Behaviour(*fields)
            state.histories.setdefault(user, {}).setdefault(behaviour.scenario, []).append(behaviour)
        return state
