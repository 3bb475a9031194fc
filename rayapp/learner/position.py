"""A learner's position: HEAD's weights and memory, and the counts of its manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from rayapp.config import Config
from rayapp.redrec.model.artifact import ItemSpace
from rayapp.redrec.online.online_model import USER_FILES, OnlineModel
from rayapp.stores.registry import Manifest, Registry, RegistryError
from rayapp.workers import Crew
from streaming.log_check import first_after
from streaming.windows import Plan

REJECTIONS = 3  # in a row; then training continues from the served weights


class Position:
    """Read from HEAD, advanced by windows, written as the next manifest."""

    def __init__(self, config: Config, registry: Registry, *, crew: Crew, say: Callable[[str], None]) -> None:
        self.config = config
        self.registry = registry
        self.crew = crew
        self.say = say
        self.topic = config.topic("behaviour")
        self.manifest = registry.manifest(registry.resolve("HEAD"))
        self.space = ItemSpace(registry.space_folder(self.manifest.space), self.manifest.config)
        self.offsets = {int(p): o for p, o in self.manifest.offsets.get(self.topic, {}).items()}
        self.window = int(self.manifest.metrics.get("window", 0))
        # Append time of the last record read of each partition; detects a recreated topic.
        self.appended = {int(p): at for p, at in self.manifest.metrics.get("appended", {}).items()}
        self.events_seen = self.manifest.events_seen
        self.skipped = dict(self.manifest.skipped)
        self._check_memory()
        self.model = self._load(None)
        if self.must_go_back():
            self._take_current_weights()

    def _check_memory(self) -> None:
        """Raises RegistryError for a version whose memory was removed: it can be served, not learned on."""
        if USER_FILES[0] in self.registry.dropped(self.manifest.version):
            raise RegistryError(
                f"{self.registry.name}@{self.manifest.version} no longer remembers its users' histories, as only the "
                "newest versions do: point HEAD at the newest version"
            )

    def _load(self, weights_of: Manifest | None) -> OnlineModel:
        """HEAD's memory, with the weights of `weights_of` if given."""
        return OnlineModel.load(
            self.registry.fetch(self.manifest.version),
            self.manifest.config,
            self.space,
            settings=self.config.learner,
            dedupe_ms=int(self.config.history.dedupe_hours * 3_600_000),
            rank=self.crew.rank,
            world=self.crew.world,
            weights=self.registry.fetch(weights_of.version) if weights_of else None,
        )

    def must_go_back(self) -> bool:
        """Whether HEAD's weights are not finite, or it and the two versions before it were rejected."""
        newest = [v for v in self.registry.versions() if v <= self.manifest.version][-REJECTIONS:]
        rejected = len(newest) == REJECTIONS and not any(self.registry.manifest(v).usable for v in newest)
        return rejected or not self.model.finite()

    def _take_current_weights(self) -> None:
        """Take the served weights at HEAD's offsets; the events learned in between are counted as given up."""
        current = self.registry.manifest(self.registry.resolve("CURRENT"))
        if current.space != self.manifest.space:
            raise RegistryError(
                f"{self.registry.name}@{self.manifest.version} was rejected, and CURRENT ({current.version}) has "
                "other item vectors: train again, or point HEAD at a usable version"
            )
        self.model = self._load(current)
        self.skipped["given_up"] = current.skipped.get("given_up", 0) + self.manifest.events_seen - current.events_seen
        self.say(f"continuing from the weights of {self.registry.name}@{current.version}, the served version")

    def move(self, plan: Plan, counted: int, appended: dict[int, int]) -> None:
        """Advance to the end of a plan."""
        self.offsets.update(plan.ends())
        self.appended.update(appended)
        self.window = plan.number
        self.events_seen += counted

    def rewritten(self, consumer: Consumer) -> list[int]:
        """Partitions that lost the end of their log and went on: newer records stand before the offset."""
        after = first_after(consumer, self.topic, {p: at for p, at in self.appended.items() if p in self.offsets})
        return [p for p, offset in after.items() if offset < self.offsets[p]]

    def accept_loss(self, partitions: Iterable[int], consumer: Consumer) -> None:
        """The log of these partitions has lost its tail, or is another one: go on after what was read, by append time.

        A record that is read a second time is known by its event id.
        """
        for partition in partitions:
            read = self.offsets[partition]
            after = TopicPartition(self.topic, partition, self.appended.get(partition, 0) + 1)
            _, high = consumer.get_watermark_offsets(after, timeout=10)
            (found,) = consumer.offsets_for_times([after], timeout=10)
            self.offsets[partition] = found.offset if 0 <= found.offset <= high else high
            self.appended.pop(partition, None)  # of a record that is gone
            self.say(
                f"{self.topic}/{partition}: the log ends at offset {high} and was read up to {read}: the broker lost "
                f"records, or the topic is a new one; going on at {self.offsets[partition]}"
            )

    def skip(self, reason: str, count: int) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + count

    def next_manifest(self, metrics: dict[str, Any]) -> Manifest:
        """The manifest of the present state, before the gate has decided."""
        appended = {str(p): at for p, at in sorted(self.appended.items())}
        return Manifest(
            version=0,
            parent=self.manifest.version,
            space=self.manifest.space,
            created_ms=0,
            offsets={self.topic: {str(p): o for p, o in sorted(self.offsets.items())}},
            events_seen=self.events_seen,
            skipped=dict(self.skipped),
            metrics={"window": self.window, "appended": appended, **metrics},
            gate="unproven",
            config=self.manifest.config,
        )
