"""A part of the request path in another deployment."""

from __future__ import annotations

from typing import Any


class Remote:
    """A deployment handle with the methods of the class it deploys."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.handle, name)

        async def call(*arguments: Any) -> Any:
            return await method.remote(*arguments)

        return call
