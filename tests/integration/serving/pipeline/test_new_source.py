"""What it takes to add a source: one class and one line of the registry; an experiment's arm asks for it by name."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import httpx
import msgspec
import pytest

from rayapp.config import Config, Llm, Serving
from rayapp.ranking.slate import Candidate
from rayapp.serving.http.app import build_app
from rayapp.serving.pipeline.request import Request
from rayapp.serving.pipeline.sources import SOURCES
from rayapp.serving.pipeline.stages import Pool
from rayapp.serving.services import open_services
from rayapp.stores.backend import StoreBackend
from tests.integration.serving.world import NoReports, fill, publish


class LongestTitle:
    """Notes with the longest titles: the whole of a new source."""

    stage: ClassVar[str] = "retrieve"
    ranker: ClassVar[str] = "longest"

    def enabled(self, request: Request) -> bool:
        return request.ranker == self.ranker

    async def candidates(self, request: Request) -> Pool:
        notes = [item for i, item in request.scene.catalogue.items.items() if request.may_show(i)]
        return Pool({self.ranker: [Candidate(n.item_id, float(len(n.title)), self.ranker, "long") for n in notes]})


async def test_an_arm_asks_for_a_new_source_by_name(
    stream: Config, backend: StoreBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, "longest", lambda parts: LongestTitle())  # the registry line
    serving = Serving(explore=0.0)
    config = msgspec.structs.replace(stream, state=str(tmp_path), llm=Llm(enabled=False), serving=serving)
    fill(backend)
    publish(config, config.name, 1)
    services = open_services(config, reports=NoReports())
    app = build_app(services)
    arms = [{"name": "on", "weight": 1.0, "params": {"ranker": "longest"}}, {"name": "off", "weight": 0.0}]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        wrong = [{**arms[0], "params": {"ranker": "longets"}}, arms[1]]
        refused = await http.post("/v1/experiments", json={"name": "x", "layer": "l", "arms": wrong})
        assert refused.status_code == 422
        assert "ranker 'longets' is unknown; use interests, longest, popular" in refused.text
        created = await http.post("/v1/experiments", json={"name": "x", "layer": "l", "arms": arms})
        assert created.status_code == 201, created.text
        services.state.experiments.look()
        feed = (await http.get("/v1/feed", params={"user_id": "ana", "k": 3})).json()
        document = (await http.get("/openapi.json")).json()
    await services.close()
    assert [item["source"] for item in feed["items"]] == ["longest"] * 3
    assert feed["experiments"] == {"x": "on"}
    assert "longest" in document["components"]["schemas"]["ArmParams"]["properties"]["ranker"]["enum"]
