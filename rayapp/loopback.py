"""This machine's own addresses: what counts as one, and what keeps processes of ours to them.

A system without API keys may be reached from this machine alone, so nothing that it starts may listen elsewhere. Ray
has no option for that: it replaces a node address of 127.0.0.1 by the network card's, unless it believes that it can
have no second node. Then its servers bind to loopback, all of them (`listeners` in tests/e2e/test_listeners.py).
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Mapping

ADDRESS = "127.0.0.1"
# Ray 2.60 (_private/services.py, get_node_ip_address): despite its name the variable is read on every system.
ONE_NODE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
# torch's gloo listens where the host's name points to, which is the network card on many machines.
ONE_INTERFACE = {"GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo"}
UNPROXIED = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Whether whoever listens at this host can be reached from this machine alone: 127.0.0.0/8, ::1, localhost."""
    name = host.strip("[]").lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def without_proxy(variables: Mapping[str, str]) -> dict[str, str]:
    """`NO_PROXY` in both spellings (gRPC reads the lower one alone), with loopback added to what is there."""
    given = variables.get("no_proxy") or variables.get("NO_PROXY") or ""
    hosts = [host for host in given.split(",") if host]
    value = ",".join([*hosts, *(host for host in UNPROXIED if host not in hosts)])
    return {"no_proxy": value, "NO_PROXY": value}
