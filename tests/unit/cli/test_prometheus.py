"""Another Prometheus on the port is no reason for a system not to start."""

from __future__ import annotations

import socket

import msgspec

from rayapp.cli.prometheus import in_the_way
from rayapp.config import Config, Ports


def test_another_one_on_the_port_is_left_alone() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = msgspec.structs.replace(Config(), ports=Ports(prometheus=port))
        assert f"port {port} is in use" in in_the_way(config, {"prometheus": "STOPPED"})
        assert in_the_way(config, {"prometheus": "RUNNING"}) == ""
        assert in_the_way(config, {"ray": "RUNNING"}) == ""
    assert in_the_way(config, {"prometheus": "STOPPED"}) == ""
