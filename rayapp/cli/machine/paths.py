"""Paths of a running system below its state folder, and its processes. Only their owner can read any of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from rayapp import env
from rayapp.config import Config
from rayapp.errors import UserError
from rayapp.loopback import ONE_INTERFACE, ONE_NODE, without_proxy
from rayapp.secrets import write_private

PRIVATE = 0o700
UMASK = 0o077
LONGEST_TEMPORARY = 20  # Ray adds up to 70 characters to a socket's path, of which the system takes 107


class NotOurs(UserError):
    """A folder that only we may write to belongs to somebody else."""


class Layout:
    """Files below the state folder; sockets and Ray's files are in the temporary folder, because their paths must be
    short. Ray opens its own folders to everybody, so they are inside one of ours that is closed."""

    def __init__(self, state: str | Path) -> None:
        self.state = Path(state).resolve()
        self.config = self.state / "config.yaml"
        self.token = self.state / "ray_token"
        self.supervisor = self.state / "supervisord.conf"
        self.pid = self.state / "supervisord.pid"
        self.prometheus = self.state / "prometheus.yml"
        self.logs = self.state / "logs"
        self.sent = self.state / "sent"
        self.system = self.state / "system.json"
        self.control = self.state / "control.json"
        self.keys = self.state / "keys.json"
        digest = hashlib.sha256(str(self.state).encode()).hexdigest()[:10]
        temporary = tempfile.gettempdir()
        self.temporary = Path(temporary if len(temporary) <= LONGEST_TEMPORARY else "/tmp") / f"rayapp-{digest}"
        self.socket = self.temporary / "supervisor"
        self.ray_temp = self.temporary / "ray"

    @classmethod
    def of(cls, config: Config) -> Layout:
        return cls(config.state)

    def make(self) -> None:
        """The folders, closed to others; those of an earlier version are closed now. Raises NotOurs."""
        for folder in (self.state, self.logs, self.sent, self.temporary):
            folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        for folder in (self.state, self.temporary):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                raise NotOurs(f"{folder} belongs to another user or is no folder; remove it, or choose another --state")
            folder.chmod(PRIVATE)

    def ray_token(self) -> str:
        """The cluster's token, created once."""
        if not self.token.is_file():
            write_private(self.token, secrets.token_hex(32).encode())
        self.token.chmod(0o600)
        return self.token.read_text().strip()

    def read(self, file: Path) -> dict[str, Any]:
        try:
            return json.loads(file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def write(self, file: Path, content: dict[str, Any]) -> None:
        write_private(file, json.dumps(content, indent=1).encode())

    def processes(self) -> list[psutil.Process]:
        """Every running process of this system, including orphans."""
        processes = []
        for process in psutil.process_iter():
            try:
                if self._owns(process) and process.pid != os.getpid():
                    processes.append(process)
            except psutil.Error:
                continue  # gone, a zombie, or somebody else's
        return processes

    def ray_processes(self) -> list[psutil.Process]:
        """Of this system's Ray head, and of earlier ones that were killed; not the jobs' own."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and self._of_ray(process):
                    found.append(process)
        return found

    def _of_ray(self, process: psutil.Process) -> bool:
        if process.name().startswith("ray::"):
            return self._logs_to_ray(process)
        return self._owns(process) and any(str(self.ray_temp) in word for word in process.cmdline())

    def _logs_to_ray(self, process: psutil.Process) -> bool:
        return any(self.ray_temp in Path(file.path).parents for file in process.open_files())

    def _owns(self, process: psutil.Process) -> bool:
        """By the mark in its environment, over which some of Ray's processes lay their title: these by their logs."""
        mark = process.environ().get(env.SYSTEM)
        if mark is not None or not process.name().startswith("ray::"):
            return mark == str(self.state)
        return self._logs_to_ray(process)

    def environment(self) -> dict[str, str]:
        """Environment of every process of the system."""
        binaries = str(Path(sys.executable).parent)
        return {
            **ONE_NODE,
            **ONE_INTERFACE,
            **without_proxy(os.environ),
            "PATH": f"{binaries}:{os.environ.get('PATH', '').removeprefix(binaries + ':')}",  # a job's `python` is ours
            env.CONFIG: str(self.config),
            env.SYSTEM: str(self.state),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token),
            "RAY_EXPORT_COUNTER_AS_GAUGE": "0",
            "RAY_metrics_report_interval_ms": "5000",
            # Ray Serve's throughput mode, without its second way in: one event loop a process in place of three, and
            # requests logged to files alone. A request is mostly Serve's own work, so this is what makes it cheap.
            "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
            "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
            "RAY_SERVE_LOG_TO_STDERR": "0",
            "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "rayapp.serving.middleware.proxy:middlewares",
            # A proxy that died is replaced after three failed checks, which Serve makes every ten seconds: nothing
            # would answer for half a minute.
            "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
            "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
            "RAY_DEDUP_LOGS": "0",
            "RAY_worker_niceness": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONUNBUFFERED": "1",
        }
