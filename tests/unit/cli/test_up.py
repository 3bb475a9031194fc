"""What is decided before anything is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from rayapp.cli.machine.paths import Layout
from rayapp.cli.main import cli
from rayapp.cli.up import difference, effective_config, keys_digest
from rayapp.config import Config, ConfigError, Ports, save_config


@pytest.mark.parametrize(
    "arguments",
    [
        ["--data", "nope"],
        ["--config", "nope.yaml"],
        ["--config", "open.yaml"],
        ["--port", "9092"],
        ["--data", "broken"],
    ],
)
def test_a_start_that_cannot_be_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.delenv("RAYAPP_API_KEYS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "open.yaml").write_text("serving: {host: 0.0.0.0}")
    (tmp_path / "broken").mkdir()
    before = sorted(os.listdir())
    umask = os.umask(0o022)
    os.umask(umask)
    try:
        done = CliRunner().invoke(cli, ["up", *arguments])
    finally:
        os.umask(umask)
    assert done.exit_code == 2
    assert done.output.startswith("rayapp: ")
    assert sorted(os.listdir()) == before
    assert not Layout(tmp_path / ".rayapp").temporary.exists()


def test_changed_keys_are_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, config = Layout(tmp_path), Config(state=str(tmp_path))
    save_config(config, layout.config)
    monkeypatch.setenv("RAYAPP_API_KEYS", "a,b")
    monkeypatch.delenv("RAYAPP_LLM_KEY", raising=False)
    layout.write(layout.keys, {"digest": keys_digest(layout)})
    assert difference(config, layout) == ""
    monkeypatch.setenv("RAYAPP_API_KEYS", "a")  # one withdrawn
    assert difference(config, layout) == "the API keys"
    monkeypatch.setenv("RAYAPP_API_KEYS", "a,b")
    monkeypatch.setenv("RAYAPP_LLM_KEY", "c")
    assert difference(config, layout) == "the API keys"
    monkeypatch.delenv("RAYAPP_LLM_KEY")
    assert difference(Config(state=str(tmp_path), cpus=3), layout) == "the configuration"
    layout.keys.unlink()  # an earlier version's system
    assert difference(config, layout) == "the API keys"
    assert "a,b" not in "".join(f.read_text() for f in tmp_path.iterdir() if f.is_file())


def test_options_are_checked_together_with_the_file(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    save_config(Config(ports=Ports(kafka=9555)), layout.config)

    def effective(port: int) -> Config:
        return effective_config(layout, config_file=None, port=port, kafka=None, store=None, llm=None)

    assert effective(9556).ports == Ports(kafka=9555, http=9556)
    with pytest.raises(ConfigError, match=r"ports\.http, ports\.kafka: 9555"):
        effective(9555)
