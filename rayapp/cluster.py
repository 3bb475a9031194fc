"""The Ray cluster that a job runs on."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator

import pyarrow as pa

from rayapp.cores import usable_cores


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
    inside_job = "RAY_ADDRESS" in os.environ or "RAY_JOB_ID" in os.environ
    if inside_job:
        ray.init(log_to_driver=not quiet, logging_level=level)
    else:
        os.environ["RAY_AUTH_MODE"] = "disabled"  # a private cluster of this command, on this machine only
        ray.init(address="local", num_cpus=max(4, usable_cores()), log_to_driver=not quiet, logging_level=level)
    ray.data.DataContext.get_current().enable_progress_bars = False


def arrow_tables(batches: Iterable[object]) -> Iterator[pa.Table]:
    """Batches of format "pyarrow", which Ray types as any of its formats."""
    for batch in batches:
        assert isinstance(batch, pa.Table)
        yield batch
