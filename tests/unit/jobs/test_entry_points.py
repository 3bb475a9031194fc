"""Every job explains itself, and a wrong option is a clear error."""

from __future__ import annotations

import importlib

import pytest
from click.testing import CliRunner

from rayapp.cli.main import cli

JOBS = ("train_redrec", "evaluate_redrec", "learn_online", "write_history", "write_catalogue")


@pytest.mark.parametrize("name", JOBS)
def test_help_and_common_options(name: str) -> None:
    command = importlib.import_module(f"jobs.{name}").main
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    assert "--config" in shown.output
    assert "--out" in shown.output
    assert CliRunner().invoke(command, ["--no-such-option"]).exit_code == 2


@pytest.mark.parametrize("name", JOBS)
def test_a_bad_config_is_one_line_and_exit_code_2(name: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "c.yaml"
    file.write_text("prots: {}")
    command = importlib.import_module(f"jobs.{name}").main
    needed = ["--data", "/nowhere"] if name in ("train_redrec", "evaluate_redrec") else []
    failed = CliRunner().invoke(command, ["--config", str(file), *needed])
    assert failed.exit_code == 2
    assert "prots" in failed.output


def test_the_command_line_explains_itself_and_needs_a_system() -> None:
    for words in ([], ["up"], ["data", "load"], ["replay"], ["simulate"], ["model", "rollback"], ["status"]):
        assert CliRunner().invoke(cli, [*words, "--help"]).exit_code == 0
    failed = CliRunner().invoke(cli, ["--state", "/tmp/rayapp-no-such-state", "status"])
    assert failed.exit_code == 2
    assert "rayapp up" in failed.output
