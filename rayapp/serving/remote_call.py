"""Calls to other deployments."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from rayapp.errors import UserError

Result = TypeVar("Result")


async def unwrapped(call: Awaitable[Result]) -> Result:
    """Ray wraps an error of another process, with its traceback as the message; a user gets the error itself."""
    try:
        return await call
    except UserError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, UserError):
            raise cause from None
        raise
