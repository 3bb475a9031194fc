"""Seconds from the PUT of a note to its verdict, and to its absence from search, at a steady rate of new notes.

    rayapp up && python -m tests.benchmarks.put_to_blocked --rate 5 --seconds 60

Needs a running system with its language model, and a policy under which the model blocks what is put: with the packaged
model start it with `llm: {policy: tests/benchmarks/strict_policy.yaml}`, which blocks nearly everything. Times are from
the moment the PUT is sent until the verdict stands in `GET /v1/items/{id}`, which is answered from what feeds and
search are answered from; it is asked when the verdict comes by on `rayapp.verdicts`.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np
from confluent_kafka import TopicPartition

from jobs._job import print_table
from rayapp.cli.main import running_config
from rayapp.config import Config
from streaming.reading import consumer_for, watermarks

TEXTS = ("You are worthless and everybody hates you", "Go away, nobody wants people like you here", "Shut up, idiot")
LONGEST_S = 120.0


class Verdicts:
    """Hears of verdicts on the topic, where they stand before replicas apply them, without asking the gateway."""

    def __init__(self, config: Config) -> None:
        self.consumer = consumer_for(config.bootstrap)
        topic = config.topic("verdicts")
        ends = watermarks(self.consumer, topic)
        self.consumer.assign([TopicPartition(topic, p, high) for p, (_, high) in ends.items()])
        self.waiting: dict[str, asyncio.Future[str]] = {}
        self.loop = asyncio.get_running_loop()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def of(self, item_id: str) -> asyncio.Future[str]:
        """Its decision by the model, once there is one."""
        self.waiting[item_id] = self.loop.create_future()
        return self.waiting[item_id]

    def close(self) -> None:
        self.over.set()
        self.thread.join()
        self.consumer.close()

    def _listen(self) -> None:
        while not self.over.is_set():
            for message in self.consumer.consume(100, timeout=0.05):
                if message.error() is None:
                    record = json.loads(message.value())
                    self.loop.call_soon_threadsafe(self._heard, record)

    def _heard(self, record: dict[str, Any]) -> None:
        future = self.waiting.get(record["item_id"])
        if future is not None and not future.done() and record["outcome"] == "judged":
            future.set_result(record["decision"])


async def one(client: httpx.AsyncClient, verdicts: Verdicts, item_id: str, text: str) -> dict[str, Any]:
    """Puts a note; once its verdict is in force in the gateway searches for its very words."""
    heard, started = verdicts.of(item_id), time.perf_counter()
    answer = await client.put("/v1/items", json={"items": [{"item_id": item_id, "title": text, "author": "bench"}]})
    answer.raise_for_status()
    try:
        decision = await asyncio.wait_for(heard, LONGEST_S)
    except TimeoutError:
        return {"seconds": LONGEST_S, "decision": "none", "listed": False}
    while (await client.get(f"/v1/items/{item_id}")).json().get("verdict") is None:
        await asyncio.sleep(0.05)
    seen = time.perf_counter() - started
    shown = (await client.get("/v1/search", params={"q": text, "k": 100, "user_id": "bench"})).raise_for_status().json()
    feed = (await client.get("/v1/feed", params={"k": 200, "user_id": f"bench-{item_id}"})).raise_for_status().json()
    listed = item_id in {i["item_id"] for i in [*shown["items"], *feed["items"]]}
    return {"seconds": seen, "decision": decision, "listed": listed}


async def run(config: Config, rate: float, seconds: float) -> list[dict[str, Any]]:
    mark = uuid.uuid4().hex[:6]
    limits = httpx.Limits(max_connections=64)
    url = f"http://127.0.0.1:{config.ports.http}"
    verdicts = Verdicts(config)
    try:
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
            tasks, begun = [], time.perf_counter()
            for number in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
                text = f"{TEXTS[number % len(TEXTS)]} {mark} {number}"
                tasks.append(asyncio.create_task(one(client, verdicts, f"blocked-{mark}-{number}", text)))
            return await asyncio.gather(*tasks)
    finally:
        verdicts.close()


@click.command(help=__doc__)
@click.option("--state", default=".rayapp", envvar="RAYAPP_STATE")
@click.option("--rate", default=5.0, help="Notes a second.")
@click.option("--seconds", default=60.0)
@click.option("--out", type=click.Path(path_type=Path))
def main(state: str, rate: float, seconds: float, out: Path | None) -> None:
    config = running_config(state)
    found = asyncio.run(run(config, rate, seconds))
    blocked = [f for f in found if f["decision"] == "block"]
    times = np.array([f["seconds"] for f in found])
    rows = [
        ["notes put", len(found)],
        ["judged", sum(f["decision"] != "none" for f in found)],
        ["blocked", len(blocked)],
        ["of these in feed or search after the verdict", sum(f["listed"] for f in blocked)],
        ["seconds from PUT to verdict, p50", float(np.percentile(times, 50))],
        ["p95", float(np.percentile(times, 95))],
    ]
    print_table(f"{rate:g} notes a second", ["", ""], rows)
    if out:
        out.write_text(json.dumps(dict(rows), indent=1))


if __name__ == "__main__":
    main()
