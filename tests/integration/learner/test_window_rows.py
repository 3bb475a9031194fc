"""A plan's records are the same whether this process reads them or Ray Data does."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
import ray

from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.learner import window_rows
from rayapp.learner.window_rows import read_rows
from streaming import reading
from streaming.producer import EventProducer, Record
from streaming.reading import consumer_for, watermarks
from streaming.windows import Plan, Range


@pytest.fixture
def _ray() -> Iterator[None]:
    connect_ray(quiet=True)
    yield
    ray.shutdown()


@pytest.fixture
def plan(stream: Config) -> Plan:
    """100 records over several partitions."""
    topic = stream.topic("behaviour")
    producer = EventProducer(stream.broker)
    producer.send_all(Record(topic, f"u{n}", b"%d" % n) for n in range(100))
    producer.close()
    consumer = consumer_for(stream.broker)
    marks = watermarks(consumer, topic)
    consumer.close()
    return Plan(1, tuple(Range(topic, p, low, high) for p, (low, high) in sorted(marks.items()) if high > low))


def read(config: Config, plan: Plan) -> pa.Table:
    table = read_rows(config.broker, plan)
    assert {int(value) for value in table["value"].to_pylist()} == set(range(100))
    return table


@pytest.mark.usefixtures("_ray")
def test_a_small_plan_makes_no_dataset_and_a_large_one_reads_the_same(
    stream: Config, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = []

    def read_plan(*args: object) -> object:
        datasets.append(args)
        return reading.read_plan(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(window_rows, "read_plan", read_plan)
    here = read(stream, plan)
    assert datasets == [], "Ray keeps metrics of every dataset until its cluster ends"
    monkeypatch.setattr(reading, "ROWS_A_TASK", 10)
    assert read(stream, plan).equals(here)
    assert len(datasets) == 1


def test_a_plan_without_records_has_no_rows(stream: Config) -> None:
    assert read_rows(stream.broker, Plan(1, ())).num_rows == 0
