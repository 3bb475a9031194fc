"""Gauges of the versions that a replica serves: the configured model's, and those that experiment arms name."""

from __future__ import annotations

from rayapp.metrics import Metrics
from rayapp.serving.live.state import ServingState


class ServedVersions:
    """A gauge once set stays with its process, so a version that is served no more is set to 0 (and left out of
    /metrics)."""

    def __init__(self, state: ServingState, metrics: Metrics) -> None:
        self.state = state
        self.metrics = metrics
        self.exported: set[tuple[str, str, str]] = set()

    def export(self) -> None:
        now = set()
        for host in list(self.state.hosts.values()):
            if host.current is not None:
                now.add((host.registry.name, host.current.model_version, host.current.manifest.space))
        for model, version, space in self.exported | now:
            value = float((model, version, space) in now)
            self.metrics.set("rayapp_model_version_info", value, model=model, version=version, space=space)
        self.exported = now
        if self.state.host.current is not None:
            self.metrics.set("rayapp_model_age_seconds", self.state.host.age_s(), model=self.state.config.name)
