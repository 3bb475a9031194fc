"""Stopping leaves nothing, and a second start, now with the language model, goes on where the first ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rayapp.cli.machine.preflight import port_problems
from rayapp.stores.registry import Registry
from tests.e2e.conftest import System
from tests.helpers import eventually

ARMS = [{"name": "a", "weight": 0.5}, {"name": "b", "weight": 0.5, "params": {"explore": 0.5}}]
STAYS = {"name": "stays", "layer": "restart", "scenarios": ["ads"], "arms": ARMS}


@pytest.fixture(scope="module")
def system(system_to_restart: System) -> System:
    return system_to_restart


@pytest.fixture
def experiment(system: System) -> Iterator[None]:
    """One that runs from before the restart until after it."""
    assert system.http.post("/v1/experiments", json=STAYS).status_code == 201
    yield
    assert system.http.post("/v1/experiments/stays/stop").status_code == 200


def arms(system: System) -> dict[int, str | None]:
    """The arm of each of thirty users."""
    answers = {n: system.get("/v1/ads", user_id=f"arm-{n}")["experiments"] for n in range(30)}
    return {n: experiments.get("stays") for n, experiments in answers.items()}


def test_replay_and_simulate_drive_the_running_system(system: System, tmp_path) -> None:  # type: ignore[no-untyped-def]
    log = tmp_path / "log.jsonl"
    log.write_text(
        "\n".join(
            f'{{"user_id": "replayed", "item_id": "note-{n:05d}", "scenario": "homefeed", "action": "click"}}'
            for n in range(7)
        )
    )
    for _ in range(2):  # sending the same file again counts once
        assert "events: 7" in system.cli("replay", str(log)).stdout
    eventually(lambda: len(system.history("replayed")) == 7, 30, "the replayed events")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"user_id": "u", "action": "click"}')
    failed = system.cli("replay", str(bad), check=False)
    assert failed.returncode == 2
    assert "bad.jsonl: 1 of 1 rows cannot be used: scenario is missing" in failed.stderr
    out = system.cli("simulate", "--users", "20", "--rate", "4", "--duration", "12", "--bucket", "6").stdout
    assert "served" in out
    assert "0 failed requests" in out


def test_down_leaves_nothing_and_up_goes_on(system: System, experiment: None) -> None:
    system.click("survivor", system.feed_ids("survivor", k=5))
    known = {e["event_id"] for e in system.history("survivor")}
    versions = Registry(system.config.models).versions()
    eventually(lambda: set(arms(system).values()) == {"a", "b"}, 30, "everybody has an arm")
    before = arms(system)
    assert system.cli("down").stdout.strip() == "stopped"
    assert system.processes() == []
    assert port_problems(system.config) == []
    assert system.cli("down").stdout.strip() == "nothing is running"
    out = system.up("--llm")
    assert "training" not in out
    assert "loading" not in out
    assert "/llm/v1" in out
    assert {e["event_id"] for e in system.history("survivor")} == known
    assert Registry(system.config.models).versions()[0] == versions[0]
    assert arms(system) == before
    status = system.status()
    assert status["ready"]
    assert set(status["processes"].values()) == {"RUNNING"}
    assert eventually(
        lambda: set(system.status()["jobs"]) == {"history", "catalogue", "learner", "moderator"}, 30, "the jobs"
    )
    human = system.cli("status").stdout
    assert "ready" in human
    assert "lag" in human
