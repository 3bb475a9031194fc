"""The Ray cluster that a job runs on."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from rayapp.cores import usable_cores
from rayapp.loopback import ADDRESS, ONE_INTERFACE, ONE_NODE, without_proxy
from rayapp.terminal import console


def connect_ray(quiet: bool = False) -> None:
    """Join the running cluster (inside a Ray job), or start a local one for this command alone.

    `quiet`: without the output of workers and Ray's remarks, which are long for a vLLM engine.
    """
    import ray

    level = logging.WARNING if quiet else logging.INFO
    logging.getLogger("ray.data").setLevel(level)

    # Ray Train would log every worker's line a second time.
    os.environ["RAY_TRAIN_ENABLE_PRINT_PATCH"] = "0"
    if ray.is_initialized():
        return
    if "RAY_ADDRESS" in os.environ or "RAY_JOB_ID" in os.environ:
        ray.init(log_to_driver=not quiet, logging_level=level)
    else:
        if not quiet:
            console.print("starting a Ray cluster for this command alone")
        _start_own(log_to_driver=not quiet, logging_level=level)
    ray.data.DataContext.get_current().enable_progress_bars = False


def _start_own(**options: Any) -> None:
    """Whoever reaches a Ray cluster runs code on it: this one is reached from this machine alone, and with a token."""
    import ray
    from ray._private import ray_constants
    from ray._raylet import AuthenticationTokenLoader  # pyright: ignore[reportAttributeAccessIssue]
    from ray._raylet import Config as RayConfig  # pyright: ignore[reportAttributeAccessIssue]

    os.environ.update({**ONE_NODE, **ONE_INTERFACE, **without_proxy(os.environ)})
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    # Ray read its environment when it was imported, perhaps long ago.
    ray_constants.ENABLE_RAY_CLUSTER = False
    RayConfig.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
    # Ray's own folder is shared with other clusters, and Ray opens the one that it is given to everybody.
    folder = tempfile.mkdtemp(prefix="rayapp-")

    def end() -> None:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    # Ray's own actors look for their cluster again; untold, they find that of a running system beside it.
    port = _free_port()
    named = {"RAY_GCS_SERVER_PORT": str(port), "RAY_ADDRESS": f"{ADDRESS}:{port}"}
    os.environ.update(named)
    try:
        ray.init(address="local", num_cpus=max(4, usable_cores()), _temp_dir=os.path.join(folder, "ray"), **options)
    finally:
        for name in named:
            del os.environ[name]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def arrow_tables(batches: Iterable[object]) -> Iterator[pa.Table]:
    """Batches of format "pyarrow", which Ray types as any of its formats."""
    for batch in batches:
        assert isinstance(batch, pa.Table)
        yield batch
