"""Requests go on while verdicts take notes out of the catalogue and put them back."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rayapp.domain import Decision, Item, Kind, Verdict
from rayapp.metrics import Metrics
from rayapp.ranking.slate import Candidate
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.live.scene import Scene, VersionGone
from rayapp.serving.live.variant import Variant
from rayapp.serving.pipeline import selectors
from rayapp.serving.pipeline.pipeline import Pipeline, Stages
from rayapp.serving.pipeline.request import Ask, Request
from rayapp.serving.pipeline.sources.fresh import Fresh
from rayapp.serving.pipeline.sources.popular import Popular
from rayapp.serving.pipeline.stages import Pool
from rayapp.stores.records import StoredItem

CONTENT = np.ones(4, dtype=np.float32)
IDS = [f"n{n}" for n in range(300)]
ASK = Ask("u", "homefeed", Kind.NOTE, 20)


def stored(decision: Decision) -> list[StoredItem]:
    return [
        StoredItem(i, Item(item_id=i, title=i, tags=("a",)), CONTENT, Verdict(i, decision, "judged", 1)) for i in IDS
    ]


class PopularNotes:
    async def popular(self, _scenario: str, _count: int) -> list[tuple[str, float]]:
        return [(i, 1.0) for i in IDS]


class Scenes:
    """Scenes by version; the newest is what a request gets."""

    def __init__(self, catalogue: LiveCatalogue | None = None) -> None:
        self.catalogue = catalogue
        self.newest = 2
        self.hurried = False

    def scene(self, variant: Variant) -> Scene:
        return self.at(self.newest)

    def before(self, scene: Scene) -> Scene | None:
        return self.at(scene.model.version - 1) if scene.model.version > 1 else None

    def hurry(self, scene: Scene) -> None:
        self.hurried = True

    def at(self, version: int) -> Scene:
        model: Any = SimpleNamespace(version=version, model_version=str(version))
        index: Any = SimpleNamespace(version=f"s{version}")
        catalogue: Any = self.catalogue
        return Scene(Variant(), model, index, catalogue, None)


def pipeline(scenes: Scenes, **stages: Any) -> Pipeline:
    parts = ("hydrators", "readers", "sources", "scorers", "selectors", "finish", "effects")
    return Pipeline(scenes, Stages(**{part: stages.get(part, ()) for part in parts}), metrics=Metrics())


async def test_a_start_page_survives_notes_that_are_blocked_meanwhile() -> None:
    live = LiveCatalogue(reader=None)  # type: ignore[arg-type]  # changes are applied by hand
    live.apply(stored(Decision.ALLOW))
    start = pipeline(
        Scenes(live), sources=[Popular(PopularNotes(), ("homefeed",)), Fresh()], selectors=[selectors.StartPage()]
    )
    stop = threading.Event()

    def verdicts() -> None:
        while not stop.is_set():
            live.apply(stored(Decision.BLOCK))
            live.apply(stored(Decision.ALLOW))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=verdicts)
    thread.start()
    try:
        for _ in range(60):
            assert len((await start.run(ASK)).slots) <= 20
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)


class Elsewhere:
    """A source in another replica, which holds one version."""

    stage = "retrieve"
    ranker = "popular"

    def __init__(self, version: int) -> None:
        self.version = version
        self.asked: list[int] = []

    def enabled(self, request: Request) -> bool:
        return True

    async def candidates(self, request: Request) -> Pool:
        self.asked.append(request.scene.model.version)
        if request.scene.model.version != self.version:
            raise VersionGone("not here")
        return Pool({"popular": [Candidate("a", 1.0, "popular")]})


async def test_a_replica_that_has_not_swapped_yet_answers_with_the_version_before() -> None:
    elsewhere = Elsewhere(version=1)
    answer = await pipeline(Scenes(), sources=[elsewhere]).run(ASK)
    assert (answer.model_version, answer.index_version, elsewhere.asked) == ("1", "s1", [2, 1])


async def test_a_version_that_nobody_holds_is_refused_and_not_answered_by_another() -> None:
    scenes = Scenes()
    with pytest.raises(VersionGone):
        await pipeline(scenes, sources=[Elsewhere(version=9)]).run(ASK)
    assert scenes.hurried, "the newer version is followed at the next look"
