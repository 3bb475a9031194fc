"""A log that lost its end and went on: the offsets that were lost are taken by other records, which nobody would read.

The embedded broker saves its log every few seconds, so a kill takes what came since. What was read last is known by its
append time: the first record appended after it must stand behind it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

EVERY_S = 1.0
log = logging.getLogger(__name__)


def first_after(consumer: Consumer, topic: str, appended: Mapping[int, int]) -> dict[int, int]:
    """By partition the offset of the first record appended later than `appended` (ms); without one it is left out.
    Raises KafkaException."""
    places = [TopicPartition(topic, partition, at + 1) for partition, at in sorted(appended.items())]
    found = consumer.offsets_for_times(places, timeout=5) if places else []
    for place in found:
        if place.error is not None:  # of one partition alone, as while the broker comes back: not an answer
            raise KafkaException(place.error)
    return {place.partition: place.offset for place in found if place.offset >= 0}


class LogCheck:
    """Compares where a reader stood a moment ago with what the log says now."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.looked = 0.0
        self.stood: dict[int, tuple[int, int]] = {}  # partition to (next offset, append time of the record before)
        self.reread: set[tuple[int, int]] = set()  # each place once: a clock that was set back looks alike

    def rewritten(
        self, consumer: Consumer, next_offsets: Mapping[int, int], appended: Mapping[int, int]
    ) -> dict[int, int]:
        """Partitions whose offsets were taken again, with the first of them; looks once a second at most. Raises
        KafkaException."""
        for partition in next_offsets.keys() & appended.keys() - self.stood.keys():
            self.stood[partition] = (next_offsets[partition], appended[partition])
        if time.monotonic() - self.looked < EVERY_S:
            return {}
        self.looked = time.monotonic()
        after = first_after(consumer, self.topic, {partition: at for partition, (_, at) in self.stood.items()})
        found = {
            partition: offset
            for partition, offset in after.items()
            if offset < self.stood[partition][0] and (partition, offset) not in self.reread
        }
        self.reread.update(found.items())
        for partition, offset in found.items():
            log.warning(
                "%s/%d was read up to offset %d, and newer records begin at %d: the broker lost the end of its log; "
                "reading them",
                self.topic, partition, self.stood[partition][0], offset,
            )  # fmt: skip
        self.stood = {
            p: (offset, appended[p]) for p, offset in next_offsets.items() if p in appended and p not in found
        }
        return found
