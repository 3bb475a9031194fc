"""Whichever call of Kafka fails, and whenever: the learner waits and goes on. An outage is no reason to end."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException

from rayapp.config import Config
from rayapp.learner.learner import Learner
from rayapp.stores.registry import Registry
from streaming import reading
from tests.integration.learner.test_learner import config, produce

__all__ = ["config"]  # the fixture that the learner's other tests have

MOST_CALLS = 100


class Outage:
    """Call number `at` of those named `call` fails, and the `lasting - 1` after it."""

    def __init__(self, call: str, at: int, lasting: int = 1) -> None:
        self.call = call
        self.failing = range(at, at + lasting)
        self.seen = 0

    def meets(self, call: str) -> bool:
        if call != self.call:
            return False
        self.seen += 1
        return self.seen - 1 in self.failing

    def consumer(self, settings: dict[str, Any]) -> Consumer:
        outage = self

        class Flaky(Consumer):
            def list_topics(self, *args: Any, **kwargs: Any) -> Any:
                return outage.ask("list_topics", super().list_topics, *args, **kwargs)

            def get_watermark_offsets(self, *args: Any, **kwargs: Any) -> Any:
                return outage.ask("get_watermark_offsets", super().get_watermark_offsets, *args, **kwargs)

            def offsets_for_times(self, *args: Any, **kwargs: Any) -> Any:
                return outage.ask("offsets_for_times", super().offsets_for_times, *args, **kwargs)

            def consume(self, *args: Any, **kwargs: Any) -> Any:
                return outage.ask("consume", super().consume, *args, **kwargs)

        return Flaky(settings)

    def ask(self, call: str, real: Any, *args: Any, **kwargs: Any) -> Any:
        if self.meets(call):
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return real(*args, **kwargs)


@pytest.mark.parametrize("call", ["list_topics", "get_watermark_offsets", "offsets_for_times", "consume"])
def test_every_call_may_fail(config: Config, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Each call in turn, once and three times in a row, of a learner that starts, learns, meets new records."""
    events, at = 0, 0
    while at < MOST_CALLS:
        outage = Outage(call, at, 1 + at % 3)
        monkeypatch.setattr(reading, "Consumer", outage.consumer)
        produce(config, events, 10)
        learner = Learner(config, "redrec")
        learner.run(windows=1)
        produce(config, events + 10, 10)
        events += 20
        while sum(learner.position.offsets.values()) < events:
            learner.run(windows=1)
        if outage.seen <= at:
            break  # it made no more calls than that
        at += 1
    assert 0 < at < MOST_CALLS
    registry = Registry(config.models)
    assert registry.manifest(registry.resolve("HEAD")).events_seen == events
