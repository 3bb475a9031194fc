"""The job API over real HTTP: what is sent, what is read, and that no call waits for ever."""

from __future__ import annotations

import json
import shlex
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from rayapp.cli.machine.control import Control
from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.ray_jobs import RayJobs, entrypoint
from rayapp.config import Config, Ports
from rayapp.http_client import own_client

JOBS: list[dict[str, Any]] = [
    {"submission_id": "a", "status": "RUNNING", "metadata": {"rayapp": "history"}, "message": None},
    {"submission_id": "b", "status": "FAILED", "metadata": None, "message": "out of memory"},
    {"submission_id": None, "status": "RUNNING", "type": "DRIVER"},
]


@pytest.fixture
def ray() -> Iterator[tuple[RayJobs, list[dict[str, Any]]]]:
    """What answers as Ray's dashboard does, and what it was sent."""
    sent: list[dict[str, Any]] = []

    class Dashboard(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(JOBS)

        def do_POST(self) -> None:
            sent.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.answer({"submission_id": "c"})

        def answer(self, body: Any) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Dashboard) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        with own_client(base_url=f"http://127.0.0.1:{http.server_port}", timeout=5) as client:
            yield RayJobs(client), sent
        http.shutdown()


def test_jobs_are_ours_by_their_mark(ray: tuple[RayJobs, list[dict[str, Any]]]) -> None:
    found = ray[0].all()
    assert [(job.id, job.name, job.alive) for job in found.values()] == [("a", "history", True), ("b", "", False)]
    assert found["b"].message == "out of memory"


def test_a_path_with_spaces_is_one_argument(ray: tuple[RayJobs, list[dict[str, Any]]]) -> None:
    jobs, sent = ray
    config = Path("/my state/it's $HOME/config.yaml")
    assert jobs.submit("history", "jobs.write_history", config) == "c"
    assert sent[0]["metadata"] == {"rayapp": "history"}
    assert shlex.split(sent[0]["entrypoint"])[2:] == ["-m", "jobs.write_history", "--config", str(config)]
    assert sent[0]["entrypoint"] == entrypoint("jobs.write_history", config)


def test_a_head_that_takes_calls_and_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        config = Config(state=str(tmp_path), ports=Ports(dashboard=silent.getsockname()[1]))
        control = Control(config, Layout(tmp_path))
        assert control.client.timeout.read is not None
        assert control.client.timeout.read <= 60
        control.client.timeout = httpx.Timeout(0.2)
        with pytest.raises(httpx.TimeoutException):
            control.tick()
        with pytest.raises(httpx.TimeoutException):
            control.jobs(RayJobs(control.client))
