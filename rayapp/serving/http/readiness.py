"""Is the system ready: can it take events in and answer a feed?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rayapp.serving.http.job_problems import JobProblems
from rayapp.serving.live.state import ServingState
from rayapp.serving.llm.health import LlmHealth


class Readiness:
    """`llm` is told beside the rest and does not decide: feeds work without it."""

    def __init__(
        self,
        state: ServingState,
        *,
        store: Callable[[], Awaitable[bool]],
        kafka: Callable[[], bool],
        llm: LlmHealth | None,
        jobs: JobProblems,
    ) -> None:
        """`store`, `kafka`: do they answer? `kafka` blocks for a moment. `llm` None: the system runs without one."""
        self.state = state
        self.store = store
        self.kafka = kafka
        self.llm = llm
        self.jobs = jobs

    async def components(self) -> tuple[bool, dict[str, bool], dict[str, str]]:
        """(ready, what answers by name, what is wrong with a job by its name). Jobs do not decide: events are taken in
        and feeds answered without them, and lists only stand still."""
        components = {
            "model": self.state.host.current is not None,
            "catalogue": bool(self.state.catalogue.items),
            "store": await self.store(),
            "kafka": await asyncio.get_running_loop().run_in_executor(None, self.kafka),
        }
        ready = all(components.values())
        if self.llm is not None:
            components["llm"] = await self.llm.answers()
        return ready, components, await self.jobs.look()
