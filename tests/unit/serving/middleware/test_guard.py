"""The guard round a real ASGI app, driven by httpx: what is let in, and how what is not is refused."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request

from rayapp.serving.http import errors
from rayapp.serving.middleware.guard import Guard, Intake
from rayapp.serving.middleware.keys import ApiKeys
from rayapp.serving.middleware.origins import Origins
from rayapp.serving.middleware.request_head import MAX_HEADERS, MAX_URL

SHOP = "https://shop.example"
LIMIT = 1000


def client(keys: tuple[str, ...] = (), origins: tuple[str, ...] = (), hosts: tuple[str, ...] = ()) -> httpx.AsyncClient:
    app = FastAPI()
    errors.install(app)

    @app.get("/read")
    @app.get("/open")
    async def read() -> str:
        return "ok"

    @app.get("/fails")
    async def fails() -> str:
        raise KeyError("a secret of SomeClass")

    @app.post("/write")
    @app.put("/write")
    @app.delete("/write")
    @app.post("/plain")
    async def write(request: Request) -> dict[str, object]:
        return {"length": len(await request.body()), "type": request.headers.get("content-type")}

    app.add_middleware(
        Guard,
        answer=errors.answer,
        keys=ApiKeys(keys),
        origins=Origins(origins, hosts=None if keys else hosts),
        intake=lambda path: Intake(LIMIT, ("text/plain",) if path == "/plain" else ()),
        open_paths=frozenset({"/open"}),
        whole_segments=True,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000")


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "field"}
    assert error["code"] == code
    assert error["message"]
    assert "\n" not in error["message"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("given", "status"), [(None, 401), ("Bearer no", 403), ("yes", 403), ("Bearer yes", 200)])
async def test_keys(given: str | None, status: int) -> None:
    async with client(keys=("yes", "also")) as http:
        answer = await http.get("/read", headers={"Authorization": given} if given else {})
        assert answer.status_code == status
        if status != 200:
            refused(answer, status, "unauthorized" if status == 401 else "forbidden")
        assert (await http.get("/open")).status_code == 200
        assert (await http.get("/%6fpen")).status_code == 200
        assert (await http.get("/open%2F")).status_code == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8000", 200),
        ("localhost:1", 200),
        ("LOCALHOST.", 200),
        ("[::1]:8000", 200),
        ("feeds.lan:8000", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8000", 421),
        ("localhost:8000.evil.example", 421),
        ("[::1].evil.example", 421),
        ("[::1]:8000.evil.example", 421),
        ("", 421),
        ("127.0.0.1@evil.example", 421),
    ],
)
async def test_without_keys_only_this_machine_is_called(host: str, status: int) -> None:
    async with client(hosts=("feeds.lan",)) as http:
        answer = await http.get("/read", headers={"Host": host})
        assert answer.status_code == status
        if status != 200:
            refused(answer, 421, "misdirected")
    async with client(keys=("yes",)) as http:
        assert (await http.get("/read", headers={"Host": host, "Authorization": "Bearer yes"})).status_code == 200


async def test_two_hosts_are_one_too_many() -> None:
    async with client() as http:
        refused(await http.get("/read", headers=[("Host", "127.0.0.1"), ("Host", "evil.example")]), 400, "bad_request")


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:8001"},
    {"Origin": "http://localhost:8000"},
    {"Origin": "https://shop.example.evil.example"},
    {"Origin": "http://shop.example"},
    {"Origin": ""} | {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "FOO"])
async def test_a_page_of_another_site_writes_nothing_and_reads_nothing(method: str, headers: dict[str, str]) -> None:
    async with client(origins=(SHOP,)) as http:
        refused(await http.request(method, "/write", headers=headers), 403, "forbidden")
        read = await http.get("/read", headers=headers)
        assert read.status_code == 200
        assert "access-control-allow-origin" not in read.headers
        asked = await http.options("/write", headers={**headers, "Access-Control-Request-Method": method})
        assert not [name for name in asked.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": "https://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": SHOP, "Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_curl_the_console_and_pages_that_are_configured_write(headers: dict[str, str]) -> None:
    async with client(origins=(SHOP,)) as http:
        answer = await http.post("/write", json={}, headers=headers)
        assert answer.status_code == 200
        assert answer.headers.get("access-control-allow-origin") == (SHOP if headers.get("Origin") == SHOP else None)
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_configured_page_is_told_so_before_it_asks_and_when_it_is_refused() -> None:
    async with client(keys=("yes",), origins=(SHOP,)) as http:
        asked = await http.options("/write", headers={"Origin": SHOP, "Access-Control-Request-Method": "PUT"})
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == SHOP
        assert "PUT" in asked.headers["access-control-allow-methods"]
        assert "authorization" in asked.headers["access-control-allow-headers"]
        denied = await http.post("/write", headers={"Origin": SHOP})
        refused(denied, 401, "unauthorized")
        assert denied.headers["access-control-allow-origin"] == SHOP


@pytest.mark.parametrize(
    ("path", "kind", "origin", "status"),
    [
        ("/write", "application/json", None, 200),
        ("/write", "application/json; charset=utf-8", None, 200),
        ("/write", "application/activity+json", None, 200),
        ("/write", "APPLICATION/JSON", None, 200),
        ("/write", None, None, 200),
        ("/write", None, SHOP, 415),
        ("/write", "text/plain", None, 415),
        ("/write", "application/x-www-form-urlencoded", None, 415),
        ("/write", "multipart/form-data; boundary=x", None, 415),
        ("/write", "text/json", None, 415),
        ("/write", "application/jsonp", None, 415),
        ("/write", "текст".encode().decode("latin-1"), None, 415),
        ("/plain", "text/plain;charset=UTF-8", SHOP, 200),
        ("/plain", "text/plain;charset=UTF-8", None, 200),
        ("/plain", "text/html", SHOP, 415),
    ],
)
async def test_a_body_says_what_it_is(path: str, kind: str | None, origin: str | None, status: int) -> None:
    headers = {"Content-Type": kind.encode("latin-1")} if kind else {}
    headers |= {"Origin": origin.encode()} if origin else {}
    async with client(origins=(SHOP,)) as http:
        answer = await http.post(path, content=b"{}", headers=headers)
        if status == 200:
            assert answer.json() == {"length": 2, "type": "application/json"}
        else:
            refused(answer, 415, "unsupported")
            assert "send application/json" in answer.json()["error"]["message"]
        assert (await http.post(path, headers=headers)).status_code == 200  # no body: nothing to be read


async def chunks(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 100):
        yield b"x" * min(100, size - start)


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1, 10 * LIMIT])
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_limit_of_a_body_is_of_what_arrives(size: int, chunked: bool) -> None:
    async with client() as http:
        content = chunks(size) if chunked else b"x" * size
        answer = await http.post("/write", content=content, headers={"Content-Type": "application/json"})
        assert ("content-length" in answer.request.headers) is not chunked
        if size <= LIMIT:
            assert answer.json()["length"] == size
        else:
            refused(answer, 413, "too_large")


async def test_urls_and_headers_have_a_limit() -> None:
    async with client() as http:
        assert (await http.get("/read?" + "x" * (MAX_URL - 100))).status_code == 200
        refused(await http.get("/read?" + "x" * MAX_URL), 414, "url_too_long")
        refused(await http.get("/" + "%20" * MAX_URL), 414, "url_too_long")
        assert (await http.get("/read", headers={"X-Long": "x" * (MAX_HEADERS - 500)})).status_code == 200
        refused(await http.get("/read", headers={"X-Long": "x" * MAX_HEADERS}), 431, "headers_too_large")
        refused(await http.get("/read", headers=[("X", "y" * 100)] * 400), 431, "headers_too_large")


async def test_head_is_get_without_its_body() -> None:
    async with client() as http:
        for path in ("/read", "/nothing", "/fails"):
            got, head = await http.get(path), await http.head(path)
            assert (head.status_code, head.content) == (got.status_code, b"")
            assert head.headers["content-length"] == got.headers["content-length"]


async def test_a_method_that_is_not_allowed_is_told_what_is() -> None:
    async with client() as http:
        for method in ("GET", "HEAD", "PATCH", "OPTIONS", "TRACE", "FOO"):
            answer = await http.request(method, "/write")
            assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, POST, PUT")
        assert (await http.post("/read")).headers["allow"] == "GET, HEAD"


async def test_what_nobody_expected_has_the_shape_of_an_error_and_is_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with client() as http:
        with caplog.at_level(logging.ERROR, "ray.serve"):
            answer = await http.get("/fails", headers={"X-Request-ID": "number-7"})
    refused(answer, 500, "internal")
    assert "SomeClass" not in json.dumps(answer.json())
    assert "KeyError" not in answer.text
    (record,) = caplog.records
    assert "number-7" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
