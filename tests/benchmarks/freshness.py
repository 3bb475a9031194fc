"""Seconds from an event to every stage it reaches, under load, as the system's own histograms count them.

    make up && .venv/bin/python -m tests.benchmarks.freshness --rate 200 --seconds 180

Attaches to the running system. Users open a feed of ten, all ten are seen and
two clicked: twelve events a visit, sent as a client sends them. The table is
the difference of /metrics before and after, then what each part spent in cores.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import click
import httpx
import numpy as np

from rayapp.cli.main import running_config
from rayapp.cli.status import STAGES, freshness_buckets
from tests.benchmarks.cpu_by_part import CpuByPart

AIMS = {"history": "p99 < 1 s", "served": "p50 < 30 s, p95 < 60 s"}
SHOWN, CLICKED = 10, 2


def quantile(before: dict[float, float], after: dict[float, float], q: float) -> float:
    """Interpolated within its bucket, as Prometheus does; the highest bound for what lies beyond it."""
    bounds = sorted(after)
    counts = np.array([after[b] - before.get(b, 0.0) for b in bounds])
    place = int(np.searchsorted(counts, q * counts[-1]))
    if not np.isfinite(bounds[place]):
        return bounds[place - 1]
    low, below = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    return float(low + (bounds[place] - low) * (q * counts[-1] - below) / max(counts[place] - below, 1e-9))


def count(found: dict[str, dict[float, float]], stage: str) -> float:
    """Events that have reached a stage."""
    return max(found.get(stage, {}).values(), default=0.0)


async def visit(client: aiohttp.ClientSession, user: str, rng: np.random.Generator) -> int:
    """One user looks and clicks; returns the events accepted."""
    async with client.get("/v1/feed", params={"user_id": user, "k": SHOWN}) as answer:
        feed = await answer.json()
    shown = [item["item_id"] for item in feed["items"]]
    base = {"user_id": user, "scenario": "homefeed", "request_id": feed["request_id"]}
    clicked = [shown[i] for i in rng.permutation(len(shown))[:CLICKED]]
    events = [{**base, "item_id": i, "action": "impression", "position": n} for n, i in enumerate(shown)]
    events += [{**base, "item_id": i, "action": "click"} for i in clicked]
    if not events:
        return 0
    async with client.post("/v1/events", json={"events": events}) as answer:
        answer.raise_for_status()
        return int((await answer.json())["accepted"])


async def drive(url: str, rate: float, seconds: float) -> float:
    """Visits at fixed times, whether or not earlier ones are done; returns events a second."""
    rng = np.random.default_rng(0)
    every = (SHOWN + CLICKED) / rate
    run = time.time_ns() // 10**9
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=64)) as client:
        started = time.perf_counter()
        tasks = []
        for n in itertools.count():
            at = started + n * every
            if at > started + seconds:
                break
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            # Users come back: a third of the visits are somebody's first.
            tasks.append(asyncio.create_task(visit(client, f"fresh-{run}-{n // 9 * 3 + n % 3}", rng)))
        accepted = await asyncio.gather(*tasks)
        return sum(accepted) / (time.perf_counter() - started)


@click.command(help=__doc__)
@click.option("--state", default=".rayapp", help="State folder of the running system.")
@click.option("--rate", default=200.0, help="Events a second.")
@click.option("--seconds", default=180.0, help="How long.")
@click.option("--warm", default=30.0, help="Seconds of half the load before it, until a new model is served.")
@click.option("--out", type=click.Path(), help="Write the table as JSON.")
def main(state: str, rate: float, seconds: float, warm: float, out: str | None) -> None:
    config = running_config(state)
    url = f"http://127.0.0.1:{config.ports.http}"

    def buckets() -> dict[str, dict[float, float]]:
        return freshness_buckets(httpx.get(f"{url}/metrics", timeout=30).text)

    # A learner takes a minute to start after `up` has answered: that is start-up, not freshness.
    before = start = buckets()
    for _ in range(10):
        click.echo(f"warming up for {warm:.0f} s")
        asyncio.run(drive(url, rate / 2, warm))
        before = buckets()
        if count(before, "served") > count(start, "served"):
            break
    else:
        raise click.ClickException(f"no new model was served; is the learner running? rayapp --state {state} status")
    cpu = CpuByPart(state)
    reached = asyncio.run(drive(url, rate, seconds))
    cores = cpu.cores()
    after = _settled(buckets)
    rows: dict[str, Any] = {}
    click.echo(f"{reached:.0f} events/s accepted over {seconds:.0f} s (asked for {rate:.0f})")
    click.echo(f"{'stage':<10}{'p50':>8}{'p95':>8}{'p99':>8}{'samples':>10}  aim")
    for stage in STAGES:
        if stage not in after:
            continue
        earlier = before.get(stage, {})
        samples = count(after, stage) - count(before, stage)
        if samples:
            rows[stage] = {f"p{100 * q:g}": quantile(earlier, after[stage], q) for q in (0.5, 0.95, 0.99)}
            shown = "".join(f"{v:>8.2f}" for v in rows[stage].values())
            click.echo(f"{stage:<10}{shown}{samples:>10.0f}  {AIMS.get(stage, '')}")
    click.echo("cores: " + ", ".join(f"{part} {used:.2f}" for part, used in cores.items()))
    if out:
        Path(out).write_text(json.dumps({"events_per_s": reached, "seconds": rows, "cores": cores}, indent=1))


def _settled(buckets: Any) -> dict[str, dict[float, float]]:
    """The histograms once two readings ten seconds apart agree: exporters report with a delay."""
    last = buckets()
    for _ in range(12):
        time.sleep(10)
        found = buckets()
        if found == last:
            break
        last = found
    return last


if __name__ == "__main__":
    main()
