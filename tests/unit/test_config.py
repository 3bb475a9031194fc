from __future__ import annotations

from pathlib import Path

import pytest

from rayapp.config import Config, ConfigError, Kafka, Ports, load_config, save_config, with_data_scenarios


def test_round_trip(tmp_path: Path) -> None:
    config = with_data_scenarios(Config(), ["toys", "ads"])
    save_config(config, tmp_path / "c.yaml")
    assert load_config(tmp_path / "c.yaml") == config
    assert config.scenarios == ("homefeed", "search", "ads", "toys")


@pytest.mark.parametrize("text", ["prots: {http: 1}", "ports: {htp: 1}", "ports: {http: many}", "ports: ["])
def test_unknown_keys_and_wrong_values_are_errors(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match="c.yaml"):
        load_config(tmp_path / "c.yaml")


def test_keys_of_earlier_versions_still_load_and_mean_the_same(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("serving: {ads_cap: 5, ads_cap_hours: 2.0, seed: 1}")
    config = load_config(tmp_path / "c.yaml")
    assert (config.history.ads_cap, config.history.ads_cap_hours, config.serving.seed) == (5, 2.0, 1)
    (tmp_path / "c.yaml").write_text("serving: {ads_cap: 5}\nhistory: {ads_cap: 4}")
    with pytest.raises(ConfigError, match=r"serving\.ads_cap is now history\.ads_cap"):
        load_config(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ports: {http: 70000}", r"ports\.http: 70000: Expected `int` <= 65535"),
        ("kafka: {partitions: 0}", r"kafka\.partitions: 0: Expected `int` >= 1"),
        ("serving: {explore: 1.5}", r"serving\.explore: 1\.5: Expected `float` <= 1"),
        ("llm: {backlog_share: 0}", r"llm\.backlog_share: 0: Expected `float` >= 0.001"),
        ("learner: {on_gap: hope}", r"learner\.on_gap: 'hope': Invalid enum value"),
        ("search: {rerank: -1}", r"search\.rerank: -1: Expected `int` >= 0"),
    ],
)
def test_values_out_of_range_are_refused_with_key_value_and_limit(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config(tmp_path / "c.yaml")


def test_a_key_that_never_did_anything_is_let_pass(tmp_path: Path) -> None:
    """Every state folder of an earlier version names it."""
    (tmp_path / "c.yaml").write_text("learner: {min_rows: 1, max_rows: 7}")
    assert load_config(tmp_path / "c.yaml").learner.max_rows == 7


def test_what_is_not_yaml_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("just words")
    with pytest.raises(ConfigError, match=r"c\.yaml"):
        load_config(tmp_path / "c.yaml")


def test_what_follows_from_several_sections() -> None:
    config = Config(ports=Ports(kafka=19092, store=16380, http=18000))
    assert (config.broker.address, config.broker.embedded) == ("127.0.0.1:19092", True)
    assert config.broker.topic("items") == config.topic("items") == "rayapp.items"
    real = Config(kafka=Kafka(bootstrap="broker:9092", prefix="mine"))
    assert (real.broker.address, real.broker.embedded, real.topic("dead")) == ("broker:9092", False, "mine.dead")
    assert config.store_url == "redis://127.0.0.1:16380/0"
    assert config.llm_access.url == "http://127.0.0.1:18000/llm/v1"
    assert config.llm_access.cache == config.state_path / "llm"


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.yaml")


def test_without_api_keys_only_this_machine_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAYAPP_API_KEYS", raising=False)
    assert Config().host == "127.0.0.1"
    monkeypatch.setenv("RAYAPP_API_KEYS", "a,b")
    assert Config().host == "0.0.0.0"
    assert Config().api_keys == ("a", "b")
