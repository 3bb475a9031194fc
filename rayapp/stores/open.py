"""From a store's URL to its backend; the only module outside a backend's folder that names one.

A further backend is a folder like `valkey` and an entry here; the tests in
tests/integration/stores/contract then run on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from rayapp.errors import UserError
from rayapp.secrets import hidden_in_url
from rayapp.stores.backend import AsyncStoreBackend, StoreBackend
from rayapp.stores.ports import StoreUnreachable
from rayapp.stores.valkey.backend import AsyncValkeyBackend, ValkeyBackend
from rayapp.stores.valkey.client import check_url

POLL_S = 0.05


class StoreUrlError(UserError):
    """store.url names no backend; the text says which schemes are known."""


class Backend(NamedTuple):
    """`check` raises ValueError for a URL that no connection can be made from."""

    check: Callable[[str], None]
    blocking: Callable[[str], StoreBackend]
    asynchronous: Callable[[str], AsyncStoreBackend]


VALKEY = Backend(check_url, ValkeyBackend, AsyncValkeyBackend)
BACKENDS = {"redis": VALKEY, "rediss": VALKEY, "unix": VALKEY}


def open_store(url: str, *, wait_s: float = 0.0) -> StoreBackend:
    """The store at `url`, for blocking callers.

    With `wait_s` the store is waited for that long: until it answers and has
    loaded its data. Without it the first operation connects. Raises
    StoreUrlError, and StoreUnreachable when the wait is over.
    """
    store = _backend(url).blocking(url)
    deadline = time.monotonic() + wait_s
    while wait_s:
        try:
            store.ping()
            break
        except StoreUnreachable as error:
            if time.monotonic() > deadline:
                raise StoreUnreachable(
                    f"no store answers at {hidden_in_url(url)} within {wait_s:.0f} s ({error.__cause__ or error}); "
                    "start it, or correct store.url"
                ) from None
            time.sleep(POLL_S)
    return store


def open_async_store(url: str) -> AsyncStoreBackend:
    """The store at `url`, for the request path; the first operation connects. Raises StoreUrlError."""
    return _backend(url).asynchronous(url)


def _backend(url: str) -> Backend:
    scheme = url.partition("://")[0]
    if scheme not in BACKENDS:
        raise StoreUrlError(
            f"store.url {hidden_in_url(url)!r}: unknown scheme {scheme!r}; use one of {', '.join(BACKENDS)}"
        )
    backend = BACKENDS[scheme]
    try:
        backend.check(url)
    except ValueError as error:
        raise StoreUrlError(
            f"store.url {hidden_in_url(url)!r}: {error}; give it as redis://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from None
    return backend
