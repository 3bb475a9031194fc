"""The application as Serve builds it, and the document that describes it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from rayapp.config import Config, Serving, save_config
from rayapp.serving.app import build
from rayapp.serving.http.gateway import app


def test_it_is_built_for_one_machine_and_for_a_cluster(tmp_path: Path) -> None:
    for profile in ("laptop", "cluster"):
        file = tmp_path / f"{profile}.yaml"
        save_config(msgspec.structs.replace(Config(), serving=Serving(profile=profile)), file)
        assert build({"config": str(file)}) is not None


def test_the_document_has_every_call_and_is_whole() -> None:
    document = app.openapi()
    calls = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert {
        ("/v1/events", "post"), ("/v1/feed", "get"), ("/v1/ads", "get"), ("/v1/search", "get"),
        ("/v1/items", "put"), ("/v1/items/{item_id}", "get"), ("/v1/items/{item_id}", "delete"),
        ("/v1/items/{item_id}/verdict", "put"), ("/v1/items/{item_id}/similar", "get"),
        ("/v1/items/{item_id}/queries", "get"), ("/v1/moderate", "post"), ("/v1/users/{user_id}/history", "get"),
        ("/v1/users/{user_id}", "delete"), ("/v1/experiments", "get"), ("/v1/experiments", "post"),
        ("/v1/experiments/{name}/report", "get"), ("/v1/experiments/{name}/stop", "post"),
        ("/healthz", "get"), ("/readyz", "get"), ("/metrics", "get"),
    } <= calls  # fmt: skip
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])
