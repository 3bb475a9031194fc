"""A user's history, and forgetting them."""

# No `from __future__ import annotations`: FastAPI must see the types.
from typing import Annotated

from fastapi import APIRouter, Query, Response

from rayapp.serving.http.errors import Json, clean
from rayapp.serving.http.json_route import json_router
from rayapp.serving.http.openapi import returns
from rayapp.serving.http.routes.parameters import UserPath
from rayapp.serving.http.schemas import DeletedUser, History
from rayapp.serving.http.services import Services

FORGOTTEN = (
    "history, seen set and learner state are dropped within seconds; the log itself ages out by retention; "
    "model weights are not unlearned"
)


def router(services: Services) -> APIRouter:
    routes = json_router()

    @routes.get("/v1/users/{user_id}/history", **returns(History))
    async def history(
        user_id: UserPath,
        limit: Annotated[int, Query(ge=1, le=10_000, description="How many events.")] = 100,
    ) -> Response:
        """A user's recent events over all scenarios, newest first."""
        return Json(History(await services.history.history(clean(user_id), services.limits.scenarios, limit)))

    @routes.delete("/v1/users/{user_id}", **returns(DeletedUser, 202))
    async def delete_user(user_id: UserPath) -> Response:
        """Forget a user."""
        await services.ingest.forget(clean(user_id))
        return Json(DeletedUser(user_id, FORGOTTEN), 202)

    return routes
