"""A job does not outlive the Ray head that it was started on: the control loop starts it anew on the next one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.ray_jobs import RayJobs
from rayapp.cli.machine.supervision import ray_command
from rayapp.config import Config, Ports
from rayapp.http_client import own_client
from tests.conftest import free_ports
from tests.helpers import eventually

PORTS = ("ray", "dashboard", "dashboard_agent", "ray_client", "metrics")


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """A head as `rayapp up` starts it."""
    found = Layout(tmp_path / "state")
    found.make()
    config = Config(state=str(found.state), cpus=2, ports=Ports(**dict(zip(PORTS, free_ports(5), strict=True))))
    environment = {**os.environ, **found.environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
    with (found.logs / "ray.log").open("wb") as log:
        head = subprocess.Popen(ray_command(config, found), env=environment, stdout=log, stderr=log)
    found.config.write_text(f"{config.ports.dashboard}")
    yield found
    for process in found.processes():  # the head among them
        process.kill()
    head.wait()


def jobs(layout: Layout) -> list[psutil.Process]:
    return [process for process in layout.processes() if "tests.integration.waiting_job" in words(process)]


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # gone meanwhile
        return []


def started(layout: Layout) -> psutil.Process:
    headers = {"Authorization": f"Bearer {layout.ray_token()}"}
    with own_client(base_url=f"http://127.0.0.1:{layout.config.read_text()}", headers=headers, timeout=60) as client:

        def answers() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return client.get("/api/jobs/").status_code == 200
            return False

        eventually(answers, 120, "the head's job API")
        RayJobs(client).submit("waiting", "tests.integration.waiting_job", layout.config)
    (job,) = eventually(lambda: jobs(layout), 60, "the job")
    return job


def test_a_job_ends_with_its_head(layout: Layout) -> None:
    job = started(layout)
    holder = job.parent()
    assert holder is not None
    assert "JobSupervisor" in " ".join(holder.cmdline()), "what dies takes its own children along, and no others"
    for process in layout.processes():
        if "raylet/raylet " in " ".join(words(process)) + " ":
            process.kill()
    eventually(lambda: not jobs(layout), 60, "the job has ended")
