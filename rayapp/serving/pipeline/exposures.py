"""What was shown to whom, to Kafka: one record an answer."""

from __future__ import annotations

from typing import Any

from rayapp.config import Config
from rayapp.domain import encode
from rayapp.metrics import Metrics
from streaming.producer import EventProducer, Record


class Exposures:
    """Never waits: an answer is not late for its record, and one that finds the queue full is counted."""

    def __init__(self, config: Config, producer: EventProducer, metrics: Metrics) -> None:
        self.topic = config.topic("exposures")
        self.producer = producer
        self.metrics = metrics

    def post(self, user_id: str, record: dict[str, Any]) -> None:
        """`record`: of `rayapp.exposures`, keyed by user like the behaviour that is joined with it."""
        if not self.producer.post(Record(self.topic, user_id, encode(record))):
            self.metrics.count("rayapp_events_total", result="exposure_dropped")
            return
        for experiment, arm in record["experiments"].items() or (("", ""),):
            self.metrics.count("rayapp_exposures_total", experiment=experiment, arm=arm)
