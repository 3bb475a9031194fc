"""Real parts for tests: free ports, a Valkey server, a Kafka broker, each in a folder of its own."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import redis
from hypothesis import settings

from rayapp.cli.machine.embedded import broker_command, store_command
from rayapp.config import Config, Kafka, Ports, Store
from rayapp.config.store_password import make_store_password
from rayapp.stores.backend import StoreBackend
from rayapp.stores.open import open_store
from streaming.topics import ensure_topics

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
settings.register_profile("rayapp", deadline=None)  # a busy machine is not a failure
settings.load_profile("rayapp")
DATA = Path(os.environ.get("RAYAPP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now, all different."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="session")
def server_config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    kafka, store = free_ports(2)
    state = tmp_path_factory.mktemp("servers")
    url = f"redis://:{make_store_password(state)}@127.0.0.1:{store}/0"  # also where a test has a state of its own
    return Config(
        state=str(state), ports=Ports(kafka=kafka, store=store), kafka=Kafka(partitions=2), store=Store(url=url)
    )


def _run(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    yield
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(scope="session")
def _store_server(server_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from _run(store_command(server_config), tmp_path_factory.mktemp("log") / "store.log")


@pytest.fixture(scope="session")
def _broker_server(server_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from _run(broker_command(server_config), tmp_path_factory.mktemp("log") / "broker.log")


@pytest.fixture
def store(server_config: Config, _store_server: None) -> redis.Redis:
    """A real, empty Valkey."""
    open_store(server_config.store_url, wait_s=30)
    client = redis.Redis.from_url(server_config.store_url)
    client.flushall()
    return client


@pytest.fixture
def backend(server_config: Config, store: redis.Redis) -> StoreBackend:
    """The same store through its operations."""
    return open_store(server_config.store_url)


@pytest.fixture
def stream(server_config: Config, _broker_server: None, request: pytest.FixtureRequest) -> Config:
    """A configuration whose topics are this test's own, on a real broker."""
    prefix = f"t{abs(hash(request.node.nodeid)) % 10**8}"
    config = msgspec.structs.replace(server_config, kafka=msgspec.structs.replace(server_config.kafka, prefix=prefix))
    ensure_topics(config.broker)
    return config


@pytest.fixture
def full_disk() -> Iterator[Callable[[bool], None]]:
    """Writes beyond a few KiB of a file fail, as they do on a full disk: the kernel's own refusal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(on: bool) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]) if on else before)

    yield full
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="session")
def data() -> Path:
    """The development data sets; they are not part of the project."""
    if not DATA.is_dir():
        pytest.skip(f"development data is not at {DATA}; set RAYAPP_DATA")
    return DATA


@pytest.fixture(scope="session")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged language model, unpacked as `rayapp up` does it."""
    from rayapp.llm.base_model import PACKAGED, model_folder

    return Path(model_folder(PACKAGED, tmp_path_factory.mktemp("llm")))
