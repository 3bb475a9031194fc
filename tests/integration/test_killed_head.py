"""A Ray head that is killed: its jobs end with it, and the next one starts at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.ray_jobs import RayJobs
from rayapp.cli.machine.supervision import ray_command
from rayapp.config import Config, Ports
from rayapp.http_client import own_client
from tests.conftest import free_ports
from tests.helpers import eventually, without_ray

PORTS = ("ray", "dashboard", "dashboard_agent", "ray_client", "metrics")


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """A head as `rayapp up` starts it."""
    found = Layout(tmp_path / "state")
    found.make()
    found.config.write_text("")
    config = Config(state=str(found.state), cpus=2, ports=Ports(**dict(zip(PORTS, free_ports(5), strict=True))))
    found.write(found.system, msgspec.to_builtins(config))
    begin(found)
    yield found
    for process in found.processes():  # the head among them
        process.kill()


def begin(layout: Layout) -> None:
    """Start the head, as supervisord does when the one before has ended."""
    config = msgspec.convert(layout.read(layout.system), Config)
    environment = {**without_ray(), **layout.environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
    with (layout.logs / "ray.log").open("ab") as log:
        subprocess.Popen(ray_command(config, layout), env=environment, stdout=log, stderr=log)


@contextlib.contextmanager
def dashboard(layout: Layout) -> Iterator[httpx.Client]:
    """A client of the head's job API, which answers."""
    port = layout.read(layout.system)["ports"]["dashboard"]
    headers = {"Authorization": f"Bearer {layout.ray_token()}"}
    with own_client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:

        def answers() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return client.get("/api/jobs/").status_code == 200
            return False

        eventually(answers, 120, "the head's job API")
        yield client


def jobs(layout: Layout) -> list[psutil.Process]:
    return [process for process in layout.processes() if "tests.integration.waiting_job" in words(process)]


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # gone meanwhile
        return []


def started(layout: Layout) -> psutil.Process:
    with dashboard(layout) as client:
        RayJobs(client).submit("waiting", "tests.integration.waiting_job", layout.config)
    (job,) = eventually(lambda: jobs(layout), 60, "the job")
    return job


def of_the_head(layout: Layout, part: str) -> psutil.Process:
    (found,) = [p for p in layout.ray_processes() if part in " ".join(words(p)) + " "]
    return found


@pytest.mark.parametrize("part", ["raylet/raylet ", "bin/ray start "])
def test_the_next_head_starts_at_once_and_alone(layout: Layout, part: str) -> None:
    """Whatever of the one before was killed, however little else ended with it; its jobs end, too."""
    holder = started(layout).parent()
    assert holder is not None
    assert "JobSupervisor" in " ".join(holder.cmdline()), "what dies takes its own children along, and no others"
    before = layout.ray_processes()
    head = of_the_head(layout, "bin/ray start ")
    of_the_head(layout, part).kill()
    eventually(lambda: not head.is_running() or head.status() == psutil.STATUS_ZOMBIE, 60, "the head has ended")
    begin(layout)
    with dashboard(layout):
        alive = [p for p in before if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        assert alive == []
    assert "Traceback" not in (layout.logs / "ray.log").read_text(), "the first start was the last"
    eventually(lambda: not jobs(layout), 30, "the job of the head before has ended")
