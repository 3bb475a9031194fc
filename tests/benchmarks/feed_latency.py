"""Feed latency as a ratio to a no-op Serve endpoint measured in the same run.

    make up && make bench

Attaches to the running system, deploys a no-op and a chain of as many hops
beside it, and interleaves the measurements, so that both see the same machine.
The laptop profile composes user tower and retriever inside the gateway: one hop.

`feed` asks for another user every time, so that the user tower runs for every
request; `scroll` asks for the same users again, who clicked nothing in between
and are answered from the interest cache.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np

from rayapp.cli.machine.paths import Layout
from rayapp.cli.main import running_config

ROUNDS = 6
SCROLLERS = 100


def deploy_noop(layout: Layout) -> None:
    """A raw Serve deployment at /noop of the same cluster: no framework, no work."""
    os.environ.update(layout.environment())
    os.environ.pop("RAYAPP_CONFIG", None)
    import ray
    from ray import serve
    from starlette.requests import Request

    @serve.deployment(max_ongoing_requests=256, ray_actor_options={"num_cpus": 0})
    class Noop:
        async def __call__(self, _request: Request) -> str:
            return "ok"

    config = running_config(str(layout.state))
    ray.init(address=f"127.0.0.1:{config.ports.ray}", namespace="bench", log_to_driver=False, logging_level="error")
    serve.run(Noop.bind(), name="noop", route_prefix="/noop")


def remove_noop() -> None:
    import ray
    from ray import serve

    serve.delete("noop")
    ray.shutdown()


async def measure(url: str, paths: Iterator[str], connections: int, seconds: float) -> tuple[list[float], float]:
    """(latencies in seconds, requests a second) of a closed loop."""
    latencies: list[float] = []
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
        end = time.perf_counter() + seconds

        async def worker() -> None:
            while time.perf_counter() < end:
                started = time.perf_counter()
                answer = await client.get(next(paths))
                answer.raise_for_status()
                latencies.append(time.perf_counter() - started)

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(connections)))
        return latencies, len(latencies) / (time.perf_counter() - started)


def bench(url: str, users: list[str], seconds: float) -> dict[str, Any]:
    feeds = [f"/v1/feed?user_id={u}&k=20" for u in users]
    targets = {
        name: itertools.cycle(paths)
        for name, paths in {"noop": ["/noop"], "feed": feeds, "scroll": feeds[:SCROLLERS]}.items()
    }
    for paths in targets.values():
        asyncio.run(measure(url, paths, 4, 5))  # warm
    result: dict[str, Any] = {}
    for connections in (1, 16):
        latencies: dict[str, list[float]] = {name: [] for name in targets}
        rates: dict[str, list[float]] = {name: [] for name in targets}
        for _ in range(ROUNDS):
            for name, paths in targets.items():
                got, rate = asyncio.run(measure(url, paths, connections, seconds / ROUNDS))
                latencies[name] += got
                rates[name].append(rate)
        row = {
            name: {
                "p50_ms": 1000 * float(np.percentile(latencies[name], 50)),
                "p99_ms": 1000 * float(np.percentile(latencies[name], 99)),
                "rps": float(np.median(rates[name])),
            }
            for name in targets
        }
        for name in ("feed", "scroll"):
            row[f"{name}/noop"] = {k: row[name][k] / row["noop"][k] for k in ("p50_ms", "p99_ms", "rps")}
        result[str(connections)] = row
    return result


@click.command(help=__doc__)
@click.option("--state", default=".rayapp", envvar="RAYAPP_STATE")
@click.option("--seconds", default=30.0, help="Per endpoint and number of connections.")
@click.option("--out", type=click.Path())
def main(state: str, seconds: float, out: str | None) -> None:
    config = running_config(state)
    layout = Layout(state)
    url = f"http://127.0.0.1:{config.ports.http}"
    folder = layout.read(layout.system)["data"]
    import pyarrow.parquet as pq

    users = pq.read_table(Path(folder) / "interactions.parquet", columns=["user_id"])["user_id"].unique().to_pylist()
    deploy_noop(layout)
    try:
        result = bench(url, [str(u) for u in users], seconds)
    finally:
        remove_noop()
    click.echo(f"{'':>16} {'p50 ms':>9} {'p99 ms':>9} {'req/s':>9}")
    for connections, row in result.items():
        for name, values in row.items():
            cells = " ".join(f"{values[k]:9.2f}" for k in ("p50_ms", "p99_ms", "rps"))
            click.echo(f"{connections + ' ' + name:>16} {cells}")
    if out:
        Path(out).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
