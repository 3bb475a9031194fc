"""Feeds, ads and search: the lists that the pipeline makes."""

# No `from __future__ import annotations`: FastAPI must see the types.
from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response

from rayapp.domain import Kind
from rayapp.serving.http.errors import ApiError, Json, clean
from rayapp.serving.http.json_route import json_router
from rayapp.serving.http.openapi import returns
from rayapp.serving.http.routes.parameters import Cursor, OptionalUserId, UserId, scenario
from rayapp.serving.http.schemas import ItemList, SearchList, item_list, search_list
from rayapp.serving.http.services import Services
from rayapp.serving.live.scene import NoVersion, VersionGone
from rayapp.serving.pipeline.answer import Answer
from rayapp.serving.pipeline.request import Ask

LENGTHS = {"feed": 20, "ads": 5, "search": 20}  # where neither the request nor the user's arm names one


def router(services: Services) -> APIRouter:
    routes, limits = json_router(), services.limits
    length = Query(
        default=None,
        ge=1,
        le=limits.max_k,
        description="List length; without it the length of the user's experiment arm, else the default.",
    )
    shown_in = scenario(limits.scenarios)

    def ask_for(route: str, user_id: str, *, scenario: str, kind: Kind, k: int | None, **rest: str | None) -> Ask:
        """The request's own parameters come first, then the user's arms, then the route's default."""
        user = clean(user_id)
        assigned = services.state.experiments.assigned(user, scenario)
        return Ask(
            user, scenario, kind, k or min(assigned.params.k or LENGTHS[route], limits.max_k), assigned=assigned, **rest
        )

    async def answer(make: Callable[[], Ask]) -> Answer:
        """An experiment may end, and its model be closed, between the assignment and the request's first look at it:
        the user's assignment is then another one."""
        ask = make()
        try:
            return await services.pipeline.run(ask)
        except (NoVersion, VersionGone):
            again = make()
            if again.assigned == ask.assigned:
                raise
            return await services.pipeline.run(again)

    @routes.get("/v1/feed", **returns(ItemList))
    async def feed(
        user_id: UserId, k: int | None = length, scenario: str = shown_in, cursor: Cursor = None
    ) -> Response:
        """Notes for a user in a scenario."""
        if scenario not in limits.scenarios:
            known = ", ".join(limits.scenarios)
            raise ApiError(422, f"scenario {scenario!r} is unknown; use one of {known}", "scenario")
        make = partial(ask_for, "feed", user_id, scenario=scenario, kind=Kind.NOTE, k=k, cursor=cursor)
        return Json(item_list(await answer(make)))

    @routes.get("/v1/ads", **returns(ItemList))
    async def ads(user_id: UserId, k: int | None = length, cursor: Cursor = None) -> Response:
        """Ads for a user, each at most as often a day as the frequency cap allows."""
        make = partial(ask_for, "ads", user_id, scenario="ads", kind=Kind.AD, k=k, cursor=cursor)
        return Json(item_list(await answer(make)))

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
        make = partial(ask_for, "search", user_id, scenario="search", kind=Kind.NOTE, k=k, cursor=cursor, query=text)
        return Json(search_list(await answer(make)))

    return routes
