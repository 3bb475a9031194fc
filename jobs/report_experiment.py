"""Report of an experiment so far, computed from the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from rayapp.cli.experiment_report import print_report
from rayapp.cli.job import job
from rayapp.config import Config
from rayapp.experiments.plot import write_plot
from rayapp.stores.open import open_store
from rayapp.terminal import console
from streaming.experiment_log import BEFORE_DAYS, ExperimentLog
from streaming.topics import wait_for_broker


@job("Users, lifts and intervals of an experiment by arm and metric, with always-valid intervals for monitoring.")
@click.argument("name")
@click.option(
    "--before-days",
    default=BEFORE_DAYS,
    type=click.IntRange(0),
    help="Days of behaviour before the experiment, for CUPED.",
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Also plot the lifts, as PNG or SVG.")
def main(config: Config, *, name: str, before_days: int, plot: Path | None) -> dict[str, Any]:
    started = open_store(config.store_url, wait_s=30).experiments().get(name)
    wait_for_broker(config.broker)
    log = ExperimentLog(config.broker, started, scenarios=config.scenarios, before_days=before_days)
    console.print(f"{log.read_on():,} records read, from {before_days} days before the experiment on")
    report = log.report()
    print_report(report)
    if plot is not None:
        write_plot(report, plot)
        console.print(f"plot: {plot}")
    return {
        "started_ms": started.started_ms,
        "stopped_ms": started.stopped_ms,
        **msgspec.to_builtins(report),
    }


if __name__ == "__main__":
    main()
