"""Liveness, readiness and metrics."""

# No `from __future__ import annotations`: FastAPI must see the types.
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from rayapp.serving.http.errors import Json
from rayapp.serving.http.exposition import collect
from rayapp.serving.http.json_route import json_router
from rayapp.serving.http.openapi import returns
from rayapp.serving.http.schemas import Ready
from rayapp.serving.http.services import Services
from rayapp.serving.shared_answer import SharedAnswer

FRESH_S = 1.0  # probes and scrapers ask more seldom; what they are told costs the same however often they ask


def router(services: Services) -> APIRouter:
    routes = json_router()
    components = SharedAnswer(lambda: services.readiness.components(), fresh_s=FRESH_S)
    series = SharedAnswer(lambda: collect(serving=services.state.host.current is not None), fresh_s=FRESH_S)

    @routes.get("/healthz", response_description='`{"status": "ok"}`')
    async def healthz() -> Response:
        """The process is alive."""
        return Json({"status": "ok"})

    @routes.get("/readyz", **returns(Ready))
    async def readyz() -> Response:
        """Ingest and feed work."""
        ready, answering, problems = await components.get()
        return Json(Ready(ready, answering, problems), 200 if ready else 503)

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """All series of this system from every node, as Prometheus text; 503 while they cannot be had."""
        return PlainTextResponse(await series.get(), media_type="text/plain; version=0.0.4")

    return routes
