"""`rayapp experiment`: start, list, report, stop and remove experiments of the running system."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import msgspec
from rich.console import Console
from rich.table import Table

from rayapp.cli.http import ApiRefusal, call
from rayapp.config import Config
from rayapp.experiments.experiment import ExperimentError

READING_S = 600.0  # limit of the first report, which reads the whole log


def create(config: Config, file: Path) -> None:
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ExperimentError(f"experiment {file} cannot be read: {error.strerror}") from None
    headers = {"Content-Type": "application/yaml"}  # of which JSON is a part
    answer = call(config, "POST", "/v1/experiments", content=text, headers=headers)
    experiment = answer["experiment"]
    arms = ", ".join(f"{arm['name']} {arm['weight']:g}" for arm in experiment["arms"])
    click.echo(f"{experiment['name']}: {answer['outcome']}; layer {experiment['layer']}, arms {arms}")


def show_all(config: Config) -> None:
    table = Table(title="experiments", title_justify="left")
    for column in ("name", "layer", "namespace", "coverage", "arms", "scenarios", "started", "state"):
        table.add_column(column, overflow="fold")
    for state in call(config, "GET", "/v1/experiments")["experiments"]:
        experiment = state["experiment"]
        table.add_row(
            experiment["name"],
            experiment["layer"],
            "{:g} to {:g}".format(*experiment["namespace"]),
            f"{experiment['coverage']:g}",
            ", ".join(f"{arm['name']} {arm['weight']:g}" for arm in experiment["arms"]),
            ", ".join(experiment["scenarios"]) or "all",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(state["started_ms"] / 1000)),
            "running" if state["running"] else "stopped",
        )
    Console().print(table)


def stop(config: Config, name: str) -> None:
    answer = call(config, "POST", f"/v1/experiments/{quote(name, safe='')}/stop")
    click.echo(f"{name}: {'was already stopped' if answer['outcome'] == 'unchanged' else 'stopped'}")


def remove(config: Config, name: str) -> None:
    call(config, "DELETE", f"/v1/experiments/{quote(name, safe='')}")
    click.echo(f"{name}: removed")


def report(config: Config, name: str, as_json: bool, plot: Path | None) -> None:
    """Print the report; waits while a long log is read for the first time."""
    from rayapp.cli.experiment_report import print_report
    from rayapp.experiments.plot import write_plot
    from rayapp.experiments.report import Report

    result = _report(config, name)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=1).decode())
    else:
        print_report(msgspec.convert(result, Report))
    if plot is not None:
        write_plot(msgspec.convert(result, Report), plot)
        click.echo(f"plot: {plot}", err=True)


def _report(config: Config, name: str) -> dict[str, Any]:
    deadline, announced = time.monotonic() + READING_S, False
    while True:
        try:
            return call(config, "GET", f"/v1/experiments/{quote(name, safe='')}/report")
        except ApiRefusal as error:
            if error.code != "report_pending" or time.monotonic() > deadline:
                raise
            if not announced:
                click.echo(f"{error}; waiting", err=True)
            announced = True
