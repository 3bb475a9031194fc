"""Checks before the start: one line, with its remedy, for everything that is missing or too small."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import psutil

from rayapp.config import Config
from rayapp.cores import usable_cores
from rayapp.stores.open import StoreUrlError, open_store
from rayapp.stores.ports import StoreUnreachable
from streaming.topics import BrokerUnreachable, wait_for_broker

MIN_CORES = 2
MIN_MEMORY_GIB = 6.0
MIN_DISK_GIB = 4.0
GIB = 1024**3


def port_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def port_problems(config: Config) -> list[str]:
    """Ports of the parts we start that another process uses."""
    ports = config.ports
    wanted = {"http": ports.http, "ray": ports.ray, "dashboard": ports.dashboard, "ray_client": ports.ray_client}
    wanted |= {"dashboard_agent": ports.dashboard_agent, "metrics": ports.metrics}
    if not config.kafka.bootstrap:
        wanted["kafka"] = ports.kafka
    if not config.store.url:
        wanted["store"] = ports.store
    problems = []
    for name, port in wanted.items():
        if not port_free(port):
            remedy = "--port N" if name == "http" else f"ports: {{{name}: N}} in --config"
            problems.append(
                f"port {port} ({name}) is in use; stop the process that holds it, or choose another with {remedy}"
            )
    return problems


def machine_problems(state: Path) -> list[str]:
    problems = []
    cores = usable_cores()
    if cores < MIN_CORES:
        problems.append(f"{cores} core is available, {MIN_CORES} are needed; give the machine or container more")
    memory = psutil.virtual_memory().available / GIB
    if memory < MIN_MEMORY_GIB:
        problems.append(f"{memory:.1f} GiB of memory are free, {MIN_MEMORY_GIB:g} are needed; close other programs")
    home = state
    while not home.exists():
        home = home.parent
    disk = shutil.disk_usage(home).free / GIB
    if disk < MIN_DISK_GIB:
        problems.append(f"{disk:.1f} GiB of disk are free at {home}, {MIN_DISK_GIB:g} are needed; free some space")
    return problems


def service_problems(config: Config) -> list[str]:
    """A given broker or store that does not answer."""
    problems = []
    if config.kafka.bootstrap:
        try:
            wait_for_broker(config.broker, 5)
        except BrokerUnreachable as error:
            problems.append(f"{error} (--kafka)")
    if config.store.url:
        try:
            open_store(config.store.url, wait_s=5)
        except (StoreUnreachable, StoreUrlError) as error:
            problems.append(f"{error} (--store)")
    return problems


def problems(config: Config) -> list[str]:
    return [*machine_problems(config.state_path.resolve()), *port_problems(config), *service_problems(config)]
