"""The file says what differs; files of other versions load, or say in one line what to do."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from rayapp.config import Config, ConfigError, Llm, Ports, file_problems, load_config, save_config


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    config = Config(ports=Ports(http=8123), llm=Llm(policies={"strict": "strict.yaml"}))
    save_config(config, file)
    written = msgspec.yaml.decode(file.read_bytes())
    assert written == {"format": 1, "ports": {"http": 8123}, "llm": {"policies": {"strict": "strict.yaml"}}}
    assert load_config(file) == config
    save_config(Config(), file)
    assert msgspec.yaml.decode(file.read_bytes()) == {"format": 1}
    assert load_config(file) == Config()


def test_the_file_is_its_owners_alone_even_where_an_open_one_was(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("{}")
    file.chmod(0o644)
    save_config(Config(), file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_of_an_earlier_version_with_every_default_written_loads(tmp_path: Path) -> None:
    """Earlier versions wrote all keys, without a format, and those of sections that have moved."""
    every = msgspec.to_builtins(Config(ports=Ports(http=8123)))
    every["learner"]["min_rows"] = 1
    every["serving"]["ads_cap"] = every["history"].pop("ads_cap")
    (tmp_path / "c.yaml").write_bytes(msgspec.yaml.encode(every))
    assert load_config(tmp_path / "c.yaml") == Config(ports=Ports(http=8123))


@pytest.mark.parametrize("written", ["2", "0", "-1", "'1'", "true", "[1]", "null"])
def test_another_format_is_refused_with_what_to_do(tmp_path: Path, written: str) -> None:
    (tmp_path / "c.yaml").write_text(f"format: {written}\nports: {{http: 1}}")
    with pytest.raises(ConfigError, match=r"c\.yaml: format: .*install the rayapp that wrote it"):
        load_config(tmp_path / "c.yaml")


def test_a_key_of_another_version_says_what_to_run_and_what_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("ports: {htp: 1}")
    with pytest.raises(ConfigError, match=r"ports\.htp: .*is it ports\.http\?.*rayapp config check") as caught:
        load_config(tmp_path / "c.yaml")
    assert "\n" not in str(caught.value)


def test_a_check_names_all_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("prots: {}\nports: {http: 70000}\nlearner: {lr: 1e-4, on_gap: hope}\nllm: 3")
    found = file_problems(tmp_path / "c.yaml")
    assert [line.partition(":")[0] for line in found] == [
        "prots", "ports.http", "learner.lr", "learner.on_gap", "llm"
    ]  # fmt: skip
    assert "write 0.0001" in found[2]  # YAML takes 1e-4 for text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ports: {http: 9092}", r"ports\.http, ports\.kafka: 9092: each needs a port of its own"),
        ("ports: {worker_low: 21000}", r"worker_low: 21000: must be below"),
        ("ports: {http: 20500}", r"ports\.http: 20500: is between"),
        ("learner: {lr: 0.0001, lr_floor: 0.001}", r"learner\.lr_floor: 0\.001: must be at most learner\.lr"),
        ("scenarios: []", "scenarios: 0 are given"),
        ("scenarios: [a, a]", "'a' is given 2 times"),
        ('scenarios: ["a\\nb"]', "printable"),
        ('scenarios: ["a\\u200bb"]', "printable"),
        ('scenarios: [" a"]', "without spaces at its ends"),
        (f"scenarios: [{'a' * 65}]", "scenarios"),
        ("name: ../elsewhere", "name: '../elsewhere'"),
        ("kafka: {prefix: 'a b'}", r"kafka\.prefix"),
        ("serving: {profile: other}", r"serving\.profile: 'other'"),
        ("serving: {host: 'a b'}", r"serving\.host: 'a b'"),
        ("kafka: {client: {group.id: mine}}", "kafka.client: group.id is decided by rayapp"),
        ("kafka: {client: {no.such: 1}}", 'kafka.client: No such configuration property: "no.such"'),
        ("kafka: {client: {security.protocol: nonsense}}", 'kafka.client: Invalid value "nonsense"'),
        ("kafka: {client: {bootstrap.servers: 'b:9092'}}", "set kafka.bootstrap"),
        ("history: {popularity_half_life_days: 0.01}", r"popularity_half_life_days: 0\.01: Expected"),
        ("history: {popularity_half_life_days: 4000}", r"popularity_half_life_days: 4000: Expected"),
    ],
)
def test_values_that_would_end_a_job_later_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config(tmp_path / "c.yaml")
    assert any(re.search(said, line) for line in file_problems(tmp_path / "c.yaml"))


def test_scenarios_of_every_script_are_names(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("scenarios: [首页, главная, 'home feed', café]", encoding="utf-8")
    assert load_config(tmp_path / "c.yaml").scenarios == ("首页", "главная", "home feed", "café")
