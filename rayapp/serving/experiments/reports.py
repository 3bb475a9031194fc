"""Reports of experiments, in a process of their own: statistics must not take the cores' time from requests."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from rayapp.config import Config
from rayapp.experiments.report import MISMATCH, Report
from rayapp.metrics import Metrics
from rayapp.stores.valkey.client import connect
from rayapp.stores.valkey.experiments import ExperimentStore
from streaming.experiment_log import ExperimentLog

WAIT_S = 20.0
log = logging.getLogger("ray.serve")


class Reports:
    """Each look reads what the log got since the one before. One thread: a log is read by one look at a time."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        self.config = config
        self.metrics = metrics
        self.store = ExperimentStore(connect(config.store_url))
        self.logs: dict[str, ExperimentLog] = {}
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="reports")
        self.under_way: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.watched = 0.0

    async def report(self, name: str) -> dict[str, Any] | None:
        """The report as JSON; None when reading takes longer than a client should wait. Raises UnknownExperiment."""
        task = self.under_way.get(name)
        if task is None:
            task = asyncio.get_running_loop().run_in_executor(self.pool, self._look, name)
            self.under_way[name] = task
            task.add_done_callback(lambda _: self.under_way.pop(name, None))
        try:
            return await asyncio.wait_for(asyncio.shield(task), WAIT_S)
        except TimeoutError:
            return None

    async def watch(self) -> None:
        """A look at every running experiment, for the alarms and the dashboard; every gateway asks for it."""
        if time.monotonic() - self.watched < 0.5 * self.config.experiments.look_s:
            return
        self.watched = time.monotonic()
        running = [one.experiment.name for one in self.store.all() if one.running]
        for name in [name for name in self.logs if name not in running]:
            del self.logs[name]
        for name in running:
            await self.report(name)

    def _look(self, name: str) -> dict[str, Any]:
        started = self.store.get(name)
        held = self.logs.get(name)
        if held is None or held.started.started_ms != started.started_ms:
            held = self.logs[name] = ExperimentLog(self.config, started)
        held.follow(started)
        read = held.read_on()
        found = held.report()
        log.info("experiment %s: %d records read, users %s", name, read, found.users)
        if started.running:
            self._export(found)
        return msgspec.to_builtins(found)

    def _export(self, found: Report) -> None:
        name = found.experiment
        if found.mismatch is not None:
            self.metrics.set("rayapp_sample_ratio_pvalue", found.mismatch, experiment=name)
            if found.mismatch < MISMATCH:
                log.error("experiment %s: %s", name, "; ".join(found.warnings))
        for arm, users in found.users.items():
            self.metrics.set("rayapp_experiment_users", users, experiment=name, arm=arm)
        for one in found.comparisons:
            tags = {"experiment": name, "arm": one.arm, "metric": one.metric}
            if one.lift is not None:
                self.metrics.set("rayapp_experiment_lift", one.lift, bound="lift", **tags)
            if one.always is not None:
                for bound, value in zip(("low", "high"), one.always, strict=True):
                    self.metrics.set("rayapp_experiment_lift", value, bound=bound, **tags)
        for guardrail in found.guardrails:
            tags = {"experiment": name, "arm": guardrail.arm, "metric": guardrail.metric}
            self.metrics.set("rayapp_guardrail_holds", float(guardrail.holds), **tags)
