"""`rayapp data load` and `rayapp replay`: send data to a running system, with progress."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

import click
import msgspec

from rayapp.config import Config
from rayapp.data.errors import DataFolderError
from rayapp.data.folder import DataFolder, bootstrap_events
from streaming.producer import EventProducer
from streaming.replay import LogFile, send_events, send_items
from streaming.topics import wait_for_broker


class Bar:
    """A progress bar on a terminal; elsewhere one line at the end."""

    def __init__(self, label: str, total: int | None) -> None:
        self.label = label
        self.count = 0
        self.bar = click.progressbar(length=total, label=f"  {label}") if sys.stdout.isatty() and total else None

    def __enter__(self) -> Bar:
        if self.bar is not None:
            self.bar.__enter__()
        return self

    def __call__(self, count: int) -> None:
        if self.bar is not None:
            self.bar.update(count - self.count)
        self.count = count

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.__exit__(kind, error, trace)
        elif error is None:
            click.echo(f"  {self.label}: {self.count:,}")


def load_folder(config: Config, path: str) -> None:
    """Send the items, then the interactions in time order, as if clients had sent them. Raises DataFolderError."""
    folder = DataFolder(path)
    unknown = set(folder.interactions()["scenario"].unique().to_pylist()) - set(config.scenarios)
    if unknown:
        raise DataFolderError(
            f"{path} has scenarios {sorted(unknown)}; the running system knows {', '.join(config.scenarios)}; "
            f"start it with: rayapp up --data {path}"
        )
    items = folder.items()
    for notice in folder.notices:
        click.echo(f"  {notice}")
    wait_for_broker(config.broker)
    producer = EventProducer(config.broker, linger_ms=20, timeout_s=60)
    with Bar("items", len(items)) as bar:
        send_items(producer, items, topic=config.topic("items"), progress=bar)
    with Bar("events", folder.interactions().num_rows) as bar:
        events = (msgspec.structs.replace(e, event_id=f"d{e.event_id}") for e in bootstrap_events(folder))
        send_events(producer, events, topic=config.topic("behaviour"), origin="load", progress=bar)
    producer.close()


def replay_file(config: Config, file: Path, rate: float | None) -> None:
    log = LogFile(file, config.scenarios)
    wait_for_broker(config.broker)
    producer = EventProducer(config.broker, linger_ms=5, timeout_s=60)
    with Bar("events", None) as bar:
        events = log.events()
        send_events(producer, events, topic=config.topic("behaviour"), origin="replay", progress=bar, rate=rate)
    if report := log.report():
        click.echo(f"  {report}")
    producer.close()
