"""Joins impressions and feedback into labels, by append time only.

An impression waits up to `late_ms` of its partition's append time for feedback
on the same (user, request, item). Without feedback it becomes a negative when its
join window closes. Feedback after that is a late label: it still counts as a
positive, though the negative was learned, and is counted. A pure function of the
log, with its state in the checkpoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

LATE_MS = 60_000
REMEMBER = 10  # closed impressions are remembered this many times `late_ms`, to know late labels


class Key(NamedTuple):
    """The join key; without a request id, user and item."""

    user_id: str
    request_id: str
    item_id: str


class Impression(NamedTuple):
    """An impression without feedback so far; `mark` is the number of events counted when it arrived."""

    append_ms: int
    partition: int
    scenario: str
    mark: int


class JoinCounts(msgspec.Struct):
    """Outcomes of impressions, and the number of late labels."""

    impressions: int = 0
    joined: int = 0
    closed: int = 0
    late_labels: int = 0


class JoinState(msgspec.Struct):
    """A joiner's state, in order of arrival."""

    late_ms: int
    open: list[tuple[Key, Impression]] = []
    labelled: list[tuple[Key, tuple[int, int]]] = []
    closed: list[tuple[Key, tuple[int, int]]] = []
    clocks: dict[int, int] = {}
    counts: JoinCounts = msgspec.field(default_factory=JoinCounts)


class Joiner:
    """Rows of a partition must be in offset order; partitions may be interleaved arbitrarily."""

    def __init__(self, late_ms: int = LATE_MS) -> None:
        self.late_ms = late_ms
        self.open: dict[Key, Impression] = {}
        self.labelled: dict[Key, tuple[int, int]] = {}  # feedback before its impression: (append ms, partition)
        self.closed: dict[Key, tuple[int, int]] = {}
        self.clocks: dict[int, int] = {}  # partition -> newest append ms
        self.counts = JoinCounts()

    def tick(self, partition: int, append_ms: int) -> None:
        """Advance a partition's clock to the append time of a row."""
        self.clocks[partition] = max(append_ms, self.clocks.get(partition, append_ms))

    def impression(self, key: Key, impression: Impression) -> None:
        self.counts.impressions += 1
        answered = self.labelled.get(key)
        if answered is not None and impression.append_ms - answered[0] <= self.late_ms:
            self.counts.joined += 1
            return
        self.open.setdefault(key, impression)

    def feedback(self, key: Key, append_ms: int, partition: int) -> None:
        """Any action of a user on an item after its impression, positive or negative."""
        waiting = self.open.get(key)
        if waiting is not None and append_ms - waiting.append_ms <= self.late_ms:
            del self.open[key]
            self.counts.joined += 1
        elif waiting is not None or self.closed.pop(key, None) is not None:
            self.counts.late_labels += 1
        self.labelled[key] = (append_ms, partition)

    def close(self, drained: tuple[int, ...] = ()) -> list[tuple[Key, Impression]]:
        """The impressions whose join window has closed, as negatives, oldest first.

        A partition's clock is its newest row's, so that unread feedback is not
        missed; a partition read to its end (`drained`) follows the others' clock.
        """
        newest = max(self.clocks.values(), default=0)
        for partition in drained:
            self.tick(partition, newest)
        over = [(k, i) for k, i in self.open.items() if self.clocks.get(i.partition, 0) - i.append_ms > self.late_ms]
        over.sort(key=lambda pair: pair[1].mark)
        for key, impression in over:
            del self.open[key]
            self.closed[key] = (impression.append_ms, impression.partition)
        self.counts.closed += len(over)
        self._expire(self.labelled, self.late_ms)
        self._expire(self.closed, REMEMBER * self.late_ms)
        return over

    def oldest_mark(self) -> int | None:
        """The earliest mark of an open impression."""
        return min((i.mark for i in self.open.values()), default=None)

    def forget(self, user_id: str) -> None:
        for table in (self.open, self.labelled, self.closed):
            for key in [key for key in table if key.user_id == user_id]:
                del table[key]  # type: ignore[attr-defined]

    def _expire(self, table: dict[Key, tuple[int, int]], after_ms: int) -> None:
        for key in [k for k, (at, partition) in table.items() if self.clocks.get(partition, 0) - at > after_ms]:
            del table[key]

    def save(self, folder: Path) -> None:
        """`joiner.msgpack`."""
        state = JoinState(
            self.late_ms,
            list(self.open.items()),
            list(self.labelled.items()),
            list(self.closed.items()),
            self.clocks,
            self.counts,
        )
        (folder / "joiner.msgpack").write_bytes(msgspec.msgpack.encode(state))

    @classmethod
    def load(cls, folder: Path, late_ms: int = LATE_MS) -> Joiner:
        """Empty where a version (the first of a model) has none."""
        joiner = cls(late_ms)
        file = folder / "joiner.msgpack"
        if file.is_file():
            state = msgspec.msgpack.decode(file.read_bytes(), type=JoinState)
            joiner.open, joiner.labelled = dict(state.open), dict(state.labelled)
            joiner.closed, joiner.clocks, joiner.counts = dict(state.closed), state.clocks, state.counts
        return joiner
