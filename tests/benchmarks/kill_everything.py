"""Every process of a system killed with SIGKILL under a steady load: what fails, what is lost, when all is well again.

    python -m tests.benchmarks.kill_everything --times 5 --out kills.json

Starts a system of its own. Feeds, searches and clicks with known ids come in
all the time. Each kind of process is killed several times in turn. A system
answers again when a feed is served and a new click reaches its history, and
goes on doing so for a while; the time is that of the first such click. An
event is lost if it was answered with 202 and is in no history afterwards.

The embedded broker is expected to lose what it accepted since it last wrote
its log to disk (docs/operate/failure-modes.md). Nothing starts supervisord
again but `rayapp up`, which this script then runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import httpx

from tests.benchmarks.breaking.load import SteadyLoad
from tests.benchmarks.breaking.parts import BY_HAND, JOBS, KINDS, pids_of
from tests.benchmarks.breaking.system import REQUEST_S, event_ids, missing, system_for, url_of
from tests.e2e.conftest import System

STEADY_S = 12.0  # so long everything must go well before a kill counts as recovered from
LATE_S = 30.0  # an accepted event that is in no history after so long is lost
CLICK_S = 5.0  # a click that is in no history after so long is a sign that not all is well
NEVER_S = 300.0


class Probe:
    """Whether everything works, asked beside the load."""

    def __init__(self, url: str, items: list[str]) -> None:
        self.url, self.items, self.number = url, items, 0

    def works(self) -> bool:
        """One feed and one new click that reaches its history."""
        self.number += 1
        user = f"probe-{os.getpid()}-{self.number}"
        event = {"event_id": user, "user_id": user, "item_id": self.items[self.number % len(self.items)]}
        event |= {"scenario": "homefeed", "action": "click"}
        with httpx.Client(base_url=self.url, timeout=REQUEST_S) as client, contextlib.suppress(httpx.HTTPError):
            if client.get("/v1/feed", params={"user_id": user}).status_code != 200:
                return False
            if client.post("/v1/events", json={"events": [event]}).status_code != 202:
                return False
            return until(lambda: bool(event_ids(client, user)), CLICK_S)
        return False


def until(check: Callable[[], bool], within: float) -> bool:
    """Whether it became true in time."""
    deadline = time.monotonic() + within
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def recovery_s(killed: float, probe: Probe, back: Callable[[], bool]) -> float | None:
    """Seconds from the kill to the first click of an unbroken row of good ones; None: there was no such row."""
    since: float | None = None
    while time.monotonic() - killed < NEVER_S:
        if not (probe.works() and back()):
            since = None
            time.sleep(0.2)
        else:
            since = since or time.monotonic()
            if time.monotonic() - since > STEADY_S:
                return since - killed
    return None


def kill(system: System, kind: str, *, load: SteadyLoad, probe: Probe) -> dict[str, Any] | None:
    """One kill and what came of it; None where the system has no such process."""
    victims = pids_of(system, kind)
    if not victims:
        return None
    load.take()
    killed = time.monotonic()
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    by_hand = kind == BY_HAND
    seconds = recovery_s(killed, probe, lambda: by_hand or bool(pids_of(system, kind) - victims))
    row: dict[str, Any] = {"process": kind, "processes": len(victims), "recovery_s": seconds}
    if by_hand:
        started = time.monotonic()
        done = system.cli("up", "--detach", timeout=1500, check=False)
        row |= {"up_code": done.returncode, "up_s": time.monotonic() - started}
        row["up_recovery_s"] = recovery_s(started, probe, lambda: bool(pids_of(system, kind)))
    results, accepted = load.take()
    left: dict[str, set[str]] = {}

    def complete() -> bool:
        nonlocal left
        left = missing(probe.url, left or accepted)
        return not left

    until(complete, LATE_S)
    doubled = {name: len(pids) for name in JOBS if len(pids := pids_of(system, name)) > 1}
    sent, failed = results.total(), results.total() - results["200"] - results["202"]
    return row | {
        "sent": sent,
        "failed": failed,
        "share": failed / max(sent, 1),
        "results": dict(results),
        "accepted": sum(map(len, accepted.values())),
        "lost": sum(map(len, left.values())),
        "doubled": doubled,
    }


def show(row: dict[str, Any]) -> None:
    seconds = "never" if row["recovery_s"] is None else f"{row['recovery_s']:.1f}"
    others = {k: v for k, v in row["results"].items() if k not in ("200", "202")}
    click.echo(
        f"{row['process']:>17} {row['sent']:6} {row['failed']:6} {row['share']:7.1%} "
        f"{row['accepted']:8} {row['lost']:5} {seconds:>8}  {others or ''}"
        + (f"  running twice: {row['doubled']}" if row["doubled"] else "")
    )
    if "up_s" in row:
        again = "never" if row["up_recovery_s"] is None else f"{row['up_recovery_s']:.1f} s"
        click.echo(f"{'':>17} `rayapp up` ended with {row['up_code']} after {row['up_s']:.1f} s; well after {again}")


@click.command(help=__doc__)
@click.option("--times", default=5, help="Kills of each kind of process.")
@click.option("--rate", default=20.0, help="Requests a second.")
@click.option("--clients", default=8)
@click.option("--only", multiple=True, type=click.Choice(KINDS), help="Kill these alone; may be repeated.")
@click.option("--llm/--no-llm", default=False, help="With the language model.")
@click.option("--state", help="Break this running system instead of one of its own.")
@click.option("--out", type=click.Path())
def main(
    times: int, rate: float, clients: int, only: tuple[str, ...], llm: bool, state: str | None, out: str | None
) -> None:
    rows: list[dict[str, Any]] = []
    with system_for(state, llm=llm) as system:
        url = url_of(system)
        items = [i["item_id"] for i in httpx.get(f"{url}/v1/feed?user_id=first&k=100", timeout=30).json()["items"]]
        probe = Probe(url, items)
        click.echo(f"{'killed':>17} {'sent':>6} {'failed':>6} {'share':>7} {'accepted':>8} {'lost':>5} {'well s':>8}")
        with SteadyLoad(url, items, rate=rate, clients=clients, mark=f"load-{os.getpid()}") as load:
            if recovery_s(time.monotonic(), probe, lambda: True) is None:
                raise SystemExit("the system does not work before anything is killed")
            for kind in only or KINDS:
                for _ in range(times):
                    row = kill(system, kind, load=load, probe=probe)
                    if row is None:
                        click.echo(f"{kind:>17} this system has none")
                        break
                    show(row)
                    rows.append(row)
                    if out:
                        Path(out).write_text(json.dumps(rows, indent=1))
    bad = sorted({r["process"] for r in rows if faulty(r)})
    if bad:
        raise SystemExit(f"lost events, no recovery, or a job that runs twice after a kill of: {', '.join(bad)}")


def faulty(row: dict[str, Any]) -> bool:
    return row["recovery_s"] is None or bool(row["doubled"]) or bool(row["lost"] and row["process"] != "broker")


if __name__ == "__main__":
    main()
