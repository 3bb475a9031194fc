from __future__ import annotations

from pathlib import Path

import pytest

from rayapp.config import Config, ConfigError, load_config, save_config, with_data_scenarios


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


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.yaml")


def test_without_api_keys_only_this_machine_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAYAPP_API_KEYS", raising=False)
    assert Config().host == "127.0.0.1"
    monkeypatch.setenv("RAYAPP_API_KEYS", "a,b")
    assert Config().host == "0.0.0.0"
    assert Config().api_keys == ("a", "b")
