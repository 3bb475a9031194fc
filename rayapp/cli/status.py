"""`rayapp status`: one look at everything."""

from __future__ import annotations

import json
from typing import Any

import click
import httpx
from confluent_kafka import Consumer, KafkaException, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from rayapp.cli.http import base_url, key_header
from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.supervision import Supervisor
from rayapp.config import Config
from rayapp.stores.open import open_store
from rayapp.stores.ports import StoreUnreachable
from rayapp.stores.registry import Registry
from streaming.catalogue_writer import GROUP as CATALOGUE_GROUP
from streaming.history_writer import GROUP as HISTORY_GROUP

STAGES = ("ingest", "history", "window", "train", "publish", "swap", "served")


def gather(config: Config) -> dict[str, Any]:
    """Everything as plain values; a part that does not answer says so in its own entry."""
    layout = Layout.of(config)
    supervisor = Supervisor(layout)
    url = base_url(config)
    try:
        ready: dict[str, Any] = httpx.get(f"{url}/readyz", timeout=5).json()
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        ready = {"ready": False, "components": {}, "error": str(error) or type(error).__name__}
    try:
        metrics = httpx.get(f"{url}/metrics", timeout=10, headers=key_header(config))
        freshness = freshness_table(metrics.text) if metrics.is_success else {}
    except httpx.HTTPError:
        freshness = {}
    registry = Registry(config.models, config.name)
    control = layout.read(layout.control)
    return {
        "url": url,
        "ready": ready.get("ready", False),
        "components": ready.get("components", {}),
        "processes": supervisor.states(),
        "jobs": control.get("jobs", {}),
        "restarts": control.get("restarts", {}),
        "model": {
            "name": config.name,
            "head": registry.pointer("HEAD"),
            "current": registry.pointer("CURRENT"),
            "pinned": registry.pinned(),
        },
        "lag": lag(config, registry),
        "moderation": moderation(config),
        "freshness_s": freshness,
        "experiments": running_arms(config),
    }


def running_arms(config: Config) -> dict[str, list[str]]:
    """Arms of every running experiment; empty without a store."""
    try:
        found = open_store(config.store_url).experiments().all()
    except StoreUnreachable:
        return {}
    return {s.experiment.name: [arm.name for arm in s.experiment.arms] for s in found if s.running}


def moderation(config: Config) -> dict[str, int]:
    """Notes that wait to be judged, or for post-view queries; empty without a language model or a store."""
    if not config.llm.enabled:
        return {}
    try:
        store = open_store(config.store_url)
        return {"waiting": store.moderation_queue().waiting(), "post_view": store.post_views().waiting()}
    except StoreUnreachable:
        return {}


def lag(config: Config, registry: Registry) -> dict[str, int]:
    """Records behind the log's end: the writers by their group offsets, the learner by HEAD's manifest."""
    result: dict[str, int] = {}
    behaviour = config.topic("behaviour")
    for name, group, topic in (
        ("history", HISTORY_GROUP, behaviour),
        ("catalogue", CATALOGUE_GROUP, config.topic("items")),
        ("learner", "", behaviour),
    ):
        consumer = Consumer(
            {"bootstrap.servers": config.bootstrap, "group.id": group or "rayapp-status", "log_level": 0}
        )
        try:
            partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
            ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=5) for p in partitions}
            if group:
                asked = consumer.committed([TopicPartition(topic, p) for p in partitions], timeout=5)
                at = {tp.partition: tp.offset for tp in asked if tp.offset >= 0}
            else:
                head = registry.pointer("HEAD")
                offsets = registry.manifest(head).offsets.get(topic, {}) if head else {}
                at = {int(p): o for p, o in offsets.items()}
            result[name] = sum(high - max(low, at.get(p, low)) for p, (low, high) in ends.items())
        except KafkaException:
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
        click.echo(f"  moderation  {waiting['waiting']:,} notes wait, {waiting['post_view']:,} for post-view queries")
    for name, arms in found["experiments"].items():
        click.echo(f"  experiment  {name}: arms {', '.join(arms)}")
    for stage, row in found["freshness_s"].items():
        click.echo(
            f"  freshness   {stage}: p50 <= {row['p50']:g} s, p95 <= {row['p95']:g} s, p99 <= {row['p99']:g} s "
            f"({row['count']:.0f} events)"
        )
