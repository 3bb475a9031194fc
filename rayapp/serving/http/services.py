"""What the handlers of the HTTP surface need, opened once a replica."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rayapp.metrics import Metrics
from rayapp.serving.experiments.alarms import Alarms
from rayapp.serving.experiments.service import ExperimentService
from rayapp.serving.http.ingest import Ingest
from rayapp.serving.http.readiness import Readiness
from rayapp.serving.live.served_versions import ServedVersions
from rayapp.serving.live.state import ServingState
from rayapp.serving.llm.moderator import Moderator
from rayapp.serving.pipeline.exposures import Exposures
from rayapp.serving.pipeline.pipeline import Pipeline
from rayapp.serving.pipeline.ports import Retriever
from rayapp.stores.ports import HistoryReader, PostViewReader


@dataclass(frozen=True, slots=True)
class Limits:
    """Of requests. `scenarios`: those that are known; `keys`: API keys, none on a local machine; `origins`: of other
    sites' pages that may call; `hosts`: names beside this machine's own that the system is called by without keys."""

    scenarios: tuple[str, ...]
    max_k: int
    max_ongoing: int
    keys: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Services:
    limits: Limits
    metrics: Metrics
    state: ServingState
    pipeline: Pipeline
    retriever: Retriever
    history: HistoryReader
    ingest: Ingest
    exposures: Exposures
    moderator: Moderator
    post_view: PostViewReader
    experiments: ExperimentService
    readiness: Readiness
    versions: ServedVersions
    alarms: Alarms
    close: Callable[[], Awaitable[None]]
