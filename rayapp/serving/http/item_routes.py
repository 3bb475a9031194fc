"""Calls about single items: what is stored, what is like it, what people say of it, and changes to it."""

# No `from __future__ import annotations`: FastAPI must see the types.
import time
import uuid
from typing import Any

from fastapi import APIRouter, Response

from rayapp.content.text_encoder import text_key
from rayapp.serving.errors import ApiError, Json, clean
from rayapp.serving.http import schemas
from rayapp.serving.http.ingest import Ingest
from rayapp.serving.http.parameters import AnybodyId, Count, ItemId
from rayapp.serving.live.engine import Engine
from rayapp.serving.llm.moderator import Moderator
from rayapp.serving.pipeline.answer import panel
from rayapp.serving.pipeline.exposures import Exposures
from rayapp.stores.valkey.post_view import PostViewReader

router = APIRouter()


class ItemRoutes:
    """A part of the gateway, which has these."""

    engine: Engine
    retriever: Any
    ingest: Ingest
    moderator: Moderator
    post_view: PostViewReader
    exposures: Exposures

    @router.get("/v1/items/{item_id}")
    async def item(self, item_id: ItemId) -> Response:
        """The item as it is stored, with its verdict; without one it waits for judgement."""
        item, verdict = self._known(item_id), self.engine.catalogue.verdicts.get(item_id)
        return Json({**schemas.as_json(item), "verdict": schemas.as_json(verdict) if verdict else None})

    @router.put("/v1/items/{item_id}/verdict", response_model=schemas.StoredVerdict)
    async def put_verdict(self, item_id: ItemId, body: schemas.VerdictIn) -> Response:
        """A person's decision; it wins over the model's and is kept for audit."""
        reason = clean(body.reason, "reason")
        return Json(schemas.as_json(await self.moderator.decide(self._known(item_id), body.decision, reason)))

    @router.get("/v1/items/{item_id}/similar", response_model=schemas.SimilarItems)
    async def similar(self, item_id: ItemId, k: Count = 20) -> Response:
        """Nearest items in the model's space; none to an item that is withheld."""
        title = self._known(item_id).title
        items = self.engine.catalogue.items
        if item_id not in items:
            return Json({"items": []})
        found = await self.retriever.similar(item_id, k)
        listed = [
            {"item_id": i, "score": s, "title": item.title, "source": "similar", "reason": f"like “{title}”"}
            for i, s in found.hits[0]
            if (item := items.get(i)) is not None
        ]
        return Json({"items": listed})

    @router.get("/v1/items/{item_id}/queries", response_model=schemas.PostViewQueries)
    async def queries(self, item_id: ItemId, k: Count = 5, user_id: AnybodyId = "") -> Response:
        """What a reader of this note would search next; made on first demand, none for a note that is withheld.

        With `user_id` the answer is an exposure in the scenario `search`: name its `request_id` in what follows from it.
        """
        started = time.perf_counter()
        user = clean(user_id)
        assigned = self.engine.experiments.assigned(user, "search")
        queries, status = await self._queries(item_id, k, assigned.params.post_view is not False)
        answer = {"queries": queries, "status": status}
        if not user:
            return Json(answer)
        request_id = str(uuid.uuid4())
        self.exposures.post(user, panel(user, item_id, queries, request_id, assigned, started))
        return Json({**answer, "request_id": request_id, "experiments": assigned.arms})

    async def _queries(self, item_id: str, k: int, wanted: bool) -> tuple[list[str], str]:
        item = self._known(item_id)
        if not wanted or item_id not in self.engine.catalogue.items:
            return [], "ready"
        found = await self.post_view.get(item_id, text_key("", item.text))
        return ([], "pending") if found is None else (list(found.queries[:k]), "ready")

    @router.put("/v1/items", status_code=202, response_model=schemas.Accepted)
    async def put_items(self, body: schemas.ItemsIn) -> Response:
        """New or changed items; in results within seconds."""
        return Json(await self.ingest.items(body.items), 202)

    @router.delete("/v1/items/{item_id}", status_code=202)
    async def delete_item(self, item_id: ItemId) -> Response:
        """Take an item out of all results."""
        self._known(item_id)
        await self.ingest.delete_item(item_id)
        return Json({"item_id": item_id, "message": "gone from results within seconds"}, 202)

    def _known(self, item_id: str) -> Any:
        item = self.engine.catalogue.find(item_id)
        if item is None:
            raise ApiError(404, f"item {item_id!r} is not in the catalogue", "item_id")
        return item
