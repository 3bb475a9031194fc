"""`rayapp status`: one look at everything."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click
import httpx
from confluent_kafka import Consumer, KafkaException, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from rayapp.cli.http import base_url, key_header
from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.supervision import Supervisor
from rayapp.config import Config
from rayapp.http_client import own_client
from rayapp.parsing import Unreadable, json_object
from rayapp.secrets import hidden_in_url
from rayapp.stores.job_state import problems_of
from rayapp.stores.open import open_store
from rayapp.stores.records import Urgency
from rayapp.stores.registry import Registry
from streaming.catalogue_writer import GROUP as CATALOGUE_GROUP
from streaming.history_writer import GROUP as HISTORY_GROUP

T = TypeVar("T")
BROKER_S = 5.0  # for one question to the broker
STAGES = ("ingest", "history", "window", "train", "publish", "swap", "served")


def stuck_jobs(config: Config) -> list[str]:
    """A line for each job that waits for something or is silent. Raises StoreUnreachable."""
    states = open_store(config.store_url).job_states().all()
    return [f"{job}: {text}" for job, text in problems_of(states, int(time.time() * 1000)).items()]


class Look:
    """Asks the parts one by one; what one cannot say is a line in `problems`, and the others are asked all the same."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def at(self, part: str, ask: Callable[[], T], default: T) -> T:
        try:
            return ask()
        except Exception as error:  # whatever is damaged, the rest of the table is wanted most then
            text = " ".join(str(error).split())[:200] or type(error).__name__
            self.problems.append(f"{part}: {hidden_in_url(text)}")
            return default


def gather(config: Config) -> dict[str, Any]:
    """Everything as plain values; a part that does not answer, or whose answer cannot be read, is in `problems`."""
    layout = Layout.of(config)
    look = Look()
    with own_client(base_url=base_url(config), timeout=10, headers=key_header(config)) as client:
        ready = look.at("server", lambda: readiness(client), {})
        freshness = look.at("metrics", lambda: freshness_table(client.get("/metrics").raise_for_status().text), {})
    registry = Registry(config.models, config.name)
    control = layout.read(layout.control)
    unknown: dict[str, Any] = {"name": config.name, "head": None, "current": None, "pinned": None}
    nothing_waits: dict[str, int] = {}
    no_arms: dict[str, list[str]] = {}
    stuck = look.at("jobs", lambda: stuck_jobs(config), [])
    return {
        "url": base_url(config),
        "ready": bool(ready.get("ready", False)),
        "components": ready.get("components", {}),
        "processes": look.at("processes", Supervisor(layout).states, {}),
        "jobs": control.get("jobs", {}),
        "restarts": control.get("restarts", {}),
        "model": look.at("model", lambda: pointers(registry, config.name), unknown),
        "lag": look.at("lag", lambda: lag(config, registry, raise_away=True), {}),
        "moderation": look.at("moderation", lambda: moderation(config), nothing_waits),
        "freshness_s": freshness,
        "experiments": look.at("experiments", lambda: running_arms(config), no_arms),
        "problems": [*look.problems, *stuck],
    }


def readiness(client: httpx.Client) -> dict[str, Any]:
    """The body of /readyz, whatever its status. Raises Unreadable when something else answers."""
    answer = json_object(client.get("/readyz").content, what="the answer of /readyz")
    if not isinstance(answer.get("components", {}), dict):
        raise Unreadable("invalid", "the answer of /readyz has no components; another program may use the port")
    return answer


def pointers(registry: Registry, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "head": registry.pointer("HEAD"),
        "current": registry.pointer("CURRENT"),
        "pinned": registry.pinned(),
    }


def running_arms(config: Config) -> dict[str, list[str]]:
    """Arms of every running experiment."""
    found = open_store(config.store_url).experiments().all()
    return {s.experiment.name: [arm.name for arm in s.experiment.arms] for s in found if s.running}


def moderation(config: Config) -> dict[str, int]:
    """Notes that wait to be judged, those of them that the classifier has judged and the language model not yet, and
    notes that wait for post-view queries."""
    store = open_store(config.store_url)
    queue = store.moderation_queue()
    waiting, unseen = queue.waiting(), queue.waiting(Urgency.BULK)
    return {"waiting": waiting, "open": max(0, waiting - unseen), "post_view": store.post_views().waiting()}


def lag(config: Config, registry: Registry, *, raise_away: bool = False) -> dict[str, int]:
    """Records behind the log's end: the writers by their group offsets, the learner by HEAD's manifest.

    A group that cannot be asked is left out; with `raise_away` the first one raises its KafkaException.
    """
    result: dict[str, int] = {}
    behaviour = config.topic("behaviour")
    for name, group, topic in (
        ("history", HISTORY_GROUP, behaviour),
        ("catalogue", CATALOGUE_GROUP, config.topic("items")),
        ("learner", "", behaviour),
    ):
        consumer = Consumer(config.broker.client({"group.id": group or "rayapp-status", "log_level": 0}))
        try:
            partitions = consumer.list_topics(topic, timeout=BROKER_S).topics[topic].partitions
            ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=BROKER_S) for p in partitions}
            if group:
                asked = consumer.committed([TopicPartition(topic, p) for p in partitions], timeout=BROKER_S)
                at = {tp.partition: tp.offset for tp in asked if tp.offset >= 0}
            else:
                head = registry.pointer("HEAD")
                offsets = registry.manifest(head).offsets.get(topic, {}) if head else {}
                at = {int(p): o for p, o in offsets.items()}
            result[name] = sum(high - max(low, at.get(p, low)) for p, (low, high) in ends.items())
        except (KafkaException, KeyError):
            if raise_away:
                raise
            continue
        finally:
            consumer.close()
    return result


def freshness_buckets(text: str) -> dict[str, dict[float, float]]:
    """{stage: {upper bound: events up to it}} of a /metrics page."""
    buckets: dict[str, dict[float, float]] = {}
    for family in text_string_to_metric_families(text):
        if family.name != "rayapp_freshness_seconds":
            continue
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                own = buckets.setdefault(sample.labels["stage"], {})
                bound = float(sample.labels["le"])
                own[bound] = own.get(bound, 0) + sample.value
    return buckets


def freshness_table(text: str) -> dict[str, dict[str, float]]:
    """{stage: {p50, p95, p99, count}}; the quantiles are buckets' upper bounds."""
    result = {}
    for stage, counts in freshness_buckets(text).items():
        bounds = sorted(counts)
        total = counts[bounds[-1]]
        if total:
            quantile = {q: next(b for b in bounds if counts[b] >= q * total) for q in (0.5, 0.95, 0.99)}
            result[stage] = {f"p{100 * q:g}": bound for q, bound in quantile.items()} | {"count": total}
    return {stage: result[stage] for stage in STAGES if stage in result}


def show_status(config: Config, as_json: bool) -> None:
    found = gather(config)
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    show_table(found)


def show_table(found: dict[str, Any]) -> None:
    model = found["model"]
    click.echo(f"{'ready' if found['ready'] else 'NOT READY'}  {found['url']}")
    click.echo("  components  " + ", ".join(f"{n} {'ok' if ok else 'DOWN'}" for n, ok in found["components"].items()))
    click.echo("  processes   " + ", ".join(f"{n} {s.lower()}" for n, s in found["processes"].items()))
    click.echo("  jobs        " + ", ".join(f"{n} (restarts {found['restarts'].get(n, 0)})" for n in found["jobs"]))
    pinned = ", pinned" if model["pinned"] else ""
    click.echo(f"  model       {model['name']}: serving {model['current']}, newest {model['head']}{pinned}")
    click.echo("  lag         " + ", ".join(f"{n} {v}" for n, v in found["lag"].items()))
    if found["moderation"]:
        waiting = found["moderation"]
        click.echo(
            f"  moderation  {waiting['waiting']:,} notes wait, {waiting['open']:,} of them for the language model "
            f"alone; {waiting['post_view']:,} for post-view queries"
        )
    for name, arms in found["experiments"].items():
        click.echo(f"  experiment  {name}: arms {', '.join(arms)}")
    for stage, row in found["freshness_s"].items():
        click.echo(
            f"  freshness   {stage}: p50 <= {row['p50']:g} s, p95 <= {row['p95']:g} s, p99 <= {row['p99']:g} s "
            f"({row['count']:.0f} events)"
        )
    for problem in found["problems"]:
        click.echo(f"  problem     {problem}")
