"""The one guard of every application: checks what was sent, reads the body, and answers for what nobody expected."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rayapp.serving.middleware.bodies import Bodies, replay, too_large
from rayapp.serving.middleware.keys import ApiKeys
from rayapp.serving.middleware.media_types import as_json, media_refusal
from rayapp.serving.middleware.origins import Origins
from rayapp.serving.middleware.refusal import Answer, Refusal
from rayapp.serving.middleware.request_head import head_refusal
from rayapp.serving.middleware.segments import keep_segments

log = logging.getLogger("ray.serve")
WITH_BODY = ("POST", "PUT", "PATCH")
NOSNIFF = (b"x-content-type-options", b"nosniff")


class Intake(NamedTuple):
    """What a route takes as its body: bytes at most, and media types beside JSON."""

    limit: int
    media_types: tuple[str, ...] = ()


class Guard:
    """A plain ASGI middleware. It answers HEAD by the same route as GET, without the body."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        answer: Answer,
        keys: ApiKeys,
        origins: Origins,
        intake: Callable[[str], Intake],
        open_paths: frozenset[str] = frozenset(),
        whole_segments: bool = False,
    ) -> None:
        """`intake`: by path. `open_paths`: those that need no key. `whole_segments`: routes see paths as
        `keep_segments` writes them."""
        self.app = app
        self.answer = answer
        self.keys = keys
        self.origins = origins
        self.intake = intake
        self.open_paths = open_paths
        self.whole_segments = whole_segments
        self.bodies = Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method, started = scope["method"], False
        headers = [NOSNIFF, *self.origins.headers(scope)]

        async def out(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                own = {name for name, _ in headers}
                kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in own]
                message = {**message, "headers": [*kept, *headers]}
            elif method == "HEAD" and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            preflight = self.origins.preflight(scope)
            if preflight is not None:
                headers += preflight
                await Response(status_code=204)(scope, receive, out)
                return
            refusal = self._refusal(scope)
            if refusal is None and method in WITH_BODY:
                body = await self._body(scope, receive)
                if body is None:
                    return
                if isinstance(body, Refusal):
                    refusal = body
                    if refusal.status == 408:  # where a body goes on, closing now could take the answer with it
                        headers.append((b"connection", b"close"))
                else:
                    receive = replay(body, receive)
            if refusal is not None:
                await self.answer(refusal)(scope, receive, out)
                return
            if method == "HEAD":
                scope["method"] = "GET"
            await self.app(scope, receive, out)
        except Exception:  # the last one: whatever a client sent, the answer has the shape of an error
            log.exception("request %s failed: %s %s", _request_id(scope), method, ascii(scope["path"][:200]))
            if started:
                raise
            message = "an error of this system's, not of the request; its log has the details"
            await self.answer(Refusal(500, message))(scope, receive, out)

    def _refusal(self, scope: Scope) -> Refusal | None:
        refusal = head_refusal(scope) or self.origins.refusal(scope)
        if refusal is None and self.whole_segments:
            refusal = keep_segments(scope)
        if refusal is None and scope["path"] not in self.open_paths:
            refusal = self.keys.refusal(dict(scope["headers"]))
        return refusal

    async def _body(self, scope: Scope, receive: Receive) -> bytes | Refusal | None:
        """None where the client is gone."""
        intake = self.intake(scope["path"])
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > intake.limit:
            return too_large(int(length[:20]), intake.limit)
        body = await self.bodies.read(receive, limit=intake.limit)
        if not body or isinstance(body, Refusal):
            return body
        refusal = media_refusal(scope, intake.media_types)
        if refusal is None:
            as_json(scope)
        return refusal or body


def _request_id(scope: Scope) -> str:
    """As Serve's proxy gave it, and as the client's answer has it in X-Request-ID."""
    return ascii(dict(scope["headers"]).get(b"x-request-id", b"")[:100].decode("latin-1"))
