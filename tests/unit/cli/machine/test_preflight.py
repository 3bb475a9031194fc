from __future__ import annotations

import socket
from pathlib import Path

import msgspec
import pytest

from rayapp.cli.machine import preflight
from rayapp.config import Config, Kafka, Ports, Store


def test_a_port_in_use_is_named_with_its_remedy() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        config = msgspec.structs.replace(Config(), ports=Ports(http=port))
        assert any(f"port {port} (http) is in use" in p and "--port N" in p for p in preflight.port_problems(config))


def test_too_little_is_one_line_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preflight, "MIN_CORES", 10_000)
    monkeypatch.setattr(preflight, "MIN_MEMORY_GIB", 1e6)
    monkeypatch.setattr(preflight, "MIN_DISK_GIB", 1e9)
    found = preflight.machine_problems(tmp_path / "not" / "there")
    assert len(found) == 3
    assert all(("\n" not in line and ";" in line) or ":" in line for line in found)


def test_services_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = probe.getsockname()[1]
    monkeypatch.setattr(preflight, "wait_for_broker", lambda url, _: _broker(url))
    config = Config(kafka=Kafka(bootstrap=f"127.0.0.1:{nobody}"), store=Store(url=f"redis://127.0.0.1:{nobody}"))
    found = preflight.service_problems(config)
    assert [str(nobody) in line for line in found] == [True, True]
    assert "--kafka" in found[0]
    assert "--store" in found[1]


def _broker(url: str) -> None:
    from streaming.settings import Kafka
    from streaming.topics import wait_for_broker

    wait_for_broker(Kafka(bootstrap=url).at(url), 0.5)
