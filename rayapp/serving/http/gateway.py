"""The HTTP surface: parameters in, pipeline and ingest behind, contract-shaped answers out."""

# No `from __future__ import annotations` here, and nothing defined below the class: FastAPI must see the types, and
# Serve pickles app and routes by value when the class is decorated.
import asyncio
import contextlib
import logging
import os
from typing import Annotated, Any

import msgspec
import torch
from fastapi import FastAPI, Path, Query, Response
from fastapi.responses import PlainTextResponse
from ray import serve

from rayapp import __version__
from rayapp.config import Config
from rayapp.metrics import Metrics
from rayapp.moderation.judge import Note
from rayapp.serving import errors
from rayapp.serving.errors import ApiError, Json, clean
from rayapp.serving.experiments.alarms import watch
from rayapp.serving.experiments.service import ExperimentDesk
from rayapp.serving.http import console, experiment_routes, item_routes, schemas
from rayapp.serving.http.experiment_routes import ExperimentRoutes
from rayapp.serving.http.exposition import collect
from rayapp.serving.http.ingest import Ingest
from rayapp.serving.http.item_routes import ItemRoutes
from rayapp.serving.http.middleware import Guard
from rayapp.serving.http.parameters import ArmCount, Cursor, UserId
from rayapp.serving.live.engine import Engine
from rayapp.serving.live.served_versions import ServedVersions
from rayapp.serving.live.version_freshness import VersionFreshness
from rayapp.serving.llm.client import ServedModel
from rayapp.serving.llm.health import LlmHealth
from rayapp.serving.llm.moderator import Moderator, as_answer
from rayapp.serving.pipeline.answer import Ask
from rayapp.serving.pipeline.exposures import Exposures
from rayapp.serving.pipeline.pipeline import Pipeline
from rayapp.serving.pipeline.query_understanding import QueryUnderstanding
from rayapp.serving.pipeline.reranker import Reranker
from rayapp.serving.pipeline.retriever import Retriever
from rayapp.serving.pipeline.search import QueryEncoder, Search
from rayapp.serving.pipeline.user_tower import UserTower
from rayapp.serving.remote import Remote
from rayapp.stores.open import open_async_store
from rayapp.stores.ports import StoreUnreachable
from streaming.producer import EventProducer

log = logging.getLogger("ray.serve")
METRICS = Metrics()
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorBody} for status in (400, 401, 403, 404, 405, 413, 422, 503)
}
DEFAULT_K = {"feed": 20, "ads": 5, "search": 20}
app = FastAPI(
    title="rayapp",
    version=__version__,
    summary="Feeds, ads and search that learn from behaviour events",
    responses=PROBLEMS,
)
errors.install(app)
console.install(app)
LIMIT = int(os.environ.get("RAYAPP_MAX_ONGOING", Config().serving.max_ongoing))
app.include_router(item_routes.router)
app.include_router(experiment_routes.router)
app.add_middleware(Guard, metrics=METRICS, keys=Config().api_keys, max_ongoing=LIMIT)


@app.exception_handler(StoreUnreachable)
async def store_away(_request: Any, error: StoreUnreachable) -> Response:
    log.warning("store is away: %s", error)
    return errors.error_response(ApiError(503, "the history store does not answer; try again", retry_after=2))


@serve.deployment(name="gateway", max_ongoing_requests=256)
@serve.ingress(app)
class Gateway(ItemRoutes, ExperimentRoutes):
    """One replica: in the laptop profile it holds user tower and retriever as well."""

    def __init__(self, config: dict[str, Any], reports: Any, tower: Any = None, retriever: Any = None) -> None:
        torch.set_num_threads(1)
        self.config = msgspec.convert(config, Config)
        freshness = VersionFreshness(METRICS)
        self.engine = Engine(self.config, freshness.swapped)
        tower = Remote(tower) if tower is not None else UserTower(self.engine)
        self.retriever = Remote(retriever) if retriever is not None else Retriever(self.engine)
        self.stores = open_async_store(self.config.store_url)
        serving = self.config.serving
        self.reader = self.stores.history(self.config.history)
        self.producer = EventProducer(self.config)
        self.versions = ServedVersions(self.engine, METRICS)
        self.ingest = Ingest(self.config, self.producer, METRICS)
        self.exposures = Exposures(self.config, self.producer, METRICS)
        model = ServedModel(self.config)
        pages = self.stores.pages(serving.page_ttl_s)
        self.pipeline = Pipeline(
            self.config,
            tower,
            self.retriever,
            self.engine,
            self.reader,
            pages,
            self.exposures,
            METRICS,
            freshness.answered,
            Reranker(self.config, model),
        )
        encode = QueryEncoder(self.config)
        understanding = QueryUnderstanding(self.config, model, self.stores.cache("understanding"), encode, METRICS)
        self.find = Search(self.pipeline, encode, understanding)
        self.llm = LlmHealth(self.config)
        self.post_view = self.stores.post_views()
        self.moderator = Moderator(self.config, self.producer, METRICS)
        self.desk = ExperimentDesk(self.config, Remote(reports))
        watch(self.engine, reports)

    @app.post("/v1/events", status_code=202, response_model=schemas.Accepted)
    async def events(self, body: schemas.EventsIn) -> Response:
        """Behaviour events; answered when Kafka has acknowledged them."""
        return Json(await self.ingest.events(body.events), 202)

    @app.get("/v1/feed", response_model=schemas.ItemList)
    async def feed(
        self, user_id: UserId, k: ArmCount = None, scenario: str = "homefeed", cursor: Cursor = None
    ) -> Response:
        """Notes for a user in a scenario."""
        if scenario not in self.config.scenarios:
            known = ", ".join(self.config.scenarios)
            raise ApiError(422, f"scenario {scenario!r} is unknown; use one of {known}", "scenario")
        return Json(await self.pipeline.run(self._ask("feed", user_id, scenario, "note", k, cursor)))

    @app.get("/v1/ads", response_model=schemas.ItemList)
    async def ads(self, user_id: UserId, k: ArmCount = None, cursor: Cursor = None) -> Response:
        """Ads for a user, each at most so often a day."""
        return Json(await self.pipeline.run(self._ask("ads", user_id, "ads", "ad", k, cursor)))

    @app.get("/v1/search", response_model=schemas.SearchList)
    async def search(
        self,
        q: Annotated[str, Query(min_length=1, max_length=500)],
        user_id: Annotated[str, Query(max_length=256)] = "",
        k: ArmCount = None,
        cursor: Cursor = None,
    ) -> Response:
        """Notes that match the query by meaning and by words, moved a little by the user's interests."""
        text = clean(q, "q").strip()
        if not text:
            raise ApiError(422, "q is blank; send what to search for", "q")
        return Json(await self.find(self._ask("search", user_id, "search", "note", k, cursor, text)))

    @app.post("/v1/moderate", response_model=schemas.Verdicts)
    async def moderate(self, body: schemas.NotesIn) -> Response:
        """What the policy says of these texts; nothing is stored."""
        notes = [Note(clean(note.id, "id"), clean(note.text, "text")) for note in body.notes]
        return Json({"verdicts": [as_answer(v) for v in await self.moderator.verdicts(notes)]})

    @app.get("/v1/users/{user_id}/history", response_model=schemas.History)
    async def history(
        self,
        user_id: Annotated[str, Path(min_length=1, max_length=256)],
        limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    ) -> Response:
        """A user's recent behaviour over all scenarios, newest first."""
        events = await self.reader.history(clean(user_id), self.config.scenarios, limit)
        return Json({"events": [schemas.as_json(e) for e in events]})

    @app.delete("/v1/users/{user_id}", status_code=202, response_model=schemas.Deleted)
    async def delete_user(self, user_id: Annotated[str, Path(min_length=1, max_length=256)]) -> Response:
        """Forget a user."""
        await self.ingest.forget(clean(user_id))
        message = (
            "history, seen set and learner state are dropped within seconds; the log itself ages out by retention; "
            "model weights are not unlearned"
        )
        return Json({"user_id": user_id, "message": message}, 202)

    @app.get("/healthz")
    async def healthz(self) -> Response:
        """The process is alive."""
        return Json({"status": "ok"})

    @app.get("/readyz", response_model=schemas.Ready)
    async def readyz(self) -> Response:
        """Ingest and feed work."""
        components = {
            "model": self.engine.host.current is not None,
            "catalogue": bool(self.engine.catalogue.items),
            "store": await self._store_answers(),
            "kafka": await asyncio.get_running_loop().run_in_executor(None, self.producer.reachable),
        }
        ready = all(components.values())
        if self.config.llm.enabled:
            components["llm"] = await self.llm.answers()
        return Json({"ready": ready, "components": components}, 200 if ready else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics(self) -> Response:
        """Every series of this system from every node, as Prometheus text."""
        self.versions.tell()
        return PlainTextResponse(await collect(), media_type="text/plain; version=0.0.4")

    def _ask(
        self,
        route: str,
        user_id: str,
        scenario: str,
        kind: str,
        k: int | None,
        cursor: str | None,
        query: str | None = None,
    ) -> Ask:
        """What the request says comes first, then the user's arms, then the route's default."""
        user = clean(user_id)
        assigned = self.engine.experiments.assigned(user, scenario)
        return Ask(route, user, scenario, kind, k or assigned.params.k or DEFAULT_K[route], cursor, query, assigned)

    async def _store_answers(self) -> bool:
        with contextlib.suppress(StoreUnreachable):
            await self.stores.ping()
            return True
        return False

    async def check_health(self) -> None:
        """Serve restarts the replica when this raises; a missing model is not a reason."""

    def __del__(self) -> None:
        if hasattr(self, "producer"):
            self.producer.close()
            self.engine.close()
