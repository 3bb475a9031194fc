"""The five topics of the contract, and waiting for the broker that holds them."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any, cast

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from rayapp.errors import Unavailable
from streaming.settings import Broker

DAY_MS = 86_400_000


class BrokerUnreachable(Unavailable):
    """No broker answered; the text says where and what to do."""


def topic_specs(broker: Broker) -> list[NewTopic]:
    """Behaviour and exposures share key and partition count, so that a user's records stand side by side."""
    n, replication = broker.settings.partitions, broker.settings.replication
    append_time = {"message.timestamp.type": "LogAppendTime"}
    return [
        NewTopic(broker.topic("behaviour"), n, replication, config={**append_time, "retention.ms": str(30 * DAY_MS)}),
        NewTopic(broker.topic("exposures"), n, replication, config={**append_time, "retention.ms": str(30 * DAY_MS)}),
        NewTopic(broker.topic("items"), 1, replication, config={"cleanup.policy": "compact"}),
        NewTopic(broker.topic("verdicts"), 1, replication, config={**append_time, "retention.ms": str(365 * DAY_MS)}),
        NewTopic(broker.topic("dead"), 1, replication, config={**append_time, "retention.ms": str(14 * DAY_MS)}),
    ]


def wait_for_broker(broker: Broker, timeout_s: float = 30.0) -> AdminClient:
    """An admin client whose broker answers. Raises BrokerUnreachable after `timeout_s`."""
    admin = AdminClient(broker.client({"log_level": 0}))
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            admin.list_topics(timeout=2)
            return admin
        except KafkaException as error:
            if time.monotonic() > deadline:
                raise BrokerUnreachable(
                    f"no Kafka broker answers at {broker.address} within {timeout_s:.0f} s ({error.args[0].str()}); "
                    "start it, or correct kafka.bootstrap"
                ) from None


def ensure_topics(broker: Broker, timeout_s: float = 30.0) -> None:
    """Create what is missing; existing topics are left as they are."""
    admin = wait_for_broker(broker, timeout_s)
    present = admin.list_topics(timeout=10).topics
    missing = [spec for spec in topic_specs(broker) if spec.topic not in present]
    if not missing:
        return
    created = cast("dict[str, Future[None]]", cast("Any", admin).create_topics(missing))
    for future in created.values():
        future.result(timeout=timeout_s)
    deadline = time.monotonic() + timeout_s
    names = {spec.topic for spec in missing}
    while not names <= set(admin.list_topics(timeout=5).topics):
        if time.monotonic() > deadline:
            raise BrokerUnreachable(f"{broker.address} did not show the new topics {sorted(names)} in {timeout_s} s")
