"""Experiments in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, WithJsonSchema

from rayapp.experiments.arm_params import ArmParams, RankerParams

_params = msgspec.json.schema_components((ArmParams, RankerParams), ref_template="#/components/schemas/{name}")[1]
PARAMS_SCHEMA = {
    **_params["ArmParams"],
    "properties": {**_params["ArmParams"]["properties"], "interleave": _params["RankerParams"]},
}
EXPERIMENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "layer", "arms"],
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
        "unit": {"type": "string", "enum": ["user"]},
        "layer": {"type": "string"},
        "namespace": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "coverage": {"type": "number", "minimum": 0, "maximum": 1},
        "scenarios": {"type": "array", "items": {"type": "string"}},
        "arms": {
            "type": "array",
            "minItems": 2,
            "items": {
                "type": "object",
                "required": ["name", "weight"],
                "properties": {
                    "name": {"type": "string"},
                    "weight": {"type": "number", "minimum": 0},
                    "params": PARAMS_SCHEMA,
                },
            },
        },
        "metrics": {"type": "array", "items": {"type": "object"}},
        "guardrails": {"type": "array", "items": {"type": "object"}},
    },
    "additionalProperties": False,
}


class StartedExperiment(BaseModel):
    experiment: Annotated[Any, WithJsonSchema(EXPERIMENT_SCHEMA)]
    started_ms: int
    stopped_ms: int | None
    running: bool


class ExperimentChange(StartedExperiment):
    outcome: Literal["created", "grown", "unchanged", "stopped"]


class ExperimentList(BaseModel):
    experiments: list[StartedExperiment]


class ArmComparison(BaseModel):
    """Lifts are relative to the control; `low` to `high` at a fixed end, `always` at any time."""

    metric: str
    arm: str
    users: int
    value: float
    control: float
    lift: float | None
    low: float | None
    high: float | None
    pvalue: float | None
    pvalue_adjusted: float | None
    always: tuple[float, float] | None
    always_pvalue: float | None
    cuped: bool


class Guardrail(BaseModel):
    metric: str
    arm: str
    value: float
    limit: str
    holds: bool


class DraftPreference(BaseModel):
    """Users of an interleaved arm by whose notes they clicked more: its own ranker's (`first`) or the other's."""

    first: int
    second: int
    ties: int
    credit: float
    pvalue: float


class ExperimentReport(BaseModel):
    experiment: str
    started_ms: int
    stopped_ms: int | None
    users: dict[str, int]
    mismatch: float | None
    comparisons: list[ArmComparison]
    guardrails: list[Guardrail]
    warnings: list[str]
    preferences: dict[str, DraftPreference] = {}
