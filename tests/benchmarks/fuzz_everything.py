"""Fuzzed requests to every HTTP route and fuzzed records in both topics that clients write, good events among them.

    python -m tests.benchmarks.fuzz_everything --count 100000 --seed 0 --out fuzz.json

Starts a system of its own. Methods, paths, parameters, headers, types, depth,
sizes, encodings and single bytes are changed at random, the same for the same
seed; one in twenty is a good event with a known id, alone, beside fuzzed ones
in one request, or as a record. It fails if any answer has a status of 500 or
above other than 503, if an answer does not come, if a process ended, if a good
event that was acknowledged is in no history, or if feeds became much slower.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np
from confluent_kafka import KafkaError, Message, Producer

from rayapp.config import Config
from tests.benchmarks.breaking.corpus import EVENT
from tests.benchmarks.breaking.fuzz import Fuzz
from tests.benchmarks.breaking.parts import KINDS, pids_of
from tests.benchmarks.breaking.system import missing, system_for, url_of
from tests.e2e.conftest import System
from tests.helpers import eventually

ANSWER_S = 30.0
INCOMPLETE_S = 8.0  # a request without an answer for so long was cut off by its fuzz; the server drops it at its end
IDLE_S = 20.0
APPLIED_S = 300.0  # for what stands in the topics before the last good event
PER_USER = 50
RECORDS = 0.4  # this share goes to the topics
GOOD = 0.05
LARGEST_RECORD = 900_000


class Good:
    """Good events and which of them were acknowledged."""

    def __init__(self, mark: str) -> None:
        self.mark, self.made, self.lock = mark, 0, threading.Lock()
        self.accepted: dict[str, set[str]] = defaultdict(set)

    def event(self) -> dict[str, str]:
        with self.lock:
            self.made += 1
            number = self.made
        event = {"event_id": f"{self.mark}-{number}", "user_id": f"{self.mark}-{number // PER_USER}"}
        return event | {"item_id": f"note-{number % 2400:05d}", "scenario": "homefeed", "action": "click"}

    def acknowledged(self, event: dict[str, str]) -> None:
        with self.lock:
            self.accepted[event["user_id"]].add(event["event_id"])


class FeedClock(threading.Thread):
    """A feed ten times a second until stopped; `seconds` has how long each took."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.over = url, threading.Event()
        self.seconds: list[float] = []
        self.statuses: Counter[int] = Counter()

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=ANSWER_S) as client:
            while not self.over.wait(0.1):
                started = time.perf_counter()
                answer = client.get("/v1/feed", params={"user_id": f"clock-{len(self.seconds) % 100}"})
                self.seconds.append(time.perf_counter() - started)
                self.statuses[answer.status_code] += 1

    def stop(self) -> dict[str, float]:
        """Ends it: milliseconds at the median and the 99th percentile."""
        self.over.set()
        self.join()
        p50, p99 = np.percentile(self.seconds, [50, 99]) * 1000
        return {"feeds": len(self.seconds), "p50_ms": float(p50), "p99_ms": float(p99)}


class Sender(threading.Thread):
    """Sends its share of everything, in the order that its seed gives."""

    def __init__(self, config: Config, good: Good, *, count: int, seed: tuple[int, int], pause_s: float) -> None:
        super().__init__(daemon=True)
        self.config, self.good, self.count, self.pause_s = config, good, count, pause_s
        self.rng = np.random.default_rng(seed)
        self.fuzz = Fuzz(self.rng, LARGEST_RECORD)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.samples: dict[tuple[str, str], str] = {}
        self.producer = Producer({**config.broker.client({}), "message.max.bytes": 2_000_000, "linger.ms": 5})

    def run(self) -> None:
        at = time.monotonic()
        for _ in range(self.count):
            time.sleep(max(0.0, at - time.monotonic()))  # the rate that was asked for
            at = max(at + self.pause_s, time.monotonic() - 1.0)
            good = self.good.event() if self.rng.random() < GOOD else None
            if self.rng.random() < RECORDS:
                self._produce(good)
            else:
                self._ask(good)
        self.producer.flush(60)

    def _produce(self, good: dict[str, str] | None) -> None:
        topic = "behaviour" if good or self.rng.random() < 0.7 else "items"
        key, value = (None, json.dumps(good).encode()) if good else self.fuzz.record(topic)

        def report(error: KafkaError | None, _message: Message) -> None:
            self.counts[f"Kafka {topic}", "delivered" if error is None else error.name()] += 1
            if good and error is None:
                self.good.acknowledged(good)

        self.producer.poll(0)
        key = good["user_id"].encode() if good else key
        self.producer.produce(self.config.topic(topic), key=key, value=value, on_delivery=report)

    def _ask(self, good: dict[str, str] | None) -> None:
        if good is None:
            route, content = self.fuzz.request()
        else:
            route = "POST /v1/events (good)"
            around = [b"null", json.dumps(good).encode()] if self.rng.random() < 0.5 else [json.dumps(good).encode()]
            if self.rng.random() < 0.3:
                around.append(json.dumps({**EVENT, "scenario": [1], "position": 1e400}).encode())
            body = b'{"events": [' + b",".join(around) + b"]}"
            line = b"POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
            line += b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            content = line + body
        status, answer = exchange(self.config.ports.http, content)
        self.counts[route, status] += 1
        if good and status == "202" and json.loads(answer)["accepted"] == 1:
            self.good.acknowledged(good)
        self.samples.setdefault((route, status), f"{content[:400]!r} -> {answer[:300]!r}")


def exchange(port: int, content: bytes) -> tuple[str, bytes]:
    """(status or what happened instead, body) of these bytes on a connection of their own, closed after them."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as connection:
            with contextlib.suppress(OSError):  # refused before it had all of it; the answer may be there
                connection.sendall(content)
            if not select.select([connection], [], [], INCOMPLETE_S)[0]:
                connection.shutdown(socket.SHUT_WR)  # it waits for more, and none will come
            answer = http.client.HTTPResponse(connection, method=content.split(b" ", 1)[0].decode())
            answer.begin()
            return str(answer.status), answer.read()
    except TimeoutError:
        return "no answer", b""
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"closed ({type(error).__name__})", b""


def processes(system: System) -> dict[str, list[int]]:
    """Process ids by what they do, and how often Ray jobs were started again."""
    found = {kind: sorted(pids_of(system, kind)) for kind in KINDS}
    restarts = json.loads((system.state / "control.json").read_text())["restarts"]
    return found | {f"restarts of {name}": [n] for name, n in restarts.items()}


def run(system: System, *, count: int, seed: int, rate: float, clients: int) -> tuple[dict[str, Any], list[str]]:
    """(figures, faults)."""
    url = url_of(system)
    before = processes(system)
    idle = FeedClock(url)
    idle.start()
    time.sleep(IDLE_S)  # how long it is measured
    figures: dict[str, Any] = {"count": count, "seed": seed, "idle": idle.stop()}
    good, busy = Good(f"good-{int(time.time())}"), FeedClock(url)
    config = system.config
    senders = [
        Sender(config, good, count=count // clients, seed=(seed, n), pause_s=clients / rate) for n in range(clients)
    ]
    busy.start()
    started = time.monotonic()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    figures |= {"seconds": time.monotonic() - started, "fuzzed": busy.stop(), "clock_statuses": dict(busy.statuses)}
    left = dict(good.accepted)

    def applied() -> bool:
        nonlocal left
        left = missing(url, left)
        return not left

    with contextlib.suppress(AssertionError):  # the figures say so
        eventually(applied, APPLIED_S, "every good event in its history")
    figures |= {"good": sum(map(len, good.accepted.values())), "lost": sum(map(len, left.values()))}
    counts: Counter[tuple[str, str]] = Counter()
    samples: dict[tuple[str, str], str] = {}
    for sender in senders:
        counts.update(sender.counts)
        samples |= sender.samples
    figures["counts"] = [[route, status, n] for (route, status), n in sorted(counts.items())]
    bad = [key for key in counts if key[1] == "no answer" or (key[1] >= "500" and key[1].isdigit() and key[1] != "503")]
    faults = [f"{route}: {status}, {counts[route, status]} times: {samples[route, status]}" for route, status in bad]
    after = processes(system)
    faults += [
        f"{kind}: was {before[kind]}, is {after.get(kind)}" for kind in before if before[kind] != after.get(kind)
    ]
    if left:
        faults.append(f"{figures['lost']} good events are in no history, as {sorted(left.items())[0]}")
    figures["samples"] = {f"{route} {status}": text for (route, status), text in sorted(samples.items())}
    return figures, faults


@click.command(help=__doc__)
@click.option("--count", default=100_000, help="Requests and records together.")
@click.option("--seed", default=0)
@click.option("--rate", default=150.0, help="Requests and records a second.")
@click.option("--clients", default=8)
@click.option("--slower", default=10.0, help="The feed's p99 may be so many times that of the idle system.")
@click.option("--llm/--no-llm", default=False, help="With the language model.")
@click.option("--state", help="Fuzz this running system instead of one of its own.")
@click.option("--out", type=click.Path())
def main(
    count: int, seed: int, rate: float, clients: int, slower: float, llm: bool, state: str | None, out: str | None
) -> None:
    with system_for(state, llm=llm) as system:
        figures, faults = run(system, count=count, seed=seed, rate=rate, clients=clients)
    ratio = figures["fuzzed"]["p99_ms"] / figures["idle"]["p99_ms"]
    if ratio > slower:
        faults.append(f"the feed's p99 is {ratio:.1f} times that of the idle system, at most {slower:g}")
    by_route: dict[str, list[str]] = defaultdict(list)
    for route, status, n in figures["counts"]:
        by_route[route].append(f"{status}: {n:,}")
    for route, statuses in by_route.items():
        click.echo(f"{route:>34}  {', '.join(statuses)}")
    click.echo(f"{count:,} in {figures['seconds']:.0f} s; good events {figures['good']:,}, lost {figures['lost']}")
    for name in ("idle", "fuzzed"):
        click.echo(f"feed, {name}: p50 {figures[name]['p50_ms']:.1f} ms, p99 {figures[name]['p99_ms']:.1f} ms")
    if out:
        Path(out).write_text(json.dumps({**figures, "faults": faults}, indent=1))
    if faults:
        raise SystemExit("\n".join(["faults:", *faults]))
    click.echo("no faults")


if __name__ == "__main__":
    main()
