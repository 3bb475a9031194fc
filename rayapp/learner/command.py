"""What rank 0 of a learner tells the other workers to do next."""

from __future__ import annotations

from typing import NamedTuple

from streaming.windows import Plan


class Command(NamedTuple):
    """`learn` a plan, `resume` from HEAD (after a rejection), `wait`, or `stop`."""

    name: str
    plan: Plan | None = None
