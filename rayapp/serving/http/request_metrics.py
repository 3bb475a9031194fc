"""Requests counted and timed by route and status, whoever answered them."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayapp.metrics import Metrics

CLIENT_GONE = 499  # the connection was closed before there was an answer


class RequestMetrics:
    """The outermost middleware: what the others refuse is counted too."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), CLIENT_GONE

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            tags = {"route": route, "status": str(status)}
            self.metrics.count("rayapp_requests_total", **tags)
            self.metrics.observe("rayapp_request_seconds", time.perf_counter() - started, **tags)
