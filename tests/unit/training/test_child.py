"""A call in a process of its own: its result, its error, and what is said when it was killed."""

from __future__ import annotations

import os
import signal

import pytest

from rayapp.errors import UserError
from rayapp.training.child import ChildKilled, in_child


def fail() -> None:
    raise UserError("minutes == 0, must be > 0")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_result_and_error_come_back() -> None:
    assert in_child(os.getpid) != os.getpid()
    with pytest.raises(UserError, match="must be > 0"):
        in_child(fail)


def test_a_killed_child_is_one_line() -> None:
    with pytest.raises(ChildKilled, match="process of killed was killed"):
        in_child(killed)
