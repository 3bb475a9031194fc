"""Every panel and every alert asked of a real Prometheus while the system is under load: each has something to show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from confluent_kafka import Producer

from rayapp.metrics import SERIES
from tests.e2e.conftest import System
from tests.helpers import eventually

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
LOADED = {
    "name": "loaded", "layer": "search", "scenarios": ["homefeed"],
    "arms": [{"name": "control", "weight": 0.5}, {"name": "new", "weight": 0.5, "params": {"explore": 0.2}}],
    "guardrails": [{"metric": "latency_p99_ms", "max": 10_000}],
}  # fmt: skip


# Of a model that is asked for the first time after its start.
EXPORTED = {'stage="understand"', "rayapp_verdicts_total"}


def series(system: System) -> set[str]:
    text = system.http.get("/metrics").text
    return {name for name in EXPORTED if name in text}


def panels() -> list[tuple[str, str]]:
    found = []
    for file in sorted((DEPLOY / "grafana").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            found += [(f"{file.stem}: {panel['title']}", target["expr"]) for target in panel.get("targets", [])]
    return [(name, expr.replace("$__rate_interval", "2m")) for name, expr in found]


def alerts() -> list[tuple[str, str]]:
    """What each alert compares, without the comparison: an alert that rests has no result of its own."""
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"][0]["rules"]
    return [
        (rule["alert"], re.split(r" (?:<|>|<=|>=) ", part)[0])
        for rule in rules
        if "alert" in rule
        for part in re.split(r" and (?![^(]*\))", rule["expr"])
    ]


@pytest.fixture(scope="module")
def system(system_with_llm: System) -> System:
    return system_with_llm


@pytest.fixture(scope="module")
def prometheus(system: System) -> Iterator[httpx.Client]:
    """After load of every kind: feeds, clicks, searches, a verdict, an experiment's report, a record that cannot be used."""
    assert system.http.post("/v1/experiments", json=LOADED).status_code in (200, 201)
    producer = Producer({"bootstrap.servers": system.config.bootstrap})
    for _ in range(3):
        producer.produce("rayapp.behaviour", b"not json", key=b"u")
    producer.flush(10)
    out = system.cli("simulate", "--users", "24", "--rate", "4", "--duration", "20").stdout
    assert "0 failed requests" in out
    assert "loaded, control" in out

    def reported() -> bool:
        return system.http.get("/v1/experiments/loaded/report", timeout=60).status_code == 200

    eventually(reported, 90, "the report")
    system.put_note("measured-1", "A note about sundials")
    eventually(lambda: system.get("/v1/items/measured-1")["verdict"], 120, "a verdict")
    system.get("/v1/search", q="sundials")
    eventually(lambda: series(system) >= EXPORTED, 60, f"series {EXPORTED}")
    with httpx.Client(base_url=f"http://127.0.0.1:{system.config.ports.prometheus}", timeout=30) as client:
        yield client
    assert system.http.post("/v1/experiments/loaded/stop").status_code == 200


def ask(prometheus: httpx.Client, expr: str) -> list[dict[str, Any]]:
    answer = prometheus.get("/api/v1/query", params={"query": expr}).json()
    assert answer["status"] == "success", f"{expr}: {answer}"
    return answer["data"]["result"]


def test_the_system_is_scraped_and_its_rules_work(prometheus: httpx.Client) -> None:
    targets = prometheus.get("/api/v1/targets").json()["data"]["activeTargets"]
    assert {t["labels"]["job"]: t["health"] for t in targets} == {"rayapp": "up", "ray": "up"}
    rules = [r for g in prometheus.get("/api/v1/rules").json()["data"]["groups"] for r in g["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}
    names = prometheus.get("/api/v1/label/__name__/values").json()["data"]
    assert not [name for name in names if name.startswith("ray_rayapp_")]
    exported = {re.sub("_(bucket|sum|count)$", "", name) for name in names if name.startswith("rayapp_")}
    assert exported <= set(SERIES)


@pytest.mark.parametrize(("name", "expr"), [*panels(), *alerts()])
def test_every_panel_and_alert_has_data(prometheus: httpx.Client, name: str, expr: str) -> None:
    eventually(lambda: ask(prometheus, expr), 40, f"{name}: {expr}")
