"""Paths of a running system below its state folder, and its processes."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from rayapp import env
from rayapp.config import Config


class Layout:
    """Files below the state folder; sockets are in the temporary folder, because their paths must be short."""

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
        digest = hashlib.sha256(str(self.state).encode()).hexdigest()[:10]
        self.socket = Path(tempfile.gettempdir()) / f"rayapp-{digest}.sock"
        self.ray_temp = Path(tempfile.gettempdir()) / f"rayapp-{digest}"

    @classmethod
    def of(cls, config: Config) -> Layout:
        return cls(config.state)

    def make(self) -> None:
        for folder in (self.state, self.logs, self.sent):
            folder.mkdir(parents=True, exist_ok=True)

    def ray_token(self) -> str:
        """The cluster's token, created once."""
        if not self.token.is_file():
            self.token.touch(mode=0o600)
            self.token.write_text(secrets.token_hex(32))
        return self.token.read_text().strip()

    def read(self, file: Path) -> dict[str, Any]:
        try:
            return json.loads(file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def write(self, file: Path, content: dict[str, Any]) -> None:
        partial = file.with_suffix(".part")
        partial.write_text(json.dumps(content, indent=1))
        partial.replace(file)

    def processes(self) -> list[psutil.Process]:
        """Every running process of this system, including orphans."""
        processes = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(env.SYSTEM) == str(self.state) and process.pid != os.getpid():
                    processes.append(process)
            except psutil.Error:
                continue  # gone, a zombie, or somebody else's
        return processes

    def environment(self) -> dict[str, str]:
        """Environment of every process of the system."""
        binaries = str(Path(sys.executable).parent)
        return {
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
            "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
            "RAY_DEDUP_LOGS": "0",
            "RAY_worker_niceness": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONUNBUFFERED": "1",
        }
