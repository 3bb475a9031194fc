"""Reports of running experiments are brought up to date while nobody looks."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from rayapp.serving.experiments.alarms import Alarms


class Reports:
    """Fails the first time, as a replica that is just starting does."""

    def __init__(self) -> None:
        self.updates = 0
        self.updated = asyncio.Event()

    async def watch(self) -> None:
        self.updates += 1
        if self.updates == 1:
            raise ConnectionError("the replica starts")
        self.updated.set()


async def test_a_failure_does_not_end_the_watch() -> None:
    experiments: Any = SimpleNamespace(known=["an experiment"])
    reports = Reports()
    with Alarms(experiments, reports, every_s=0.001).running():
        await asyncio.wait_for(reports.updated.wait(), 20)
    await asyncio.sleep(0)
    assert "alarms" not in {task.get_name() for task in asyncio.all_tasks()}, "it ends with the application"


async def test_without_experiments_no_report_is_asked_for() -> None:
    experiments: Any = SimpleNamespace(known=[])
    reports, looked = Reports(), asyncio.Event()

    class Known:
        @property
        def known(self) -> list[Any]:
            looked.set()
            return experiments.known

    with Alarms(Known(), reports, every_s=0.001).running():  # type: ignore[arg-type]
        await asyncio.wait_for(looked.wait(), 20)
    assert reports.updates == 0
