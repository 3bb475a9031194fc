"""Age of a version's newest events when a replica swaps it in, and when it first answers with it."""

from __future__ import annotations

import time

from rayapp.metrics import Metrics
from rayapp.stores.registry import Manifest


class VersionFreshness:
    """Freshness stages `swap` and `served`, from the sample of receive times in the manifest."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.waiting: dict[str, list[int]] = {}  # swapped in, not yet served

    def swapped(self, manifest: Manifest) -> None:
        received = list(manifest.metrics.get("received_ms", []))
        self._observe("swap", received)
        self.waiting[str(manifest.version)] = received

    def answered(self, model_version: str) -> None:
        """A request was answered by this version; only the first one is observed."""
        if model_version in self.waiting:
            self._observe("served", self.waiting[model_version])
            self.waiting = {}  # an older version is never served again

    def _observe(self, stage: str, received_ms: list[int]) -> None:
        now = time.time() * 1000
        for at in received_ms:
            self.metrics.observe("rayapp_freshness_seconds", (now - at) / 1000, stage=stage)
