"""What the processes of a running system spend their time on: cores by part."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from rayapp.cli.machine.paths import Layout

PARTS = {
    "gateway": "ServeReplica",
    "Serve's proxy": "ProxyActor",
    "learner": "RayTrainWorker",
    "broker": "noida-db",
    "history writer": "jobs.write_history",
}
REST = "the rest of Ray and the control loop"


class CpuByPart:
    """Counts from the moment it is made.

    Missing are processes that ended before `cores` is asked, and those that
    overwrite the environment by which a system's processes are known (the
    store, Ray's dashboard agent).
    """

    def __init__(self, state: str) -> None:
        self.layout = Layout(Path(state).resolve())
        self.at = time.monotonic()
        self.before = self._seconds()

    def cores(self) -> dict[str, float]:
        """Mean cores in use since the start, most first."""
        after, passed = self._seconds(), time.monotonic() - self.at
        found: dict[str, float] = {}
        for process, (part, used) in after.items():
            found[part] = found.get(part, 0.0) + (used - self.before.get(process, (part, 0.0))[1]) / passed
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))

    def _seconds(self) -> dict[tuple[int, float], tuple[str, float]]:
        result = {}
        for process in self.layout.processes():
            try:
                command, times = " ".join(process.cmdline()), process.cpu_times()
                part = next((name for name, words in PARTS.items() if words in command), REST)
                result[process.pid, process.create_time()] = (part, times.user + times.system)
            except psutil.Error:
                continue
        return result
