"""What tests of every kind share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def eventually(check: Callable[[], Result], within: float, what: str) -> Result:
    """The first true result of `check`; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.05)


def without_ray() -> dict[str, str]:
    """A shell's environment: without what clusters of other tests left in this process's."""
    ray = ("RAY_ADDRESS", "RAY_JOB_ID", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
    return {name: value for name, value in os.environ.items() if name not in ray}
