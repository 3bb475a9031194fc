"""A new version is published between two stages of a request: one version answers all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from rayapp.config import Config, Search
from rayapp.domain import Kind
from rayapp.metrics import Metrics
from rayapp.redrec.model.history import Behaviour
from rayapp.serving.live.scene import Scene
from rayapp.serving.live.state import ServingState
from rayapp.serving.pipeline import scorers, selectors
from rayapp.serving.pipeline.hydrators import UserInterests
from rayapp.serving.pipeline.pipeline import Pipeline, Stages
from rayapp.serving.pipeline.ports import Hits, NearestSearch, QuerySearch
from rayapp.serving.pipeline.query.understood import Understood
from rayapp.serving.pipeline.request import Ask, Request, SearchQuery, UserContext, Words
from rayapp.serving.pipeline.retriever import LocalRetriever
from rayapp.serving.pipeline.sources.interests import InterestSource
from rayapp.serving.pipeline.sources.query import QuerySource
from rayapp.serving.pipeline.user_tower import LocalTower
from rayapp.stores.backend import StoreBackend
from tests.integration.serving.world import fill, publish

HISTORY = [Behaviour(n, f"e{n}", f"i{n}", "homefeed", "click") for n in range(3)]


@pytest.fixture
def config(server_config: Config, backend: StoreBackend, tmp_path: Path) -> Config:
    # The pointer is followed by hand, so that the swap falls between the two stages.
    serving = msgspec.structs.replace(server_config.serving, poll_s=3600.0)
    config = msgspec.structs.replace(server_config, state=str(tmp_path), serving=serving)
    fill(backend)
    publish(config, config.name, 1)
    return config


@pytest.fixture
def state(config: Config) -> Iterator[ServingState]:
    state = ServingState(config)
    yield state
    state.close()


class History:
    """A known user, whose query has been read."""

    stage = "hydrate"

    def enabled(self, request: Request) -> bool:
        return True

    async def hydrate(self, request: Request) -> Request:
        query = None
        if request.ask.query is not None:
            vector = request.scene.catalogue.content["note"].vectors(["i4"])[0]
            query = SearchQuery(request.ask.query, vector, Words(("title",)), Understood())
        return replace(request, user=UserContext(HISTORY, frozenset(), "c"), query=query)


class SwappingTower(LocalTower):
    """After its answer a new version, of another space, is published and swapped in."""

    def __init__(self, config: Config, state: ServingState) -> None:
        super().__init__(cached=10)
        self.config = config
        self.state = state

    async def interests(self, scene: Scene, history: list[Behaviour], scenario: str) -> Any:
        interests = await super().interests(scene, history, scenario)
        publish(self.config, self.config.name, 2)
        self.state.host.load()
        assert self.state.scene().model.version == 2
        return interests


class Recorded(LocalRetriever):
    """Which index was searched."""

    def __init__(self) -> None:
        super().__init__(Search())
        self.indexes: list[str] = []

    async def nearest(self, scene: Scene, search: NearestSearch) -> Hits:
        self.indexes.append(scene.index.name)
        return await super().nearest(scene, search)

    async def matching(self, scene: Scene, search: QuerySearch) -> Hits:
        self.indexes.append(scene.index.name)
        return await super().matching(scene, search)


@pytest.mark.parametrize("query", [None, "title"])
async def test_a_swap_between_tower_and_retriever_changes_nothing(
    config: Config, state: ServingState, query: str | None
) -> None:
    retriever = Recorded()
    stages = Stages(
        hydrators=[History()],
        readers=[UserInterests(SwappingTower(config, state))],
        sources=[InterestSource(retriever), QuerySource(retriever)],
        scorers=[scorers.Personal(0.1)],
        selectors=[selectors.ByScenario(), selectors.BestFirst(), selectors.BecauseOf()],
        finish=(),
        effects=(),
    )
    before = state.scene()
    answer = await Pipeline(state, stages, metrics=Metrics()).run(
        Ask("u", "search" if query else "homefeed", Kind.NOTE, 3, query=query)
    )
    assert (answer.model_version, answer.index_version) == ("1", before.index.version)
    assert retriever.indexes == [before.index.name]
    assert len(answer.slots) == 3
    interests = answer.request.interests
    assert interests is not None
    liked = np.concatenate(list(interests.groups.values()))
    for slot in answer.slots:  # scores are cosines of the first version's vectors, never of the other space's
        cosine = float((liked @ before.index.vectors[slot.candidate.item_id]).max())
        if query is None:
            assert slot.candidate.score == pytest.approx(cosine, abs=1e-5)
    assert state.scene().model.version == 2, "the next request has the new version"
