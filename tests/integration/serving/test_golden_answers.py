"""Every answer of a small world is the one that was recorded before the request path was redesigned.

Recorded over HTTP from the application as it was: feeds, ads, search, items, errors, and each kind of experiment arm.
Scores are held to four digits; times, latencies and the change counter of the index are left out.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import torch

from rayapp.config import Config, Llm, Serving
from rayapp.experiments.arm_params import ArmParams
from rayapp.experiments.experiment import Arm, Experiment
from rayapp.exposure import Exposure
from rayapp.redrec.model.redrec import ModelConfig
from rayapp.serving.http.app import build_app
from rayapp.serving.http.services import Services
from rayapp.serving.services import open_services
from rayapp.stores.backend import StoreBackend
from rayapp.stores.records import StoredItem
from rayapp.stores.valkey.items import ItemReader
from streaming.reading import consumer_for, read_ranges, watermarks
from streaming.windows import Range
from tests.helpers import eventually
from tests.integration.serving import golden_world as world
from tests.integration.serving.world import NoReports, publish

RECORDED = [json.loads(line) for line in Path(__file__).with_name("golden_answers.jsonl").read_text().splitlines()]


@pytest.fixture
async def services(
    stream: Config, backend: StoreBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Services]:
    torch.set_num_threads(1)
    serving = Serving(explore=0.1)
    config = msgspec.structs.replace(stream, state=str(tmp_path), llm=Llm(enabled=False), serving=serving)
    scan = ItemReader.scan

    def in_order(reader: ItemReader, batch: int = 2000) -> Any:
        """Valkey scans in an order of its own, by which exploration draws and BM25 breaks ties."""
        stored: list[StoredItem] = [row for page in scan(reader, batch) for row in page]
        yield sorted(stored, key=lambda row: row.item_id)

    monkeypatch.setattr(ItemReader, "scan", in_order)
    backend.catalogue_store().put(world.items(), world.contents())
    for verdict in world.verdicts():
        backend.verdicts().put(verdict)
    backend.history_log(config.history).apply(world.events())
    for name, seed in ((config.name, 1), ("other", 2)):
        publish(
            config,
            name,
            seed,
            items=world.items(),
            contents=world.contents(),
            scenarios=world.SCENARIOS,
            actions=("click", "like"),
            settings=ModelConfig(dim=16, width=32, heads=2, length=20),
        )
    opened = open_services(config, reports=NoReports())
    yield opened
    await opened.close()


async def test_every_answer_is_the_recorded_one(
    services: Services, stream: Config, backend: StoreBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiments, drawn = backend.experiments(), 0

    def numbered() -> uuid.UUID:
        nonlocal drawn
        drawn += 1
        return uuid.UUID(int=drawn)

    monkeypatch.setattr(uuid, "uuid4", numbered)
    transport = httpx.ASGITransport(build_app(services), raise_app_exceptions=False)
    phase, last = "base", None
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as http:
        for number, recorded in enumerate(RECORDED, start=1):
            if recorded["phase"] != phase:
                if phase != "base":
                    experiments.stop(phase)
                phase, last = recorded["phase"], None
                params = msgspec.convert(world.PHASES[phase], ArmParams)
                experiments.create(Experiment(phase, phase, (Arm("on", 1.0, params), Arm("off", 0.0))))
                services.state.experiments.look()
                assert not services.state.experiments.waiting
            drawn = number * 1000
            method, path, arguments = recorded["request"]
            query = {name: last if value == "$last" else value for name, value in arguments.items()}
            sent = query if query.keys() & {"json", "content"} else {"params": query}
            answer = await http.request(method, path, **sent)
            body = answer.json()
            last = body.get("cursor", last)
            expected = (recorded["status"], recorded["retry"], recorded["body"])
            assert (answer.status_code, answer.headers.get("retry-after"), comparable(body)) == expected, (
                f"{phase}: {recorded['request']}"
            )
    exposures = [msgspec.json.decode(value, type=Exposure) for value in logged(stream, count=201)]
    assert len({exposure.request_id for exposure in exposures}) == 201


def comparable(value: Any) -> Any:
    """What two runs have in common: four digits of a number, no clock, and of an index its name."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list):
        return [comparable(part) for part in value]
    if isinstance(value, dict):
        left_out = ("at_ms", "latency_ms", "received_ms")
        plain = {name: comparable(part) for name, part in value.items() if name not in left_out}
        if "index_version" in plain:
            plain["index_version"] = plain["index_version"].split(".")[0]
        return plain
    return value


def logged(config: Config, count: int) -> list[bytes]:
    """The values of `rayapp.exposures` once there are `count`."""
    topic, consumer = config.topic("exposures"), consumer_for(config.broker)
    try:

        def there() -> list[Range]:
            marks = watermarks(consumer, topic)
            ranges = [Range(topic, partition, low, high) for partition, (low, high) in marks.items()]
            return ranges if sum(r.rows for r in ranges) >= count else []

        ranges = eventually(there, 30, f"{count} exposures")
    finally:
        consumer.close()
    return [row["value"] for table in read_ranges(config.broker, ranges) for row in table.to_pylist()]
