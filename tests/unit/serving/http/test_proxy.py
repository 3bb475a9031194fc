"""Headers that Serve's proxy reads, before it reads them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from rayapp.cli.machine.paths import Layout
from rayapp.serving.http.proxy import middlewares

NAMES = ["X-Request-ID", "serve_multiplexed_model_id", "Serve-Multiplexed-Model-Id", "x-session-id"]


async def answer_to(name: bytes, value: bytes) -> httpx.Response:
    """Of an application behind the middleware, which gets the header's bytes as they are."""
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("ok"))], middleware=middlewares())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://proxy") as client:
        return await client.get("/", headers=[(name, value)])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xff" * 300])
async def test_a_header_that_is_no_utf_8_is_the_clients_fault(name: str, value: bytes) -> None:
    answer = await answer_to(name.encode(), value)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"
    assert name.lower() in answer.json()["error"]["message"].lower()


@pytest.mark.parametrize("header", [("X-Request-ID", "é".encode()), ("X-Request-ID", b""), ("Cookie", b"a=\xff")])
async def test_other_headers_go_on(header: tuple[str, bytes]) -> None:
    assert (await answer_to(header[0].encode(), header[1])).text == "ok"


ASKED = """
from ray.serve._private.http_util import configure_http_middlewares
from ray.serve.config import HTTPOptions
print([m.cls.__name__ for m in configure_http_middlewares(HTTPOptions()).middlewares])
"""


def test_serve_finds_it_by_the_environment(tmp_path: Path) -> None:
    environment = {**os.environ, **Layout(tmp_path).environment()}
    command = [sys.executable, "-c", ASKED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "ReadableHeaders" in done.stdout
