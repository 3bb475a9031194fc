"""Why a request is not handled, before any application says it in its own shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from starlette.types import ASGIApp


class Refusal(NamedTuple):
    """`status`: of HTTP. `message`: one line for whoever sent the request. `retry_after`: seconds, with 503."""

    status: int
    message: str
    retry_after: int | None = None


Answer = Callable[[Refusal], ASGIApp]  # a refusal as the application writes its errors
