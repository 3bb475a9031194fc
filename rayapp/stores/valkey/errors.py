"""Every error of the redis client as one of ours, at one place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import ParamSpec, TypeVar, cast

from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as NoAnswer

from rayapp.stores.ports import StoreRefused, StoreUnreachable

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)
SPECIAL = ("__init__", "__enter__", "__exit__")


@contextmanager
def store_errors() -> Generator[None]:
    """Raises StoreUnreachable for a store that is away, StoreRefused for one that answers with an error."""
    try:
        yield
    except (NoConnection, NoAnswer) as error:
        raise StoreUnreachable(f"the store does not answer ({error}); start it, or correct store.url") from error
    except RedisError as error:
        raise StoreRefused(f"the store refused an operation: {error}") from error


def surfaced(backend: C) -> C:
    """Class decorator: every public operation, sync or async, raises our errors in place of redis's."""
    for name, member in list(vars(backend).items()):
        if isinstance(member, FunctionType) and (name in SPECIAL or not name.startswith("_")):
            setattr(backend, name, _surfaced(member))
    return backend


def _surfaced(operation: Callable[P, R]) -> Callable[P, R]:
    if inspect.iscoroutinefunction(operation):

        @functools.wraps(operation)
        async def awaited(*args: P.args, **kwargs: P.kwargs) -> object:
            with store_errors():
                return await cast("Awaitable[object]", operation(*args, **kwargs))

        return cast("Callable[P, R]", awaited)
    if inspect.isgeneratorfunction(operation):

        @functools.wraps(operation)
        def iterated(*args: P.args, **kwargs: P.kwargs) -> Iterator[object]:
            with store_errors():
                yield from cast("Iterator[object]", operation(*args, **kwargs))

        return cast("Callable[P, R]", iterated)

    @functools.wraps(operation)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        with store_errors():
            return operation(*args, **kwargs)

    return called
