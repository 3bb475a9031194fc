"""Every error of the redis client as one of ours, at one place."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import ParamSpec, TypeVar, cast

from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as NoAnswer

from rayapp.stores.ports import StoreRefused, StoreUnreachable, StoreUnwilling

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)
SPECIAL = ("__init__", "__enter__", "__exit__")


# Codes with which a store answers whatever it is asked: it is full, read-only, loading, or it wants a password.
OF_THE_STORE = re.compile(
    r"(OOM|READONLY|MISCONF|LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|TRYAGAIN|NOAUTH|WRONGPASS|NOPERM)\b"
)


def _of_the_store(error: RedisError) -> bool:
    """By class, or by the code that the message begins with: the client strips some codes, and puts the command, in
    which a user's text may stand, in front of others."""
    message = str(error).rpartition("caused error: ")[2]
    return isinstance(error, OutOfMemoryError | ReadOnlyError) or OF_THE_STORE.match(message) is not None


@contextmanager
def store_errors() -> Generator[None]:
    """Raises StoreUnreachable for a store that is away, StoreUnwilling for one that takes nothing now, StoreRefused for
    an operation that it answers with an error."""
    try:
        yield
    except (NoConnection, NoAnswer) as error:
        raise StoreUnreachable(f"the store does not answer ({error}); start it, or correct store.url") from error
    except RedisError as error:
        if _of_the_store(error):
            text = f"the store takes nothing now ({error}); give it memory and disk, or name a writable one"
            raise StoreUnwilling(text) from error
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
