"""Without API keys nothing of a running system can be reached from elsewhere, and its files are its owner's alone."""

from __future__ import annotations

import contextlib
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.supervision import Supervisor
from rayapp.http_client import own_client
from rayapp.loopback import is_loopback
from tests.e2e.conftest import System

# Nothing. A part that cannot be kept to this machine would be listed here by its name, with the reason, and in
# docs/operate/security.md with the firewall's rule for it.
BEYOND_THIS_MACHINE: set[str] = set()


def processes(system: System) -> list[psutil.Process]:
    """All of the system's: supervisord's tree, as Ray's servers write their titles over the mark in the environment."""
    daemon = psutil.Process(Supervisor(Layout(system.state)).rpc.getPID())
    return list({*system.processes(), daemon, *daemon.children(recursive=True)})


def listeners(system: System) -> Iterator[tuple[str, str, int]]:
    """(process, address, port) of every TCP port that takes connections, and every UDP port."""
    for process in processes(system):
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in process.net_connections(kind="inet"):
                if one.status == psutil.CONN_LISTEN or one.type == socket.SOCK_DGRAM:
                    yield process.name(), one.laddr.ip, one.laddr.port


def test_nothing_listens_beyond_this_machine(system: System) -> None:
    found = list(listeners(system))
    ports = {port for _, _, port in found}
    config = system.config.ports
    assert {config.http, config.kafka, config.store, config.ray, config.dashboard, config.metrics} <= ports
    assert any(name.startswith("ray::ServeRepli") for name, _, _ in found)
    assert {name for name, address, _ in found if not is_loopback(address)} == BEYOND_THIS_MACHINE


def test_nor_while_reports_and_the_language_model_run(system_with_llm: System) -> None:
    body = {"name": "listening", "unit": "user", "layer": "listening", "coverage": 0.01}
    body |= {"arms": [{"name": "a", "weight": 0.5}, {"name": "b", "weight": 0.5}], "scenarios": ["homefeed"]}
    body |= {"metrics": [{"name": "clicks", "kind": "mean", "action": "click"}]}
    assert system_with_llm.http.post("/v1/experiments", json=body).status_code == 201
    try:
        assert system_with_llm.http.get("/v1/experiments/listening/report", timeout=120).status_code == 200
        found = list(listeners(system_with_llm))
        assert {name for name, address, _ in found if not is_loopback(address)} == BEYOND_THIS_MACHINE
    finally:
        system_with_llm.http.post("/v1/experiments/listening/stop")


def test_ray_and_the_store_ask_who_calls(system: System) -> None:
    ports = system.config.ports
    with own_client(timeout=10) as client:
        for path in ("/api/jobs/", "/api/serve/applications/", "/nodes"):
            assert client.get(f"http://127.0.0.1:{ports.dashboard}{path}").status_code == 401
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=ports.store).ping()


def test_files_are_their_owners_alone(system: System) -> None:
    layout = Layout(system.state)
    assert stat.S_IMODE(layout.state.stat().st_mode) == 0o700
    assert stat.S_IMODE(layout.temporary.stat().st_mode) == 0o700  # Ray opens what is inside to everybody
    ours = [
        file for file in files(layout.state) if "aliases" not in file.parts
    ]  # tests of their own process wrote those
    open_ones = [file for file in ours if stat.S_IMODE(file.lstat().st_mode) & 0o077]
    assert open_ones == []
    assert layout.ray_temp.is_dir()
    assert layout.socket.is_socket()


def files(folder: Path) -> Iterator[Path]:
    """All below, but what ends while they are listed, and links, which have no mode."""
    for file in folder.rglob("*"):
        if not file.is_symlink() and file.exists():
            yield file


def test_no_secret_is_in_a_command_line_or_printed(system: System) -> None:
    layout = Layout(system.state)
    secrets = [layout.ray_token(), (layout.state / "store_password").read_text()]
    assert all(len(secret) >= 32 for secret in secrets)
    for process in processes(system):
        with contextlib.suppress(psutil.NoSuchProcess):
            line = " ".join(process.cmdline())
            assert not [secret for secret in secrets if secret in line], line
    told = system.up("--no-llm") + system.cli("status").stdout + system.cli("config", "show").stdout
    assert not [secret for secret in secrets if secret in told]
    assert str(layout.token) in told  # where it is
    logs = "".join(file.read_text(errors="replace") for file in layout.logs.glob("*.log"))
    assert not [secret for secret in secrets if secret in logs]
