"""What passes over Kafka: a client nobody here wrote, exposures, the learner, and kill -9."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import uuid

import numpy as np
import pytest
from kafka import KafkaConsumer, TopicPartition

from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.supervision import Supervisor
from rayapp.domain import Event
from rayapp.redrec.model.artifact import ItemSpace, load_user_side
from rayapp.redrec.model.history import tower_input, user_interests
from rayapp.redrec.online.item_vectors import ItemVectors
from rayapp.redrec.online.learner_state import LearnerState
from rayapp.stores.registry import Manifest, Registry
from rayapp.validation import InvalidRecord
from streaming.records import behaviour_record
from tests.e2e.conftest import System
from tests.helpers import eventually


def read_topic(system: System, topic: str) -> list:
    """Every record now on a topic, read with kafka-python (not the client that wrote it)."""
    consumer = KafkaConsumer(
        bootstrap_servers=system.config.bootstrap, enable_auto_commit=False, consumer_timeout_ms=5000
    )
    name = system.config.topic(topic)
    partitions = [TopicPartition(name, p) for p in consumer.partitions_for_topic(name) or ()]
    ends = consumer.end_offsets(partitions)
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    records = []
    while any(consumer.position(p) < ends[p] for p in partitions):
        for batch in consumer.poll(500).values():
            records += batch
    consumer.close()
    return records


def test_kcat_writes_good_and_bad_records(system: System) -> None:
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not installed (make test installs it)")
    user = f"kcat-{uuid.uuid4().hex[:6]}"
    good = {"user_id": user, "item_id": "note-00005", "scenario": "homefeed", "action": "click"}
    lines = [
        json.dumps(good),
        "this is not JSON",
        json.dumps({**good, "scenario": "nowhere", "item_id": "note-00006"}),
        json.dumps({**good, "action": "stare", "item_id": "note-00007"}),
        "[1, 2]",
        json.dumps({**good, "item_id": "note-00008", "action": "like"}),
    ]
    before = len(read_topic(system, "dead"))
    subprocess.run(
        ["kcat", "-P", "-b", system.config.bootstrap, "-t", system.config.topic("behaviour"), "-k", user],
        input="\n".join(lines) + "\n",
        text=True,
        check=True,
        timeout=60,
    )
    eventually(lambda: len(system.history(user)) == 2, 30, "the good ones in the history")
    assert {e["item_id"] for e in system.history(user)} == {"note-00005", "note-00008"}
    eventually(lambda: len(read_topic(system, "dead")) >= before + 4, 30, "dead letters")
    dead = [r for r in read_topic(system, "dead") if r.key and r.value in [line.encode() for line in lines]]
    headers = [{k: v.decode() for k, v in record.headers} for record in dead]
    assert sorted(h["reason"] for h in headers) == ["invalid", "not_json", "not_object", "unknown_scenario"]
    assert all(h["topic"] == system.config.topic("behaviour") and h["offset"].isdigit() for h in headers)
    assert b"this is not JSON" in [record.value for record in dead]
    system.click(user, ["note-00009"])  # and the consumers go on


def test_every_answer_writes_its_exposure(system: System) -> None:
    body = system.get("/v1/feed", user_id="exposed", k=10)

    def exposure() -> dict | None:
        values = [json.loads(r.value) for r in read_topic(system, "exposures") if r.key == b"exposed"]
        return next((v for v in values if v["request_id"] == body["request_id"]), None)

    record = eventually(exposure, 30, "the exposure record")
    assert [i["item_id"] for i in record["items"]] == [i["item_id"] for i in body["items"]]
    assert [i["position"] for i in record["items"]] == list(range(10))
    assert all(0 < i["propensity"] <= 1 for i in record["items"])
    assert (record["model_version"], record["index_version"]) == (body["model_version"], body["index_version"])
    assert record["latency_ms"] > 0


def head(system: System) -> Manifest:
    registry = Registry(system.config.models)
    return registry.manifest(registry.resolve("HEAD"))


def valid_distinct(system: System) -> int:
    """Distinct valid events of the whole behaviour topic, counted from the log itself."""
    seen, scenarios = set(), system.config.scenarios
    for record in read_topic(system, "behaviour"):
        place = f"{record.topic}-{record.partition}-{record.offset}"
        try:
            event = behaviour_record(record.value, scenarios, record.timestamp, place)
        except InvalidRecord:
            continue
        if isinstance(event, Event):
            seen.add((event.user_id, event.event_id))
    return len(seen)


def test_the_learner_publishes_and_counts_every_event_once(system: System) -> None:
    first = Registry(system.config.models).manifest(1)
    assert first.events_seen == sum(first.offsets[system.config.topic("behaviour")].values())
    items = system.feed_ids("teacher", k=20)
    system.click("teacher", items)
    expected = valid_distinct(system)
    eventually(lambda: head(system).events_seen == expected, 90, "a version that has seen everything")
    done = head(system)
    assert done.version > 1
    assert done.space == first.space
    eventually(
        lambda: int(system.get("/v1/feed", user_id="teacher")["model_version"]) >= done.version,
        30,
        "the version served",
    )


def test_the_learners_vector_of_a_logged_request_is_the_served_one(system: System) -> None:
    """The answer's scores are products with the user's vectors: those made from the learner's memory give the same."""
    user = "mirror"
    for scenario, count in (("homefeed", 4), ("search", 2)):
        system.click(user, system.feed_ids(user, k=count), scenario)
    answer = system.get("/v1/feed", user_id=user, k=20)
    expected = valid_distinct(system)
    eventually(lambda: head(system).events_seen == expected, 90, "a version whose memory has these clicks")
    registry = Registry(system.config.models)
    served = registry.manifest(int(answer["model_version"]))
    tower = load_user_side(registry.fetch(served.version), served.config)
    space = ItemSpace(registry.space_folder(served.space), served.config)
    items = ItemVectors.load(space, registry.fetch(served.version))
    memory = LearnerState.load(registry.fetch(head(system).version), tower.config.length)
    read = tower_input(memory.history(user), items, tower.vocabulary, tower.mixer)
    assert len(read.item_ids) == 6
    interests = user_interests(tower, [read], [tower.vocabulary.query_scenarios("homefeed")])[0]
    vectors = interests.reshape(-1, interests.shape[-1])
    scored = [i for i in answer["items"] if i["source"] == "redrec"]
    assert len(scored) > 10
    for item in scored:  # vectors have norm 1: a cosine of 0.9999 moves a product by at most 0.015
        products = vectors @ items.vectors[items.rows[item["item_id"]]]
        assert np.abs(products - item["score"]).min() < 1e-4


def test_a_rollback_is_served_at_once_and_holds_until_resumed(system: System) -> None:
    system.cli("model", "rollback", "1")
    eventually(lambda: system.get("/v1/feed", user_id="back")["model_version"] == "1", 30, "version 1 served")
    versions = head(system).version
    system.click("back", system.feed_ids("back", k=5))
    eventually(lambda: head(system).version > versions, 60, "publishing goes on")
    assert system.get("/v1/feed", user_id="back")["model_version"] == "1"
    system.cli("model", "resume")
    eventually(lambda: system.get("/v1/feed", user_id="back")["model_version"] != "1", 30, "the newest served again")
    assert "HEAD" in system.cli("model", "list").stdout


@pytest.mark.parametrize(
    "part", ["jobs.write_history", "jobs.learn_online", "ServeReplica:rayapp", "ray::ProxyActor", "store"]
)
def test_kill_minus_nine_loses_nothing(system: System, part: str) -> None:
    user = f"killed-{part.replace('.', '-').replace(':', '-')}"
    items = [f"note-{n:05d}" for n in range(100, 110)]
    system.click(user, items[:5])
    time.sleep(1.1)  # the store appends to disk once a second: what this test claims is what is on disk
    supervised = Supervisor(Layout(system.state)).pids()  # by its name there: Ray has a `store` of its own
    victims = [supervised[part]] if part in supervised else [p.pid for p in system.processes(part)]
    assert victims
    for victim in victims:
        os.kill(victim, signal.SIGKILL)

    def accepted() -> bool:
        event = {"user_id": user, "scenario": "homefeed", "action": "click"}
        events = [{**event, "item_id": i, "event_id": f"{user}-{i}"} for i in items[5:]]
        try:
            answer = system.http.post("/v1/events", json={"events": events})
        except Exception:
            return False
        return answer.status_code == 202

    eventually(accepted, 120, "events are accepted again")

    def complete() -> bool:
        try:
            return {e["item_id"] for e in system.history(user)} == set(items)
        except (AssertionError, OSError):
            return False
        except Exception as error:
            assert "connect" in str(error).lower() or "disconnect" in str(error).lower(), error
            return False

    eventually(complete, 120, "all ten clicks in the history")
    eventually(lambda: system.http.get("/readyz").status_code == 200, 120, "ready again")
    expected = valid_distinct(system)
    eventually(lambda: head(system).events_seen == expected, 180, "the learner has seen every event once")


def test_a_broker_away_for_half_a_minute_costs_time_and_nothing_else(system: System) -> None:
    user, items = "patient", [f"note-{n:05d}" for n in range(110, 116)]
    system.click(user, items[:3])
    event = {"user_id": user, "scenario": "homefeed", "action": "click"}
    later = {"events": [{**event, "item_id": i, "event_id": f"patient-{i}"} for i in items[3:]]}
    jobs = {p.pid for p in system.processes("jobs.learn_online")}
    supervisor = Supervisor(Layout(system.state))
    supervisor.rpc.stopProcess("broker", True)
    try:
        stopped = time.monotonic()
        while time.monotonic() - stopped < 30:  # each answer takes as long as the gateway waits for Kafka
            answer = system.http.post("/v1/events", json=later)
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.json()["accepted"] == 0
            assert answer.json()["unknown"] == [0, 1, 2]
            assert system.feed_ids(user, k=5)  # reading goes on
    finally:
        supervisor.start("broker")
    eventually(lambda: system.http.post("/v1/events", json=later).status_code == 202, 60, "events are accepted again")
    eventually(lambda: len(system.history(user)) == len(items), 60, "each of the six clicks once in the history")
    assert {e["item_id"] for e in system.history(user)} == set(items)
    expected = valid_distinct(system)
    eventually(lambda: head(system).events_seen == expected, 120, "the learner has seen every event once")
    assert jobs <= {p.pid for p in system.processes("jobs.learn_online")}, "the learner waited, it was not restarted"


def test_clocks_an_hour_off_change_nothing_but_the_order_of_a_history(system: System) -> None:
    """Joins and deduplication go by append time; a time ahead becomes the time of arrival."""
    user, hour = "skewed", 3_600_000
    before = head(system)
    shown = system.get("/v1/feed", user_id=user, k=3)
    now = int(time.time() * 1000)
    base = {"user_id": user, "scenario": "homefeed", "request_id": shown["request_id"]}
    ids = [item["item_id"] for item in shown["items"]]
    events = [
        {**base, "item_id": ids[0], "action": "impression", "timestamp_ms": now + hour},
        {**base, "item_id": ids[0], "action": "click", "timestamp_ms": now - hour, "event_id": "behind"},
        {**base, "item_id": ids[1], "action": "impression", "timestamp_ms": now - hour},
        {**base, "item_id": ids[1], "action": "click", "timestamp_ms": now + hour, "event_id": "ahead"},
        {**base, "item_id": ids[1], "action": "click", "timestamp_ms": now - hour, "event_id": "ahead"},  # once more
    ]
    assert system.post_events(*events)["accepted"] == 5
    eventually(lambda: len(system.history(user)) == 2, 30, "both clicks in the history")
    newest, oldest = system.history(user)
    assert (newest["item_id"], oldest["item_id"]) == (ids[1], ids[0])
    assert now - 5_000 <= newest["timestamp_ms"] <= time.time() * 1000
    assert oldest["timestamp_ms"] == now - hour
    expected = valid_distinct(system)
    eventually(lambda: head(system).events_seen == expected, 90, "a version that has seen them")
    joined = head(system).metrics["join"]["joined"] - before.metrics.get("join", {}).get("joined", 0)
    assert joined == 2
