"""A call in a process of its own, for work whose memory must be returned to the system."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from rayapp.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")


class ChildKilled(UserError):
    """A child process was ended from outside before it had a result."""


def in_child(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`function(*args, **kwargs)` in a fresh interpreter that ends with the call.

    Function, arguments, result and error are pickled; output goes where this process's goes. Raises what the function
    raises, and ChildKilled when the process is gone.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool:
            name = getattr(function, "__qualname__", function)
            raise ChildKilled(
                f"the process of {name} was killed, perhaps for its memory; free some and retry"
            ) from None
