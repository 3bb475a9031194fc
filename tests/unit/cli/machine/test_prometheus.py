"""Another Prometheus on the port is no reason for a system not to start."""

from __future__ import annotations

import socket

import msgspec

from rayapp.cli.machine.prometheus import port_conflict
from rayapp.config import Config, Ports


def test_another_one_on_the_port_is_left_alone() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = msgspec.structs.replace(Config(), ports=Ports(prometheus=port))
        assert f"port {port} is in use" in port_conflict(config, {"prometheus": "STOPPED"})
        assert port_conflict(config, {"prometheus": "RUNNING"}) == ""
        assert port_conflict(config, {"ray": "RUNNING"}) == ""
    assert port_conflict(config, {"prometheus": "STOPPED"}) == ""
