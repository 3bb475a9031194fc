"""Windows over the log: which offsets are trained on together, decided before they are read.

Pure: offsets in, plans out. A plan is written once (only if absent) before it
is read and replayed as it stands after a restart, so what a killed learner had
begun is done again exactly.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from rayapp.errors import UserError

MIN_SHARE = 0.1


class WindowError(UserError):
    """The log and the checkpoint do not fit together; the text says how and what to do."""


class LogTruncated(WindowError):
    """The log ends before what was read or planned: the broker lost its tail, or the topic was recreated."""

    def __init__(self, topic: str, partition: int, offset: int, high: int) -> None:
        super().__init__(
            f"{topic}/{partition}: the checkpoint stands at offset {offset} but the log ends at {high}; "
            "the topic was truncated or recreated: restore it, or set learner.on_gap: skip to go on with what is there"
        )
        self.at = (topic, partition, offset, high)

    def __reduce__(self) -> tuple[type[LogTruncated], tuple[str, int, int, int]]:
        return LogTruncated, self.at


class ReadTimeout(WindowError):
    """The broker is there and did not give what was planned in time."""


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
    """Window `number`: the ranges read together, in (topic, partition) order.

    `drained` are the partitions read to their end as it was then, `share` is how
    many of the impressions left alone are learned from (fewer under overload),
    `gaps` what retention had taken before it could be read.
    """

    number: int
    ranges: tuple[Range, ...]
    drained: tuple[int, ...] = ()
    share: float = 1.0
    gaps: tuple[Range, ...] = ()

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
    *,
    max_rows: int,
    skip_gaps: bool = False,
) -> Plan | None:
    """The next window from `starts` (partition -> next offset) under the broker's (low, high) watermarks.

    None when nothing new is there. A partition first seen now starts at its
    low watermark. With more than `max_rows` waiting, every partition gives the
    same share of what it has (so none starves), the rest waits, and of the
    impressions left alone the same share is learned from (at least MIN_SHARE).
    Raises WindowError when retention took records not read yet (with
    `skip_gaps` they are named in the plan instead), and LogTruncated when the log
    is shorter than the checkpoint says.
    """
    if max_rows < 1:
        raise ValueError(f"max_rows == {max_rows}, must be >= 1")
    missing = sorted(set(starts) - set(watermarks))
    if missing:
        raise WindowError(f"{topic}: partitions {missing} of the checkpoint are gone; the topic was recreated")
    waiting: list[tuple[int, int, int]] = []
    gaps: list[Range] = []
    for partition in sorted(watermarks):
        low, high = watermarks[partition]
        start = starts.get(partition, 0 if starts else low)
        if start > high:
            raise LogTruncated(topic, partition, start, high)
        if start < low:
            if partition in starts and not skip_gaps:
                raise WindowError(
                    f"{topic}/{partition}: offsets {start}..{low - 1} were deleted by retention before they were "
                    "learned; lengthen retention.ms and start again from a newer model version, or set "
                    "learner.on_gap: skip to go on without them"
                )
            gaps.append(Range(topic, partition, start, low))
            start = low
        if high > start:
            waiting.append((partition, start, high))
    if not waiting:
        return None
    total = sum(high - start for _, start, high in waiting)
    left = min(total, max_rows)
    ranges: list[Range] = []
    for index, (partition, start, high) in enumerate(waiting):
        have = high - start
        remaining = sum(h - s for _, s, h in waiting[index:])
        take = min(have, -(-left * have // remaining))
        left -= take
        if take:
            ranges.append(Range(topic, partition, start, start + take))
    ends = {partition: start for partition, start, _ in waiting} | {r.partition: r.end for r in ranges}
    drained = tuple(p for p in sorted(watermarks) if ends.get(p, watermarks[p][1]) >= watermarks[p][1])
    planned = {r.partition for r in ranges}
    return Plan(
        number,
        tuple(ranges),
        drained,
        max(MIN_SHARE, min(1.0, max_rows / total)),
        tuple(gap for gap in gaps if gap.partition in planned),
    )


def verify(plan: Plan, read: Mapping[int, int]) -> None:
    """No partition (partition -> rows read) may give more rows than were planned; fewer are offsets without a record
    (transactions, compaction). Raises WindowError."""
    for r in plan.ranges:
        got = read.get(r.partition, 0)
        if got > r.rows:
            raise WindowError(
                f"plan {plan.number}: {r.topic}/{r.partition} gave {got} rows, {r.rows} were planned "
                f"([{r.start}, {r.end}))"
            )


def within(plan: Plan, highs: Mapping[int, int]) -> Plan:
    """The plan without what lies beyond the log's ends (partition -> high watermark): the broker lost it."""
    ranges = (msgspec.structs.replace(r, end=min(r.end, highs.get(r.partition, 0))) for r in plan.ranges)
    return msgspec.structs.replace(plan, ranges=tuple(r for r in ranges if r.rows > 0))


class PlanLog:
    """`plans/<number>.json`, created only if absent."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def file(self, number: int) -> Path:
        return self.folder / f"{number:09d}.json"

    def read(self, number: int) -> Plan | None:
        """Raises WindowError for a damaged one."""
        file = self.file(number)
        try:
            return msgspec.json.decode(file.read_bytes(), type=Plan)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise WindowError(f"the plan {file} is damaged ({error}); remove it: it was not learned yet") from None

    def write(self, plan: Plan) -> Plan:
        """Store the plan; if this number has one already, that one counts and is returned."""
        return msgspec.json.decode(_once(self.file(plan.number), msgspec.json.encode(plan)), type=Plan)

    def replace(self, plan: Plan) -> None:
        """In place of one whose records are lost; one without ranges is only removed."""
        file = self.file(plan.number)
        file.unlink(missing_ok=True)
        file.with_suffix(".items").unlink(missing_ok=True)
        if plan.ranges:
            self.write(plan)

    def attached(self, number: int) -> bytes | None:
        """What was attached to a plan."""
        file = self.file(number).with_suffix(".items")
        return file.read_bytes() if file.is_file() else None

    def attach(self, number: int, content: bytes) -> bytes:
        """Keep what was looked up for a plan beside it; what is there already counts and is returned."""
        return _once(self.file(number).with_suffix(".items"), content)

    def trim(self, below: int) -> None:
        """Drop plans behind the oldest version that could still be resumed."""
        for file in self.folder.glob("[0-9]*.*"):
            if int(file.stem) < below:
                file.unlink(missing_ok=True)


def _once(file: Path, content: bytes) -> bytes:
    """Create the file, whole or not at all; what is there already counts and is returned."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        file.hardlink_to(partial)
    except FileExistsError:
        return file.read_bytes()
    finally:
        partial.unlink(missing_ok=True)
    return content
