"""Experiments as clients send them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rayapp.config import Config
from rayapp.errors import Conflict
from rayapp.experiments.experiment import MAX_BYTES, ExperimentError
from rayapp.experiments.lifecycle import UnknownExperiment
from rayapp.serving.experiments.service import ExperimentService, ReportPending, TooLarge
from rayapp.serving.http.errors import from_user_error
from rayapp.stores.backend import StoreBackend
from rayapp.stores.registry import Registry
from tests.integration.serving.world import NoReports, publish

YAML = b"""
name: interests-4
layer: feed
namespace: [0, 0.5]
scenarios: [homefeed]
arms: [{name: control, weight: 0.5}, {name: four, weight: 0.5, params: {model: redrec@candidate, k: 30}}]
metrics: [{name: ctr, kind: ratio, numerator: click, denominator: impression}]
guardrails: [{metric: latency_p99_ms, max: 250}]
"""


@pytest.fixture
def service(server_config: Config, backend: StoreBackend, tmp_path: Path) -> ExperimentService:
    config = msgspec.structs.replace(server_config, state=str(tmp_path))
    publish(config, "redrec", 1)
    Registry(config.models, "redrec").point("candidate", 1)
    return ExperimentService(config, NoReports(), rankers=("interests", "popular"))


def changed(**fields: Any) -> bytes:
    return json.dumps({**msgspec.yaml.decode(YAML), **fields}).encode()


def arms(**params: Any) -> list[dict[str, Any]]:
    return [{"name": "control", "weight": 0.5}, {"name": "new", "weight": 0.5, "params": params}]


async def test_created_grown_listed_and_stopped(service: ExperimentService) -> None:
    change = await service.create(changed(coverage=0.2))
    assert (change.outcome, change.started.running) == ("created", True)
    assert change.started.experiment.arms[1].params.model == "redrec@candidate"
    assert (await service.create(YAML)).outcome == "grown"
    (listed,) = await service.all()
    assert listed.experiment.coverage == 1.0
    with pytest.raises(Conflict, match="interests-4 runs in layer"):
        await service.create(changed(name="another", namespace=[0.4, 0.6]))
    assert (await service.stop("interests-4")).outcome == "stopped"
    with pytest.raises(ReportPending) as reading:
        await service.report("interests-4")
    assert reading.value.retry_after == 5
    assert (await service.remove("interests-4")).outcome == "removed"
    assert await service.all() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[", "did not find expected node"),
        (b"\x80name: x", "is not UTF-8"),
        (b"name: &a x\nlayer: *a\narms: []", "aliases"),
        (b"just text", "Expected `object`"),
        (changed(arms=arms()[:1]), "weights sum to 0.5"),
        (changed(arms=arms(modle="redrec")), "modle"),
        (changed(arms=arms(ranker="popularity")), "ranker 'popularity' is unknown; use interests, popular"),
        (changed(arms=arms(model="nobody")), "arm new: nobody has no CURRENT"),
        (changed(arms=arms(model="redrec@7")), "redrec has no version 7"),
        (changed(arms=arms(moderation="stricter")), "'stricter' is unknown; use off, strict"),
        (changed(arms=arms(model="../../elsewhere/evil@1")), "NAME@VERSION"),
        (changed(arms=arms(model="redrec@²")), "NAME@VERSION"),
        (changed(arms=arms(model="redrec@" + "1" * 5000)), "NAME@VERSION"),
        (changed(arms=arms(model="a\0b@1")), "NAME@VERSION"),
        (changed(arms=arms(k=0)), ">= 1"),
        (changed(scenarios=["nowhere"]), "scenario 'nowhere' is unknown; use homefeed"),
        (changed(name="not a name"), "a name has 1 to 64"),
        (changed(namespace=[0.6, 0.5]), "must be [start, end)"),
        (changed(metrics=[{"name": "x", "kind": "mean", "action": "clik"}]), "nothing counts 'clik'"),
    ],
)
async def test_what_cannot_be_is_422_and_says_why(service: ExperimentService, body: bytes, said: str) -> None:
    with pytest.raises(ExperimentError) as error:
        await service.create(body)
    assert from_user_error(error.value).status == 422
    assert said in str(error.value)
    assert await service.all() == []


async def test_unknown_and_too_large(service: ExperimentService) -> None:
    for call in (service.stop, service.report):
        with pytest.raises(UnknownExperiment) as unknown:
            await call("nobody")
        assert unknown.value.field == "name"
    with pytest.raises(TooLarge) as large:
        await service.create(b"#" * (MAX_BYTES + 1))
    assert from_user_error(large.value).status == 413
