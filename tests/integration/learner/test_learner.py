"""The window loop on a real broker and store: exact over crashes, and safe with bad weights."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import redis
import torch
from confluent_kafka.admin import AdminClient

from jobs.learn_online import own_arm
from rayapp.config import Config
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Item
from rayapp.experiments.arm_params import ArmParams
from rayapp.experiments.experiment import Arm, Experiment, ExperimentError
from rayapp.learner.candidate import scratch_folder
from rayapp.learner.learner import Learner
from rayapp.redrec.model.artifact import load_user_side, model_description, save_space, save_user_side
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.redrec.online.frequency import Frequency
from rayapp.redrec.online.learner_state import LearnerState
from rayapp.redrec.online.online_model import USER_FILES, Memory, save_memory
from rayapp.redrec.online.reservoir import Reservoir
from rayapp.stores.open import open_store
from rayapp.stores.registry import Manifest, Registry, RegistryError
from streaming.producer import EventProducer, Record
from streaming.reading import watermarks
from streaming.topics import DAY_MS, ensure_topics
from streaming.windows import Plan, WindowError, plan_window

ITEMS = [Item(item_id=f"i{n}", title=f"item {n}") for n in range(40)]
USERS = 12
START_MS = 1_700_000_000_000


@pytest.fixture
def config(stream: Config, store: redis.Redis, tmp_path: Path) -> Config:
    """A first version in a registry of its own."""
    del store
    learner = msgspec.structs.replace(stream.learner, max_rows=25, max_age_s=0, publish_s=0, gate_wait_s=0, lr=1e-2)
    config = msgspec.structs.replace(stream, state=str(tmp_path / "state"), learner=learner)
    torch.manual_seed(0)
    content = torch.cat([torch.randn(len(ITEMS), 12).half().float(), torch.zeros(1, 12)])
    model = RedRec(
        ModelConfig(dim=8, width=16, heads=2, length=10), Vocabulary(("homefeed",), ("click",)), content
    ).eval()
    registry = Registry(config.models)
    registry.put_space("s", lambda folder: save_space(folder, model, ITEMS, "enc"))

    def write(folder: Path) -> None:
        save_user_side(folder, model.user)
        save_memory(folder, Memory(LearnerState(10), Reservoir(10, 10), Frequency()))

    registry.publish(manifest(1, None, model_description(model, "enc"), "passed"), write)
    return config


def manifest(version: int, parent: int | None, description: dict, gate: str) -> Manifest:
    return Manifest(version, parent, "s", 0, {}, 0, {}, {}, gate, description)


def produce(config: Config, start: int, count: int) -> None:
    rng = np.random.default_rng(start)
    producer = EventProducer(config.broker)
    records = []
    for n in range(start, start + count):
        user = f"u{int(rng.integers(USERS))}"
        action = "click" if rng.random() < 0.5 else "impression"
        item = f"i{int(rng.integers(len(ITEMS) + 3))}"  # a few are unknown
        event = {
            "event_id": f"e{n}",
            "user_id": user,
            "item_id": item,
            "scenario": "homefeed",
            "action": action,
            "request_id": f"r{n // 4}",
        }
        value = msgspec.json.encode({**event, "timestamp_ms": START_MS + 1000 * n, "received_ms": START_MS + 1000 * n})
        records.append(Record(config.topic("behaviour"), user, value))
    producer.send_all(records, timeout_s=20)
    producer.close()


def weights(registry: Registry, version: int) -> dict[str, torch.Tensor]:
    return load_user_side(registry.fetch(version), registry.manifest(version).config).state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_a_learner_killed_anywhere_ends_bit_for_bit_where_an_uninterrupted_one_does(
    config: Config, tmp_path: Path
) -> None:
    produce(config, 0, 200)
    interrupted = msgspec.structs.replace(config, state=str(tmp_path / "interrupted"))
    shutil.copytree(config.models, interrupted.models)

    whole = Learner(config, "redrec")
    plans = []
    while sum(whole.position.offsets.values()) < 200:
        before = whole.position.window
        whole.run(windows=1)
        plans.append(whole.plans.read(before + 1))
    registry = Registry(config.models)
    expected = registry.manifest(registry.resolve("HEAD"))
    assert expected.events_seen == 200

    folder = interrupted.state_path / "plans" / "redrec" / "s"
    folder.mkdir(parents=True)
    for plan in plans:
        (folder / f"{plan.number:09d}.json").write_bytes(msgspec.json.encode(plan))
    random.seed(1)
    other = Registry(interrupted.models)
    kills = 0
    while other.manifest(other.resolve("HEAD")).events_seen < 200:
        learner = Learner(interrupted, "redrec")  # whatever an earlier one had in memory is gone
        for _ in range(random.randint(1, 3)):
            plan = learner.plans.read(learner.position.window + 1)
            if plan is not None:
                learner.learn(plan)
        if random.random() < 0.5:
            kills += 1
            continue
        learner.propose()
        if random.random() < 0.3:  # between writing a version and publishing it
            kills += 1
            continue
        assert learner.candidate is not None
        learner.settle(learner.candidate)
    assert kills >= 3
    found = other.manifest(other.resolve("HEAD"))
    assert (found.offsets, found.events_seen, found.skipped) == (
        expected.offsets,
        expected.events_seen,
        expected.skipped,
    )
    assert same(weights(registry, expected.version), weights(other, found.version))
    assert not same(weights(registry, 1), weights(registry, expected.version))


def test_broken_weights_are_never_served_and_learning_goes_on(config: Config) -> None:
    registry = Registry(config.models)
    produce(config, 0, 20)
    learner = Learner(config, "redrec")
    learner.run(windows=1)
    good = registry.resolve("CURRENT")
    assert registry.manifest(good).gate == "unproven"
    produce(config, 20, 20)
    with torch.no_grad():
        learner.model.user.gate.fill_(float("nan"))
    learner.run(windows=1)
    broken = registry.manifest(registry.resolve("HEAD"))
    assert broken.version == good + 1
    assert broken.gate.startswith("weights are not finite")
    assert registry.resolve("CURRENT") == good
    assert all(torch.isfinite(p).all() for p in learner.model.user.parameters())
    assert learner.position.skipped["given_up"] == broken.events_seen - registry.manifest(good).events_seen
    produce(config, 40, 20)
    again = Learner(config, "redrec")  # a restart finds the broken HEAD and does the same
    assert same(again.model.user.state_dict(), weights(registry, good))
    again.run(windows=1)
    assert registry.resolve("CURRENT") == broken.version + 1
    newest = registry.manifest(broken.version + 1)
    assert newest.events_seen == 60
    assert newest.skipped["given_up"] == learner.position.skipped["given_up"]


def test_after_three_rejections_training_goes_on_from_what_is_served(config: Config) -> None:
    registry = Registry(config.models)
    produce(config, 0, 20)
    learner = Learner(config, "redrec")
    learner.run(windows=1)
    served = registry.resolve("CURRENT")
    torch.manual_seed(1)
    for n in range(3):
        assert (learner.model.user.log_scale != weights(registry, served)["log_scale"]).item() or n == 0
        produce(config, 20 + 20 * n, 20)
        learner.learn(learner.plans.write(_next(learner)))
        learner.propose()
        assert learner.candidate is not None
        learner.candidate.comparison.add([f"u{k}" for k in range(400)], np.full(400, 30) + np.arange(400), np.ones(400))
        goes_on = learner.settle(learner.candidate)
        assert goes_on == (n < 2)
        rejected = registry.manifest(registry.resolve("HEAD"))
        assert rejected.gate.startswith("worse than the served version")
        assert registry.resolve("CURRENT") == served
    learner.resume()
    assert same(learner.model.user.state_dict(), weights(registry, served))
    assert learner.position.offsets == {int(p): o for p, o in rejected.offsets[config.topic("behaviour")].items()}


def test_a_second_learner_stops_when_another_published(config: Config) -> None:
    produce(config, 0, 40)
    first, second = Learner(config, "redrec"), Learner(config, "redrec")
    first.run(windows=1)
    with pytest.raises(RegistryError, match="another one published"):
        second.run(windows=1)


def _next(learner: Learner) -> Plan:
    found = plan_window(
        learner.position.window + 1,
        learner.position.topic,
        learner.position.offsets,
        watermarks(learner.planner.consumer, learner.position.topic),
        max_rows=1000,
    )
    assert found is not None
    return found


def test_a_recreated_topic_stops_the_learner_though_it_is_long_enough(config: Config) -> None:
    produce(config, 0, 30)
    learner = Learner(config, "redrec")
    learner.run(windows=2)
    assert sum(learner.position.offsets.values()) == 30
    Learner(config, "redrec")  # the log is what it was
    admin = AdminClient({"bootstrap.servers": config.bootstrap})
    topic = config.topic("behaviour")
    for deleted in admin.delete_topics([topic]).values():
        deleted.result(20)
    ensure_topics(config.broker)
    produce(config, 1000, 60)
    real = msgspec.structs.replace(config, kafka=msgspec.structs.replace(config.kafka, bootstrap=config.bootstrap))
    with pytest.raises(WindowError, match="the topic was recreated"):
        Learner(real, "redrec")
    skipping = msgspec.structs.replace(real, learner=msgspec.structs.replace(real.learner, on_gap="skip"))
    for accepting in (skipping, config):  # the embedded broker loses what it had not saved: that is no reason to stop
        lines: list[str] = []
        again = Learner(accepting, "redrec", say=lines.append)
        assert any("the topic is a new one; going on at 0" in line for line in lines)
        assert set(again.position.offsets.values()) == {0}
    while sum(again.position.offsets.values()) < 60:
        again.run(windows=1)
    assert again.position.events_seen == 90
    assert Registry(config.models).manifest(again.position.manifest.version).usable


def test_a_log_that_lost_its_tail_is_gone_on_with_where_that_is_accepted(config: Config) -> None:
    produce(config, 0, 60)
    learner = Learner(config, "redrec")
    learner.run(windows=1)
    plan = learner.plans.write(_next(learner))  # planned, and never learned
    admin = AdminClient({"bootstrap.servers": config.bootstrap})
    topic = config.topic("behaviour")
    for deleted in admin.delete_topics([topic]).values():
        deleted.result(20)
    ensure_topics(config.broker)
    produce(config, 1000, 10)
    assert any(high < r.end for r in plan.ranges for _, high in [marks(learner)[r.partition]])
    again = Learner(config, "redrec")
    again.run(windows=1)
    while {p: o for p, o in again.position.offsets.items() if o} != {p: h for p, (_, h) in marks(again).items() if h}:
        again.run(windows=1)
    assert again.position.skipped["lost"] > 0
    assert Registry(config.models).resolve("HEAD") == again.position.manifest.version


def test_records_in_the_place_of_lost_ones_are_learned_while_it_runs(config: Config) -> None:
    produce(config, 0, 30)
    learner = Learner(config, "redrec")
    while sum(learner.position.offsets.values()) < 30:
        learner.run(windows=1)
    admin = AdminClient({"bootstrap.servers": config.bootstrap})
    for deleted in admin.delete_topics([config.topic("behaviour")]).values():
        deleted.result(20)
    ensure_topics(config.broker)
    produce(config, 1000, 60)  # more than were lost: the log is longer than what was read
    while learner.position.events_seen < 90:
        learner.run(windows=1)
    assert sum(learner.position.offsets.values()) == 60


def marks(learner: Learner) -> dict[int, tuple[int, int]]:
    return watermarks(learner.planner.consumer, learner.position.topic)


def test_a_forgotten_user_is_in_no_version_any_more(config: Config) -> None:
    registry = Registry(config.models)
    produce(config, 0, 60)
    learner = Learner(config, "redrec")
    for _ in range(3):
        learner.run(windows=1)

    def remembering() -> list[int]:
        folders = {v: Path(config.models, "redrec", str(v)) for v in registry.versions()}
        with_files = [v for v, folder in folders.items() if any((folder / name).exists() for name in USER_FILES)]
        states = {v: LearnerState.load(folders[v], 10, DAY_MS, 60_000) for v in with_files}
        examples = {v: Reservoir.load(folders[v], 10, 10, 0).examples for v in with_files}
        return [v for v in with_files if "u3" in states[v].histories or any(e.user_id == "u3" for e in examples[v])]

    assert remembering()
    forget = msgspec.json.encode({"forget": True, "user_id": "u3"})
    producer = EventProducer(config.broker)
    producer.send_all([Record(config.topic("behaviour"), "u3", forget)])
    producer.close()
    while sum(learner.position.offsets.values()) < 61:
        learner.run(windows=1)
    produce(config, 1000, 1)  # the version after the one that forgot
    learner.run(windows=1)
    assert "u3" not in learner.model.state.histories
    assert remembering() == []
    for version in registry.versions():
        registry.fetch(version)  # it can be served
        weights(registry, version)
    registry.point("HEAD", 2)
    with pytest.raises(RegistryError, match="no longer remembers"):
        Learner(config, "redrec")


def test_versions_that_running_experiments_name_stay(config: Config) -> None:
    arms = (Arm("control", 0.5), Arm("old", 0.5, ArmParams(model="redrec@2")))
    experiments = open_store(config.store_url).experiments()
    experiments.create(Experiment(name="pinned", layer="feed", arms=arms))
    few = msgspec.structs.replace(config, learner=msgspec.structs.replace(config.learner, keep_versions=1))
    learner = Learner(few, "redrec")
    for n in range(4):
        produce(few, 20 * n, 20)
        learner.run(windows=1)
    registry = Registry(few.models)
    assert registry.versions() == [1, 2, 5]
    experiments.stop("pinned")
    produce(few, 80, 20)
    learner.run(windows=1)
    assert registry.versions() == [1, 6]


def test_a_full_disk_costs_a_version_and_nothing_else(config: Config, full_disk: Callable[[bool], None]) -> None:
    registry = Registry(config.models)
    produce(config, 0, 40)
    lines: list[str] = []
    learner = Learner(config, "redrec", say=lines.append)
    learner.learn(learner.plans.write(_next(learner)))
    full_disk(True)
    for _ in range(2):  # while writing the candidate's files
        assert learner._publish_what_is_due(False) is False
    full_disk(False)
    assert registry.resolve("HEAD") == 1
    assert sum("no version could be written" in line for line in lines) == 1
    learner.propose()
    full_disk(True)
    assert learner._publish_what_is_due(False) is False  # while copying them into the registry
    full_disk(False)
    assert registry.versions() == [1]
    assert learner._publish_what_is_due(False) is False
    assert registry.resolve("CURRENT") == 2
    assert registry.manifest(2).events_seen == 40
    registry.fetch(2)  # every sum is right
    assert list(learner.scratch.iterdir()) == []


def test_what_a_killed_learner_left_of_a_candidate_is_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / str(gone.pid) / "half").mkdir(parents=True)
    (tmp_path / "not-ours").mkdir()
    own = scratch_folder(tmp_path)
    assert set(tmp_path.iterdir()) == {own, tmp_path / "not-ours"}


def test_impressions_left_alone_are_learned_from_and_counted(config: Config) -> None:
    quick = msgspec.structs.replace(config, learner=msgspec.structs.replace(config.learner, late_s=0.0))
    produce(quick, 0, 40)
    produce(quick, 40, 20)  # appended later: the time of the first ones is up
    learner = Learner(quick, "redrec")
    while sum(learner.position.offsets.values()) < 60:
        learner.run(windows=1)
    counts = learner.model.state.joiner.counts
    assert counts.closed > 5
    assert counts.impressions == counts.joined + counts.closed + len(learner.model.state.joiner.open)
    registry = Registry(config.models)
    saved = registry.manifest(registry.resolve("HEAD")).metrics["join"]
    assert saved == msgspec.to_builtins(counts)


def test_a_candidate_learns_from_its_own_arm_and_remembers_everybody(config: Config) -> None:
    produce(config, 0, 100)
    arms = (Arm("control", 0.5), Arm("four", 0.5, ArmParams(model="four@7")))
    experiment = Experiment(name="interests-4", layer="feed", arms=arms)
    Path(config.models, "redrec").rename(Path(config.models, "four"))
    learner = Learner(config, "four", takes=own_arm(experiment, "four", "redrec"))
    while sum(learner.position.offsets.values()) < 100:
        learner.run(windows=1)
    everybody = {f"u{n}" for n in range(USERS)}
    own = {user for user in everybody if (arm := experiment.arm(user)) and arm.name == "four"}
    assert 0 < len(own) < USERS
    assert {e.user_id for e in learner.model.reservoir.examples} <= own
    assert learner.model.reservoir.examples
    assert set(learner.model.state.histories) == everybody
    assert learner.position.events_seen == 100
    with pytest.raises(ExperimentError, match="no arm is served by five"):
        own_arm(experiment, "five", "redrec")
