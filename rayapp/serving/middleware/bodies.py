"""Bodies, read whole before a request counts as under way, so that one that is sent slowly takes nobody's place."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive

from rayapp.serving.middleware.refusal import Refusal

AT_MOST_S = 10.0  # for a whole body
AT_ONCE = 128  # bodies on their way in; with Serve's 256 requests a replica, room for those under way remains


class Bodies:
    """Reads bodies by what arrives, whatever Content-Length says (a chunked body has none)."""

    def __init__(self, *, at_most_s: float = AT_MOST_S, at_once: int = AT_ONCE) -> None:
        """`at_once`: how many may be on their way in. One more ends the wait for the oldest: whoever sends a body in
        one go is never the oldest for long."""
        self.at_most_s = at_most_s
        self.at_once = at_once
        self.arriving: dict[object, asyncio.Timeout] = {}  # oldest first

    async def read(self, receive: Receive, *, limit: int) -> bytes | Refusal | None:
        """The body, of at most `limit` bytes; 408 or 413, and the rest of it is not read; None where the client is
        gone and waits for no answer."""
        if len(self.arriving) >= self.at_once:
            self.arriving.pop(next(iter(self.arriving))).reschedule(0)
        mine = object()
        try:
            async with asyncio.timeout(self.at_most_s) as until:
                self.arriving[mine] = until
                return await self._read(receive, limit)
        except TimeoutError:
            return Refusal(408, f"the body did not arrive within {self.at_most_s:g} s; send it in one go")
        finally:
            self.arriving.pop(mine, None)

    async def _read(self, receive: Receive, limit: int) -> bytes | Refusal | None:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                return too_large(size, limit)
            if not message.get("more_body", False):
                return b"".join(parts)


def too_large(size: int, limit: int) -> Refusal:
    """`size`: bytes so far."""
    return Refusal(413, f"the body has {size:,} bytes or more, at most {limit:,}; send it in parts")


def replay(body: bytes, receive: Receive) -> Receive:
    """`receive` of a request whose body was read: the body once, then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
