"""What an experiment shows until now, from the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from jobs._job import console, job, print_table
from rayapp.config import Config
from rayapp.experiments.plot import write_plot
from rayapp.experiments.report import Comparison, Report
from rayapp.stores.client import wait_for_store
from rayapp.stores.experiments import ExperimentStore
from streaming.experiment_log import BEFORE_DAYS, ExperimentLog
from streaming.topics import wait_for_broker


@job("Users, lifts and intervals of an experiment, by arm and metric; an interval that may be looked at every hour.")
@click.argument("name")
@click.option("--before-days", default=BEFORE_DAYS, type=click.IntRange(0), help="Of habits, for CUPED.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Also draw the lifts, as PNG or SVG.")
def main(config: Config, name: str, before_days: int, plot: Path | None) -> dict[str, Any]:
    started = ExperimentStore(wait_for_store(config.store_url)).get(name)
    wait_for_broker(config.bootstrap)
    log = ExperimentLog(config, started, before_days)
    console.print(f"{log.read_on():,} records of the log since {before_days} days before the experiment")
    found = log.report()
    show(found)
    if plot is not None:
        write_plot(found, plot)
        console.print(f"drawn in {plot}")
    return {
        "started_ms": started.started_ms,
        "stopped_ms": started.stopped_ms,
        **msgspec.to_builtins(found),
    }


def show(found: Report) -> None:
    for warning in found.warnings:
        console.print(f"[bold red]{warning}")
    users = ", ".join(f"{arm} {count:,}" for arm, count in found.users.items())
    columns = ["metric", "arm", "value", "control", "lift", "95% at a fixed end", "p, adjusted", "95% at any time", ""]
    print_table(f"{found.experiment}: users {users}", columns, [_row(comparison) for comparison in found.comparisons])
    if found.preferences:
        columns = ["arm", "users who prefer its own ranker", "the other", "neither", "share of clicks over half", "p"]
        rows = [
            [arm, p.first, p.second, p.ties, f"{p.credit:+.3f}", f"{p.pvalue:.4f}"]
            for arm, p in found.preferences.items()
        ]
        print_table("interleaved: whose notes are clicked", columns, rows)
    if found.guardrails:
        rows = [[g.metric, g.arm, g.value, g.limit, "holds" if g.holds else "BROKEN"] for g in found.guardrails]
        print_table("guardrails", ["", "arm", "value", "limit", ""], rows)


def _row(one: Comparison) -> list[Any]:
    return [
        one.metric,
        one.arm,
        one.value,
        one.control,
        "" if one.lift is None else f"{one.lift:+.2%}",
        "too little to say" if one.low is None or one.high is None else f"{one.low:+.2%} to {one.high:+.2%}",
        "" if one.pvalue_adjusted is None else f"{one.pvalue_adjusted:.4f}",
        "too few users" if one.always is None else f"{one.always[0]:+.2%} to {one.always[1]:+.2%}",
        "significant" if one.significant else "",
    ]


if __name__ == "__main__":
    main()
