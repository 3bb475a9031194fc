"""The long-lived processes of one machine under supervisord: broker, store, Ray head, control loop.

supervisord restarts what dies (also by kill -9), forwards signals and leaves
nothing behind; the control loop supervises what runs inside Ray.
"""

from __future__ import annotations

import configparser
import contextlib
import io
import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from rayapp.cli.machine.embedded import broker_command, store_command
from rayapp.cli.machine.paths import UMASK, Layout
from rayapp.cli.machine.prometheus import prometheus_command, write_prometheus_config
from rayapp.config import Config
from rayapp.errors import UserError
from rayapp.loopback import ADDRESS
from rayapp.secrets import write_private

POLITE_S = 5.0
PARTS = ("broker", "store", "ray", "control", "prometheus")


class SupervisionError(UserError):
    """A part did not start or stop; the message names its log."""


def ray_command(config: Config, layout: Layout) -> list[str]:
    ports = config.ports
    return [
        *(sys.executable, "-m", "rayapp.cli.machine.head"),
        str(Path(sys.executable).parent / "ray"),
        "start",
        "--head",
        "--block",
        "--disable-usage-stats",
        f"--node-ip-address={ADDRESS}",  # Ray keeps it for the environment that Layout gives it, else not
        f"--port={ports.ray}",
        f"--num-cpus={config.cpus}",
        f"--temp-dir={layout.ray_temp}",  # if shared, two systems on one machine would join each other's cluster
        "--include-dashboard=true",
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={ports.dashboard}",
        f"--dashboard-agent-listen-port={ports.dashboard_agent}",
        f"--ray-client-server-port={ports.ray_client}",
        f"--metrics-export-port={ports.metrics}",
        f"--min-worker-port={ports.worker_low}",
        f"--max-worker-port={ports.worker_high}",
        f"--object-store-memory={1_000_000_000}",
    ]


def write_supervisor_config(config: Config, layout: Layout) -> None:
    """supervisord.conf for exactly the parts this configuration needs."""
    commands: dict[str, list[str]] = {}
    if not config.kafka.bootstrap:
        commands["broker"] = broker_command(config)
    if not config.store.url:
        commands["store"] = store_command(config)
    commands["ray"] = ray_command(config, layout)
    commands["control"] = [sys.executable, "-m", "rayapp.cli.machine.control"]
    prometheus = prometheus_command(config, layout)
    if prometheus is not None:
        write_prometheus_config(config, layout)
        commands["prometheus"] = prometheus
    parser = configparser.RawConfigParser()
    parser["unix_http_server"] = {"file": _literal(layout.socket), "chmod": "0700"}
    parser["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    environment = ",".join(f'{k}="{v}"' for k, v in layout.environment().items())
    parser["supervisord"] = {
        "logfile": _literal(layout.logs / "supervisord.log"),
        "pidfile": _literal(layout.pid),
        "childlogdir": _literal(layout.logs),
        "umask": f"{UMASK:03o}",
        "directory": _literal(Path.cwd()),
        "environment": _literal(environment),
        "minfds": "1024",
    }
    for name, command in commands.items():
        parser[f"program:{name}"] = {
            "command": _literal(shlex.join(command)),
            "autostart": "false",
            "autorestart": "true",
            "startsecs": "1",
            "startretries": "10",
            "stopsignal": "TERM",
            "stopwaitsecs": "20",
            "stopasgroup": "false" if name == "ray" else "true",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": _literal(layout.logs / f"{name}.log"),
            "stdout_logfile_maxbytes": "20MB",
            "stdout_logfile_backups": "2",
        }
    text = io.StringIO()
    parser.write(text)
    write_private(layout.supervisor, text.getvalue().encode())


def _literal(value: object) -> str:
    """supervisord expands what stands behind a per cent sign."""
    return str(value).replace("%", "%%")


class Supervisor:
    """A client of this state folder's supervisord."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    @property
    def rpc(self) -> Any:
        """A new connection per call: the transport does not recover from a refused one."""
        transport = SupervisorTransport(None, None, f"unix://{self.layout.socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def running(self) -> bool:
        try:
            return self.rpc.getState()["statename"] == "RUNNING"
        except (OSError, xmlrpc.client.Error):
            return False

    def launch(self) -> None:
        """Start supervisord in the background, or have it reread a changed file."""
        if self.running():
            self.rpc.reloadConfig()
            return
        self.layout.socket.unlink(missing_ok=True)
        binary = Path(sys.executable).parent / "supervisord"
        subprocess.run(
            [str(binary), "-c", str(self.layout.supervisor)],
            check=True,
            env={**os.environ, **self.layout.environment()},
        )
        deadline = time.monotonic() + 15
        while not self.running():
            if time.monotonic() > deadline:
                raise SupervisionError(f"supervisord did not start; see {self.layout.logs / 'supervisord.log'}")
            time.sleep(0.05)

    def states(self) -> dict[str, str]:
        """Part to state name (RUNNING, STOPPED, FATAL, …)."""
        if not self.running():
            return {}
        return {info["name"]: info["statename"] for info in self.rpc.getAllProcessInfo()}

    def pids(self) -> dict[str, int]:
        return {info["name"]: info["pid"] for info in self.rpc.getAllProcessInfo()} if self.running() else {}

    def start(self, name: str) -> None:
        state = self.states().get(name)
        if state in (None, "RUNNING", "STARTING"):
            return
        try:
            self.rpc.startProcess(name, True)
        except xmlrpc.client.Fault as fault:
            log = self.layout.logs / f"{name}.log"
            raise SupervisionError(f"{name} did not start ({fault.faultString}); see {log}") from None

    def stop_all(self) -> bool:
        """Control first (so it restarts nothing), Ray, store, broker, supervisord, orphans; False if nothing was
        running."""
        if not self.running():
            return self._sweep()
        for name in reversed(PARTS):
            if self.states().get(name) in ("RUNNING", "STARTING", "BACKOFF"):
                self.rpc.stopProcess(name, True)
        daemon = self._daemon()
        self.rpc.shutdown()
        if daemon is not None:
            psutil.wait_procs([daemon], timeout=10)
        psutil.wait_procs(self.layout.processes(), timeout=5)
        self._sweep()
        self.layout.socket.unlink(missing_ok=True)
        return True

    def _sweep(self) -> bool:
        """End processes that outlived their parents (a job killed while starting leaves drivers outside any process
        tree)."""
        processes = self.layout.processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()  # SIGTERM first: the broker and the store save their data
        psutil.wait_procs(processes, timeout=POLITE_S)
        deadline = time.monotonic() + 20
        while alive := self.layout.processes():
            for process in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(alive, timeout=2)
            if time.monotonic() > deadline:
                names = ", ".join(f"{p.name()} ({p.pid})" for p in alive)
                raise SupervisionError(f"these processes cannot be ended: {names}; end them manually, then try again")
        return bool(processes)

    def _daemon(self) -> psutil.Process | None:
        try:
            return psutil.Process(self.rpc.getPID())
        except (psutil.NoSuchProcess, OSError):
            return None
