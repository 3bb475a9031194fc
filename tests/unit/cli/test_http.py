"""Another program on the system's port is said to be one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rayapp import env
from rayapp.cli import experiments
from rayapp.cli.http import ApiRefusal, SystemAway, call
from rayapp.config import Config, ConfigError, Ports

ANSWERS = [b"", b"ok", b"<html></html>", b"[]", b"3", b'"x"', b"null", b"{}", b'{"status": "ok"}', b"\xff", b"NaN"]


@pytest.fixture
def other() -> Iterator[ThreadingHTTPServer]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(self.server.status)  # type: ignore[attr-defined]
            self.end_headers()
            self.wfile.write(self.server.body)  # type: ignore[attr-defined]

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("body", ANSWERS)
def test_what_no_system_of_ours_answers(other: ThreadingHTTPServer, body: bytes) -> None:
    config = Config(ports=Ports(http=other.server_port))
    other.body = body  # type: ignore[attr-defined]
    other.status = 200  # type: ignore[attr-defined]
    for command in (
        lambda: experiments.show_all(config),
        lambda: experiments.stop(config, "x"),
        lambda: call(config, "GET", "/v1/experiments")["experiments"],
    ):
        with pytest.raises(SystemAway, match="is no rayapp"):
            command()
    other.status = 500  # type: ignore[attr-defined]
    with pytest.raises(ApiRefusal, match="status 500"):
        call(config, "GET", "/v1/experiments")


@pytest.mark.parametrize("keys", ["\u043a\u043b\u044e\u0447", "a, b", "a\n", "good,b\u00e4d", "a\tb"])
def test_a_key_that_no_header_carries_is_refused(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setenv(env.API_KEYS, keys)
    with pytest.raises(ConfigError, match=env.API_KEYS) as refused:
        call(Config(), "GET", "/readyz")
    assert all(key not in str(refused.value) for key in keys.split(",") if len(key) > 3)
