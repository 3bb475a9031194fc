"""Reports of experiments, in a process of their own, so that statistics take no time from requests."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rayapp.config import Config
from rayapp.experiments.report import MISMATCH, Report
from rayapp.metrics import Metrics
from rayapp.serving.remote_call import unwrapped
from rayapp.stores.open import open_store
from streaming.experiment_log import ExperimentLog

WAIT_S = 20.0
log = logging.getLogger("ray.serve")


class RemoteReports:
    """Reports in another deployment, which has no process while no experiment runs and nobody asks."""

    def __init__(self, handle: Any) -> None:
        """`handle`: of the reports' deployment (ray.serve.handle.DeploymentHandle)."""
        self.handle = handle

    async def report(self, name: str) -> Report | None:
        report: Report | None = await unwrapped(self.handle.report.remote(name))
        return report

    async def watch(self) -> None:
        await self.handle.watch.remote()


class Reports:
    """Each update reads what the log received since the one before, in one thread: a log is read by one at a time."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        self.config = config
        self.metrics = metrics
        self.store = open_store(config.store_url).experiments()
        self.logs: dict[str, ExperimentLog] = {}
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="reports")
        self.under_way: dict[str, asyncio.Future[Report]] = {}
        self.watched = 0.0

    async def report(self, name: str) -> Report | None:
        """None when reading takes longer than a client should wait. Raises UnknownExperiment."""
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
        """Update the report of every running experiment, for alarms and dashboards; every gateway asks for it."""
        if time.monotonic() - self.watched < 0.5 * self.config.experiments.look_s:
            return
        self.watched = time.monotonic()
        started = await asyncio.get_running_loop().run_in_executor(self.pool, self.store.all)
        running = [one.experiment.name for one in started if one.running]
        for name in [name for name in self.logs if name not in running]:
            del self.logs[name]
        for name in running:
            await self.report(name)

    def _look(self, name: str) -> Report:
        started = self.store.get(name)
        held = self.logs.get(name)
        if held is None or held.started.started_ms != started.started_ms:
            held = self.logs[name] = ExperimentLog(self.config.broker, started, scenarios=self.config.scenarios)
        held.follow(started)
        read = held.read_on()
        report = held.report()
        log.info("experiment %s: %d records read, users %s", name, read, report.users)
        if started.running:
            self._export(report)
        return report

    def _export(self, report: Report) -> None:
        name = report.experiment
        if report.mismatch is not None:
            self.metrics.set("rayapp_sample_ratio_pvalue", report.mismatch, experiment=name)
            if report.mismatch < MISMATCH:
                log.error("experiment %s: %s", name, "; ".join(report.warnings))
        for arm, users in report.users.items():
            self.metrics.set("rayapp_experiment_users", users, experiment=name, arm=arm)
        for one in report.comparisons:
            tags = {"experiment": name, "arm": one.arm, "metric": one.metric}
            if one.lift is not None:
                self.metrics.set("rayapp_experiment_lift", one.lift, bound="lift", **tags)
            if one.always is not None:
                for bound, value in zip(("low", "high"), one.always, strict=True):
                    self.metrics.set("rayapp_experiment_lift", value, bound=bound, **tags)
        for guardrail in report.guardrails:
            tags = {"experiment": name, "arm": guardrail.arm, "metric": guardrail.metric}
            self.metrics.set("rayapp_guardrail_holds", float(guardrail.holds), **tags)
