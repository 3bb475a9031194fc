"""Headers that Serve's proxy obeys before any application sees a request: a client has no say in them.

The proxy runs `middlewares` where RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH names it, as `rayapp up` does.
"""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

# How long the proxy waits (0: for ever), whether it notices that a client is gone, and which replica answers.
OBEYED = frozenset({b"x-request-timeout-seconds", b"x-request-disconnect-disabled", b"serve-multiplexed-model-id"})
# Names of a client's own, for its log and for the replica of its session. The proxy fails on what is not UTF-8.
NAMES = frozenset({b"x-request-id", b"x-session-id"})
LONGEST_NAME = 128


class ProxyHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            scope["headers"] = [(name, value) for name, value in scope["headers"] if _passes(name, value)]
        await self.app(scope, receive, send)


def _passes(name: bytes, value: bytes) -> bool:
    known = name.lower().replace(b"_", b"-")  # as the proxy compares them
    if known in NAMES:
        return 0 < len(value) <= LONGEST_NAME and value.isascii() and value.decode().isprintable()
    return known not in OBEYED


def middlewares() -> list[Middleware]:
    return [Middleware(ProxyHeaders)]
