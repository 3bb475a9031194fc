"""Number of cores this process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """The machine's cores, or fewer as `taskset` or a container's cpuset allows; at least one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
