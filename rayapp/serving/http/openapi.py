"""The OpenAPI document: FastAPI's, with the components of our own records."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from rayapp.domain import Action, Decision, Event, Kind, Verdict
from rayapp.serving.http import experiment_schemas, schemas

REF = "#/components/schemas/{name}"
RECORDS: tuple[type, ...] = (
    schemas.ErrorBody,
    schemas.Accepted,
    schemas.ItemList,
    schemas.SearchList,
    schemas.SimilarItems,
    schemas.PostViewQueries,
    schemas.Verdicts,
    schemas.History,
    schemas.DeletedUser,
    schemas.DeletedItem,
    schemas.Ready,
    experiment_schemas.ExperimentChange,
    experiment_schemas.ExperimentList,
    experiment_schemas.ExperimentReport,
    Event,
    Verdict,
    Action,
    Decision,
    Kind,
)


def returns(record: type[msgspec.Struct], status: int = 200) -> dict[str, Any]:
    """For a route's decorator: the status and the record that a successful call answers with."""
    schema = {"$ref": REF.format(name=record.__name__)}
    return {"status_code": status, "responses": {status: {"content": {"application/json": {"schema": schema}}}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The contract's error for each of these."""
    schema = {"$ref": REF.format(name=schemas.ErrorBody.__name__)}
    return {status: {"content": {"application/json": {"schema": schema}}} for status in statuses}


def install(app: FastAPI, rankers: tuple[str, ...]) -> None:
    """Make the document include the records that routes refer to. `rankers`: what an arm may ask for."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            components = msgspec.json.schema_components(RECORDS, ref_template=REF)[1]
            for params in ("ArmParams", "RankerParams"):
                components[params]["properties"]["ranker"] = {"enum": [None, *rankers], "default": None}
            made.setdefault("components", {}).setdefault("schemas", {}).update(components)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
