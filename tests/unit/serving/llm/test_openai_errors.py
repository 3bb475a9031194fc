"""Errors as they leave: OpenAI's shape, and nothing of the inside. The application is the real one, its routes are
stand-ins for the engine's answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse, StreamingResponse

from rayapp import env
from rayapp.config import Config, Serving
from rayapp.serving.llm.app import openai_app
from rayapp.serving.llm.openai_errors import plain

SHOP = "https://shop.example"
INSIDE = ("ray.", "vllm", "pydantic", "Request ID", "Traceback", "pid=", "10.0.0.5", "Exception", "0x7f")
RAY = (
    "Message: You passed 3001 input tokens. (Request ID: 1b2c), Internal exception: "
    "ray.llm._internal.serve.core.configs.openai_api_models.OpenAIHTTPException: You passed 3001 input tokens. "
    "(Request ID: 1b2c), original exception: "
)


@pytest.mark.parametrize(
    ("raw", "said", "param"),
    [
        (RAY, "You passed 3001 input tokens.", None),
        (f"Message: {RAY}, Internal exception: x: {RAY}, original exception: ", "You passed 3001 input tokens.", None),
        ("vllm.exceptions.VLLMValidationError: max_tokens must be positive", "max_tokens must be positive", None),
        ("Invalid request format: Field required at ('body', 'messages', 0)", "messages.0: Field required", "messages.0"),
        ("Invalid request format: JSON decode error at ('body', 5)", "5: JSON decode error", "5"),
        ("Invalid request format: Input should be 'text' at ('body', 'response_format', 'function-wrap[__log_extra_fields__()]', 'type')",
         "response_format.type: Input should be 'text'", "response_format.type"),
        ("top_p must be in (0, 1], got 7.0. (parameter=top_p, value=7.0)", "top_p must be in (0, 1], got 7.0.", "top_p"),
        ("Failed to make a grammar: [01:48:56] <path>:83: Regex parsing error at position 5: The parenthesis is not closed.",
         "Failed to make a grammar: Regex parsing error at position 5: The parenthesis is not closed.", None),
        ("Message: Not Found", "Message: Not Found", None),
        ("two\nlines", "two lines", None),
        ("", "the request cannot be answered as it is; check its parameters", None),
        ("ray::ServeReplica:redone (pid=77, ip=10.0.0.5)", "the request cannot be answered as it is; check its parameters", None),
        ("object at 0x7f00aa11bb22", "the request cannot be answered as it is; check its parameters", None),
        ("1 validation error for ChatCompletionRequest\nFor further information visit https://errors.pydantic.dev/2/v/missing",
         "the request cannot be answered as it is; check its parameters", None),
        ("x" * 5000, "x" * 500 + "…", None),
    ],
)  # fmt: skip
def test_what_a_message_says_without_where_it_was_said(raw: str, said: str, param: str | None) -> None:
    assert plain(raw) == (said, param)


def engine(app: FastAPI) -> None:
    """Answers such as `ray.serve.llm` gives."""

    @app.post("/v1/chat/completions")
    async def chat(body: dict[str, Any]) -> Any:
        kind = body["messages"][0]["content"]
        if kind == "raise":
            raise RuntimeError("ray::ServeReplica (pid=77, ip=10.0.0.5)")
        if kind == "refuse":
            error = {"message": RAY, "type": "VLLMValidationError", "param": [], "code": 400}
            return JSONResponse({"error": error}, 400)
        if kind == "busy":
            return JSONResponse({"error": {"message": "Exception: ray.x", "code": 503}}, 503)
        if kind == "text":
            return JSONResponse("Internal Server Error", 500)
        if kind == "stream":
            return StreamingResponse(chunks(), media_type="text/event-stream")
        return {"choices": [], "got": body}

    async def chunks() -> AsyncIterator[str]:
        yield 'data: {"choices": [{"delta": {"content": "an \\"error\\" of speech"}}]}\n\n'
        error = {
            "message": "EngineDeadError: ray.x at 0x7f0011223344",
            "type": "EngineDeadError",
            "param": {},
            "code": 500,
        }
        yield f"data: {json.dumps({'error': error})}\n\n"
        yield "data: [DONE]\n\n"


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    monkeypatch.delenv(env.API_KEYS, raising=False)
    app = openai_app(Config(serving=Serving(origins=(SHOP,))), 1024)
    engine(app)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")


def ask(content: Any = "hi", **more: Any) -> dict[str, Any]:
    return {"model": "redone", "messages": [{"role": "user", "content": content}], **more}


def is_openais(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert error["message"]
    assert error["type"] in ("invalid_request_error", "server_error")
    assert error["param"] is None or isinstance(error["param"], str)
    assert error["code"] is None or isinstance(error["code"], str)
    assert not [word for word in INSIDE if word in answer.text]
    return error


@pytest.mark.parametrize(("kind", "status"), [("raise", 500), ("refuse", 400), ("busy", 503), ("text", 500)])
async def test_every_error_has_openais_shape(http: httpx.AsyncClient, kind: str, status: int) -> None:
    answer = await http.post("/v1/chat/completions", json=ask(kind))
    is_openais(answer, status)
    assert answer.headers.get("retry-after") == ("5" if status == 503 else None)


async def test_an_error_within_a_stream_is_rewritten_and_the_rest_is_not(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/chat/completions", json=ask("stream", stream=True))
    first, error, done, end = answer.text.split("\n\n")
    assert json.loads(first.removeprefix("data: "))["choices"][0]["delta"]["content"] == 'an "error" of speech'
    assert set(json.loads(error.removeprefix("data: "))["error"]) == {"message", "type", "param", "code"}
    assert not [word for word in INSIDE if word in answer.text]
    assert (done, end) == ("data: [DONE]", "")


async def test_a_refused_request_never_reaches_the_engine(http: httpx.AsyncClient) -> None:
    error = is_openais(await http.post("/v1/chat/completions", json=ask("raise", n=500)), 400)
    assert error["param"] == "n"
    error = is_openais(await http.post("/v1/chat/completions", json=ask("raise") | {"model": "x"}), 404)
    assert error["code"] == "model_not_found"
    is_openais(await http.post("/v1/chat/completions", json={"messages": None}), 400)
    large = json.dumps(ask("x" * 1_100_000)).encode()
    is_openais(
        await http.post("/v1/chat/completions", content=large, headers={"Content-Type": "application/json"}), 413
    )
    is_openais(await http.post("/v1/chat/completions", content="a=b"), 400)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    is_openais(await http.post("/v1/chat/completions", content="a=b", headers=form), 415)
    is_openais(await http.get("/v1/nothing"), 404)
    assert is_openais(await http.get("/v1/chat/completions"), 405)
    assert (await http.get("/v1/chat/completions")).headers["allow"] == "POST"
    assert (await http.post("/v1/chat/completions", json=ask(seed=7))).json()["got"]["seed"] == 7


async def test_pages_of_other_sites_are_not_reflected(http: httpx.AsyncClient) -> None:
    evil = {"Origin": "http://evil.example"}
    is_openais(await http.post("/v1/chat/completions", json=ask(), headers=evil), 403)
    for answer in (
        await http.get("/v1/nothing", headers=evil),
        await http.options("/v1/chat/completions", headers={**evil, "Access-Control-Request-Method": "POST"}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]
    is_openais(await http.get("/v1/models", headers={"Host": "evil.example"}), 421)
    ours = await http.post("/v1/chat/completions", json=ask(), headers={"Origin": SHOP})
    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (200, SHOP)
    assert "access-control-allow-credentials" not in ours.headers


async def test_with_keys_it_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(env.API_KEYS, "one,two")
    app = openai_app(Config(), 1024)
    engine(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://anywhere.example") as http:
        assert is_openais(await http.post("/v1/chat/completions", json=ask()), 401)["code"] == "invalid_api_key"
        is_openais(await http.post("/v1/chat/completions", json=ask(), headers={"Authorization": "Bearer no"}), 403)
        answer = await http.post("/v1/chat/completions", json=ask(), headers={"Authorization": "Bearer two"})
        assert answer.status_code == 200
