"""The whole application in this process, on a real broker and store, without Ray and without a language model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest
from fastapi import FastAPI

from rayapp.config import Config, Llm, Serving
from rayapp.serving.http.app import build_app
from rayapp.serving.http.services import Services
from rayapp.serving.services import open_services
from rayapp.stores.backend import StoreBackend
from tests.integration.serving.world import ITEMS, NoReports, publish

SHOP = "https://shop.example"


def contents_of(items: Sequence[object]) -> np.ndarray:
    """[items, 384]: as wide as what the query encoder makes of a search."""
    return np.random.default_rng(0).standard_normal((len(items), 384)).astype(np.float16).astype(np.float32)


@pytest.fixture
async def opened(stream: Config, backend: StoreBackend, tmp_path: Path) -> AsyncIterator[Services]:
    serving = Serving(origins=(SHOP,), poll_s=0.05)
    config = msgspec.structs.replace(stream, state=str(tmp_path), llm=Llm(enabled=False), serving=serving)
    backend.catalogue_store().put(ITEMS, contents_of(ITEMS))
    publish(config, config.name, 1, contents=contents_of(ITEMS))
    services = open_services(config, reports=NoReports())
    yield services
    await services.close()


@pytest.fixture
def app(opened: Services) -> FastAPI:
    return build_app(opened)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)  # an exception that leaves the application fails the test
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as client:
        yield client
