"""How many requests may be under way, on a real ASGI app."""

from __future__ import annotations

import asyncio

import httpx
from fastapi import FastAPI

from rayapp.metrics import Metrics
from rayapp.serving.http import errors
from rayapp.serving.http.admission import Admission
from rayapp.serving.http.request_metrics import RequestMetrics


async def test_overload_is_503_with_retry_after_and_health_still_answers() -> None:
    app = FastAPI()
    errors.install(app)
    gate = asyncio.Event()

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    @app.post("/slow")
    async def slow() -> str:
        await gate.wait()
        return "done"

    admitted = RequestMetrics(Admission(app, max_ongoing=1), metrics=Metrics())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(admitted), base_url="http://127.0.0.1") as http:
        first = asyncio.create_task(http.post("/slow"))
        while (refused := await http.post("/nothing")).status_code == 404:
            await asyncio.sleep(0)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json()["error"]["code"] == "unavailable"
        assert (await http.get("/healthz")).status_code == 200
        gate.set()
        assert (await first).status_code == 200
