"""Calls about experiments."""

# No `from __future__ import annotations`: FastAPI must see the types.
from fastapi import APIRouter, Request, Response

from rayapp.serving.errors import Json, clean
from rayapp.serving.experiments.service import ExperimentDesk
from rayapp.serving.http import experiment_schemas as schemas
from rayapp.serving.http.parameters import ExperimentName

router = APIRouter()
BODY = {"content": {"application/json": {"schema": schemas.EXPERIMENT_SCHEMA}}, "required": True}


class ExperimentRoutes:
    """A part of the gateway, which has these."""

    desk: ExperimentDesk

    @router.post(
        "/v1/experiments", status_code=201, response_model=schemas.ExperimentChange, openapi_extra={"requestBody": BODY}
    )
    async def create_experiment(self, request: Request) -> Response:
        """Begin an experiment, JSON or YAML, or grow the coverage of one that runs (200)."""
        status, answer = await self.desk.create(await request.body())
        return Json(answer, status)

    @router.get("/v1/experiments", response_model=schemas.ExperimentList)
    async def experiments(self) -> Response:
        """All of them, the newest first."""
        return Json({"experiments": await self.desk.all()})

    @router.get("/v1/experiments/{name}/report", response_model=schemas.ExperimentReport)
    async def experiment_report(self, name: ExperimentName) -> Response:
        """Users, lifts and intervals until now; it is safe to look as often as one likes at `always`."""
        return Json(await self.desk.report(clean(name, "name")))

    @router.post("/v1/experiments/{name}/stop", response_model=schemas.ExperimentChange)
    async def stop_experiment(self, name: ExperimentName) -> Response:
        """From now on nobody is in it; its report stays."""
        return Json(await self.desk.stop(clean(name, "name")))
