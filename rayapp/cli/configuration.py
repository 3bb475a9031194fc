"""`rayapp config`: what is in force, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from rayapp.config import Config, ConfigError, file_problems, load_config
from rayapp.secrets import HIDDEN, hidden_in_url, hidden_settings


@click.group("config")
def configuration() -> None:
    """Configuration files."""


@configuration.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.pass_obj
def show(state: str, file: Path | None) -> None:
    """Show every key that is in force, defaults included and secrets hidden: of FILE, else of the last start."""
    file = file or started_with(state)
    click.echo(f"# {file or 'the defaults: nothing was started yet'}")
    click.echo(msgspec.yaml.encode(shown(load_config(file))).decode(), nl=False)


@configuration.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.pass_obj
def check(state: str, file: Path | None) -> None:
    """Name everything that is wrong with FILE, else with the file of the last start. Exit code 2 if anything is."""
    file = file or started_with(state)
    if file is None:
        raise ConfigError(f"nothing was started in {state}; name a file: rayapp config check FILE")
    problems = file_problems(file)
    if not problems:
        try:
            _ = load_config(file).host
        except ConfigError as error:
            problems = [str(error)]
    if problems:
        raise ConfigError("\n".join([f"{file} has {len(problems)} problem(s):", *(f"  - {line}" for line in problems)]))
    click.echo(f"{file} can be used")


def started_with(state: str) -> Path | None:
    """The configuration of the last start in this state folder."""
    file = Path(state).resolve() / "config.yaml"
    return file if file.is_file() else None


def shown(config: Config) -> dict[str, Any]:
    """Plain values for people: without passwords and keys."""
    plain: dict[str, Any] = msgspec.to_builtins(config)
    plain["store"]["url"] = hidden_in_url(config.store.url)
    plain["llm"]["url"] = hidden_in_url(config.llm.url)
    plain["llm"]["key"] = HIDDEN if config.llm.key else ""
    plain["kafka"]["client"] = hidden_settings(config.kafka.client)
    return plain
