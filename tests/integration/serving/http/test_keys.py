"""A system with API keys: every route of the document, and what is beside it, asked without one, with a wrong one and
with a right one."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from rayapp.config import Config, Llm
from rayapp.serving.http.app import build_app
from rayapp.serving.http.services import Services
from rayapp.serving.services import open_services
from rayapp.stores.backend import StoreBackend
from tests.integration.serving.world import NoReports, fill, publish

RIGHT, WRONG = "right-key", "wrong-key"
OPEN = {("get", "/healthz"), ("get", "/readyz")}
BESIDE = (("get", "/openapi.json"), ("get", "/docs"), ("get", "/no/such/route"), ("post", "/no/such/route"))


@pytest.fixture
async def services(stream: Config, backend: StoreBackend, tmp_path: Path) -> AsyncIterator[Services]:
    config = msgspec.structs.replace(stream, state=str(tmp_path), llm=Llm(enabled=False))
    fill(backend)
    publish(config, config.name, 1)
    opened = open_services(config, reports=NoReports())
    yield dataclasses.replace(opened, limits=dataclasses.replace(opened.limits, keys=(RIGHT, "another")))
    await opened.close()


async def test_no_route_answers_without_a_right_key(services: Services) -> None:
    app = build_app(services)
    documented = [(method, path) for path, methods in app.openapi()["paths"].items() for method in methods]
    assert len(documented) >= 20
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://system.example") as http:
        for method, path in (*documented, *BESIDE):
            url = path.replace("{item_id}", "i").replace("{user_id}", "u").replace("{name}", "n")

            async def status(key: str | None, method: str = method, url: str = url) -> int:
                headers = {} if key is None else {"authorization": f"Bearer {key}"}
                answer = await http.request(method, url, headers=headers)
                assert answer.status_code != 500, (method, url, answer.text)
                if answer.status_code in (401, 403):
                    assert answer.json()["error"]["code"] in ("unauthorized", "forbidden")
                return answer.status_code

            asked = [await status(None), await status(WRONG), await status(RIGHT)]
            if (method, path) in OPEN:
                assert asked[0] == asked[1] == asked[2] not in (401, 403), (method, path, asked)
            else:
                assert asked[:2] == [401, 403], (method, path, asked)
                assert asked[2] not in (401, 403), (method, path, asked)
        for header in ("Basic cmlnaHQta2V5", "bearer", "Bearer", f"Bearer {RIGHT} ", f"Bearer {RIGHT}x", RIGHT):
            answer = await http.get("/v1/experiments", headers={"authorization": header})
            assert answer.status_code in (401, 403), header
