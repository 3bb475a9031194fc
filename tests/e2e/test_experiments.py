"""Experiments on the running system: begun by the command line, seen in answers, reported, stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import growthbook
import pytest

from rayapp.stores.registry import Registry
from tests.e2e.conftest import System
from tests.helpers import eventually

USERS = [f"arm-{n}" for n in range(60)]
FIRST = """
name: first-model
layer: feed
namespace: [0, 0.8]
scenarios: [homefeed]
arms:
  - {name: control, weight: 0.5}
  - {name: first, weight: 0.5, params: {model: redrec@first, k: 7}}
metrics:
  - {name: ctr, kind: ratio, numerator: click, denominator: impression}
  - {name: clicks, kind: mean, action: click}
guardrails: [{metric: latency_p99_ms, max: 10000}]
"""
REST = {"layer": "feed", "namespace": [0.8, 1.0], "scenarios": ["homefeed"]}  # of the users: who are not in the first


@pytest.fixture(scope="module")
def begun(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """The answers of all users once the experiment has begun everywhere; it runs until this file's tests are done."""
    Registry(system.config.models).point("first", 1)
    for user in USERS:
        system.post_events({"user_id": user, "item_id": "note-00001", "scenario": "homefeed", "action": "click"})
    eventually(lambda: all(len(system.history(user)) == 1 for user in USERS), 30, "every user is known")
    file = tmp_path_factory.mktemp("experiment") / "first.yaml"
    file.write_text(FIRST)
    assert (
        "first-model: created; layer feed, arms control 0.5, first 0.5"
        in system.cli("experiment", "create", str(file)).stdout
    )
    assert "unchanged" in system.cli("experiment", "create", str(file)).stdout
    eventually(lambda: any(system.get("/v1/feed", user_id=u)["experiments"] for u in USERS[:8]), 30, "it began")
    yield {user: system.get("/v1/feed", user_id=user) for user in USERS}
    assert "stopped" in system.cli("experiment", "stop", "first-model").stdout
    eventually(lambda: not any(system.get("/v1/feed", user_id=u)["experiments"] for u in USERS), 30, "nobody is in it")


@pytest.fixture(scope="module")
def others(begun: dict[str, dict[str, Any]]) -> list[str]:
    """Users outside the first experiment's namespace."""
    return [user for user, answer in begun.items() if not answer["experiments"]]


def test_every_user_is_in_the_arm_that_growthbook_says(begun: dict[str, dict[str, Any]]) -> None:
    def official(user: str) -> dict[str, str]:
        sdk = growthbook.GrowthBook(attributes={"id": user})
        found = sdk.run(
            growthbook.Experiment(
                key="first-model", variations=["control", "first"], weights=[0.5, 0.5], hashVersion=2,
                seed="first-model", namespace=("feed", 0, 0.8),
            )
        )  # fmt: skip
        return {"first-model": found.value} if found.inExperiment else {}

    arms = {user: answer["experiments"] for user, answer in begun.items()}
    assert arms == {user: official(user) for user in USERS}
    assert {arm.get("first-model") for arm in arms.values()} == {None, "control", "first"}


def test_an_arm_has_its_model_and_its_length(begun: dict[str, dict[str, Any]], system: System) -> None:
    current = {system.status()["model"]["current"], 1}
    for answer in begun.values():
        first = answer["experiments"].get("first-model") == "first"
        assert len(answer["items"]) == (7 if first else 20)
        assert int(answer["model_version"]) <= max(current)
        assert not first or answer["model_version"] == "1"
    user = next(u for u, a in begun.items() if a["experiments"].get("first-model") == "first")
    assert len(system.get("/v1/feed", user_id=user, k=9)["items"]) == 9  # what the request says comes first
    assert system.get("/v1/search", user_id=user, q="espresso")["experiments"] == {}


def test_the_report_joins_answers_and_what_followed(begun: dict[str, dict[str, Any]], system: System) -> None:
    for user, answer in begun.items():
        base = {"user_id": user, "scenario": "homefeed", "request_id": answer["request_id"]}
        shown = [{**base, "item_id": i["item_id"], "action": "impression"} for i in answer["items"]]
        clicked = [{**base, "item_id": i["item_id"], "action": "click"} for i in answer["items"][: 1 + len(user) % 3]]
        system.post_events(*shown, *clicked)
    taking_part = {u: a["experiments"]["first-model"] for u, a in begun.items() if a["experiments"]}

    def report() -> dict[str, Any] | None:
        answer = system.http.get("/v1/experiments/first-model/report")
        if answer.status_code == 503:
            return None
        assert answer.status_code == 200, answer.text
        found = answer.json()
        complete = sum(found["users"].values()) == len(taking_part) and len(found["comparisons"]) == 2
        return found if complete and found["comparisons"][0]["value"] > 0 else None

    found = eventually(report, 60, "the report has everybody")
    assert found["users"] == {arm: list(taking_part.values()).count(arm) for arm in ("control", "first")}
    ctr = found["comparisons"][0]
    first = [u for u, arm in taking_part.items() if arm == "first"]
    assert ctr["value"] == pytest.approx(sum(1 + len(u) % 3 for u in first) / (7 * len(first)))
    assert ctr["always"] is None  # fewer than 300 users an arm
    assert [g["holds"] for g in found["guardrails"]] == [True, True]
    assert any("share training traffic" in warning for warning in found["warnings"])
    shown = system.cli("experiment", "report", "first-model").stdout
    assert "users control" in shown
    assert "not enough users" in shown
    assert json.loads(system.cli("experiment", "report", "first-model", "--json").stdout)["users"] == found["users"]


def test_what_cannot_be_is_refused_in_one_line(system: System, begun: object, tmp_path: Path) -> None:
    file = tmp_path / "second.yaml"
    file.write_text(FIRST.replace("first-model", "second"))
    refused = system.cli("experiment", "create", str(file), check=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "first-model runs in layer 'feed' from 0 to 0.8" in refused.stderr
    answer = system.http.post("/v1/experiments", json={"name": "x", "layer": "y", "arms": []})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    for call in (system.http.get, system.http.post):
        path = "/v1/experiments/nobody/" + ("report" if call == system.http.get else "stop")
        assert call(path).status_code == 404


def test_stopped_is_over_and_another_goes_on(
    system: System, begun: dict[str, dict[str, Any]], others: list[str]
) -> None:
    arms = [{"name": "a", "weight": 0.5}, {"name": "b", "weight": 0.5, "params": {"explore": 0.5}}]
    assert system.http.post("/v1/experiments", json={**REST, "name": "ends", "arms": arms}).status_code == 201

    def taking_part() -> int:
        return sum("ends" in system.get("/v1/feed", user_id=u)["experiments"] for u in others)

    eventually(lambda: taking_part() == len(others) > 4, 30, "it began")
    assert "stopped" in system.cli("experiment", "stop", "ends").stdout
    eventually(lambda: taking_part() == 0, 30, "nobody is in it")
    listed = {e["experiment"]["name"]: e["running"] for e in system.get("/v1/experiments")["experiments"]}
    assert (listed["first-model"], listed["ends"]) == (True, False)
    running = system.status()["experiments"]
    assert running["first-model"] == ["control", "first"]
    assert "ends" not in running
    for user, answer in begun.items():
        assert system.get("/v1/feed", user_id=user)["experiments"] == answer["experiments"]

    def reported() -> bool:
        answer = system.http.get("/v1/experiments/ends/report")
        return answer.status_code == 200 and sum(answer.json()["users"].values()) == len(others)

    eventually(reported, 60, "the report stays")


@pytest.fixture
def draft(system: System, others: list[str]) -> Iterator[None]:
    """Nearly all users of the rest have both rankers in one list; over afterwards, whatever the test found."""
    popular = {"interleave": {"ranker": "popular"}, "explore": 0}
    arms = [{"name": "own", "weight": 0.01}, {"name": "mixed", "weight": 0.99, "params": popular}]
    assert system.http.post("/v1/experiments", json={**REST, "name": "draft", "arms": arms}).status_code == 201
    eventually(lambda: system.get("/v1/feed", user_id=others[0])["experiments"], 30, "it began")
    yield
    system.http.post("/v1/experiments/draft/stop")
    eventually(lambda: not any(system.get("/v1/feed", user_id=u)["experiments"] for u in others[:6]), 30, "it is over")


@pytest.mark.usefixtures("draft")
def test_two_rankers_in_one_list(system: System, others: list[str]) -> None:
    for user in others[:6]:
        answer = system.get("/v1/feed", user_id=user)
        if answer["experiments"]["draft"] == "own":
            continue
        sources = [item["source"] for item in answer["items"]]
        assert abs(sources.count("redrec") - 10) <= 1
        base = {"user_id": user, "scenario": "homefeed", "request_id": answer["request_id"], "action": "click"}
        system.post_events(*({**base, "item_id": i["item_id"]} for i in answer["items"] if i["source"] == "redrec"))

    def preferred() -> bool:
        found = system.http.get("/v1/experiments/draft/report")
        mixed = found.json().get("preferences", {}).get("mixed", {}) if found.status_code == 200 else {}
        return mixed.get("first", 0) >= 4 and mixed["second"] == 0

    eventually(preferred, 60, "their clicks went to their own ranker")
    assert "interleaving (team draft)" in system.cli("experiment", "report", "draft").stdout
