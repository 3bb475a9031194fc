"""Errors in the shape of the contract: {"error": {"code", "message", "field"}}."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from rayapp.errors import Conflict, NotFound, Unavailable, UserError
from rayapp.stores.ports import StoreUnreachable

log = logging.getLogger("ray.serve")
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported",
    422: "invalid",
    429: "too_many_requests",
    503: "unavailable",
}


_encoder = msgspec.json.Encoder()


class Json(JSONResponse):
    """A record of `schemas` (or plain JSON values) as the body; FastAPI's own path would validate it a second time."""

    def render(self, content: Any) -> bytes:
        return _encoder.encode(content)


class ApiError(Exception):
    """An answer other than success; `retry_after` in seconds for 429 and 503."""

    def __init__(
        self,
        status: int,
        message: str,
        field: str | None = None,
        *,
        retry_after: int | None = None,
        extra: dict[str, Any] | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.field, self.retry_after = status, message, field, retry_after
        self.extra = extra or {}
        self.code = code or CODES.get(status, "error")


STATUS: tuple[tuple[type[UserError], int], ...] = ((NotFound, 404), (Conflict, 409), (Unavailable, 503))


def from_user_error(error: UserError) -> ApiError:
    """The status by the kind of error, the code by the error itself."""
    by_code = next((status for status, code in CODES.items() if code == error.code), 422)
    status = next((status for kind, status in STATUS if isinstance(error, kind)), by_code)
    retry_after = error.retry_after if isinstance(error, Unavailable) else None
    return ApiError(status, str(error), error.field, retry_after=retry_after, code=error.code)


def error_response(error: ApiError) -> Json:
    body = {"code": error.code, "message": error.message, "field": error.field}
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else None
    return Json({"error": body, **error.extra}, status_code=error.status, headers=headers)


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
        return error_response(ApiError(422, f"{field or 'body'}: {first['msg']}", field))

    @app.exception_handler(HTTPException)
    async def http_error(_request: Request, error: HTTPException) -> Json:
        return error_response(ApiError(error.status_code, str(error.detail)))
