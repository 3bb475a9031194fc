"""Errors in the shape of the contract: {"error": {"code", "message", "field"}}."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from rayapp.errors import Conflict, NotFound, Unavailable, UserError
from rayapp.serving.middleware.refusal import Refusal
from rayapp.stores.ports import StoreUnreachable

log = logging.getLogger("ray.serve")
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    414: "url_too_long",
    415: "unsupported",
    421: "misdirected",
    422: "invalid",
    429: "too_many_requests",
    431: "headers_too_large",
    500: "internal",
    503: "unavailable",
}


_encoder = msgspec.json.Encoder()


class Json(JSONResponse):
    """A record of `schemas` (or plain JSON values) as the body; FastAPI's own path would validate it a second time."""

    def render(self, content: Any) -> bytes:
        return _encoder.encode(content)


class ApiError(Exception):
    """An answer other than success; `retry_after` in seconds for 429 and 503, `allow` the methods for 405."""

    def __init__(
        self,
        status: int,
        message: str,
        field: str | None = None,
        *,
        retry_after: int | None = None,
        extra: dict[str, Any] | None = None,
        code: str | None = None,
        allow: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.field, self.retry_after = status, message, field, retry_after
        self.extra = extra or {}
        self.allow = allow
        self.code = code or CODES.get(status, "error")


STATUS: tuple[tuple[type[UserError], int], ...] = ((NotFound, 404), (Conflict, 409), (Unavailable, 503))


def from_user_error(error: UserError) -> ApiError:
    """The status by the kind of error, the code by the error itself."""
    by_code = next((status for status, code in CODES.items() if code == error.code), 422)
    status = next((status for kind, status in STATUS if isinstance(error, kind)), by_code)
    retry_after = error.retry_after if isinstance(error, Unavailable) else None
    return ApiError(status, str(error), error.field, retry_after=retry_after, code=error.code)


def error_response(error: ApiError) -> Json:
    message = error.message.encode(errors="replace").decode()  # half a surrogate pair of a client's cannot be written
    body = {"code": error.code, "message": message, "field": error.field}
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    headers |= {"Allow": error.allow} if error.allow else {}
    return Json({"error": body, **error.extra}, status_code=error.status, headers=headers)


def answer(refusal: Refusal) -> Json:
    """What the guard refuses."""
    return error_response(ApiError(refusal.status, refusal.message, retry_after=refusal.retry_after))


def clean(text: str, field: str = "user_id") -> str:
    """A client's text as UTF-8 can carry it. Raises ApiError."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ApiError(422, f"{field} holds half of a surrogate pair; send valid UTF-8", field) from None
    return text


def install(app: FastAPI) -> None:
    """Make every error of the app, FastAPI's own included, take this shape."""

    @app.exception_handler(ApiError)
    async def api_error(_request: Request, error: ApiError) -> Json:
        return error_response(error)

    @app.exception_handler(UserError)
    async def user_error(_request: Request, error: UserError) -> Json:
        return error_response(from_user_error(error))

    @app.exception_handler(StoreUnreachable)
    async def store_away(_request: Request, error: StoreUnreachable) -> Json:
        log.warning("store is away: %s", error)
        return error_response(ApiError(503, "the history store does not answer; try again", retry_after=2))

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Json:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if part not in ("query", "body", "path")]
        field = ".".join(place) or None
        return error_response(ApiError(422, f"{field or 'body'}: {first['msg']}{_given(first)}", field))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Json:
        if error.status_code != 405:
            return error_response(ApiError(error.status_code, str(error.detail)))
        allow = ", ".join(_methods(request))
        message = f"{request.method} is not allowed here; use {allow}"
        return error_response(ApiError(405, message, allow=allow))


def _given(error: Any) -> str:
    """The value that was refused, where it is a short one."""
    value = error.get("input")
    if not isinstance(value, str | int | float | bool) or error["type"] == "missing":
        return ""
    shown = ascii(value)
    return f"; got {shown if len(shown) <= 80 else shown[:80] + '…'}"


def _methods(request: Request) -> list[str]:
    """All that the path can be called with; the router knows those of its first route alone."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found | ({"HEAD"} if "GET" in found else set()))
