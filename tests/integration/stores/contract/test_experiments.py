from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from rayapp.experiments import lifecycle
from rayapp.experiments.arm_params import ArmParams
from rayapp.experiments.experiment import Arm, Experiment, ExperimentError
from rayapp.experiments.lifecycle import ExperimentConflict, UnknownExperiment
from rayapp.stores.backend import StoreBackend
from rayapp.stores.ports import ExperimentStore

HALF = Experiment(
    "first",
    "feed",
    (Arm("control", 0.5), Arm("new", 0.5, ArmParams(model="redrec@3"))),
    namespace=(0.0, 0.5),
    coverage=0.2,
)


@pytest.fixture
def experiments(backend: StoreBackend) -> ExperimentStore:
    return backend.experiments()


def test_an_experiment_begins_grows_and_stops(experiments: ExperimentStore) -> None:
    started, outcome = experiments.create(HALF)
    assert (outcome, started.running) == ("created", True)
    assert experiments.create(HALF) == (started, "unchanged")
    grown, outcome = experiments.create(msgspec.structs.replace(HALF, coverage=0.6))
    assert (outcome, grown.started_ms, grown.experiment.coverage) == ("grown", started.started_ms, 0.6)
    assert experiments.get("first") == grown
    with pytest.raises(ExperimentConflict, match=r"coverage 0\.2 is below 0\.6"):
        experiments.create(HALF)
    stopped, outcome = experiments.stop("first")
    assert outcome == "stopped"
    assert experiments.stop("first") == (stopped, "unchanged")
    with pytest.raises(ExperimentConflict, match="was stopped; its name is the seed"):
        experiments.create(HALF)


def test_an_ended_one_can_be_removed_and_makes_room(
    experiments: ExperimentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "MAX_STORED", 1)
    experiments.create(HALF)
    with pytest.raises(ExperimentConflict, match="first runs; stop it before it is removed"):
        experiments.remove("first")
    experiments.stop("first")
    other = msgspec.structs.replace(HALF, name="second")
    with pytest.raises(ExperimentConflict, match="rayapp experiment remove"):
        experiments.create(other)
    assert experiments.remove("first").outcome == "removed"
    with pytest.raises(UnknownExperiment):
        experiments.remove("first")
    experiments.create(other)
    assert [one.experiment.name for one in experiments.all()] == ["second"]


def test_arms_and_weights_never_change(experiments: ExperimentStore) -> None:
    experiments.create(HALF)
    for change in (
        {"arms": (Arm("control", 0.4), Arm("new", 0.6))},
        {"namespace": (0.0, 0.6)},
        {"scenarios": ("ads",)},
    ):
        with pytest.raises(ExperimentConflict, match=f"other {next(iter(change))}; only coverage may change"):
            experiments.create(msgspec.structs.replace(HALF, **change))


def test_two_that_run_share_no_user_of_a_layer(experiments: ExperimentStore) -> None:
    experiments.create(HALF)
    other = msgspec.structs.replace(HALF, name="second", namespace=(0.4, 1.0))
    with pytest.raises(ExperimentConflict, match="first runs in layer 'feed' from 0 to 0.5"):
        experiments.create(other)
    experiments.create(msgspec.structs.replace(other, namespace=(0.5, 1.0)))
    experiments.create(msgspec.structs.replace(other, name="third", layer="search"))
    experiments.stop("first")
    experiments.create(msgspec.structs.replace(HALF, name="fourth"))
    assert {one.experiment.name for one in experiments.all() if one.running} == {"second", "third", "fourth"}


def test_of_many_that_begin_at_once_one_does(experiments: ExperimentStore) -> None:
    def begin(n: int) -> str:
        try:
            return experiments.create(msgspec.structs.replace(HALF, name=f"race-{n}")).outcome
        except ExperimentConflict:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(begin, range(24)))
    assert sorted(outcomes) == ["created", *["refused"] * 23]


@pytest.mark.parametrize(
    ("change", "said"),
    [({"name": "a b"}, "a name has"), ({"name": ""}, "a name has"), ({"arms": (Arm("all", 1.0),)}, "one arm")],
)
def test_what_cannot_begin(experiments: ExperimentStore, change: dict[str, object], said: str) -> None:
    with pytest.raises(ExperimentError, match=said):
        experiments.create(msgspec.structs.replace(HALF, **change))
    assert experiments.all() == []
    for call in (experiments.get, experiments.stop):
        with pytest.raises(UnknownExperiment, match="'nobody'"):
            call("nobody")
