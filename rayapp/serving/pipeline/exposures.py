"""Exposures to Kafka, one record an answer."""

from __future__ import annotations

import msgspec

from rayapp.config import Config
from rayapp.exposure import Exposure
from rayapp.metrics import Metrics
from streaming.producer import EventProducer, Record

_encoder = msgspec.json.Encoder()


class Exposures:
    """Never waits: no answer is late for its record, and a record that finds the queue full is counted."""

    def __init__(self, config: Config, producer: EventProducer, metrics: Metrics) -> None:
        self.topic = config.topic("exposures")
        self.producer = producer
        self.metrics = metrics

    def post(self, exposure: Exposure) -> None:
        if not self.producer.post(Record(self.topic, exposure.user_id, _encoder.encode(exposure))):
            self.metrics.count("rayapp_events_total", result="exposure_dropped")
            return
        for experiment, arm in exposure.experiments.items() or (("", ""),):
            self.metrics.count("rayapp_exposures_total", experiment=experiment, arm=arm)
