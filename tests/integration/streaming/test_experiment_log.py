"""An experiment read from a real broker: joined, distinct, read on from where the last look ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rayapp.config import Config
from rayapp.experiments.experiment import Arm, Experiment
from rayapp.experiments.metric import Mean, Ratio
from rayapp.stores.valkey.experiments import Started
from streaming.experiment_log import ExperimentLog
from streaming.producer import EventProducer, Record

TWO = Experiment(
    "two", "feed", (Arm("control", 0.5), Arm("new", 0.5)),
    metrics=(Ratio("ctr", "click", "impression"), Mean("likes", "like")),
)  # fmt: skip
Send = Callable[..., None]


@pytest.fixture
def send(stream: Config) -> Iterator[Send]:
    producer = EventProducer(stream.broker)

    def call(topic: str, user: str, **fields: Any) -> None:
        value = json.dumps({"user_id": user, **fields}).encode()
        producer.send_all([Record(stream.topic(topic), user, value)])

    yield call
    producer.close()


def now() -> int:
    return int(time.time() * 1000)


def event(send: Send, user: str, action: str, request: str | None, number: int, at: int | None = None) -> None:
    send(
        "behaviour", user, event_id=f"e{number}", item_id="i", scenario="homefeed", action=action, request_id=request,
        timestamp_ms=at or now(), received_ms=at or now(),
    )  # fmt: skip


def exposure(send: Send, user: str, request: str, arm: str) -> None:
    send(
        "exposures", user, request_id=request, scenario="homefeed", experiments={"two": arm}, latency_ms=7.0,
        items=[{"item_id": "i", "position": 0, "score": 1.0, "propensity": 1.0, "source": "redrec"}],
        model_version="1", index_version="s1", at_ms=now(),
    )  # fmt: skip


def of(log: ExperimentLog, user: str) -> dict[str, Any]:
    table = log.totals.table()
    (found,) = table[table["user_id"] == user].to_dict("records")
    return found


def test_each_look_reads_what_came_since(stream: Config, send: Send) -> None:
    begun = now()
    event(send, "ann", "click", None, 0, at=begun - 1)
    log = ExperimentLog(stream.broker, Started(TWO, begun), scenarios=stream.scenarios)
    exposure(send, "ann", "r1", "new")
    exposure(send, "bob", "r2", "control")
    for number, action in enumerate(("impression", "click", "like"), 1):
        event(send, "ann", action, "r1", number)
    event(send, "ann", "click", "r1", 2)  # sent twice
    assert log.read_on() == 7
    found = of(log, "ann")
    assert {k: found[k] for k in ("arm", "click", "impression", "like", "pre_click")} == {
        "arm": "new", "click": 1, "impression": 1, "like": 1, "pre_click": 1
    }  # fmt: skip
    assert log.read_on() == 0
    event(send, "ann", "click", "r1", 9)
    send("exposures", "cat", broken=True)
    send("behaviour", "ann", forget=True)
    event(send, "bob", "impression", "r2", 10)
    assert log.read_on() == 4
    report = log.report()
    assert report.users == {"control": 1, "new": 0}
    assert report.warnings == ("1 records could not be read and are left out",)
    assert of(log, "bob")["impression"] == 1


def test_what_lies_before_the_time_of_habits_is_not_read(stream: Config, send: Send) -> None:
    event(send, "ann", "click", None, 0)
    later = Started(TWO, now() + 120_000)
    assert ExperimentLog(stream.broker, later, scenarios=stream.scenarios, before_days=0).read_on() == 0
    assert ExperimentLog(stream.broker, later, scenarios=stream.scenarios, before_days=1).read_on() == 1
