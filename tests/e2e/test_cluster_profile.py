"""The cluster's profile on one machine: gateways, user tower and retriever as deployments of their own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import pytest

from rayapp.cli.machine.paths import Layout
from rayapp.config import Serving
from tests.e2e.conftest import System, running
from tests.helpers import eventually

pytestmark = pytest.mark.long  # a second whole system
PARTS = {"gateway": 2, "user-tower": 1, "retriever": 1}


def replicas(system: System) -> dict[str, list[int]]:
    """Processes of the replicas that run, by deployment, as Ray's dashboard tells it."""
    url = f"http://127.0.0.1:{system.config.ports.dashboard}/api/serve/applications/"
    headers = {"Authorization": f"Bearer {Layout(system.state).ray_token()}"}
    parts = httpx.get(url, headers=headers, timeout=30).raise_for_status().json()["applications"]["rayapp"]
    return {
        name: [one["pid"] for one in part["replicas"] if one["state"] == "RUNNING"]
        for name, part in parts["deployments"].items()
    }


def test_three_deployments_answer_like_one_and_each_may_die(tmp_path: Path) -> None:
    with running(tmp_path, serving=Serving(profile="cluster")) as system:
        eventually(
            lambda: PARTS.items() <= {name: len(pids) for name, pids in replicas(system).items()}.items(),
            120,
            f"replicas {PARTS}",
        )
        coffee = [i["item_id"] for i in system.get("/v1/search", q="espresso coffee grinder", k=5)["items"]]
        before = system.get("/v1/feed", user_id="loop")
        assert {i["source"] for i in before["items"]} <= {"popular", "fresh", "explore"}
        system.click("loop", coffee)
        after = system.get("/v1/feed", user_id="loop")
        assert {i["source"] for i in after["items"]} <= {"redrec", "explore"}
        assert not set(coffee) & {i["item_id"] for i in after["items"]}
        assert len(system.get(f"/v1/items/{coffee[0]}/similar", k=5)["items"]) == 5
        assert len(system.get("/v1/ads", user_id="loop", k=3)["items"]) == 3
        version = after["model_version"]

        def newer() -> bool:  # every part follows the learner
            return system.get("/v1/feed", user_id="loop")["model_version"] != version

        eventually(newer, 60, "a feed by a newer version")
        for part in ("user-tower", "retriever"):
            (pid,) = replicas(system)[part]
            os.kill(pid, signal.SIGKILL)
            eventually(lambda p=part, old=pid: set(replicas(system)[p]) - {old}, 120, f"another {part}")
            eventually(lambda: system.http.get("/v1/feed", params={"user_id": "loop"}).status_code == 200, 30, "a feed")
            assert {i["source"] for i in system.get("/v1/feed", user_id="loop")["items"]} <= {"redrec", "explore"}
