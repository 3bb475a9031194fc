"""The generated reference: up to date with the code, and nothing of the code left out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from docs.generate import sources
from docs.generate.__main__ import main
from docs.generate.commands import walk
from docs.generate.descriptions import descriptions
from docs.generate.http import routes
from docs.generate.pages import PAGES, REFERENCE, write
from docs.generate.structs import sections

STRUCTS = {
    "configuration": sources.config_type,
    "event": lambda: sources.records()["Event"],
    "forget": lambda: sources.records()["Forget"],
    "item": lambda: sources.records()["Item"],
    "verdict": lambda: sources.records()["Verdict"],
    "experiment": sources.experiment_type,
    "policy": sources.policy_type,
    "training": sources.training_type,
    "recipe": sources.recipe_type,
}


def reference(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def test_pages_are_up_to_date() -> None:
    assert write(check=True) == [], "run: python -m docs.generate"


def test_check_names_missing_and_stale_pages(tmp_path: Path) -> None:
    assert write(folder=tmp_path) == list(PAGES)
    assert write(check=True, folder=tmp_path) == []
    (tmp_path / "topics.md").write_text("old")
    (tmp_path / "metrics.md").unlink()
    assert write(check=True, folder=tmp_path) == ["topics.md", "metrics.md"]
    assert (tmp_path / "topics.md").read_text() == "old"


def test_check_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docs.generate.__main__.write", lambda check: ["cli.md"])
    result = CliRunner().invoke(main, ["--check"])
    assert result.exit_code == 1
    assert "out of date: cli.md" in result.output


@pytest.mark.parametrize("page", STRUCTS)
def test_every_key_has_a_description(page: str) -> None:
    keys = [key for section in sections(STRUCTS[page](), page) for key in section.keys]
    assert [key.path for key in keys if not key.description] == [], "describe them in docs/generate/descriptions.yaml"


@pytest.mark.parametrize("page", STRUCTS)
def test_no_description_is_of_a_key_that_is_gone(page: str) -> None:
    keys = {key.path for section in sections(STRUCTS[page](), page) for key in section.keys}
    assert sorted(set(descriptions()[page]) - keys) == []


def test_no_description_is_of_a_series_or_topic_that_is_gone() -> None:
    assert set(descriptions()["metrics"]) <= set(sources.series())
    assert set(descriptions()["topics"]) == {spec.topic.partition(".")[2] for spec in sources.topics()}


def test_every_configuration_key_is_there() -> None:
    text = reference("configuration.md")

    def keys(struct: msgspec.Struct, path: str) -> list[str]:
        found = []
        for name in struct.__struct_fields__:
            value = getattr(struct, name)
            found.append(path + name)
            if isinstance(value, msgspec.Struct):
                found += keys(value, f"{path}{name}.")
        return found

    assert [key for key in keys(sources.config_type()(), "") if f"| `{key}` |" not in text] == []


def test_every_command_and_option_is_there() -> None:
    text = reference("cli.md")
    for name, command in walk(sources.command_line(), "rayapp"):
        section = text.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        assert section, name
        for parameter in command.params:
            assert all(f"`{option}`" in section for option in parameter.opts if option[0] == "-"), (name, parameter)


def test_every_job_and_option_is_there() -> None:
    text = reference("jobs.md")
    for name, command in sources.job_commands().items():
        section = text.partition(f"## `python -m jobs.{name}`\n")[2].partition("\n## ")[0]
        assert section, name
        for parameter in command.params:
            assert all(f"`{option}`" in section for option in parameter.opts if option[0] == "-"), (name, parameter)


def test_every_series_and_label_is_there() -> None:
    rows = {line.split("`")[1]: line for line in reference("metrics.md").splitlines() if line.startswith("| `")}
    for name, series in sources.series().items():
        assert all(f"`{tag}`" in rows[name] for tag in series.tags)


def test_every_route_and_parameter_is_there() -> None:
    text = reference("http.md")
    for path, method, operation in routes(sources.openapi()):
        section = text.partition(f"## `{method.upper()} {path}`\n")[2].partition("\n## ")[0]
        assert section, (method, path)
        assert all(f"| `{p['name']}` |" in section for p in operation.get("parameters", []))


def test_every_topic_is_there() -> None:
    assert all(f"| `{spec.topic}` |" in reference("topics.md") for spec in sources.topics())
