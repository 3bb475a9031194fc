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
    """Compares where a reader stood before it read on with what the log says now."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.looked = 0.0
        # By partition where the reader stood at the last look that found all well: the next offset, and the append
        # time of the newest record before it (a clock that was set back makes no record a newer one).
        self.stood: dict[int, tuple[int, int]] = {}

    def rewritten(
        self, consumer: Consumer, next_offsets: Mapping[int, int], appended: Mapping[int, int]
    ) -> dict[int, int]:
        """Partitions whose offsets were taken again, with the first of them. Raises KafkaException.

        It is asked before each read, and answers from the log wherever the reader has moved since the last look, else
        once a second: what is looked at is the place before the batch in hand, as a loss between two looks may have put
        other records into that batch. A reader that got no answer must ask again before it reads on.
        """
        here = {
            partition: (offset, max(appended[partition], self.stood.get(partition, (0, 0))[1]))
            for partition, offset in next_offsets.items()
            if partition in appended
        }
        if here == self.stood and time.monotonic() - self.looked < EVERY_S:
            return {}
        places = {**here, **self.stood}
        after = first_after(consumer, self.topic, {partition: at for partition, (_, at) in places.items()})
        self.looked = time.monotonic()
        found = {partition: offset for partition, offset in after.items() if offset < places[partition][0]}
        for partition, offset in found.items():
            log.warning(
                "%s/%d was read up to offset %d, and newer records begin at %d: the broker lost the end of its log; "
                "reading them",
                self.topic, partition, places[partition][0], offset,
            )  # fmt: skip
        # The reader goes back to what was found, and the records there are newer than all that it had read by then.
        self.stood = here | {partition: (offset, places[partition][1]) for partition, offset in found.items()}
        return found
