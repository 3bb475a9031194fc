"""The application behind the server that Serve runs (uvicorn with httptools), over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from rayapp.serving.middleware import bodies
from tests.integration.serving.http.conftest import SHOP

HALF = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, http="httptools", lifespan="off", log_config=None))
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done()
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = server.force_exit = True
    await running


async def said(port: int, *parts: bytes) -> bytes:
    """The whole answer to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        with contextlib.suppress(ConnectionError):
            writer.write(part)
            await writer.drain()
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = b"" if parts[0].startswith(b"HEAD") else await reader.readexactly(length)
    writer.close()
    return head + body


async def test_two_hundred_half_sent_requests_leave_feeds_and_events_alone(port: int) -> None:
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
    for _, writer in opened:
        writer.write(HALF)
    event = {"user_id": "u", "item_id": "i1", "scenario": "homefeed", "action": "click"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=bodies.AT_MOST_S / 2) as http:
        for _ in range(20):
            assert (await http.get("/v1/feed", params={"user_id": "u", "k": 3})).status_code == 200
            assert (await http.post("/v1/events", json={"events": [event]})).status_code == 202
    answers = [await asyncio.wait_for(reader.readline(), bodies.AT_MOST_S + 10) for reader, _ in opened]
    assert {answer.split()[1] for answer in answers} == {b"408"}
    for _, writer in opened:
        writer.close()


async def test_a_body_without_length_is_cut_off_at_the_limit(port: int) -> None:
    head = b"POST /v1/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    for path, chunks in ((b"events", 400), (b"experiments", 2)):
        answer = await said(port, head % path, *[chunk] * chunks)
        assert answer.split()[1] == b"413"
        assert b'"code":"too_large"' in answer


@pytest.mark.parametrize(
    ("request_line", "header", "status"),
    [
        (b"GET /v1/feed?user_id=u&x=" + b"x" * 60_000, b"", b"414"),
        (b"GET /healthz", b"X-Long: " + b"x" * 200_000 + b"\r\n", b"431"),
        (b"GET /healthz", b"X: y\r\n" * 10_000, b"431"),
        (b"GET /v1/items/%ff", b"", b"400"),
        (b"GET /v1/items/a%2Fb", b"", b"404"),
        (b"HEAD /healthz", b"", b"200"),
        (b"GET /healthz", b"Origin: http://evil.example\r\n", b"200"),
        (b"POST /v1/experiments/x/stop", b"Origin: http://evil.example\r\n", b"403"),
        (b"POST /v1/experiments", b"Content-Type: text/plain\r\nContent-Length: 2\r\n", b"415"),
    ],
)
async def test_odd_requests_over_the_wire(port: int, request_line: bytes, header: bytes, status: bytes) -> None:
    raw = request_line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + header + b"\r\n{}"
    answer = await said(port, raw)
    assert answer.split()[1] == status
    if status != b"200":
        assert b'{"error":{"code":' in answer


async def test_without_keys_another_name_is_not_answered(port: int) -> None:
    answer = await said(port, b"GET /v1/feed?user_id=u HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert answer.split()[1] == b"421"


async def test_a_configured_page_sends_events_as_it_is_left(port: int) -> None:
    """`navigator.sendBeacon` of a string."""
    body = b'{"events": [{"user_id": "u", "item_id": "i1", "scenario": "homefeed", "action": "click"}]}'
    for origin, status in ((SHOP, b"202"), ("http://evil.example", b"403")):
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {origin}\r\nSec-Fetch-Site: cross-site\r\n"
            f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        answer = await said(port, head.encode() + body)
        assert answer.split()[1] == status
        assert (b"access-control-allow-origin: https://shop.example" in answer) is (status == b"202")
