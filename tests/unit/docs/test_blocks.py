"""The code in the documents: commands and options exist, YAML is valid for what it configures, Python compiles."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
import pytest

from docs.generate import sources
from tests.readme_blocks import Block, blocks
from tests.unit.docs.test_links import ROOT, documents

SHELL = ("sh", "bash")


class Found(NamedTuple):
    file: Path
    block: Block

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}-{self.block.line}"


def found(*languages: str) -> list[Found]:
    return [Found(f, b) for f in documents() for b in blocks(f.read_text("utf-8")) if b.language in languages]


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command, without comments, and without the brackets of what may be left out."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"\s(?:&&|\|)(?:\s|$)|;\s", line):
            words = shlex.split(part, comments=True)
            yield [word.strip("[]") for word in words if word.strip("[]…")]


def click_command(words: list[str]) -> tuple[click.Command, list[str]] | None:
    """(`rayapp` command, job or benchmark that these words call, its arguments); None for any other program."""
    words = words[words.index("--") + 1 :] if words[:3] == ["ray", "job", "submit"] and "--" in words else words
    if words[:2] == ["python", "-m"] and words[2].startswith("jobs."):
        return sources.job_commands()[words[2].removeprefix("jobs.")], words[3:]
    if words[:2] == ["python", "-m"] and words[2].startswith("tests.benchmarks."):
        return importlib.import_module(words[2]).main, words[3:]
    if Path(words[0]).name != "rayapp":
        return None
    command: Any = sources.command_line()
    rest = words[1:]
    while isinstance(command, click.Group):
        if rest[0] == "--state":
            rest = rest[2:]
            continue
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


@pytest.mark.parametrize("where", found(*SHELL), ids=str)
def test_commands_and_their_options_exist(where: Found) -> None:
    for words in commands(where.block.text):
        call = click_command(words) if words else None
        if call is None:
            continue
        command, arguments = call
        known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)} | {"--help"}
        unknown = [word for word in arguments if word.startswith("--") and word.partition("=")[0] not in known]
        assert unknown == [], " ".join(words)


@pytest.mark.parametrize("where", found(*SHELL), ids=str)
def test_shell_is_valid(where: Found) -> None:
    done = subprocess.run(["bash", "-n"], input=where.block.text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("where", found("python"), ids=str)
def test_python_compiles(where: Found) -> None:
    compile(where.block.text, str(where), "exec")


@pytest.mark.parametrize("where", found("yaml"), ids=str)
def test_yaml_is_of_its_kind(where: Found) -> None:
    """An experiment, a moderation policy, or a configuration."""
    raw = msgspec.yaml.decode(where.block.text)
    kind = sources.config_type()
    kind = sources.experiment_type() if "arms" in raw else sources.policy_type() if "categories" in raw else kind
    msgspec.convert(raw, kind)


def test_an_unknown_option_is_found() -> None:
    (words,) = commands("rayapp replay FILE [--rate 200] --nope  # a comment\n")
    command, arguments = click_command(words) or (None, [])
    assert command is not None
    assert arguments == ["FILE", "--rate", "200", "--nope"]
    assert "--rate" in {option for p in command.params for option in p.opts}
