"""Feed and search latency while the language model is saturated, as a ratio to the same requests while it is idle.

    rayapp up && python -m tests.benchmarks.llm_load [--cores 1] [--nice 10]

Needs a running system with its language model. `--cores` and `--nice` settle the engine's processes as `cores` and
`nice` of serve_configs/laptop.yaml do, for this run alone. One connection; users are other ones every time, so
their interests come from no cache. A known query was understood before, a new one is asked of the model.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import httpx
import numpy as np
import psutil

from rayapp.cli.machine.paths import Layout
from rayapp.cli.main import running_config
from rayapp.serving.llm.engine_cores import place
from rayapp.terminal import print_table

WORDS = [
    "espresso",
    "hiking",
    "vegan",
    "guitar",
    "garden",
    "camera",
    "pottery",
    "yoga",
    "bicycle",
    "museum",
    "tea",
    "jazz",
    "chess",
    "sewing",
    "running",
]


def engine(layout: Layout) -> list[psutil.Process]:
    found = []
    for process in layout.processes():
        with contextlib.suppress(psutil.Error):
            if any(name in " ".join(process.cmdline()) for name in ("VLLM::", "ServeReplica:redone")):
                found.append(process)
    return found


def saturate(url: str, connections: int) -> None:
    """Keeps `connections` prompts of 200 words and 64 tokens to write with the engine, until killed."""

    def ask(number: int) -> None:
        client = httpx.Client(base_url=url, timeout=120)
        for turn in itertools.count():
            prompt = f"{number} {turn} " + "a note about the sea " * 40
            with contextlib.suppress(httpx.HTTPError):
                client.post("/llm/v1/completions", json={"model": "redone", "prompt": prompt, "max_tokens": 64})

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(ask, range(connections)))


def new_queries() -> Iterator[str]:
    """Never the same one twice: nobody understood it before."""
    for turn in itertools.count(int(time.time())):
        for first, second in itertools.permutations(WORDS, 2):
            yield f"/v1/search?user_id=llm-load&k=20&q={first}+{second}+{turn}"


KNOWN = [f"/v1/search?user_id=llm-load&k=20&q={word}" for word in WORDS[:8]]
NEW = new_queries()


def understood(client: httpx.Client) -> None:
    """Until RedOne has said what the known queries mean."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if all(client.get(path).json()["understanding"]["cached"] for path in KNOWN):
            return
        time.sleep(1)
    raise click.ClickException("the queries were not understood within two minutes; is the language model up?")


def latencies(client: httpx.Client, paths: Iterator[str], seconds: float) -> np.ndarray:
    """Milliseconds of one request after another."""
    found, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        client.get(next(paths)).raise_for_status()
        found.append(1000 * (time.perf_counter() - started))
    return np.array(found)


def measured(url: str, users: list[str], seconds: float) -> dict[str, np.ndarray]:
    client = httpx.Client(base_url=url, timeout=60)
    feeds = itertools.cycle(f"/v1/feed?user_id={user}&k=20" for user in users)
    return {
        "feed": latencies(client, feeds, seconds),
        "search, known query": latencies(client, itertools.cycle(KNOWN), seconds),
        "search, new query": latencies(client, NEW, seconds),
    }


@click.command(help=__doc__)
@click.option("--state", default=".rayapp", envvar="RAYAPP_STATE")
@click.option("--seconds", default=20.0, help="Per kind of request.")
@click.option("--connections", default=16, help="That keep the model busy.")
@click.option("--cores", default="", help="Cores for the engine, such as 1 or 0,1; all of them by default.")
@click.option("--nice", default=10, help="Niceness of the engine; serve_configs/laptop.yaml has 10.")
@click.option("--saturate-only", is_flag=True, hidden=True)
@click.option("--out", type=click.Path(path_type=Path))
def main(
    state: str, seconds: float, connections: int, cores: str, nice: int, saturate_only: bool, out: Path | None
) -> None:
    config, layout = running_config(state), Layout(state)
    url = f"http://127.0.0.1:{config.ports.http}"
    if saturate_only:
        saturate(url, connections)
        return
    import pandas as pd

    folder = layout.read(layout.system)["data"]
    users = pd.read_parquet(Path(folder) / "interactions.parquet")["user_id"].astype(str).unique().tolist()
    chosen = [int(core) for core in cores.split(",") if core] or sorted(os.sched_getaffinity(0))
    place(engine(layout), chosen, nice)
    understood(httpx.Client(base_url=url, timeout=60))
    measured(url, users, 3)  # warm
    time.sleep(10)  # what the new queries asked of the model is done
    idle = measured(url, users, seconds)
    command = [sys.executable, "-m", "tests.benchmarks.llm_load", "--saturate-only", "--state", state]
    load = subprocess.Popen([*command, "--connections", str(connections)])
    try:
        measured(url, users, 5)  # until the load is there
        busy = measured(url, users, seconds)
    finally:
        load.kill()
        load.wait()
    rows, result = [], {}
    for name in idle:
        for share in (50, 99):
            before, after = float(np.percentile(idle[name], share)), float(np.percentile(busy[name], share))
            rows.append([f"{name} p{share}", before, after, after / before])
            result[f"{name}_p{share}"] = {"idle_ms": before, "saturated_ms": after, "ratio": after / before}
    print_table(f"engine on cores {chosen}, nice {nice}", ["", "idle ms", "saturated ms", "ratio"], rows)
    if out:
        out.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
