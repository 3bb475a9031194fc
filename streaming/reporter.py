"""A job that never ends tells the system how it is doing: `/readyz`, `rayapp status` and an alert read it."""

from __future__ import annotations

import contextlib
import time

from rayapp.stores.job_state import JobState
from rayapp.stores.ports import JobStates, StoreUnreachable

MAX_TEXT = 500


class Reporter:
    """`problem` is told when something is waited for, and when that is over; `beat` writes it down."""

    def __init__(self, job: str, states: JobStates) -> None:
        self.job = job
        self.states = states
        self.text = ""
        self.since_ms = 0

    def problem(self, error: Exception | str | None) -> None:
        text = " ".join(str(error).split())[:MAX_TEXT] if error is not None else ""
        if text and not self.text:
            self.since_ms = int(time.time() * 1000)
        self.text = text

    def beat(self) -> None:
        """A store that is away is not told: /readyz knows of it by itself."""
        now = int(time.time() * 1000)
        with contextlib.suppress(StoreUnreachable):
            self.states.put(self.job, JobState(now, self.text, self.since_ms if self.text else 0))
