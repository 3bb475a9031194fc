"""Our own addresses are asked without the proxy of the environment, by every client there is."""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rayapp.http_client import own_async_client, own_client

ROOT = Path(__file__).resolve().parents[2]
CALLS = {"get", "post", "put", "patch", "delete", "head", "options", "request", "stream", "Client", "AsyncClient"}
OTHERS = {"requests", "urllib3", "aiohttp", "http.client", "urllib.request", "ray.job_submission"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One that answers, while the environment names a proxy that does not."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with HTTPServer(("127.0.0.1", 0), Answer) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()


def test_a_proxy_is_not_asked(server: str) -> None:
    with own_client(timeout=5) as client:
        assert client.get(server).status_code == 204


async def test_nor_by_an_asynchronous_client(server: str) -> None:
    async with own_async_client(timeout=5) as client:
        assert (await client.get(server)).status_code == 204


def bypasses(file: Path) -> Iterator[str]:
    """Calls and imports of HTTP clients that are not the factory's."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "httpx" and node.func.attr in CALLS:
                yield f"{file}:{node.lineno}: httpx.{node.func.attr}"
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if node.module == "httpx" and CALLS & {alias.name for alias in node.names}:
                yield f"{file}:{node.lineno}: from httpx import"
        yield from (f"{file}:{node.lineno}: {name}" for name in names if name in OTHERS)


def test_no_client_is_made_beside_the_factory() -> None:
    files = [f for package in ("rayapp", "streaming", "jobs") for f in (ROOT / package).rglob("*.py")]
    found = [line for file in files if file.name != "http_client.py" for line in bypasses(file)]
    assert not found
    assert list(bypasses(ROOT / "rayapp" / "http_client.py"))  # the walk sees what it looks for
