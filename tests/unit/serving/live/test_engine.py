"""Models and catalogues that experiments need beside the configured ones: there while an arm names them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import redis

from rayapp.config import Config
from rayapp.domain import Decision, Verdict
from rayapp.experiments.arm_params import ArmParams
from rayapp.experiments.experiment import Arm, Experiment
from rayapp.redrec.model.history import Behaviour
from rayapp.serving.live.engine import Engine
from rayapp.serving.live.served_versions import ServedVersions
from rayapp.serving.live.variant import DEFAULT, Variant
from rayapp.serving.pipeline.retriever import Retriever
from rayapp.serving.pipeline.user_tower import UserTower
from rayapp.stores.registry import Registry
from rayapp.stores.valkey.experiments import ExperimentStore
from rayapp.stores.valkey.verdicts import VerdictStore
from tests.e2e.conftest import eventually
from tests.unit.serving.world import fill, publish

HISTORY = [Behaviour(n, f"e{n}", f"i{n}", "homefeed", "click") for n in range(3)]
OTHER = Variant("other@candidate")
OPEN = Variant(moderation="off")


@pytest.fixture
def config(server_config: Config, store: redis.Redis, tmp_path: Path) -> Config:
    config = msgspec.structs.replace(server_config, state=str(tmp_path))
    fill(store)
    publish(config, config.name, 1)
    publish(config, "other", 2)
    publish(config, "other", 3)
    Registry(config.models, "other").point("candidate", 1)
    return config


@pytest.fixture
def engine(config: Config) -> Iterator[Engine]:
    engine = Engine(config)
    yield engine
    engine.close()


def two(name: str, layer: str, **params: object) -> Experiment:
    return Experiment(name, layer, (Arm("control", 0.5), Arm("new", 0.5, ArmParams(**params))))  # type: ignore[arg-type]


def test_an_alias_names_a_version_and_is_followed(engine: Engine, config: Config) -> None:
    assert engine.hold([OTHER, Variant("other@2"), Variant("other")]) == {}
    assert engine.served().model_version == "1"
    assert engine.served(OTHER).model_version == "other@1"
    assert engine.served(Variant("other")).model_version == "other@2"
    Registry(config.models, "other").point("candidate", 2)
    eventually(lambda: engine.served(OTHER).model_version == "other@2", 10, "the alias is followed")


def test_what_is_not_there_is_said_and_nothing_else_suffers(engine: Engine) -> None:
    missing = engine.hold([OTHER, Variant("nobody"), Variant("other@9"), Variant(moderation="stricter")])
    assert "no version of nobody" in missing[Variant("nobody")]
    assert "no version of other@9" in missing[Variant("other@9")]
    assert "'stricter' is unknown" in missing[Variant(moderation="stricter")]
    assert OTHER not in missing
    assert engine.served(OTHER)


async def test_each_request_of_a_batch_is_answered_by_its_own_model(engine: Engine) -> None:
    engine.hold([OTHER])
    tower, retriever = UserTower(engine), Retriever(engine)
    own = await tower.interests(HISTORY, "homefeed")
    other = await tower.interests(HISTORY, "homefeed", OTHER)
    assert own is not None
    assert other is not None
    assert (own.model_version, other.model_version) == ("1", "other@1")
    assert not np.allclose(own.groups["homefeed"][0], other.groups["homefeed"][0])
    again = await tower.interests(HISTORY, "homefeed", OTHER)
    assert again is not None
    assert np.array_equal(again.groups["homefeed"], other.groups["homefeed"])
    found = await retriever.by_vectors(other.groups["homefeed"], other.index, "note", 3, frozenset({"i0"}), OTHER)
    assert len(found.hits[0]) == 3
    assert "i0" not in {item_id for item_id, _ in found.hits[0]}


async def test_a_catalogue_without_moderation_stands_apart(engine: Engine, store: redis.Redis) -> None:
    retriever = Retriever(engine)
    VerdictStore(store).put(Verdict("i1", Decision.BLOCK, "judged", 1, text_key="k"))
    VerdictStore(store).put(Verdict("i2", Decision.BLOCK, "person", 1, text_key="k"))
    eventually(lambda: set(engine.catalogue.withheld) == {"i1", "i2"}, 10, "the verdicts are heard")
    assert engine.hold([OPEN]) == {}
    assert set(engine.catalogue_of("off").withheld) == {"i2"}
    vector, words = engine.catalogue_of("off").content["note"].vectors(["i1"])[0], {"title": 1.0}
    shown = {v: await retriever.by_query(vector, words, "note", 9, frozenset(), v) for v in (DEFAULT, OPEN)}
    ids = {variant: {item_id for item_id, _ in found.hits[0]} for variant, found in shown.items()}
    assert ids[DEFAULT] == {"i0", "i3", "i4", "i5"}
    assert ids[OPEN] == {"i0", "i1", "i3", "i4", "i5"}
    found = await retriever.by_vectors(np.eye(8, dtype=np.float32)[:1], "s1", "note", 9, frozenset(), OPEN)
    assert "i1" in found.vectors
    engine.hold([])
    assert set(engine.catalogues) == {""}
    assert set(engine.hosts) == {DEFAULT}


def test_an_experiment_begins_when_what_it_names_is_there(engine: Engine, config: Config, store: redis.Redis) -> None:
    experiments, users = ExperimentStore(store), [f"u{n}" for n in range(50)]
    experiments.create(two("ready", "a", model="other@candidate"))
    experiments.create(two("waits", "b", model="later"))

    def taking_part() -> set[str]:
        return {name for user in users for name in engine.experiments.assigned(user, "homefeed").arms}

    eventually(lambda: taking_part() == {"ready"}, 10, "the one that can begin has begun")
    assert "no version of later" in engine.experiments.waiting["waits"]
    publish(config, "later", 4)
    eventually(lambda: taking_part() == {"ready", "waits"}, 10, "the model came")
    arms = {user: engine.experiments.assigned(user, "homefeed").arms for user in users}
    restarted = Engine(config)
    assert {user: restarted.experiments.assigned(user, "homefeed").arms for user in users} == arms
    restarted.close()
    experiments.stop("ready")
    eventually(lambda: taking_part() == {"waits"}, 10, "the stopped one is over")
    assert OTHER not in engine.hosts


class Told:
    """Gauges as they were last set."""

    def __init__(self) -> None:
        self.now: dict[tuple[str, ...], float] = {}

    def set(self, name: str, value: float, **tags: str) -> None:
        self.now[name, *tags.values()] = value


def test_versions_of_arms_are_told_and_those_that_are_gone_are_zero(engine: Engine, config: Config) -> None:
    told = Told()
    versions = ServedVersions(engine, told)  # type: ignore[arg-type]
    engine.hold([OTHER])
    versions.tell()
    served = [key[1:3] for key, value in told.now.items() if key[0] == "rayapp_model_version_info" and value]
    assert sorted(served) == sorted([(config.name, "1"), ("other", "other@1")])
    engine.hold([])
    versions.tell()
    gone = [key[1:3] for key, value in told.now.items() if key[0] == "rayapp_model_version_info" and not value]
    assert gone == [("other", "other@1")]
    assert told.now["rayapp_model_age_seconds", config.name] >= 0
