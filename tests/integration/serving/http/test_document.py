"""The OpenAPI document says what the application does: all of schemathesis's checks over all of it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import uvicorn

from rayapp.config import Config, Llm
from rayapp.serving.http.app import build_app
from rayapp.serving.services import open_services
from rayapp.stores.backend import StoreBackend
from tests.integration.serving.http.conftest import contents_of
from tests.integration.serving.world import ITEMS, NoReports, publish

CONFIG = Path(__file__).parent / "schemathesis.toml"


@pytest.fixture
def url(stream: Config, backend: StoreBackend, tmp_path: Path) -> Iterator[str]:
    """The application in a thread of its own: schemathesis calls it from another process."""
    config = msgspec.structs.replace(stream, state=str(tmp_path), llm=Llm(enabled=False))
    backend.catalogue_store().put(ITEMS, contents_of(ITEMS))
    publish(config, config.name, 1, contents=contents_of(ITEMS))
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        services = open_services(config, reports=NoReports())
        app = build_app(services)
        servers.append(
            uvicorn.Server(uvicorn.Config(app, port=0, lifespan="on", log_config=None, timeout_keep_alive=90))
        )
        await servers[0].serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    while not (servers and servers[0].started):
        thread.join(timeout=0.05)
        assert thread.is_alive()
    yield f"http://127.0.0.1:{servers[0].servers[0].sockets[0].getsockname()[1]}"
    servers[0].should_exit = True
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_every_check_of_schemathesis_holds_for_every_call(url: str, tmp_path: Path) -> None:
    command = [Path(sys.executable).parent / "schemathesis", f"--config-file={CONFIG}", "run", f"{url}/openapi.json"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    lines = [line[:400] for line in (said.stdout + said.stderr).splitlines()]
    assert said.returncode == 0, "\n".join(lines[-200:])
    passed = re.search(r"(\d+) generated, \1 passed", said.stdout)
    assert passed, "\n".join(lines[-50:])
    assert int(passed[1]) > 1000
    assert "Tested: 21" in said.stdout
