"""Memory by process under a mixed load: does it stand still?

    python -m tests.benchmarks.memory_curve --minutes 60 --out memory.json

Starts a system of its own. Feeds, searches and clicks of a fixed number of
users come in all the time, and notes are written again. Every half minute the
memory that each process has for itself alone (USS) is noted. Growth in the
second half is that of the mean of its last sixth over the mean of its first.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np
import psutil

from rayapp.cli.machine.paths import Layout
from tests.benchmarks.breaking.load import SteadyLoad
from tests.benchmarks.breaking.parts import KINDS, pids_of
from tests.benchmarks.breaking.system import REQUEST_S, system_for, url_of
from tests.e2e.conftest import System

EVERY_S = 30.0
NOTES = 200  # written again in turn
Curve = dict[str, list[float]]


def memory_mb(system: System) -> dict[str, float]:
    """USS in MB by kind of process; those that are no part of ours by their names."""
    kinds = {pid: kind for kind in KINDS for pid in pids_of(system, kind)}
    found: Counter[str] = Counter()
    for process in Layout(system.state).processes():
        with contextlib.suppress(psutil.Error):
            name = kinds.get(process.pid) or process.name().split(".")[0]
            found[name] += process.memory_full_info().uss / 1e6
    return dict(found)


class NoteWriter(threading.Thread):
    """Writes a note again every second until stopped."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.over = url, threading.Event()

    def run(self) -> None:
        number = 0
        with httpx.Client(base_url=self.url, timeout=REQUEST_S) as client:
            while not self.over.wait(1.0):
                number += 1
                note = {"item_id": f"again-{number % NOTES}", "title": f"A note written {number} times", "tags": ["a"]}
                with contextlib.suppress(httpx.HTTPError):
                    client.put("/v1/items", json={"items": [note]})


def growth(values: list[float]) -> float:
    """Of the last sixth over the first sixth of the second half."""
    half = np.asarray(values[len(values) // 2 :])
    sixth = max(1, len(half) // 3)
    return float(half[-sixth:].mean() / half[:sixth].mean() - 1)


def show(curve: Curve) -> None:
    click.echo(f"{'USS in MB after':>24} {'0':>7} {'1/4':>7} {'1/2':>7} {'3/4':>7} {'1':>7}  growth in the second half")
    for name, values in sorted(curve.items(), key=lambda kv: -kv[1][-1]):
        places = [values[round(share * (len(values) - 1))] for share in (0, 0.25, 0.5, 0.75, 1)]
        click.echo(f"{name:>24} " + " ".join(f"{v:7.0f}" for v in places) + f"  {growth(values):+.1%}")


@click.command(help=__doc__)
@click.option("--minutes", default=60.0)
@click.option("--rate", default=20.0, help="Requests a second.")
@click.option("--users", default=200, help="Users who click, in turn.")
@click.option("--clients", default=8)
@click.option("--llm/--no-llm", default=False, help="With the language model.")
@click.option("--state", help="Load this running system instead of one of its own.")
@click.option("--out", type=click.Path(), help="JSON of the curves; written anew with every sample.")
def main(minutes: float, rate: float, users: int, clients: int, llm: bool, state: str | None, out: str | None) -> None:
    samples: list[dict[str, float]] = []
    with system_for(state, llm=llm) as system:
        url = url_of(system)
        items = [i["item_id"] for i in httpx.get(f"{url}/v1/feed?user_id=first&k=100", timeout=30).json()["items"]]
        writer = NoteWriter(url)
        writer.start()
        with SteadyLoad(url, items, rate=rate, clients=clients, mark="memory", users=users) as load:
            started = time.monotonic()
            while (passed := time.monotonic() - started) < minutes * 60:
                samples.append(memory_mb(system))
                if out:
                    Path(out).write_text(json.dumps({"every_s": EVERY_S, "samples": samples}, indent=1))
                time.sleep(max(0.0, EVERY_S - (time.monotonic() - started - passed)))
            results, _ = load.take()
        writer.over.set()
        writer.join()
    names = Counter(name for sample in samples for name in sample)
    curve: Curve = {n: [s.get(n, 0.0) for s in samples] for n, count in names.items() if count > len(samples) // 2}
    curve["all of them"] = [sum(s.values()) for s in samples]
    show(curve)
    sent: dict[str, Any] = dict(results)
    click.echo(f"{sum(sent.values()):,} requests in {minutes:g} minutes: {sent}")


if __name__ == "__main__":
    main()
