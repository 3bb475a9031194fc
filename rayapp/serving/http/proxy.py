"""In front of Serve's own proxy, which answers 500 where a header that it reads is no UTF-8."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from rayapp.serving.http.errors import ApiError, error_response

READ_BY_SERVE = frozenset({b"x_request_id", b"serve_multiplexed_model_id", b"x_session_id"})  # "-" and "_" are one


class ReadableHeaders:
    """A plain ASGI middleware: 400 for such a header, everything else goes on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope.get("headers", ()):
            if not value.isascii() and name.lower().replace(b"-", b"_") in READ_BY_SERVE and not is_utf_8(value):
                header = name.decode("latin-1")
                error = ApiError(400, f"the header {header} is no valid UTF-8; send UTF-8, or leave it out", header)
                await error_response(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def is_utf_8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def middlewares() -> list[Middleware]:
    """What Serve asks for when it starts a proxy, by the name in `Layout.environment`."""
    return [Middleware(ReadableHeaders)]
