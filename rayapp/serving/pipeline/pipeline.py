"""One recommendation or search request as lists of stages: hydrate, find candidates, score, select, then tell.

What a request runs on is resolved once, before its first await, and carried in `Request.scene`: whatever is swapped
meanwhile, one version answers. A new ranker is a source in the registry; nothing here names one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from rayapp.metrics import Metrics
from rayapp.ranking.slate import Slot
from rayapp.serving.live.scene import Scene, VersionGone
from rayapp.serving.live.variant import Variant
from rayapp.serving.pipeline.answer import Answer, drafted
from rayapp.serving.pipeline.request import Ask, Request
from rayapp.serving.pipeline.selectors import generator
from rayapp.serving.pipeline.stages import Hydrator, Pool, Scorer, Selector, Source

Result = TypeVar("Result")


class Scenes(Protocol):
    """Where scenes come from; neither call waits or loads."""

    def scene(self, variant: Variant) -> Scene: ...

    def before(self, scene: Scene) -> Scene | None: ...

    def hurry(self, scene: Scene) -> None: ...


class SideEffect(Protocol):
    """Something that happens once an answer is complete, before it is sent. `stage`: the label of its time."""

    stage: ClassVar[str]

    async def tell(self, answer: Answer, latency_ms: float) -> Answer:
        """The answer as it is sent."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """The lists, in the order in which they apply. `finish` selectors work on the list of all rankers together."""

    hydrators: Sequence[Hydrator]
    readers: Sequence[Hydrator]
    sources: Sequence[Source]
    scorers: Sequence[Scorer]
    selectors: Sequence[Selector]
    finish: Sequence[Selector]
    effects: Sequence[SideEffect]


class Pipeline:
    """Runs the stages that apply to a request, and measures each."""

    def __init__(self, scenes: Scenes, stages: Stages, *, metrics: Metrics, seed: int = 0) -> None:
        """`seed` of the draft between two rankers."""
        self.scenes = scenes
        self.stages = stages
        self.metrics = metrics
        self.seed = seed

    async def run(self, ask: Ask) -> Answer:
        """The answer; its exposure is written. Raises NoVersion, CursorExpired, StoreUnreachable."""
        started = time.perf_counter()
        requests = [Request(str(uuid.uuid4()), ask, self.scenes.scene(ask.variant))]
        if ask.params.interleave is not None:
            second = ask.with_params(ask.params.second())
            requests.append(Request(requests[0].request_id, second, self.scenes.scene(second.variant)))
        answer = await on_held_versions(
            self.scenes,
            [request.scene for request in requests],
            lambda scenes: self._answer([r.on(scene) for r, scene in zip(requests, scenes, strict=True)]),
        )
        for effect in self.stages.effects:
            answer = await self._timed(effect.stage, effect.tell(answer, 1000 * (time.perf_counter() - started)))
        return answer

    async def _answer(self, requests: list[Request]) -> Answer:
        first = requests[0]
        for hydrator in self.stages.hydrators:
            if hydrator.enabled(first):
                first = await self._timed(hydrator.stage, hydrator.hydrate(first))
        answer = await self._rank(first)
        for request in requests[1:]:
            other = Request(request.request_id, request.ask, request.scene, first.user, first.query)
            answer = drafted(answer, await self._rank(other), generator(first.request_id, 1))
        slots = answer.slots
        for selector in self.stages.finish:
            if selector.enabled(answer.request):
                slots = self._select(selector, answer.request, Pool(), slots)
        return Answer(answer.request, slots, answer.model_version, answer.index_version)

    async def _rank(self, request: Request) -> Answer:
        """One ranker's list."""
        for reader in self.stages.readers:
            if reader.enabled(request):
                request = await self._timed(reader.stage, reader.hydrate(request))
        pool = Pool()
        for source in self.stages.sources:
            if source.enabled(request):
                pool = pool.joined(await self._timed(source.stage, source.candidates(request)))
        for scorer in self.stages.scorers:
            if scorer.enabled(request):
                pool = await self._timed(scorer.stage, scorer.score(request, pool))
        slots: list[Slot] = []
        for selector in self.stages.selectors:
            if selector.enabled(request):
                slots = self._select(selector, request, pool, slots)
        index_version = pool.index_version or request.scene.index.version
        return Answer(request, slots, request.scene.model.model_version, index_version)

    def _select(self, selector: Selector, request: Request, pool: Pool, slots: list[Slot]) -> list[Slot]:
        started = time.perf_counter()
        selected = selector.select(request, pool, slots)
        self.metrics.observe("rayapp_stage_seconds", time.perf_counter() - started, stage=selector.stage)
        return selected

    async def _timed(self, stage: str, step: Awaitable[Result]) -> Result:
        started = time.perf_counter()
        try:
            return await step
        finally:
            self.metrics.observe("rayapp_stage_seconds", time.perf_counter() - started, stage=stage)


async def on_held_versions(
    scenes: Scenes, newest: list[Scene], call: Callable[[list[Scene]], Awaitable[Result]]
) -> Result:
    """`call` with the newest scenes, or with the versions before where another replica has not got these yet.

    Raises VersionGone where that replica holds neither; this one then follows it without waiting.
    """
    try:
        return await call(newest)
    except VersionGone:
        older = [scenes.before(scene) or scene for scene in newest]
        if older == newest:
            scenes.hurry(newest[0])
            raise
    try:
        return await call(older)
    except VersionGone:
        scenes.hurry(newest[0])
        raise
