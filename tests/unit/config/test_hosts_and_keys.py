"""Who may reach the server, and which key goes where."""

from __future__ import annotations

from pathlib import Path

import pytest

from rayapp.config import Config, ConfigError, Kafka, Llm, Ports, Serving, Store
from rayapp.config.store_password import make_store_password, password_file


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "[::1]", "localhost", "LOCALHOST", ""])
def test_this_machine_needs_no_keys(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.delenv("RAYAPP_API_KEYS", raising=False)
    assert Config(serving=Serving(host=host)).host == (host or "127.0.0.1")


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "[::]", "192.0.2.2", "example.org", "127.0.0.1.example.org", "0", "1"]
)
def test_every_other_host_needs_keys(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    config = Config(serving=Serving(host=host))
    monkeypatch.setenv("RAYAPP_API_KEYS", "")
    with pytest.raises(ConfigError, match=r"serving\.host .*RAYAPP_API_KEYS") as caught:
        _ = config.host
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("RAYAPP_API_KEYS", "a")
    assert config.host == host


@pytest.mark.parametrize(
    ("host", "address"),
    [("", "127.0.0.1:1"), ("0.0.0.0", "127.0.0.1:1"), ("::", "127.0.0.1:1"), ("::1", "[::1]:1"), ("h.org", "h.org:1")],
)
def test_where_processes_of_this_machine_ask(host: str, address: str) -> None:
    config = Config(serving=Serving(host=host), ports=Ports(http=1))
    assert config.http_address == address
    assert config.llm_url == f"http://{address}/llm/v1"


def test_our_own_key_goes_to_our_own_model_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYAPP_API_KEYS", "ours,another")
    monkeypatch.delenv("RAYAPP_LLM_KEY", raising=False)
    assert Config(llm=Llm(key="theirs")).llm_access.key == "ours"
    assert Config(llm=Llm(url="https://elsewhere/v1")).llm_access.key == ""
    assert Config(llm=Llm(url="https://elsewhere/v1", key="theirs")).llm_access.key == "theirs"
    monkeypatch.setenv("RAYAPP_LLM_KEY", "secret")
    assert Config(llm=Llm(url="https://elsewhere/v1", key="theirs")).llm_access.key == "secret"


def test_the_embedded_store_has_a_password_that_stays(tmp_path: Path) -> None:
    config = Config(state=str(tmp_path), ports=Ports(store=7))
    assert config.store_url == "redis://127.0.0.1:7/0"  # not started yet
    password = make_store_password(tmp_path)
    assert len(password) >= 32
    assert make_store_password(tmp_path) == password
    assert config.store_url == f"redis://:{password}@127.0.0.1:7/0"
    assert password_file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert Config(state=str(tmp_path), store=Store(url="redis://mine")).store_url == "redis://mine"


def test_client_settings_reach_clients_and_ours_win() -> None:
    kafka = Kafka(bootstrap="b:9092", client={"security.protocol": "SASL_SSL", "fetch.wait.max.ms": 5})
    made = kafka.at("").client({"group.id": "g", "fetch.wait.max.ms": 50})
    assert made == {
        "bootstrap.servers": "b:9092", "security.protocol": "SASL_SSL", "fetch.wait.max.ms": 50, "group.id": "g"
    }  # fmt: skip
