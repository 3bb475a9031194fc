"""What of a client's headers reaches Serve's proxy."""

from __future__ import annotations

import httpx
import pytest
from ray.serve._private.http_util import _apply_middlewares, validate_http_proxy_callback_return
from ray.serve._private.utils import call_function_from_import_path
from starlette.types import ASGIApp, Receive, Scope, Send

from rayapp.cli.machine.paths import Layout

HEADERS = [
    ("X-Request-ID", b"\xff\xfe", False),
    ("X-Request-ID", b"x" * 129, False),
    ("X-Request-ID", b"a\tb", False),
    ("X-Request-ID", b"trace-7", True),
    ("x_request_id", b"\xc3\xa9", False),
    ("X-Session-ID", b"\xff", False),
    ("X_Session_ID", b"s1", True),
    ("X-Request-Timeout-Seconds", b"0", False),
    ("X-Request-Timeout-Seconds", b"0.000001", False),
    ("X-Request-Disconnect-Disabled", b"?1", False),
    ("serve_multiplexed_model_id", b"\xff", False),
    ("Serve-Multiplexed-Model-Id", b"evil", False),
    ("Authorization", b"Bearer \xff", True),
    ("X-Anything", b"\xff", True),
]


def client(proxy: ASGIApp, tmp_path_factory: pytest.TempPathFactory) -> httpx.AsyncClient:
    """Of a proxy that runs what `rayapp up` names for it, as Serve's does."""
    named = Layout(tmp_path_factory.mktemp("s")).environment()["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"]
    wrapped = _apply_middlewares(proxy, validate_http_proxy_callback_return(call_function_from_import_path(named)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(wrapped), base_url="http://127.0.0.1")


@pytest.mark.parametrize(("name", "value", "passes"), HEADERS)
async def test_a_client_does_not_steer_the_proxy(
    name: str, value: bytes, passes: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def proxy(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.extend(scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with client(proxy, tmp_path_factory) as http:
        await http.get("/", headers=[(name.encode(), value)])
    assert ((name.lower().encode(), value) in seen) is passes
    assert any(found == b"x-request-id" and text.isascii() for found, text in seen)  # the proxy makes one


@pytest.mark.parametrize(
    ("status", "kind", "path", "then"),
    [
        (404, "text/plain", "/v1/feed", 503),  # no application is deployed yet
        (500, "text/plain; charset=utf-8", "/v1/feed", 503),  # the replica ended
        (503, "text/plain", "/v1/events", 503),
        (404, "application/json", "/v1/items/x", 404),  # the application's own
        (503, "application/json", "/v1/feed", 503),
        (200, "text/plain; version=0.0.4", "/metrics", 200),
        (503, "text/plain", "/-/healthz", 503),
        (404, "text/plain", "/-/nothing", 404),
    ],
)
async def test_the_proxys_own_errors_have_the_contracts_shape(
    status: int, kind: str, path: str, then: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def proxy(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"Path '/v1/feed' not ", "more_body": True})
        await send({"type": "http.response.body", "body": b"found."})

    async with client(proxy, tmp_path_factory) as http:
        answer = await http.get(path)
    assert answer.status_code == then
    if kind.startswith("text/plain") and status >= 400 and not path.startswith("/-/"):
        assert answer.json()["error"]["code"] == "unavailable"
        assert int(answer.headers["Retry-After"]) > 0
    else:
        assert answer.text == "Path '/v1/feed' not found."
        assert answer.headers["content-type"] == kind
