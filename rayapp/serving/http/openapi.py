"""The OpenAPI document: FastAPI's, with the components of our own records."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from rayapp.domain import Action, Decision, Event, Kind, Verdict
from rayapp.experiments.lifecycle import MAX_ARMS, MAX_METRICS, MODEL, NAME
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


def returns(record: type[msgspec.Struct], status: int = 200, *also: int) -> dict[str, Any]:
    """For a route's decorator: the status (or one of `also`) and the record that a successful call answers with."""
    answer = {"content": {"application/json": {"schema": _ref(record.__name__)}}}
    return {"status_code": status, "responses": dict.fromkeys((status, *also), answer)}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The contract's error for each of these."""
    answer = {"content": {"application/json": {"schema": _ref(schemas.ErrorBody.__name__)}}}
    return dict.fromkeys(statuses, answer)


def install(app: FastAPI, rankers: tuple[str, ...]) -> None:
    """Make the document include the records that routes refer to. `rankers`: what an arm may ask for."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            components = msgspec.json.schema_components(RECORDS, ref_template=REF)[1]
            for params in ("ArmParams", "RankerParams"):
                components[params]["properties"]["ranker"] = {"enum": [None, *rankers], "default": None}
            components |= _new_experiment(components)
            made.setdefault("components", {}).setdefault("schemas", {}).update(components)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _new_experiment(components: dict[str, Any]) -> dict[str, Any]:
    """Experiments as they are sent: names and numbers within the limits that are checked then, and only then."""
    name = {"type": "string", "pattern": f"^{NAME.pattern}$"}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    model = {"anyOf": [{"type": "null"}, {"type": "string", "pattern": f"^{MODEL.pattern}$"}], "default": None}
    limits: dict[str, dict[str, Any]] = {
        "RankerParams": {"model": model},
        "ArmParams": {"model": model, "interleave": {"anyOf": [{"type": "null"}, _ref("NewRankerParams")]}},
        "Arm": {"name": name, "weight": share, "params": _ref("NewArmParams")},
        "Experiment": {
            "name": name,
            "layer": name,
            "coverage": {**share, "default": 1.0},
            "namespace": {"type": "array", "items": share, "minItems": 2, "maxItems": 2, "default": [0.0, 1.0]},
            "arms": {"type": "array", "items": _ref("NewArm"), "minItems": 2, "maxItems": MAX_ARMS},
        },
    }
    made = {f"New{kind}": {**components[kind], "title": f"New{kind}"} for kind in limits}
    for kind, changed in limits.items():
        made[f"New{kind}"]["properties"] = {**components[kind]["properties"], **changed}
    properties = made["NewExperiment"]["properties"]
    for many in ("metrics", "guardrails"):
        properties[many] = {**properties[many], "maxItems": MAX_METRICS}
    return made


def _ref(name: str) -> dict[str, str]:
    return {"$ref": REF.format(name=name)}
