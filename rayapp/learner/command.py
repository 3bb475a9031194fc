"""The next command of a learner's rank 0 to all workers."""

from __future__ import annotations

from typing import NamedTuple

from streaming.windows import Plan


class Command(NamedTuple):
    """`learn` a plan, `resume` from HEAD (after a rejection), `wait`, or `stop`."""

    name: str
    plan: Plan | None = None
