"""What stands around Serve's proxy.

Headers that it obeys before any application sees a request: a client has no say in them. And its own errors, which get
the contract's shape. The proxy runs `middlewares` where RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH names it, as
`rayapp up` does.
"""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayapp.serving.middleware.refusal import Refusal

# How long the proxy waits (0: for ever), whether it notices that a client is gone, and which replica answers.
OBEYED = frozenset({b"x-request-timeout-seconds", b"x-request-disconnect-disabled", b"serve-multiplexed-model-id"})
# Names of a client's own, for its log and for the replica of its session. The proxy fails on what is not UTF-8.
NAMES = frozenset({b"x-request-id", b"x-session-id"})
LONGEST_NAME = 128
OWN_ROUTES = "/-/"  # the proxy's health, for load balancers
_ENDED = Refusal(503, "what had this request ended before it answered; send it again", 1)
INSTEAD = {
    404: Refusal(503, "the system is starting and does not answer yet; send it again", 5),
    500: _ENDED,
    503: _ENDED,
}


class ProxyHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            scope["headers"] = [(name, value) for name, value in scope["headers"] if _passes(name, value)]
        await self.app(scope, receive, send)


class ProxyErrors:
    """The proxy's own errors are plain text, of an application JSON: no path is unknown once the application is there,
    and what a replica that ended leaves unanswered may be sent again."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(OWN_ROUTES):
            await self.app(scope, receive, send)
            return
        replaced = False

        async def write(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and _is_text(message) and message["status"] in INSTEAD:
                replaced = True
                await _refused(INSTEAD[message["status"]])(scope, receive, send)
            elif not replaced:
                await send(message)

        await self.app(scope, receive, write)


def _is_text(start: Message) -> bool:
    types = [value for name, value in start.get("headers", ()) if name.lower() == b"content-type"]
    return bool(types) and types[0].startswith(b"text/plain")


def _refused(refusal: Refusal) -> JSONResponse:
    error = {"code": "unavailable", "message": refusal.message, "field": None}
    return JSONResponse({"error": error}, refusal.status, {"Retry-After": str(refusal.retry_after)})


def _passes(name: bytes, value: bytes) -> bool:
    known = name.lower().replace(b"_", b"-")  # as the proxy compares them
    if known in NAMES:
        return 0 < len(value) <= LONGEST_NAME and value.isascii() and value.decode().isprintable()
    return known not in OBEYED


def middlewares() -> list[Middleware]:
    return [Middleware(ProxyHeaders), Middleware(ProxyErrors)]
