"""Settings of the broker, and the broker that they mean."""

from __future__ import annotations

from typing import NamedTuple

from rayapp.section import Count, Positive, Section


class Kafka(Section, frozen=True):
    """`bootstrap` empty: the embedded broker. Partitions apply when topics are made."""

    bootstrap: str = ""
    partitions: Count = 4
    replication: Count = 1
    prefix: str = "rayapp"
    timeout_s: Positive = 10.0

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
