"""Opens what a gateway replica needs: the one place where the request path is put together."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from rayapp.config import Config
from rayapp.experiments.report import Report
from rayapp.metrics import Metrics
from rayapp.serving.experiments.alarms import Alarms
from rayapp.serving.experiments.service import ExperimentService
from rayapp.serving.http.ingest import Ingest
from rayapp.serving.http.job_problems import JobProblems
from rayapp.serving.http.readiness import Readiness
from rayapp.serving.http.services import Limits, Services
from rayapp.serving.live.served_versions import ServedVersions
from rayapp.serving.live.state import ServingState
from rayapp.serving.live.version_freshness import VersionFreshness
from rayapp.serving.llm.client import LlmClient
from rayapp.serving.llm.health import LlmHealth
from rayapp.serving.llm.moderator import Moderator
from rayapp.serving.pipeline import effects, hydrators, scorers, selectors
from rayapp.serving.pipeline.exposures import Exposures
from rayapp.serving.pipeline.pipeline import Pipeline, Stages
from rayapp.serving.pipeline.ports import Retriever, Tower
from rayapp.serving.pipeline.query.reading import QueryEncoder, QueryReader
from rayapp.serving.pipeline.query.reranker import Reranker
from rayapp.serving.pipeline.query.understanding import QueryUnderstanding
from rayapp.serving.pipeline.retriever import LocalRetriever
from rayapp.serving.pipeline.sources import SOURCES, SourceParts, rankers
from rayapp.serving.pipeline.user_tower import LocalTower
from rayapp.stores.open import open_async_store
from rayapp.stores.ports import StoreUnreachable
from streaming.producer import EventProducer


class ReportsClient(Protocol):
    async def report(self, name: str) -> Report | None: ...

    async def watch(self) -> None: ...


def open_services(
    config: Config,
    *,
    reports: ReportsClient,
    tower: Tower | None = None,
    retriever: Retriever | None = None,
    metrics: Metrics | None = None,
) -> Services:
    """`tower`, `retriever`: in other replicas; None: in this process."""
    metrics = metrics or Metrics()
    serving = config.serving
    freshness = VersionFreshness(metrics)
    local = retriever is None
    state = ServingState(config, on_swap=freshness.swapped, searches=local, swaps_last=not local)
    tower = tower or LocalTower(serving.cached_interests)
    retriever = retriever or LocalRetriever(config.search)
    store = open_async_store(config.store_url)
    history = store.history(config.history)
    pages = store.pages(serving.page_ttl_s)
    producer = EventProducer(config.broker)
    exposures = Exposures(config, producer, metrics)
    model = LlmClient(config)
    encode = QueryEncoder(config)
    read_query = QueryReader(
        encode, QueryUnderstanding(config, model, store=store.cache("understanding"), encode=encode, metrics=metrics)
    )
    parts = SourceParts(retriever, history, config.scenarios)
    sources = {name: make(parts) for name, make in SOURCES.items()}
    stages = Stages(
        hydrators=[hydrators.UserHistory(history, pages, config.scenarios), hydrators.QueryReading(read_query)],
        readers=[hydrators.UserInterests(tower)],
        sources=list(sources.values()),
        scorers=[
            scorers.Personal(serving.search_user_weight),
            scorers.Relevance(Reranker(config, model), config.search.rerank),
        ],
        selectors=[
            selectors.ByScenario(),
            selectors.StartPage(),
            selectors.BestFirst(),
            selectors.BecauseOf(),
        ],
        finish=[selectors.Explore(serving.explore, serving.seed)],
        effects=[
            effects.RememberPage(pages),
            effects.CountVersion(freshness.answered),
            effects.LogExposure(exposures),
        ],
    )

    async def close() -> None:
        async with contextlib.AsyncExitStack() as opened:  # each is closed whatever the others do
            opened.push_async_callback(store.close)
            opened.callback(state.close)
            await asyncio.get_running_loop().run_in_executor(None, producer.close)

    async def store_answers() -> bool:
        with contextlib.suppress(StoreUnreachable):
            await store.ping()
            return True
        return False

    return Services(
        limits=Limits(
            config.scenarios,
            serving.max_k,
            serving.max_ongoing,
            keys=config.api_keys,
            origins=serving.origins,
            hosts=serving.hosts,
        ),
        metrics=metrics,
        state=state,
        pipeline=Pipeline(state, stages, metrics=metrics),
        retriever=retriever,
        history=history,
        ingest=Ingest(config, producer, metrics),
        exposures=exposures,
        moderator=Moderator(config, producer, metrics),
        post_view=store.post_views(),
        experiments=ExperimentService(config, reports, rankers=rankers(sources)),
        readiness=Readiness(
            state,
            store=store_answers,
            kafka=producer.reachable,
            llm=LlmHealth(config) if config.llm.enabled else None,
            jobs=JobProblems(store.job_states(), metrics),
        ),
        versions=ServedVersions(state, metrics),
        alarms=Alarms(state.experiments, reports, every_s=config.experiments.look_s),
        close=close,
    )
