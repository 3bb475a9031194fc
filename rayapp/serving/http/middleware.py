"""Around every request: API keys, admission, body size, and the request metrics."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayapp.metrics import Metrics
from rayapp.serving.http import console
from rayapp.serving.http.errors import ApiError, error_response
from rayapp.serving.keys import ApiKeys

OPEN_PATHS = frozenset({"/healthz", "/readyz", *console.PATHS})
MAX_BODY = 8 * 1024 * 1024


class Guard:
    """A plain ASGI middleware: nothing is buffered, and an answer costs microseconds here."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, keys: tuple[str, ...], max_ongoing: int) -> None:
        self.app = app
        self.metrics = metrics
        self.keys = ApiKeys(keys)
        self.max_ongoing = max_ongoing
        self.ongoing = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        refusal = self._refusal(scope)
        try:
            if refusal is not None:
                await error_response(refusal)(scope, receive, watch)
                return
            self.ongoing += 1
            try:
                await self.app(scope, receive, watch)
            finally:
                self.ongoing -= 1
        finally:
            route = getattr(scope.get("route"), "path", "other")
            tags = {"route": route, "status": str(status)}
            self.metrics.count("rayapp_requests_total", **tags)
            self.metrics.observe("rayapp_request_seconds", time.perf_counter() - started, **tags)

    def _refusal(self, scope: Scope) -> ApiError | None:
        headers = dict(scope["headers"])
        refusal = None if scope["path"] in OPEN_PATHS else self.keys.refusal(headers)
        if refusal is not None:
            return ApiError(*refusal)
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > MAX_BODY:
            return ApiError(413, f"the body has {int(length):,} bytes, at most {MAX_BODY:,}; send it in parts")
        if self.ongoing >= self.max_ongoing and scope["path"] not in OPEN_PATHS:
            return ApiError(
                503,
                f"{self.ongoing} requests are in progress, at most {self.max_ongoing}; retry after 1 s",
                retry_after=1,
            )
        return None
