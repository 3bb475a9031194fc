"""Feeds, ads and search: the lists that the pipeline makes."""

# No `from __future__ import annotations`: FastAPI must see the types.
from typing import Annotated

from fastapi import APIRouter, Query, Response

from rayapp.domain import Kind
from rayapp.serving.http.errors import ApiError, Json, clean
from rayapp.serving.http.openapi import returns
from rayapp.serving.http.routes.parameters import Cursor, OptionalUserId, Scenario, UserId
from rayapp.serving.http.schemas import ItemList, SearchList, item_list, search_list
from rayapp.serving.http.services import Services
from rayapp.serving.pipeline.request import Ask

LENGTHS = {"feed": 20, "ads": 5, "search": 20}  # where neither the request nor the user's arm names one


def router(services: Services) -> APIRouter:
    routes, limits = APIRouter(), services.limits
    length = Query(
        default=None,
        ge=1,
        le=limits.max_k,
        description="List length; without it the length of the user's experiment arm, else the default.",
    )

    def ask_for(route: str, user_id: str, *, scenario: str, kind: Kind, k: int | None, **rest: str | None) -> Ask:
        """The request's own parameters come first, then the user's arms, then the route's default."""
        user = clean(user_id)
        assigned = services.state.experiments.assigned(user, scenario)
        return Ask(user, scenario, kind, k or assigned.params.k or LENGTHS[route], assigned=assigned, **rest)

    @routes.get("/v1/feed", **returns(ItemList))
    async def feed(
        user_id: UserId, k: int | None = length, scenario: Scenario = "homefeed", cursor: Cursor = None
    ) -> Response:
        """Notes for a user in a scenario."""
        if scenario not in limits.scenarios:
            known = ", ".join(limits.scenarios)
            raise ApiError(422, f"scenario {scenario!r} is unknown; use one of {known}", "scenario")
        ask = ask_for("feed", user_id, scenario=scenario, kind=Kind.NOTE, k=k, cursor=cursor)
        return Json(item_list(await services.pipeline.run(ask)))

    @routes.get("/v1/ads", **returns(ItemList))
    async def ads(user_id: UserId, k: int | None = length, cursor: Cursor = None) -> Response:
        """Ads for a user, each at most as often a day as the frequency cap allows."""
        ask = ask_for("ads", user_id, scenario="ads", kind=Kind.AD, k=k, cursor=cursor)
        return Json(item_list(await services.pipeline.run(ask)))

    @routes.get("/v1/search", **returns(SearchList))
    async def search(
        q: Annotated[str, Query(min_length=1, max_length=500, description="The search query.")],
        user_id: OptionalUserId = "",
        k: int | None = length,
        cursor: Cursor = None,
    ) -> Response:
        """Notes that match a query by meaning and by words, moved a little towards the user's interests."""
        text = clean(q, "q").strip()
        if not text:
            raise ApiError(422, "q is blank; send what to search for", "q")
        ask = ask_for("search", user_id, scenario="search", kind=Kind.NOTE, k=k, cursor=cursor, query=text)
        return Json(search_list(await services.pipeline.run(ask)))

    return routes
