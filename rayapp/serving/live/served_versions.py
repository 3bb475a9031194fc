"""Gauges of what a replica serves: the configured model's version, and those that arms of experiments name."""

from __future__ import annotations

from rayapp.metrics import Metrics
from rayapp.serving.live.engine import Engine


class ServedVersions:
    """A gauge once set stays with its process, so a version that is served no more is set to 0 (and left out of
    /metrics)."""

    def __init__(self, engine: Engine, metrics: Metrics) -> None:
        self.engine = engine
        self.metrics = metrics
        self.told: set[tuple[str, str, str]] = set()

    def tell(self) -> None:
        now = set()
        for host in list(self.engine.hosts.values()):
            if host.current is not None:
                now.add((host.registry.name, host.current.model_version, host.current.manifest.space))
        for model, version, space in self.told | now:
            value = float((model, version, space) in now)
            self.metrics.set("rayapp_model_version_info", value, model=model, version=version, space=space)
        self.told = now
        if self.engine.host.current is not None:
            self.metrics.set("rayapp_model_age_seconds", self.engine.host.age_s(), model=self.engine.config.name)
