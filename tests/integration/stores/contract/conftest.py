"""The stores that must pass these tests: a further backend gets a name here and a fixture `<name>_url`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import redis

from rayapp.config import Config
from rayapp.stores.backend import AsyncStoreBackend, StoreBackend
from rayapp.stores.open import open_async_store, open_store
from tests.conftest import free_ports

BACKENDS = ("valkey",)


class Address(NamedTuple):
    """`url`: an empty store. `nowhere`: the same kind of store, where none listens."""

    url: str
    nowhere: str


@pytest.fixture
def valkey_address(store: redis.Redis, server_config: Config) -> Address:
    (port,) = free_ports(1)
    return Address(server_config.store_url, f"redis://127.0.0.1:{port}/0")


@pytest.fixture(params=BACKENDS)
def address(request: pytest.FixtureRequest) -> Address:
    return request.getfixturevalue(f"{request.param}_address")


@pytest.fixture
def backend(address: Address) -> StoreBackend:
    return open_store(address.url, wait_s=30)


@pytest.fixture
async def requests(address: Address) -> AsyncIterator[AsyncStoreBackend]:
    """The same store as requests use it."""
    opened = open_async_store(address.url)
    yield opened
    await opened.close()
