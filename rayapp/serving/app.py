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
from rayapp.serving.engine import Engine, Found, Interests, Retriever, UserTower
from rayapp.serving.gateway import Gateway

LAPTOP = "laptop"
CLUSTER = "cluster"


@serve.deployment(name="user-tower", max_ongoing_requests=256)
class UserTowerDeployment(UserTower):
    """The user tower on its own, so that it can have a GPU and scale by its queue."""

    def __init__(self, config: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        super().__init__(Engine(msgspec.convert(config, Config)))

    async def interests(self, history: list[Any], scenario: str) -> Interests | None:
        return await super().interests(history, scenario)


@serve.deployment(name="retriever", max_ongoing_requests=256)
class RetrieverDeployment(Retriever):
    """The item index on its own."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(Engine(msgspec.convert(config, Config)))

    async def by_vectors(self, queries: Any, space: str, kind: str, k: int, excluded: frozenset[str]) -> Found:
        return await super().by_vectors(queries, space, kind, k, excluded)

    async def by_query(
        self, vector: Any, words: dict[str, float], kind: str, k: int, excluded: frozenset[str]
    ) -> Found:
        return await super().by_query(vector, words, kind, k, excluded)

    async def similar(self, item_id: str, k: int) -> Found:
        return await super().similar(item_id, k)


def build(args: dict[str, str]) -> Application:
    """`args.config`: the system's config file (default: RAYAPP_CONFIG)."""
    config = load_config(args.get("config") or os.environ.get("RAYAPP_CONFIG"))
    plain = msgspec.to_builtins(config)
    if config.serving.profile == CLUSTER:
        return Gateway.bind(plain, UserTowerDeployment.bind(plain), RetrieverDeployment.bind(plain))
    return Gateway.bind(plain)
