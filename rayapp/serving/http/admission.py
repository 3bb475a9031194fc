"""How many requests may be under way; a request is under way once it is here whole."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from rayapp.serving.http import console
from rayapp.serving.http.errors import answer
from rayapp.serving.middleware.refusal import Refusal

# Neither a key nor a place is needed for these: they are asked when something is wrong.
OPEN_PATHS = frozenset({"/healthz", "/readyz", *console.PATHS})


class Admission:
    """Inside the guard, which has read the body by then."""

    def __init__(self, app: ASGIApp, *, max_ongoing: int) -> None:
        self.app = app
        self.max_ongoing = max_ongoing
        self.ongoing = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.ongoing >= self.max_ongoing and scope["path"] not in OPEN_PATHS:
            message = f"{self.ongoing} requests are in progress, at most {self.max_ongoing}; retry after 1 s"
            await answer(Refusal(503, message, retry_after=1))(scope, receive, send)
            return
        self.ongoing += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.ongoing -= 1
