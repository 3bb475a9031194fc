"""Keeps the reports of running experiments up to date, so that a broken split raises an alarm when nobody looks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from rayapp.serving.live.live_experiments import LiveExperiments
from rayapp.serving.periodic import periodically


class Watch(Protocol):
    async def watch(self) -> None:
        """Update the reports of all running experiments."""
        ...


class Alarms:
    """A task on the application's own event loop: deployment handles belong to the loop that they are used on."""

    def __init__(self, experiments: LiveExperiments, reports: Watch, *, every_s: float) -> None:
        self.experiments = experiments
        self.reports = reports
        self.every_s = every_s

    def running(self) -> AbstractContextManager[None]:
        """Watch while the context lasts; needs a running event loop."""
        return periodically(self._watch, every_s=self.every_s, name="alarms")

    async def _watch(self) -> None:
        if self.experiments.known:
            await self.reports.watch()
