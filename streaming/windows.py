"""Windows over the log: which offsets are trained on together, decided before they are read.

Pure: offsets in, plans out. A plan is written once (only if absent) before it
is read and replayed as it stands after a restart, so what a killed learner had
begun is done again exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec


class WindowError(RuntimeError):
    """The log and the checkpoint do not fit together; the text says how and what to do."""


class Range(msgspec.Struct, frozen=True, order=True):
    """Offsets [start, end) of one partition."""

    topic: str
    partition: int
    start: int
    end: int

    @property
    def rows(self) -> int:
        return self.end - self.start


class Plan(msgspec.Struct, frozen=True):
    """Window `number`: the ranges read together, in (topic, partition) order."""

    number: int
    ranges: tuple[Range, ...]

    @property
    def rows(self) -> int:
        return sum(r.rows for r in self.ranges)

    def ends(self) -> dict[int, int]:
        """Next offset per partition after this window."""
        return {r.partition: r.end for r in self.ranges}


def plan_window(
    number: int,
    topic: str,
    starts: Mapping[int, int],
    watermarks: Mapping[int, tuple[int, int]],
    max_rows: int,
) -> Plan | None:
    """The next window from `starts` (partition -> next offset) under the broker's (low, high) watermarks.

    None when nothing new is there. A partition first seen now starts at its
    low watermark. With more than `max_rows` waiting, every partition gives the
    same share of what it has (so none starves), and the rest waits.
    Raises WindowError when retention took records not read yet, or when the
    log is shorter than the checkpoint says.
    """
    if max_rows < 1:
        raise ValueError(f"max_rows == {max_rows}, must be >= 1")
    waiting: list[tuple[int, int, int]] = []
    for partition in sorted(watermarks):
        low, high = watermarks[partition]
        start = starts.get(partition, low)
        if start < low:
            raise WindowError(
                f"{topic}/{partition}: offsets {start}..{low - 1} were deleted by retention before they were learned; "
                "lengthen retention.ms, or start again from a newer model version"
            )
        if start > high:
            raise WindowError(
                f"{topic}/{partition}: the checkpoint stands at offset {start} but the log ends at {high}; "
                "the topic was truncated or recreated: restore it, or start again with a new state folder"
            )
        if high > start:
            waiting.append((partition, start, high))
    missing = sorted(set(starts) - set(watermarks))
    if missing:
        raise WindowError(f"{topic}: partitions {missing} of the checkpoint are gone; the topic was recreated")
    if not waiting:
        return None
    total = sum(high - start for _, start, high in waiting)
    left = min(total, max_rows)
    ranges = []
    for index, (partition, start, high) in enumerate(waiting):
        have = high - start
        remaining = sum(h - s for _, s, h in waiting[index:])
        take = min(have, -(-left * have // remaining))
        left -= take
        if take:
            ranges.append(Range(topic, partition, start, start + take))
    return Plan(number, tuple(ranges))


def verify(plan: Plan, read: Mapping[int, int]) -> None:
    """What was read (partition -> rows) must be what was planned. Raises WindowError."""
    for r in plan.ranges:
        got = read.get(r.partition, 0)
        if got != r.rows:
            raise WindowError(
                f"plan {plan.number}: {r.topic}/{r.partition} gave {got} rows of {r.rows} planned "
                f"([{r.start}, {r.end})); the broker lost or compacted records"
            )


class PlanLog:
    """`plans/<number>.json`, created only if absent."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def file(self, number: int) -> Path:
        return self.folder / f"{number:09d}.json"

    def read(self, number: int) -> Plan | None:
        try:
            return msgspec.json.decode(self.file(number).read_bytes(), type=Plan)
        except FileNotFoundError:
            return None

    def write(self, plan: Plan) -> Plan:
        """Store the plan; if this number has one already, that one counts and is returned."""
        partial = self.folder / f".{plan.number}.{id(plan)}.part"
        partial.write_bytes(msgspec.json.encode(plan))
        try:
            self.file(plan.number).hardlink_to(partial)
        except FileExistsError:
            existing = self.read(plan.number)
            assert existing is not None
            return existing
        finally:
            partial.unlink()
        return plan

    def trim(self, below: int) -> None:
        """Drop plans behind the oldest version that could still be resumed."""
        for file in self.folder.glob("*.json"):
            if int(file.stem) < below:
                file.unlink()
