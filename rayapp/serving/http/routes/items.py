"""Single items: what is stored, what is similar, what readers search next, and changes."""

# No `from __future__ import annotations`: FastAPI must see the types.
import time
import uuid

import msgspec
from fastapi import APIRouter, Query, Response

from rayapp.domain import Item, Verdict
from rayapp.serving.http.bodies import ItemsIn, VerdictIn
from rayapp.serving.http.errors import ApiError, Json, clean
from rayapp.serving.http.json_route import json_router
from rayapp.serving.http.openapi import returns
from rayapp.serving.http.routes.parameters import ItemId, OptionalUserId
from rayapp.serving.http.schemas import Accepted, DeletedItem, ListedItem, PostViewQueries, SimilarItems
from rayapp.serving.http.services import Services
from rayapp.serving.pipeline.answer import query_exposure
from rayapp.serving.pipeline.pipeline import on_held_versions


def router(services: Services) -> APIRouter:
    routes, state = json_router(), services.state

    def known(item_id: str) -> Item:
        item = state.catalogue.find(item_id)
        if item is None:
            raise ApiError(404, f"item {item_id!r} is not in the catalogue", "item_id")
        return item

    def length(default: int) -> int:
        return Query(
            default=min(default, services.limits.max_k), ge=1, le=services.limits.max_k, description="How many."
        )

    @routes.get("/v1/items/{item_id}", response_description="the fields of the item, and `verdict`")
    async def item(item_id: ItemId) -> Response:
        """The item as it is stored, with its verdict; null while it waits to be judged."""
        stored, verdict = known(item_id), state.catalogue.verdicts.get(item_id)
        return Json({**msgspec.to_builtins(stored), "verdict": verdict})

    @routes.put("/v1/items/{item_id}/verdict", **returns(Verdict))
    async def put_verdict(item_id: ItemId, body: VerdictIn) -> Response:
        """A person's decision; it wins over the model's and is kept for audit."""
        reason = clean(body.reason, "reason")
        return Json(await services.moderator.decide(known(item_id), body.decision, reason))

    @routes.get("/v1/items/{item_id}/similar", **returns(SimilarItems))
    async def similar(item_id: ItemId, k: int = length(20)) -> Response:
        """Nearest items in the model's space; none for an item that is withheld."""
        title = known(item_id).title
        scene = state.scene()
        items = scene.catalogue.items
        if item_id not in items:
            return Json(SimilarItems([]))
        hits = await on_held_versions(state, [scene], lambda scenes: services.retriever.similar(scenes[0], item_id, k))
        listed = [
            ListedItem(i, score, item.title, "similar", f"like “{title}”")
            for i, score in hits.lists[0]
            if (item := items.get(i)) is not None
        ]
        return Json(SimilarItems(listed))

    @routes.get("/v1/items/{item_id}/queries", **returns(PostViewQueries))
    async def queries(item_id: ItemId, k: int = length(5), user_id: OptionalUserId = "") -> Response:
        """What readers of this note would search next; written on first demand, none for a note that is withheld.

        With `user_id` the answer is an exposure in the scenario `search`: send its `request_id` with the events that
        follow from it.
        """
        started = time.perf_counter()
        user = clean(user_id)
        assigned = state.experiments.assigned(user, "search")
        texts, ready = await post_view(known(item_id), k, wanted=assigned.params.post_view is not False)
        status = "ready" if ready else "pending"
        if not user:
            return Json(PostViewQueries(texts, status))
        request_id = str(uuid.uuid4())
        latency_ms = 1000 * (time.perf_counter() - started)
        services.exposures.post(
            query_exposure(request_id, user, item_id=item_id, queries=texts, assigned=assigned, latency_ms=latency_ms)
        )
        return Json(PostViewQueries(texts, status, request_id, assigned.arms))

    async def post_view(stored: Item, k: int, *, wanted: bool) -> tuple[list[str], bool]:
        """(queries, whether they are ready)."""
        if not wanted or stored.item_id not in state.catalogue.items:
            return [], True
        written = await services.post_view.get(stored.item_id, stored.text_key)
        return ([], False) if written is None else (list(written.queries[:k]), True)

    @routes.put("/v1/items", **returns(Accepted, 202))
    async def put_items(body: ItemsIn) -> Response:
        """New or changed items; in results within seconds."""
        return Json(await services.ingest.items(body.items), 202)

    @routes.delete("/v1/items/{item_id}", **returns(DeletedItem, 202))
    async def delete_item(item_id: ItemId) -> Response:
        """Take an item out of all results."""
        known(item_id)
        await services.ingest.delete_item(item_id)
        return Json(DeletedItem(item_id, "gone from results within seconds"), 202)

    return routes
