"""The embedded store and broker: real ones, which others on the machine cannot read."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator

import psutil
import pytest
import redis

from rayapp.cli.machine.embedded import broker_command, store_command
from rayapp.cli.machine.paths import UMASK
from rayapp.config import Config, Ports
from rayapp.stores.open import open_store
from streaming.topics import wait_for_broker
from tests.conftest import free_ports


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """In a folder whose name has spaces."""
    kafka, store = free_ports(2)
    return Config(state=str(tmp_path_factory.mktemp("a state")), ports=Ports(kafka=kafka, store=store))


@pytest.fixture(scope="module")
def servers(config: Config) -> Iterator[list[psutil.Process]]:
    started = [
        subprocess.Popen(command(config), preexec_fn=lambda: os.umask(UMASK) and None, stdout=subprocess.DEVNULL)
        for command in (store_command, broker_command)
    ]
    open_store(config.store_url, wait_s=30)
    wait_for_broker(config.broker, 30)
    yield [psutil.Process(process.pid) for process in started]
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=20)


def test_the_store_asks_for_its_password(config: Config, servers: list[psutil.Process]) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=config.ports.store).ping()
    assert redis.Redis.from_url(config.store_url).ping()


def test_the_store_leaves_memory_to_the_rest_and_then_refuses_writes(
    config: Config, servers: list[psutil.Process]
) -> None:
    client = redis.Redis.from_url(config.store_url, decode_responses=True)
    limits = client.config_get("maxmemory*")
    assert 0 < int(limits["maxmemory"]) < psutil.virtual_memory().total
    assert limits["maxmemory-policy"] == "noeviction"


def test_no_command_line_has_it(config: Config, servers: list[psutil.Process]) -> None:
    password = (config.state_path / "store_password").read_text()
    for process in servers:
        assert password not in " ".join(process.cmdline())


def test_both_listen_on_this_machine_alone(servers: list[psutil.Process]) -> None:
    addresses = [one.laddr.ip for process in servers for one in process.net_connections("inet")]
    assert len(addresses) >= 2
    assert set(addresses) <= {"127.0.0.1", "::1"}


def test_their_files_are_their_owners_alone(config: Config, servers: list[psutil.Process]) -> None:
    found = [file for file in config.state_path.rglob("*") if file.is_file()]
    assert {"store_password", "store.conf", "noida.control.json"} <= {file.name for file in found}
    assert [file for file in found if stat.S_IMODE(file.stat().st_mode) & 0o077] == []
