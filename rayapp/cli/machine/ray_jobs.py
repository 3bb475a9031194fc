"""Ray's job API as the control loop needs it, with a time-out on every call; Ray's own client has none."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any, NamedTuple

import httpx

ALIVE = ("PENDING", "RUNNING")
MARK = "rayapp"  # the key of a job's metadata that says which of ours it is


class RayJob(NamedTuple):
    """`name`: which job of ours, empty for somebody else's; `message`: why it ended."""

    id: str
    name: str
    status: str
    message: str

    @property
    def alive(self) -> bool:
        return self.status in ALIVE


class RayJobs:
    def __init__(self, client: httpx.Client) -> None:
        """`client`: of the dashboard's address, with its token. Every call raises httpx.HTTPError."""
        self.client = client

    def all(self) -> dict[str, RayJob]:
        """By id; jobs that were not submitted by this API have none."""
        answer: list[dict[str, Any]] = self.client.get("/api/jobs/").raise_for_status().json()
        jobs = [
            RayJob(
                job["submission_id"],
                str((job.get("metadata") or {}).get(MARK) or ""),
                job["status"],
                job.get("message") or "",
            )
            for job in answer
            if job.get("submission_id")
        ]
        return {job.id: job for job in jobs}

    def submit(self, name: str, module: str, config: Path) -> str:
        """Start the module as a job of ours; its id."""
        body = {
            "entrypoint": entrypoint(module, config),
            "metadata": {MARK: name},
            "runtime_env": {"env_vars": {"OMP_NUM_THREADS": "1"}},
        }
        return str(self.client.post("/api/jobs/", json=body).raise_for_status().json()["submission_id"])


def entrypoint(module: str, config: Path) -> str:
    """A shell runs it: paths may have spaces. The shell gives way to the job, as the actor of Ray's that holds it takes
    its own children along when the head dies, and no others: a job below a shell would go on beside the next one."""
    return "exec " + shlex.join([sys.executable, "-m", module, "--config", str(config)])
