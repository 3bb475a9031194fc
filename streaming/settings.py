"""Settings of the broker, and the broker that they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from rayapp.section import Name, Section

# What the code sets itself, because its correctness rests on it, by the key of ours that decides it where there is one.
DECIDED = {
    "bootstrap.servers": "kafka.bootstrap",
    "metadata.broker.list": "kafka.bootstrap",
    "group.id": "",
    "group.instance.id": "",
    "enable.auto.commit": "",
    "enable.auto.offset.store": "",
    "enable.idempotence": "",
    "enable.partition.eof": "",
    "isolation.level": "",
    "acks": "",
    "request.required.acks": "",
    "auto.offset.reset": "",
    "partitioner": "",
    "transactional.id": "",
}


class Kafka(Section, frozen=True):
    """`bootstrap` empty: the embedded broker. Partitions apply when topics are made.

    `client`: settings of librdkafka for every client, such as `security.protocol` and `sasl.*`.
    """

    bootstrap: str = ""
    partitions: Annotated[int, Meta(ge=1, le=10_000)] = 4
    replication: Annotated[int, Meta(ge=1, le=100)] = 1
    prefix: Name = "rayapp"
    timeout_s: Annotated[float, Meta(ge=0.1, le=3600.0)] = 10.0
    client: dict[str, str | int | float | bool] = msgspec.field(default_factory=dict)

    def at(self, embedded: str) -> Broker:
        """The broker that is meant; `embedded`: host:port of the embedded one."""
        return Broker(self.bootstrap or embedded, not self.bootstrap, self)


class Broker(NamedTuple):
    """Where the topics are. `address`: host:port, several separated by commas."""

    address: str
    embedded: bool
    settings: Kafka

    def topic(self, name: str) -> str:
        """The topic's full name: behaviour, exposures, items, verdicts or dead with the prefix."""
        return f"{self.settings.prefix}.{name}"

    def client(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What a librdkafka client is made from: the address, `kafka.client`, and the caller's settings over both."""
        return {"bootstrap.servers": self.address, **self.settings.client, **settings}


def client_problem(settings: Mapping[str, Any]) -> str | None:
    """What librdkafka says against these settings; None if a client can be made. Nothing is connected to."""
    from confluent_kafka import KafkaException, Producer

    try:
        Producer({**settings, "log_level": 0})
    except KafkaException as error:
        return str(error.args[0].str())
    except (TypeError, ValueError) as error:
        return str(error)
    return None
