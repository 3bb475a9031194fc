"""Which of the jobs that never end is stuck or has fallen silent, for `/readyz` and the alert.

`/readyz` is open to everybody: it says that a job waits, and `rayapp status` says for what.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

from rayapp.metrics import Metrics
from rayapp.serving.periodic import periodically
from rayapp.stores.job_state import problems_of
from rayapp.stores.ports import JobStateReader, StoreUnreachable

EVERY_S = 5.0


class JobProblems:
    """Looks every few seconds; exports the gauge that the alert reads."""

    def __init__(self, states: JobStateReader, metrics: Metrics, *, every_s: float = EVERY_S) -> None:
        self.states = states
        self.metrics = metrics
        self.every_s = every_s

    async def look(self) -> dict[str, str]:
        """By job what is wrong. While the store is away nothing is known of them: that is a component's own word."""
        try:
            states = await self.states.all()
        except StoreUnreachable:
            return {}
        problems = problems_of(states, int(time.time() * 1000), openly=True)
        for job in states:
            self.metrics.set("rayapp_job_problem", float(job in problems), job=job)
        return problems

    def running(self) -> AbstractContextManager[None]:
        """Look while the context lasts; needs a running event loop."""
        return periodically(self.look, every_s=self.every_s, name="job problems")
