"""A table, whatever is away or damaged."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from rayapp.cli.main import cli
from rayapp.config import Config, Llm, Ports, Store, save_config
from tests.conftest import free_ports


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder whose system is away, and a proxy that does not answer."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr("rayapp.cli.status.BROKER_S", 0.2)
    http, kafka, store = free_ports(3)
    config = Config(
        state=str(tmp_path),
        ports=Ports(http=http, kafka=kafka),
        store=Store(url=f"redis://:s3cret@127.0.0.1:{store}/0"),
        llm=Llm(enabled=True),
    )
    save_config(config, tmp_path / "config.yaml")
    return tmp_path


def status(state: Path, *options: str) -> str:
    done = CliRunner().invoke(cli, ["--state", str(state), "status", *options])
    assert done.exception is None
    assert done.exit_code == 0
    assert "s3cret" not in done.output
    return done.output


def problems(state: Path) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in json.loads(status(state, "--json"))["problems"])


def test_with_everything_away(state: Path) -> None:
    shown = status(state)
    assert shown.startswith("NOT READY")
    assert "Traceback" not in shown
    assert {"server", "metrics", "lag", "experiments", "moderation"} <= set(problems(state))


def test_with_a_damaged_registry(state: Path) -> None:
    (state / "models" / "redrec").mkdir(parents=True)
    for name in ("HEAD", "CURRENT"):
        (state / "models" / "redrec" / name).write_bytes(b"")
    (state / "control.json").write_text("{")
    assert "model" in problems(state)


@pytest.fixture(params=[b"[]", b"not json", b'{"components": 3}', b"\xff\xfe", b""])
def another_program(request: pytest.FixtureRequest, state: Path) -> Iterator[Path]:
    """Something else answers on the port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(request.param)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            kafka = probe.getsockname()[1]
        save_config(Config(state=str(state), ports=Ports(http=http.server_port, kafka=kafka)), state / "config.yaml")
        yield state
        http.shutdown()


def test_with_another_program_on_the_port(another_program: Path) -> None:
    assert "server" in problems(another_program)
