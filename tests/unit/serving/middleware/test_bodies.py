"""Bodies that do not arrive."""

from __future__ import annotations

import asyncio

from starlette.types import Message

from rayapp.serving.middleware.bodies import Bodies, replay
from rayapp.serving.middleware.refusal import Refusal


class Client:
    """Sends parts, then nothing more."""

    def __init__(self, *parts: Message) -> None:
        self.parts = list(parts)
        self.waits = asyncio.Event()

    async def __call__(self) -> Message:
        if self.parts:
            return self.parts.pop(0)
        self.waits.set()
        return await asyncio.Event().wait()  # type: ignore[return-value]


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_the_parts_are_one_body_and_a_handler_gets_it_once() -> None:
    body = await Bodies().read(Client(part(b"a"), part(b"b"), part(b"", more=False)), limit=2)
    assert body == b"ab"
    gone: Message = {"type": "http.disconnect"}
    receive = replay(body, Client(gone))
    assert await receive() == part(b"ab", more=False)
    assert await receive() == gone


async def test_a_body_has_a_time_limit_in_total() -> None:
    bodies = Bodies(at_most_s=0.05)
    refused = await bodies.read(Client(part(b"x")), limit=10)
    assert isinstance(refused, Refusal)
    assert refused.status == 408
    assert bodies.arriving == {}


async def test_a_client_that_goes_away_is_not_answered() -> None:
    assert await Bodies().read(Client(part(b"x"), {"type": "http.disconnect"}), limit=10) is None


async def test_the_oldest_of_too_many_gives_way_and_whole_bodies_are_always_read() -> None:
    bodies = Bodies(at_most_s=60, at_once=3)
    slow = [Client(part(b"x")) for _ in range(3)]
    waiting = [asyncio.create_task(bodies.read(client, limit=10)) for client in slow]
    for client in slow:
        await client.waits.wait()
    for n in range(3):
        assert await bodies.read(Client(part(b"whole", more=False)), limit=10) == b"whole"
        refused = await waiting[n]
        assert isinstance(refused, Refusal)
        assert "did not arrive" in refused.message
        waiting.append(asyncio.create_task(bodies.read(late := Client(part(b"x")), limit=10)))
        await late.waits.wait()
    assert len(bodies.arriving) == 3
    for task in waiting[3:]:
        task.cancel()
    await asyncio.gather(*waiting[3:], return_exceptions=True)
    assert bodies.arriving == {}
