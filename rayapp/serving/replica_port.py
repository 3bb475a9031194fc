"""Serve's port between replicas stays closed: this system's replicas call each other as actors.

Ray 2.60 opens it in every replica, on every interface and without asking for the token (serve/_private/replica.py,
`_on_initialized`), and unpickles what arrives: whoever reaches it runs code. No setting binds it elsewhere.
"""

from __future__ import annotations

from typing import Any

from ray.serve._private import replica
from ray.serve._private.constants import RAY_SERVE_USE_GRPC_BY_DEFAULT


def close_replica_port() -> None:
    """For the replica of this process; to be called while its deployment is made, which is before Serve opens it."""
    if not RAY_SERVE_USE_GRPC_BY_DEFAULT:
        replica.add_port_to_grpc_server = _no_port  # pyright: ignore[reportPrivateImportUsage]


def _no_port(_server: Any, _address: str) -> int:
    return 0
