"""The Serve application, built from one config file: `import_path: rayapp.serving.app:build`.

Laptop profile: one deployment, user tower and retriever composed inside the
gateway (a hop costs more than the tower). Cluster profile: three deployments
that scale apart.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec
import torch
from ray import serve
from ray.serve import Application

from rayapp.config import Config, load_config
from rayapp.metrics import Metrics
from rayapp.serving.experiments.reports import Reports
from rayapp.serving.http.gateway import Gateway
from rayapp.serving.live.engine import Engine
from rayapp.serving.live.variant import DEFAULT, Variant
from rayapp.serving.pipeline.retriever import Found, Retriever
from rayapp.serving.pipeline.user_tower import Interests, UserTower

LAPTOP = "laptop"
CLUSTER = "cluster"


@serve.deployment(name="user-tower", max_ongoing_requests=256)
class UserTowerDeployment(UserTower):
    """The user tower on its own, so that it can have a GPU and scale by its queue."""

    def __init__(self, config: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        super().__init__(Engine(msgspec.convert(config, Config)))

    async def interests(self, history: list[Any], scenario: str, variant: Variant = DEFAULT) -> Interests | None:
        return await super().interests(history, scenario, variant)


@serve.deployment(name="retriever", max_ongoing_requests=256)
class RetrieverDeployment(Retriever):
    """The item index on its own."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(Engine(msgspec.convert(config, Config)))

    async def by_vectors(
        self, queries: Any, index: str, kind: str, k: int, excluded: frozenset[str], variant: Variant = DEFAULT
    ) -> Found:
        return await super().by_vectors(queries, index, kind, k, excluded, variant)

    async def by_query(
        self,
        vector: Any,
        words: dict[str, float],
        kind: str,
        k: int,
        excluded: frozenset[str],
        variant: Variant = DEFAULT,
    ) -> Found:
        return await super().by_query(vector, words, kind, k, excluded, variant)

    async def similar(self, item_id: str, k: int) -> Found:
        return await super().similar(item_id, k)


@serve.deployment(
    name="reports",
    autoscaling_config={"min_replicas": 0, "max_replicas": 1, "downscale_delay_s": 900},
    ray_actor_options={"num_cpus": 0, "runtime_env": {"env_vars": {"OMP_NUM_THREADS": "1"}}},
)
class ReportsDeployment(Reports):
    """There while experiments run or somebody reads a report, else without a process."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(msgspec.convert(config, Config), Metrics())

    async def report(self, name: str) -> dict[str, Any] | None:
        return await super().report(name)

    async def watch(self) -> None:
        await super().watch()


def build(args: dict[str, str]) -> Application:
    """`args.config`: the system's config file (default: RAYAPP_CONFIG)."""
    config = load_config(args.get("config") or os.environ.get("RAYAPP_CONFIG"))
    plain = msgspec.to_builtins(config)
    reports = ReportsDeployment.bind(plain)
    if config.serving.profile == CLUSTER:
        return Gateway.bind(plain, reports, UserTowerDeployment.bind(plain), RetrieverDeployment.bind(plain))
    return Gateway.bind(plain, reports)
