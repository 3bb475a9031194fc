"""What every job shares: the click wrapper, the Ray connection, result table and `--out`."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from rayapp.config import Config, load_config
from rayapp.cores import usable_cores
from rayapp.errors import UserError

console = Console(width=None if sys.stdout.isatty() else 120, soft_wrap=True)


class JobError(UserError):
    """What a job was given cannot be used."""


class BadInput(click.ClickException):
    """One line on stderr, exit code 2."""

    exit_code = 2


def job(help_text: str) -> Callable[[Callable[..., dict[str, Any] | None]], click.Command]:
    """A job's `main(config, **options)`: adds --config and --out, turns known errors into one line."""

    def decorate(main: Callable[..., dict[str, Any] | None]) -> click.Command:
        @click.option("--config", "config_file", type=click.Path(), help="YAML file; without it the defaults apply.")
        @click.option("--out", type=click.Path(dir_okay=False), help="Write the result as JSON.")
        @functools.wraps(main)
        def run(config_file: str | None, out: str | None, **options: Any) -> None:
            try:
                result = main(config=_config(config_file), **options)
            except UserError as error:
                raise BadInput(str(error)) from None
            if out and result is not None:
                Path(out).parent.mkdir(parents=True, exist_ok=True)
                Path(out).write_text(json.dumps(result, indent=1, default=str))

        return click.command(help=help_text, context_settings={"show_default": True})(run)

    return decorate


def _config(file: str | None) -> Config:
    return load_config(file or os.environ.get("RAYAPP_CONFIG"))


def connect_ray(quiet: bool = False) -> None:
    """Join the running cluster (inside a Ray job), or start a local one for this command alone.

    `quiet`: without the workers' output and Ray's own remarks, of which a vLLM engine has pages.
    """
    import ray

    level = logging.WARNING if quiet else logging.INFO
    logging.getLogger("ray.data").setLevel(level)

    # Ray Train would log every worker's line a second time.
    os.environ["RAY_TRAIN_ENABLE_PRINT_PATCH"] = "0"
    if ray.is_initialized():
        return
    inside_job = "RAY_ADDRESS" in os.environ or "RAY_JOB_ID" in os.environ
    if inside_job:
        ray.init(log_to_driver=not quiet, logging_level=level)
    else:
        os.environ["RAY_AUTH_MODE"] = "disabled"  # a cluster of this command alone, on this machine only
        ray.init(address="local", num_cpus=max(4, usable_cores()), log_to_driver=not quiet, logging_level=level)
    ray.data.DataContext.get_current().enable_progress_bars = False


def print_table(title: str, columns: list[str], rows: list[list[Any]], numbered: bool = False) -> None:
    """`numbered`: of many columns with long names the numbers, and what they mean below."""
    shown = [columns[0], *(str(n) for n in range(1, len(columns)))] if numbered else columns
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(shown):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row))
    console.print(table)
    for number, column in zip(shown[1:], columns[1:] if numbered else (), strict=False):
        console.print(f"  {number}: {column}", highlight=False)
