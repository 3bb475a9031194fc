"""The gateway's Serve deployment: opens the services in a replica and serves the HTTP application."""

from __future__ import annotations

from typing import Any

import msgspec
import torch
from fastapi import FastAPI
from ray import serve

from rayapp.config import Config
from rayapp.serving.experiments.reports import RemoteReports
from rayapp.serving.http.app import build_app
from rayapp.serving.pipeline.remote import RemoteRetriever, RemoteTower
from rayapp.serving.replica_port import close_replica_port
from rayapp.serving.services import open_services


@serve.deployment(name="gateway", max_ongoing_requests=256)
@serve.ingress()
class Gateway:
    """One replica. Without `tower` and `retriever` (deployment handles) it holds both itself: the laptop profile."""

    def __init__(self, config: dict[str, Any], reports: Any, tower: Any = None, retriever: Any = None) -> None:
        close_replica_port()
        torch.set_num_threads(1)
        self.services = open_services(
            msgspec.convert(config, Config),
            reports=RemoteReports(reports),
            tower=None if tower is None else RemoteTower(tower),
            retriever=None if retriever is None else RemoteRetriever(retriever),
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        return build_app(self.services)

    async def check_health(self) -> None:
        """Serve restarts the replica when this raises; a missing model is not a reason."""
        self.services.state.check_health()
