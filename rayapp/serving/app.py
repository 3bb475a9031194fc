"""The Serve application, built from one config file: `import_path: rayapp.serving.app:build`.

Laptop profile: one deployment, user tower and retriever composed inside the
gateway (a hop costs more than the tower). Cluster profile: three deployments
that scale apart.
"""

from __future__ import annotations

from typing import Any

import msgspec
import torch
from ray import serve
from ray.serve import Application

from rayapp import env
from rayapp.config import Config, load_config
from rayapp.experiments.report import Report
from rayapp.metrics import Metrics
from rayapp.redrec.model.history import Behaviour
from rayapp.serving.experiments.reports import Reports
from rayapp.serving.gateway import Gateway
from rayapp.serving.live.scene import Pin
from rayapp.serving.live.state import ServingState
from rayapp.serving.open_door import refuse_open_door
from rayapp.serving.pipeline.ports import Hits, NearestSearch, QuerySearch
from rayapp.serving.pipeline.request import Interests
from rayapp.serving.pipeline.retriever import LocalRetriever
from rayapp.serving.pipeline.user_tower import LocalTower
from rayapp.serving.replica_port import close_replica_port

CLUSTER = "cluster"


@serve.deployment(name="user-tower", max_ongoing_requests=256)
class UserTowerDeployment:
    """The user tower on its own, so that it can have a GPU and scale by its queue."""

    def __init__(self, config: dict[str, Any]) -> None:
        close_replica_port()
        torch.set_num_threads(1)
        settings = msgspec.convert(config, Config)
        self.state = ServingState(settings, searches=False, answers_others=True)
        self.tower = LocalTower(settings.serving.cached_interests)

    async def interests(self, pin: Pin, history: list[Behaviour], scenario: str) -> Interests | None:
        return await self.tower.interests(self.state.at(pin), history, scenario)


@serve.deployment(name="retriever", max_ongoing_requests=256)
class RetrieverDeployment:
    """The item index on its own."""

    def __init__(self, config: dict[str, Any]) -> None:
        settings = msgspec.convert(config, Config)
        self.state = ServingState(settings, answers_others=True)
        self.retriever = LocalRetriever(settings.search)

    async def nearest(self, pin: Pin, search: NearestSearch) -> Hits:
        return await self.retriever.nearest(self.state.at(pin), search)

    async def matching(self, pin: Pin, search: QuerySearch) -> Hits:
        return await self.retriever.matching(self.state.at(pin), search)

    async def similar(self, pin: Pin, item_id: str, k: int) -> Hits:
        return await self.retriever.similar(self.state.at(pin), item_id, k)


@serve.deployment(
    name="reports",
    autoscaling_config={"min_replicas": 0, "max_replicas": 1, "downscale_delay_s": 900},
    ray_actor_options={"num_cpus": 0, "runtime_env": {"env_vars": {"OMP_NUM_THREADS": "1"}}},
)
class ReportsDeployment:
    """There while experiments run or somebody reads a report, else without a process."""

    def __init__(self, config: dict[str, Any]) -> None:
        close_replica_port()
        self.reports = Reports(msgspec.convert(config, Config), Metrics())

    async def report(self, name: str) -> Report | None:
        return await self.reports.report(name)

    async def watch(self) -> None:
        await self.reports.watch()


def build(args: dict[str, str]) -> Application:
    """`args.config`: the system's config file (default: RAYAPP_CONFIG)."""
    config = load_config(args.get("config") or env.read().config)
    refuse_open_door(config)
    plain = msgspec.to_builtins(config)
    reports = ReportsDeployment.bind(plain)
    if config.serving.profile == CLUSTER:
        return Gateway.bind(plain, reports, UserTowerDeployment.bind(plain), RetrieverDeployment.bind(plain))
    return Gateway.bind(plain, reports)
