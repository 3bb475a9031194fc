"""The guard round a real ASGI app, driven by httpx."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from rayapp.metrics import Metrics
from rayapp.serving.http import errors
from rayapp.serving.http.middleware import Guard


def client(keys: tuple[str, ...] = (), limit: int = 10, gate: asyncio.Event | None = None) -> httpx.AsyncClient:
    app = FastAPI()
    errors.install(app)

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    @app.post("/slow")
    async def slow() -> str:
        if gate is not None:
            await gate.wait()
        return "done"

    guarded = Guard(app, metrics=Metrics(), keys=keys, max_ongoing=limit)
    return httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://test")


@pytest.mark.parametrize(("given", "status"), [(None, 401), ("Bearer no", 403), ("yes", 403), ("Bearer yes", 200)])
async def test_keys(given: str | None, status: int) -> None:
    async with client(keys=("yes", "also")) as http:
        headers = {"Authorization": given} if given else {}
        answer = await http.post("/slow", headers=headers)
        assert answer.status_code == status
        if status != 200:
            assert set(answer.json()["error"]) == {"code", "message", "field"}
        assert (await http.get("/healthz")).status_code == 200


async def test_overload_is_503_with_retry_after_and_health_still_answers() -> None:
    gate = asyncio.Event()
    async with client(limit=1, gate=gate) as http:
        first = asyncio.create_task(http.post("/slow"))
        while (refused := await http.post("/nothing")).status_code == 404:
            await asyncio.sleep(0)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert (await http.get("/healthz")).status_code == 200
        gate.set()
        assert (await first).status_code == 200


async def test_bodies_that_are_too_large_and_unknown_paths_have_the_contracts_shape() -> None:
    async with client() as http:
        large = await http.post("/slow", content=b"x" * (8 * 1024 * 1024 + 1))
        assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")
        unknown = await http.get("/nothing")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")
