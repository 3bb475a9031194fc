"""One base for what a user can mend, and one translation of it in every front end."""

from __future__ import annotations

import importlib
import pkgutil

import click
import pytest
from click.testing import CliRunner

import jobs
import rayapp
import streaming
from rayapp.cli.job import job
from rayapp.cli.main import Group
from rayapp.errors import Conflict, NotFound, Unavailable, UserError
from rayapp.serving.http.errors import ApiError, from_user_error
from rayapp.stores.ports import CursorExpired


def modules() -> list[str]:
    found = []
    for package in (rayapp, streaming, jobs):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # ray.serve.llm takes ten seconds to import and defines no errors of ours.
            if not module.name.endswith("llm.app"):
                found.append(module.name)
    return found


def test_every_error_of_ours_is_a_user_error_or_says_why_not() -> None:
    """An exception class that the front ends do not know would reach a user as a traceback."""
    internal = {ApiError}  # the HTTP layer's own answer
    for name in modules():
        for thing in vars(importlib.import_module(name)).values():
            if isinstance(thing, type) and issubclass(thing, Exception) and thing.__module__ == name:
                known = issubclass(thing, UserError | click.ClickException) or thing in internal
                assert known, f"{name}.{thing.__name__} does not derive from UserError"


class Broken(UserError):
    """Of a command."""


def test_the_command_line_and_jobs_print_one_line_and_exit_with_2() -> None:
    @click.group(cls=Group)
    def cli() -> None: ...

    @cli.command()
    def fails() -> None:
        raise Broken("rate == -1, must be above 0; give another")

    @job("A job.")
    def main(config: object) -> None:
        raise Broken("rate == -1, must be above 0; give another")

    for result in (CliRunner().invoke(cli, ["fails"]), CliRunner().invoke(main, [])):
        assert result.exit_code == 2
        assert result.output.strip().endswith("rate == -1, must be above 0; give another")
        assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [(UserError, 422, "invalid"), (NotFound, 404, "not_found"), (Conflict, 409, "conflict")],
)
def test_http_answers_by_the_kind_of_error(kind: type[UserError], status: int, code: str) -> None:
    answer = from_user_error(kind("what it was"))
    assert (answer.status, answer.code, answer.message, answer.retry_after) == (status, code, "what it was", None)


def test_http_says_when_to_come_again() -> None:
    answer = from_user_error(Unavailable("the store is away"))
    assert (answer.status, answer.retry_after) == (503, 2)
    cursor = from_user_error(CursorExpired("too old"))
    assert (cursor.status, cursor.code, cursor.field) == (400, "bad_request", "cursor")
