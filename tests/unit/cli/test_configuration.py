"""`rayapp config`: no secret in what is shown, every fault in what is checked."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from rayapp.cli.main import cli
from rayapp.config import Config, Kafka, Llm, Store, save_config

SECRETS = ("s3cret-store", "s3cret-model", "s3cret-sasl", "s3cret-url")


def rayapp(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, list(arguments))
    return done.exit_code, done.output


@pytest.fixture
def state(tmp_path: Path) -> Path:
    config = Config(
        store=Store(url="rediss://me:s3cret-store@host:6379/0"),
        llm=Llm(key="s3cret-model", url="https://me:s3cret-url@llm/v1"),
        kafka=Kafka(client={"sasl.password": "s3cret-sasl", "sasl.username": "me"}),
    )
    save_config(config, tmp_path / "config.yaml")
    return tmp_path


def test_everything_is_shown_but_secrets(state: Path) -> None:
    code, shown = rayapp("--state", str(state), "config", "show")
    assert code == 0
    assert not [secret for secret in SECRETS if secret in shown]
    values = msgspec.yaml.decode(shown)
    assert values["store"]["url"] == "rediss://***@host:6379/0"
    assert values["kafka"]["client"] == {"sasl.password": "***", "sasl.username": "me"}
    assert set(values) == set(msgspec.to_builtins(Config()))
    assert values["ports"]["http"] == 8000  # a default


def test_without_a_start_the_defaults_are_shown(tmp_path: Path) -> None:
    code, shown = rayapp("--state", str(tmp_path / "none"), "config", "show")
    assert code == 0
    assert msgspec.convert(msgspec.yaml.decode(shown), Config) == Config()


def test_a_check_names_every_fault_and_nothing_is_made(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("prots: {http: 1}\nkafka: {partitions: 0}\n")
    code, said = rayapp("config", "check", str(file))
    assert code == 2
    assert "2 problem(s)" in said
    assert "prots" in said
    assert "kafka.partitions: 0" in said
    assert list(tmp_path.iterdir()) == [file]


def test_a_check_refuses_an_open_host_without_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.yaml").write_text("serving: {host: 0.0.0.0}")
    monkeypatch.delenv("RAYAPP_API_KEYS", raising=False)
    code, said = rayapp("config", "check", str(tmp_path / "c.yaml"))
    assert code == 2
    assert "RAYAPP_API_KEYS" in said
    monkeypatch.setenv("RAYAPP_API_KEYS", "a")
    assert rayapp("config", "check", str(tmp_path / "c.yaml"))[0] == 0


def test_without_a_file_and_a_start_there_is_nothing_to_check(tmp_path: Path) -> None:
    code, said = rayapp("--state", str(tmp_path / "none"), "config", "check")
    assert (code, "name a file" in said) == (2, True)
