"""Seconds from the PUT of a note to its verdict, and to its absence from search, at a steady rate of new notes.

    rayapp up && python -m tests.benchmarks.put_to_blocked --rate 5 --seconds 60

Needs a running system. What is put is plainly harmful, so that the policy acts on it. Times are from
the moment the PUT is sent until the verdict stands in `GET /v1/items/{id}`, which is answered from what feeds and
search are answered from; it is asked twice a second.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np

from rayapp.cli.main import running_config
from rayapp.terminal import print_table

TEXTS = (
    "Kill yourself, nobody would miss you",
    "You are a worthless idiot and everybody hates you",
    "I will find you and stab you",
)
LONGEST_S = 120.0
POLL_S = 0.5  # oftener is a load of its own


async def one(client: httpx.AsyncClient, item_id: str, text: str) -> dict[str, Any]:
    """Puts a note; once its verdict is in force in the gateway searches for its very words."""
    started = time.perf_counter()
    answer = await client.put("/v1/items", json={"items": [{"item_id": item_id, "title": text, "author": "bench"}]})
    answer.raise_for_status()
    verdict = None
    while verdict is None or verdict["outcome"] != "judged":
        if time.perf_counter() - started > LONGEST_S:
            return {"seconds": LONGEST_S, "decision": "none", "listed": False}
        await asyncio.sleep(POLL_S)
        found = await client.get(f"/v1/items/{item_id}")
        verdict = found.json()["verdict"] if found.status_code == 200 else None
    seen = time.perf_counter() - started
    shown = (await client.get("/v1/search", params={"q": text, "user_id": "bench"})).raise_for_status().json()
    feed = (await client.get("/v1/feed", params={"user_id": f"bench-{item_id}"})).raise_for_status().json()
    listed = item_id in {i["item_id"] for i in [*shown["items"], *feed["items"]]}
    return {"seconds": seen, "decision": verdict["decision"], "listed": listed}


async def run(url: str, rate: float, seconds: float) -> list[dict[str, Any]]:
    mark = uuid.uuid4().hex[:6]
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        tasks, begun = [], time.perf_counter()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            text = f"{TEXTS[number % len(TEXTS)]} {mark} {number}"
            tasks.append(asyncio.create_task(one(client, f"blocked-{mark}-{number}", text)))
        return await asyncio.gather(*tasks)


@click.command(help=__doc__)
@click.option("--state", default=".rayapp", envvar="RAYAPP_STATE")
@click.option("--rate", default=5.0, help="Notes a second.")
@click.option("--seconds", default=60.0)
@click.option("--out", type=click.Path(path_type=Path))
def main(state: str, rate: float, seconds: float, out: Path | None) -> None:
    config = running_config(state)
    found = asyncio.run(run(f"http://127.0.0.1:{config.ports.http}", rate, seconds))
    blocked = [f for f in found if f["decision"] in ("block", "limit")]
    times = np.array([f["seconds"] for f in found])
    rows = [
        ["notes put", len(found)],
        ["judged", sum(f["decision"] != "none" for f in found)],
        ["limited or blocked", len(blocked)],
        ["of these in feed or search after the verdict", sum(f["listed"] for f in blocked)],
        ["seconds from PUT to verdict, p50", float(np.percentile(times, 50))],
        ["p95", float(np.percentile(times, 95))],
    ]
    print_table(f"{rate:g} notes a second", ["", ""], rows)
    if out:
        out.write_text(json.dumps(dict(rows), indent=1))


if __name__ == "__main__":
    main()
