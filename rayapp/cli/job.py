"""The wrapper of all jobs: common options, errors as one line, the result as JSON."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rayapp import env
from rayapp.cli.file_problem import problem_behind
from rayapp.config import Config, load_config
from rayapp.errors import UserError
from rayapp.parsing import Unreadable, json_object


class JobError(UserError):
    """The input of a job cannot be used."""


class BadInput(click.ClickException):
    """One line on stderr, exit code 2."""

    exit_code = 2


def job(help_text: str) -> Callable[[Callable[..., dict[str, Any] | None]], click.Command]:
    """Wrap a job's `main(config, **options)`: adds --config and --out, and turns known errors into one line."""

    def decorate(main: Callable[..., dict[str, Any] | None]) -> click.Command:
        @click.option(
            "--config",
            "config_file",
            type=click.Path(),
            help="Configuration YAML; default: RAYAPP_CONFIG, else the defaults.",
        )
        @click.option("--out", type=click.Path(dir_okay=False), help="Write the result as JSON.")
        @functools.wraps(main)
        def run(config_file: str | None, out: str | None, **options: Any) -> None:
            try:
                if out:  # a job of hours must not end without its result
                    _check_writable(Path(out))
                result = main(config=_config(config_file), **options)
                if out and result is not None:
                    Path(out).write_text(json.dumps(result, indent=1, default=str))
            except UserError as error:
                raise BadInput(str(error)) from None
            except Exception as error:
                problem = problem_behind(error)
                if problem is None:
                    raise
                raise BadInput(problem) from None

        return click.command(help=help_text, context_settings={"show_default": True})(run)

    return decorate


def option_object(option: str, text: str) -> dict[str, Any]:
    """An option's value as a JSON object. Raises JobError."""
    try:
        return json_object(text, what=option)
    except Unreadable as error:
        raise JobError(str(error)) from None


def _check_writable(file: Path) -> None:
    """Raises OSError where the file could not be written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    existed = file.exists()
    file.open("a").close()
    if not existed:
        file.unlink()


def _config(file: str | None) -> Config:
    return load_config(file or env.read().config)
