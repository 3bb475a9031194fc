"""An experiment as the log tells it: exposures and behaviour since it began, read on from where the last look ended."""

from __future__ import annotations

import hashlib
import time

import msgspec
from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from rayapp.domain import Forget
from rayapp.experiments.aged import Aged
from rayapp.experiments.lifecycle import Started
from rayapp.experiments.report import Report, report
from rayapp.experiments.user_totals import UserTotals
from rayapp.exposure import Exposure
from rayapp.validation import InvalidRecord
from streaming.reading import consumer_for, read_ranges, watermarks
from streaming.records import behaviour_record
from streaming.settings import Broker
from streaming.topics import DAY_MS
from streaming.windows import Range

ROWS = 20_000
BEFORE_DAYS = 14  # for CUPED: habits of two weeks tell most (Deng et al. 2013)
SLICE_MS = 6 * 3_600_000
SLACK_MS = 60_000  # clocks of the gateway and the broker differ


class ExperimentLog:
    """`read_on()`, then `report()`; each look reads what came since. Not safe for several threads."""

    def __init__(
        self, broker: Broker, started: Started, *, scenarios: tuple[str, ...], before_days: int = BEFORE_DAYS
    ) -> None:
        """`before_days`: how much behaviour from before the experiment is read, for CUPED."""
        self.broker = broker
        self.scenarios = scenarios
        self.started = started
        self.before_ms = before_days * DAY_MS
        self.totals = UserTotals(started.experiment, started.started_ms, started.stopped_ms)
        self.at: dict[tuple[str, int], int] = {}
        self.seen: Aged[bytes, bool] = Aged()  # ids of a day, as duplicates are counted everywhere
        self.unreadable = 0
        self.newest_ms = 0

    def follow(self, started: Started) -> None:
        """The same experiment as it stands now: with more coverage, or stopped."""
        self.started = started
        self.totals.end_ms = started.stopped_ms

    def read_on(self) -> int:
        """Records read: all that were there when it began. Raises WindowError, KafkaException.

        Slice by slice in time, exposures before behaviour: what a join needs is then hours of the log, however long
        the log is.
        """
        read = 0
        consumer = consumer_for(self.broker)
        try:
            for until_ms in self._slices():
                ranges = [r for short in ("exposures", "behaviour") for r in self._ranges(consumer, short, until_ms)]
                read += self._read(ranges)
        finally:
            consumer.close()
        return read

    def _slices(self) -> list[int | None]:
        """Ends of the slices; the last one is the log's end (None)."""
        since = self.newest_ms or self.started.started_ms - self.before_ms
        return [*range(since + SLICE_MS, int(time.time() * 1000) - SLICE_MS, SLICE_MS), None]

    def _read(self, ranges: list[Range]) -> int:
        exposures = self.broker.topic("exposures")
        for planned, table in zip(ranges, read_ranges(self.broker, ranges), strict=True):
            for row in table.to_pylist():
                if planned.topic == exposures:
                    self._exposure(row["value"])
                else:
                    self._behaviour(row["value"], row["append_ms"], f"{planned.partition}-{row['offset']}")
            self.at[planned.topic, planned.partition] = planned.end
        self.totals.give_up(self.newest_ms - SLACK_MS)
        self.seen.expire(self.newest_ms - DAY_MS)
        return sum(planned.rows for planned in ranges)

    def report(self) -> Report:
        warnings = [f"{self.unreadable:,} records could not be read and are left out"] if self.unreadable else []
        totals = self.totals
        return report(
            self.started.experiment,
            totals.table(),
            totals.latencies,
            moved=len(totals.moved),
            warnings=warnings,
            drafts=totals.drafts,
        )

    def _ranges(self, consumer: Consumer, short: str, until_ms: int | None) -> list[Range]:
        """What was not read yet, up to the time `until_ms` or the log's end."""
        topic = self.broker.topic(short)
        marks = watermarks(consumer, topic)
        since = self.started.started_ms - (self.before_ms if short == "behaviour" else SLACK_MS)
        new = [TopicPartition(topic, p, max(0, since)) for p in marks if (topic, p) not in self.at]
        for place in consumer.offsets_for_times(new, timeout=10) if new else ():
            low, high = marks[place.partition]
            self.at[topic, place.partition] = high if place.offset == OFFSET_END else max(low, place.offset)
        if until_ms is not None:
            ends = consumer.offsets_for_times([TopicPartition(topic, p, max(0, until_ms)) for p in marks], timeout=10)
            limits = {e.partition: e.offset for e in ends if e.offset >= 0}
            marks = {p: (low, min(high, limits.get(p, high))) for p, (low, high) in marks.items()}
        found: list[Range] = []
        for partition, (low, high) in sorted(marks.items()):
            start = max(low, self.at[topic, partition])
            found += [Range(topic, partition, s, min(high, s + ROWS)) for s in range(start, high, ROWS)]
        return found

    def _exposure(self, value: bytes | None) -> None:
        try:
            self.totals.expose(msgspec.json.decode(value or b"", type=Exposure))
        except Exception:  # whatever one record does, the report is of the others
            self.unreadable += 1

    def _behaviour(self, value: bytes | None, append_ms: int, place: str) -> None:
        self.newest_ms = max(self.newest_ms, append_ms)
        try:
            record = behaviour_record(value, self.scenarios, append_ms, place)
        except InvalidRecord:
            return  # the history writer sends it to the dead-letter topic with its reason
        if isinstance(record, Forget):
            self.totals.forget(record.user_id)
            return
        key = hashlib.blake2b(f"{record.user_id}\0{record.event_id}".encode(), digest_size=16).digest()
        if key not in self.seen:
            self.seen.put(key, True, append_ms)
            self.totals.act(record)
