"""Keeps the reports of running experiments up to date, so that a broken split raises an alarm when nobody looks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Protocol

from rayapp.serving.live.live_experiments import LiveExperiments

log = logging.getLogger("ray.serve")


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

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Watch while the context lasts; needs a running event loop."""
        task = asyncio.get_running_loop().create_task(self._follow(), name="alarms")
        try:
            yield
        finally:
            task.cancel()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self.every_s)
            if not self.experiments.known:
                continue
            try:
                await self.reports.watch()
            except Exception:  # whatever one report does, the next one must be tried
                log.exception("the reports of running experiments could not be updated")
