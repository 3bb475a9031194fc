"""`rayapp model`: list versions, pin an older one, resume publishing."""

from __future__ import annotations

import time

import click
from rich.console import Console
from rich.table import Table

from rayapp.config import Config
from rayapp.stores.registry import Registry, RegistryError


def list_versions(config: Config, name: str) -> None:
    registry = Registry(config.models, name)
    head, current = registry.pointer("HEAD"), registry.pointer("CURRENT")
    table = Table(title=f"{name}{' (pinned)' if registry.pinned() else ''}", title_justify="left")
    for column in ("version", "parent", "created", "events seen", "gate", "hr@10", "mrr", ""):
        table.add_column(column)
    for version in registry.versions():
        m = registry.manifest(version)
        metrics = m.metrics.get("prequential") or m.metrics.get("validation", {}).get("masked", {})
        marks = [label for label, at in (("HEAD", head), ("CURRENT", current)) if at == version]
        created = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(m.created_ms / 1000))
        shown = [f"{metrics[k]:.4f}" if k in metrics else "" for k in ("hr@10", "mrr")]
        table.add_row(str(version), str(m.parent or ""), created, f"{m.events_seen:,}", m.gate, *shown, " ".join(marks))
    Console().print(table)


def roll_back(config: Config, name: str, version: int | None) -> None:
    """Pin CURRENT to a usable version; replicas follow at their next poll."""
    registry = Registry(config.models, name)
    current = registry.resolve("CURRENT")
    if version is None:
        older = [v for v in registry.versions() if v < current and registry.manifest(v).usable]
        if not older:
            raise RegistryError(f"{name}: there is no usable version before {current}")
        version = older[-1]
    if not registry.manifest(version).usable:
        raise RegistryError(f"{name}@{version} was rejected ({registry.manifest(version).gate}); choose another")
    registry.pin(version)
    click.echo(f"{name}: serving {version}, pinned until `rayapp model resume`")


def resume_publishing(config: Config, name: str) -> None:
    """Point CURRENT to the newest usable version and let publishing move it again."""
    registry = Registry(config.models, name)
    usable = [v for v in registry.versions() if registry.manifest(v).usable]
    if not usable:
        raise RegistryError(f"{name} has no usable version; see: rayapp model list --name {name}")
    registry.unpin()
    registry.point("CURRENT", usable[-1])
    click.echo(f"{name}: serving {usable[-1]}, publishing resumed")
