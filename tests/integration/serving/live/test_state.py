"""Models and catalogues that experiments need beside the configured ones: there while an arm names them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from rayapp.config import Config, Search
from rayapp.domain import Decision, Kind, Verdict
from rayapp.experiments.arm_params import ArmParams
from rayapp.experiments.experiment import Arm, Experiment
from rayapp.redrec.model.history import Behaviour
from rayapp.serving.live.scene import NoVersion, VersionGone
from rayapp.serving.live.served_versions import ServedVersions
from rayapp.serving.live.state import ServingState
from rayapp.serving.live.variant import DEFAULT, Variant
from rayapp.serving.pipeline.ports import NearestSearch, QuerySearch
from rayapp.serving.pipeline.request import Words
from rayapp.serving.pipeline.retriever import LocalRetriever
from rayapp.serving.pipeline.user_tower import LocalTower
from rayapp.stores.backend import StoreBackend
from rayapp.stores.registry import Registry
from tests.helpers import eventually
from tests.integration.serving.world import fill, publish

HISTORY = [Behaviour(n, f"e{n}", f"i{n}", "homefeed", "click") for n in range(3)]
OTHER = Variant("other@candidate")
OPEN = Variant(moderation="off")


@pytest.fixture
def config(server_config: Config, backend: StoreBackend, tmp_path: Path) -> Config:
    config = msgspec.structs.replace(server_config, state=str(tmp_path))
    fill(backend)
    publish(config, config.name, 1)
    publish(config, "other", 2)
    publish(config, "other", 3)
    Registry(config.models, "other").point("candidate", 1)
    return config


@pytest.fixture
def state(config: Config) -> Iterator[ServingState]:
    state = ServingState(config)
    yield state
    state.close()


def two(name: str, layer: str, **params: object) -> Experiment:
    return Experiment(name, layer, (Arm("control", 0.5), Arm("new", 0.5, ArmParams(**params))))  # type: ignore[arg-type]


def test_an_alias_names_a_version_and_is_followed(state: ServingState, config: Config) -> None:
    assert state.hold([OTHER, Variant("other@2"), Variant("other")]) == {}
    assert state.scene().model.model_version == "1"
    assert state.scene(OTHER).model.model_version == "other@1"
    assert state.scene(Variant("other")).model.model_version == "other@2"
    Registry(config.models, "other").point("candidate", 2)
    eventually(lambda: state.scene(OTHER).model.model_version == "other@2", 30, "the alias is followed")


def test_what_is_not_there_is_said_and_nothing_else_suffers(state: ServingState) -> None:
    missing = state.hold([OTHER, Variant("nobody"), Variant("other@9"), Variant(moderation="stricter")])
    assert "no version of nobody" in missing[Variant("nobody")]
    assert "no version of other@9" in missing[Variant("other@9")]
    assert "'stricter' is unknown" in missing[Variant(moderation="stricter")]
    assert OTHER not in missing
    assert state.scene(OTHER)


async def test_each_request_of_a_batch_is_answered_by_its_own_model(state: ServingState) -> None:
    state.hold([OTHER])
    tower, retriever = LocalTower(10), LocalRetriever(Search())
    configured, scene = state.scene(), state.scene(OTHER)
    own, other = await asyncio.gather(
        tower.interests(configured, HISTORY, "homefeed"), tower.interests(scene, HISTORY, "homefeed")
    )
    assert own is not None
    assert other is not None
    assert (configured.model.model_version, scene.model.model_version) == ("1", "other@1")
    assert not np.allclose(own.groups["homefeed"][0], other.groups["homefeed"][0])
    again = await tower.interests(scene, HISTORY, "homefeed")
    assert again is not None
    assert np.array_equal(again.groups["homefeed"], other.groups["homefeed"])
    search = NearestSearch(other.groups["homefeed"], Kind.NOTE, 3, frozenset({"i0"}))
    hits = await retriever.nearest(scene, search)
    assert len(hits.lists[0]) == 3
    assert "i0" not in {item_id for item_id, _ in hits.lists[0]}


async def test_a_catalogue_without_moderation_stands_apart(state: ServingState, backend: StoreBackend) -> None:
    retriever = LocalRetriever(Search())
    backend.verdicts().put(Verdict("i1", Decision.BLOCK, "judged", 1, text_key="k"))
    backend.verdicts().put(Verdict("i2", Decision.BLOCK, "person", 1, text_key="k"))
    eventually(lambda: set(state.catalogue.withheld) == {"i1", "i2"}, 30, "the verdicts are heard")
    assert state.hold([OPEN]) == {}
    unmoderated = state.scene(OPEN)
    assert set(unmoderated.catalogue.withheld) == {"i2"}
    assert unmoderated.model.user is state.scene().model.user, "one model, two catalogues"
    vector = unmoderated.catalogue.content["note"].vectors(["i1"])[0]
    search = QuerySearch(vector, Words(("title",)), Kind.NOTE, 9, frozenset())
    hits = {variant: await retriever.matching(state.scene(variant), search) for variant in (DEFAULT, OPEN)}
    ids = {variant: {item_id for item_id, _ in found.lists[0]} for variant, found in hits.items()}
    assert ids[DEFAULT] == {"i0", "i3", "i4", "i5"}
    assert ids[OPEN] == {"i0", "i1", "i3", "i4", "i5"}
    nearest = NearestSearch(np.eye(8, dtype=np.float32)[:1], Kind.NOTE, 9, frozenset())
    assert "i1" in (await retriever.nearest(unmoderated, nearest)).vectors
    state.hold([])
    assert set(state.catalogues) == {""}
    assert set(state.hosts) == {""}
    with pytest.raises(NoVersion, match="no version of redrec"):
        state.scene(OPEN)


def test_the_version_before_is_held_for_requests_that_began_with_it(state: ServingState, config: Config) -> None:
    first = state.scene()
    assert state.before(first) is None
    publish(config, config.name, 5)
    eventually(lambda: state.scene().model.version == 2, 30, "the newer version is served")
    second = state.scene()
    older = state.before(second)
    assert older is not None
    assert (older.model.version, older.index) == (1, first.index)
    assert state.at(first.pin).model is first.model
    publish(config, config.name, 6)
    eventually(lambda: state.scene().model.version == 3, 30, "the newest version is served")
    with pytest.raises(VersionGone, match="version 1"):
        state.at(first.pin)


def test_replicas_that_ask_others_swap_after_them(config: Config) -> None:
    first, last = ServingState(config), ServingState(config, swaps_last=True)
    try:
        publish(config, config.name, 5)
        eventually(lambda: first.scene().model.version == 2, 30, "the part that is asked has the newer version")
        assert last.scene().model.version == 1
        eventually(lambda: last.scene().model.version == 2, 30, "then the part that asks")
    finally:
        first.close()
        last.close()


def test_an_experiment_begins_when_what_it_names_is_there(
    state: ServingState, config: Config, backend: StoreBackend
) -> None:
    experiments, users = backend.experiments(), [f"u{n}" for n in range(50)]
    experiments.create(two("ready", "a", model="other@candidate"))
    experiments.create(two("waits", "b", model="later"))

    def taking_part() -> set[str]:
        return {name for user in users for name in state.experiments.assigned(user, "homefeed").arms}

    eventually(lambda: taking_part() == {"ready"}, 30, "the one that can begin has begun")
    assert "no version of later" in state.experiments.waiting["waits"]
    publish(config, "later", 4)
    eventually(lambda: taking_part() == {"ready", "waits"}, 30, "the model came")
    arms = {user: state.experiments.assigned(user, "homefeed").arms for user in users}
    restarted = ServingState(config)
    assert {user: restarted.experiments.assigned(user, "homefeed").arms for user in users} == arms
    restarted.close()
    experiments.stop("ready")
    eventually(lambda: taking_part() == {"waits"}, 30, "the stopped one is over")
    assert OTHER.model not in state.hosts


class Gauges:
    """Gauges as they were last set."""

    def __init__(self) -> None:
        self.now: dict[tuple[str, ...], float] = {}

    def set(self, name: str, value: float, **tags: str) -> None:
        self.now[name, *tags.values()] = value


def test_versions_of_arms_are_exported_and_those_that_are_gone_are_zero(state: ServingState, config: Config) -> None:
    gauges = Gauges()
    versions = ServedVersions(state, gauges)  # type: ignore[arg-type]
    state.hold([OTHER])
    versions.export()
    served = [key[1:3] for key, value in gauges.now.items() if key[0] == "rayapp_model_version_info" and value]
    assert sorted(served) == sorted([(config.name, "1"), ("other", "other@1")])
    state.hold([])
    versions.export()
    gone = [key[1:3] for key, value in gauges.now.items() if key[0] == "rayapp_model_version_info" and not value]
    assert gone == [("other", "other@1")]
    assert gauges.now["rayapp_model_age_seconds", config.name] >= 0
