"""The workers of one learner: rank 0 says what is done next, all do it."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import torch.distributed as dist

from streaming.windows import Plan

T = TypeVar("T")


class Command(NamedTuple):
    """`learn` a plan, `resume` from HEAD (after a rejection), `wait`, or `stop`."""

    name: str
    plan: Plan | None = None


class Crew:
    """One worker among `world`; alone it talks to nobody."""

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank = rank
        self.world = world

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def agree(self, said: T | None) -> T:
        """What rank 0 says, everywhere; every worker must ask as often as the others."""
        if self.world == 1:
            assert said is not None
            return said
        box: list[Any] = [said]
        dist.broadcast_object_list(box, src=0)
        found: T = box[0]
        return found
