"""Behaviour events in."""

# No `from __future__ import annotations`: FastAPI must see the types.
from fastapi import APIRouter, Response

from rayapp.serving.http.bodies import EventsIn
from rayapp.serving.http.errors import Json
from rayapp.serving.http.json_route import json_router
from rayapp.serving.http.openapi import returns
from rayapp.serving.http.schemas import Accepted
from rayapp.serving.http.services import Services


def router(services: Services) -> APIRouter:
    routes = json_router()

    @routes.post("/v1/events", **returns(Accepted, 202))
    async def events(body: EventsIn) -> Response:
        """Behaviour events; the answer comes when Kafka has acknowledged them."""
        return Json(await services.ingest.events(body.events), 202)

    return routes
