"""From the moment an event was received to what the learner has made of it, a histogram per stage."""

from __future__ import annotations

import time

import numpy as np

from rayapp.metrics import Metrics

SAMPLES = 64


class Freshness:
    """Stages `window`, `train` and `publish`; the replicas observe `swap` and `served` from the version's sample."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.unpublished: list[int] = []  # received_ms of live events trained on since the last version

    def read(self, received_ms: list[int]) -> None:
        self._observe("window", received_ms)

    def trained(self, received_ms: list[int]) -> None:
        self._observe("train", received_ms)
        self.unpublished += received_ms

    def published(self, received_ms: list[int]) -> None:
        self._observe("publish", received_ms)

    def rejected(self, received_ms: list[int]) -> None:
        """They wait for the next version."""
        self.unpublished += received_ms

    def sample(self) -> list[int]:
        """Evenly spaced quantiles of what is not published yet: what a manifest carries."""
        if len(self.unpublished) <= SAMPLES:
            return sorted(self.unpublished)
        places = np.linspace(0, len(self.unpublished) - 1, SAMPLES).round().astype(int)
        return np.sort(self.unpublished)[places].tolist()

    def take(self) -> list[int]:
        taken, self.unpublished = self.unpublished, []
        return taken

    def _observe(self, stage: str, received_ms: list[int]) -> None:
        now = time.time() * 1000
        for at in received_ms:
            self.metrics.observe("rayapp_freshness_seconds", (now - at) / 1000, stage=stage)
