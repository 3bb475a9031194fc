"""Errors in OpenAI's shape, {"error": {"message", "type", "param", "code"}}, with nothing of the inside in them."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import msgspec
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayapp.errors import NotFound, UserError
from rayapp.parsing import Unreadable, json_object
from rayapp.serving.middleware.refusal import Refusal

RETRY_S = 5
CODES = {
    401: "invalid_api_key",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    500: "internal",
    503: "unavailable",
}
FAILED = "the language model failed on this request; the system's log has the details"
AWAY = "the language model is not ready or has too much to do; try again"
# `ray.serve.llm` writes "Message: M (Request ID: R), Internal exception: C: M (Request ID: R), original exception: O",
# once for each process that an error went through.
SAID = re.compile(r"(?:Message: )+(?P<said>.*?)(?: \(Request ID: [^)]*\))?, Internal exception: ", re.DOTALL)
REQUEST_ID = re.compile(r"\s*\(Request ID: [^)]*\)?")
CLASS = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Exit|Interrupt)(?:\([^)]*\))?: ")
PLACE = re.compile(r"^Invalid request format: (?P<said>.*) at \((?P<place>.*)\)$", re.DOTALL)
KEY = re.compile(r"[A-Za-z_][\w-]*|\d+")  # pydantic's places name its own functions, too
PARAMETER = re.compile(r" ?\(parameter=(?P<name>\w+)(?:, value=.*)?\)$", re.DOTALL)
GRAMMAR_LOG = re.compile(r"\[\d\d:\d\d:\d\d\] \S+?:\d+: ")  # time and file of the grammar compiler
INSIDE = re.compile(
    r"\b(?:ray|vllm|pydantic|starlette|fastapi)(?:::|\.)\w|Traceback|\bpid=|\bip=|\b0x[0-9a-fA-F]{4,}|site-packages|__\w+__|"
    r'File "|errors\.pydantic|\bactor_id|\b\d{1,3}(?:\.\d{1,3}){3}:\d+|For further information|'
    r"\b[A-Za-z_]+(?:Error|Exception)\("
)
LONGEST = 500


class BadRequest(UserError):
    """A request that is refused before the engine sees it. `field`: the key at fault."""

    status = 400

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnknownModel(BadRequest, NotFound):
    """The code is the one that OpenAI's clients know."""

    status = 404
    code: ClassVar[str] = "model_not_found"


def openai_error(
    status: int, message: str, *, param: str | None = None, code: str | None = None, retry_after: int | None = None
) -> JSONResponse:
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    return JSONResponse({"error": detail(status, message, param=param, code=code)}, status, headers=headers)


def detail(status: int, message: str, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"message": message, "type": kind, "param": param, "code": code or CODES.get(status)}


def answer(refusal: Refusal) -> JSONResponse:
    """What the guard refuses."""
    return openai_error(refusal.status, refusal.message, retry_after=refusal.retry_after)


def rewritten(status: int, error: Any) -> dict[str, Any]:
    """The `error` of an answer as clients may see it, whatever it was."""
    given = error if isinstance(error, dict) else {}
    if status >= 500:
        return detail(status, AWAY if status == 503 else FAILED)
    message, param = plain(str(given.get("message", "")))  # its `param` is the value that was refused
    code = given.get("code") if isinstance(given.get("code"), str) else None
    return detail(status, message, param=param, code=code)


def plain(message: str) -> tuple[str, str | None]:
    """(what a message of `ray.serve.llm` or of the engine says, in one line; the parameter at fault, where named).

    What cannot be told from the inside is not passed on.
    """
    text, param = message, None
    while (found := SAID.match(text)) is not None:
        text = found["said"]
    text = REQUEST_ID.sub("", text).strip()
    while (found := CLASS.match(text)) is not None:
        text = text[found.end() :]
    text = GRAMMAR_LOG.sub("", text)
    if (named := PARAMETER.search(text)) is not None:
        text, param = text[: named.start()], named["name"]
    place = PLACE.match(text)
    if place is not None:
        parts = [part.strip(" '\"") for part in place["place"].split(",")]
        param = ".".join(part for part in parts if KEY.fullmatch(part) and part != "body") or None
        text = f"{param}: {place['said']}" if param else place["said"]
    text = " ".join(text.split())
    if not text or INSIDE.search(text):
        return "the request cannot be answered as it is; check its parameters", param
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…", param


class OpenAiErrors:
    """ASGI middleware: every error that leaves, in an answer or in a stream, is rewritten; 503 gets Retry-After."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        held: Message | None = None  # the start of an error, until its body is there
        streamed = False
        parts: list[bytes] = []

        async def out(message: Message) -> None:
            nonlocal held, streamed
            if message["type"] == "http.response.start":
                kind = dict(message["headers"]).get(b"content-type", b"")
                streamed = kind.startswith(b"text/event-stream")
                if message["status"] >= 400:
                    held = message
                    return
            elif message["type"] == "http.response.body" and held is not None:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    await _send_error(held, b"".join(parts), send)
                return
            elif streamed and b'"error"' in message.get("body", b""):
                message = {**message, "body": rewritten_stream(message["body"])}
            await send(message)

        await self.app(scope, receive, out)


async def _send_error(start: Message, body: bytes, send: Send) -> None:
    status = start["status"]
    try:
        given = json_object(body)
    except Unreadable:
        given = {}
    text = msgspec.json.encode({"error": rewritten(status, given.get("error", given))})
    kept = [
        (k, v) for k, v in start["headers"] if k.lower() not in (b"content-length", b"content-type", b"retry-after")
    ]
    kept += [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    kept += [(b"retry-after", str(RETRY_S).encode())] if status == 503 else []
    await send({**start, "headers": kept})
    await send({"type": "http.response.body", "body": text})


def rewritten_stream(chunk: bytes) -> bytes:
    """A chunk of server-sent events, the errors among them rewritten."""
    return b"\n\n".join(_rewritten_event(event) for event in chunk.split(b"\n\n"))


def _rewritten_event(event: bytes) -> bytes:
    start, data, text = event.partition(b"data: ")
    if start or not data:
        return event
    try:
        given = json_object(text)
    except Unreadable:
        return event
    error = given.get("error")
    if not isinstance(error, dict):
        return event
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return data + msgspec.json.encode({"error": rewritten(status, error)})
