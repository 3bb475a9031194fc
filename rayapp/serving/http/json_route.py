"""Routes whose JSON bodies are read by the system's own reader: what it cannot hold never reaches a handler."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from rayapp.parsing import Unreadable, json_value


class JsonRequest(Request):
    async def json(self) -> Any:
        """NaN and infinities, which Python's own reader takes, are no JSON. Raises HTTPException 422."""
        try:
            return json_value(await self.body(), what="the body")
        except Unreadable as error:
            raise HTTPException(422, str(error)) from None


class JsonRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def read_by_us(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return read_by_us


def json_router(**options: Any) -> APIRouter:
    """`options`: APIRouter's."""
    return APIRouter(route_class=JsonRoute, **options)
