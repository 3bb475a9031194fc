"""The application without Ray: its document, its limits, its lifespan."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from rayapp.config import Config, Llm, Serving
from rayapp.experiments.arm_params import ArmParams
from rayapp.experiments.assignments import NOBODY, Assigned
from rayapp.serving.http.app import build_app
from rayapp.serving.http.services import Services
from rayapp.serving.services import open_services
from rayapp.stores.backend import StoreBackend
from tests.integration.serving.world import NoReports, fill, publish


@pytest.fixture
async def services(stream: Config, backend: StoreBackend, tmp_path: Path) -> AsyncIterator[Services]:
    serving = Serving(max_k=7, max_ongoing=1)
    config = msgspec.structs.replace(stream, state=str(tmp_path), llm=Llm(enabled=False), serving=serving)
    fill(backend)
    publish(config, config.name, 1)
    opened = open_services(config, reports=NoReports())
    yield opened
    await opened.close()


def client(services: Services) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(build_app(services)), base_url="http://127.0.0.1")


def test_the_document_has_every_call_and_is_whole(services: Services) -> None:
    document = build_app(services).openapi()
    calls = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert {
        ("/v1/events", "post"), ("/v1/feed", "get"), ("/v1/ads", "get"), ("/v1/search", "get"),
        ("/v1/items", "put"), ("/v1/items/{item_id}", "get"), ("/v1/items/{item_id}", "delete"),
        ("/v1/items/{item_id}/verdict", "put"), ("/v1/items/{item_id}/similar", "get"),
        ("/v1/items/{item_id}/queries", "get"), ("/v1/moderate", "post"), ("/v1/users/{user_id}/history", "get"),
        ("/v1/users/{user_id}", "delete"), ("/v1/experiments", "get"), ("/v1/experiments", "post"),
        ("/v1/experiments/{name}/report", "get"), ("/v1/experiments/{name}/stop", "post"),
        ("/v1/experiments/{name}", "delete"),
        ("/healthz", "get"), ("/readyz", "get"), ("/metrics", "get"),
    } <= calls  # fmt: skip
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])
    events = document["components"]["schemas"]["EventsIn"]["properties"]["events"]
    assert (events["minItems"], events["maxItems"]) == (1, 1000)
    event = events["items"]["anyOf"][0]
    assert event["required"] == ["user_id", "scenario", "action"]
    assert "received_ms" not in event["properties"]


async def test_the_configured_limit_of_a_list_holds(services: Services) -> None:
    async with client(services) as http:
        assert len((await http.get("/v1/feed", params={"user_id": "u", "k": 7})).json()["items"]) == 6
        refused = await http.get("/v1/feed", params={"user_id": "u", "k": 8})
        assert (refused.status_code, refused.json()["error"]["field"]) == (422, "k")
        similar = await http.get("/v1/items/i1/similar", params={"k": 8})
        assert similar.status_code == 422


async def test_the_configured_limit_of_requests_under_way_holds(services: Services) -> None:
    """`serving.max_ongoing` was read from the defaults once, whatever the configuration said."""
    kwargs = [one.kwargs for one in build_app(services).user_middleware]
    assert [one["max_ongoing"] for one in kwargs if "max_ongoing" in one] == [1]


async def test_a_system_without_a_model_says_so_with_503(stream: Config, backend: StoreBackend, tmp_path: Path) -> None:
    config = msgspec.structs.replace(stream, state=str(tmp_path), llm=Llm(enabled=False))
    opened = open_services(config, reports=NoReports())
    async with client(opened) as http:
        feed = await http.get("/v1/feed", params={"user_id": "u"})
        ready = await http.get("/readyz")
    await opened.close()
    assert (feed.status_code, feed.headers["Retry-After"]) == (503, "2")
    assert "no version of redrec is there yet" in feed.json()["error"]["message"]
    assert (ready.status_code, ready.json()["components"]["model"]) == (503, False)


async def test_the_lifespan_watches_experiments_and_closes_what_was_opened(
    stream: Config, backend: StoreBackend, tmp_path: Path
) -> None:
    config = msgspec.structs.replace(stream, state=str(tmp_path), llm=Llm(enabled=False))
    fill(backend)
    publish(config, config.name, 1)
    app = build_app(opened := open_services(config, reports=NoReports()))
    async with app.router.lifespan_context(app):
        assert {"alarms", "version gauges"} <= {task.get_name() for task in asyncio.all_tasks()}
        assert not opened.state.catalogue.closed.is_set()
    assert opened.state.catalogue.closed.is_set()
    await asyncio.sleep(0)
    assert not {"alarms", "version gauges"} & {task.get_name() for task in asyncio.all_tasks()}


async def test_an_experiment_that_ends_while_a_request_begins_fails_nobody(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = Assigned({"x": "on"}, ArmParams(model="closed"))
    assignments = [arm, NOBODY, arm, arm]
    monkeypatch.setattr(services.state.experiments, "assigned", lambda *_: assignments.pop(0))
    async with client(services) as http:
        feed = await http.get("/v1/feed", params={"user_id": "u", "k": 3})
        assert (feed.status_code, feed.json()["experiments"], feed.json()["model_version"]) == (200, {}, "1")
        missing = await http.get("/v1/feed", params={"user_id": "u", "k": 3})
        assert (missing.status_code, missing.json()["error"]["code"]) == (503, "unavailable")
