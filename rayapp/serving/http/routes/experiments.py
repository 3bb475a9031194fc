"""Experiments."""

# No `from __future__ import annotations`: FastAPI must see the types.
from fastapi import APIRouter, Request, Response

from rayapp.serving.http.errors import Json, clean
from rayapp.serving.http.experiment_schemas import (
    ExperimentChange,
    ExperimentList,
    ExperimentReport,
)
from rayapp.serving.http.json_route import json_router
from rayapp.serving.http.openapi import problems, returns
from rayapp.serving.http.routes.parameters import ExperimentName
from rayapp.serving.http.services import Services
from rayapp.serving.middleware.media_types import JSON, YAML

EXAMPLE = {
    "name": "popular-first",
    "layer": "feed",
    "scenarios": ["homefeed"],
    "arms": [{"name": "control", "weight": 0.5}, {"name": "popular", "weight": 0.5, "params": {"ranker": "popular"}}],
    "guardrails": [{"metric": "latency_p99_ms", "max": 250}],
}
SCHEMA = {"schema": {"$ref": "#/components/schemas/NewExperiment"}, "example": EXAMPLE}
BODY = {"requestBody": {"content": dict.fromkeys((JSON, *YAML), SCHEMA), "required": True}}
STATUS = {"created": 201, "grown": 200, "unchanged": 200}


def router(services: Services) -> APIRouter:
    routes, experiments_ = json_router(responses=problems(409)), services.experiments

    @routes.post("/v1/experiments", **returns(ExperimentChange, 201, 200), openapi_extra=BODY)
    async def create_experiment(request: Request) -> Response:
        """Start an experiment, JSON or YAML, or increase the coverage of a running one (200)."""
        change = await experiments_.create(await request.body())
        return Json(ExperimentChange.after(change), STATUS[change.outcome])

    @routes.get("/v1/experiments", **returns(ExperimentList))
    async def experiments() -> Response:
        """All experiments, newest first."""
        return Json(ExperimentList.of(await experiments_.all()))

    @routes.get("/v1/experiments/{name}/report", **returns(ExperimentReport))
    async def experiment_report(name: ExperimentName) -> Response:
        """Users, lifts and intervals so far; the always-valid interval (`always`) may be monitored continuously."""
        started, report = await experiments_.report(clean(name, "name"))
        return Json(ExperimentReport.of(started, report))

    @routes.post("/v1/experiments/{name}/stop", **returns(ExperimentChange))
    async def stop_experiment(name: ExperimentName) -> Response:
        """Nobody is in the experiment from now on; its report stays."""
        return Json(ExperimentChange.after(await experiments_.stop(clean(name, "name"))))

    @routes.delete("/v1/experiments/{name}", **returns(ExperimentChange))
    async def remove_experiment(name: ExperimentName) -> Response:
        """Take an ended experiment and its report out; exposures in the log stay."""
        return Json(ExperimentChange.after(await experiments_.remove(clean(name, "name"))))

    return routes
