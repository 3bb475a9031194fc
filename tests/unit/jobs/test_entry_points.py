"""Every job explains itself; a wrong option and bad input are one clear line."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from jobs import RECIPES
from rayapp.cli.main import cli
from rayapp.data.sample_world import write_sample_world
from rayapp.training.redrec_settings import load_train_config

JOBS = (
    "train_redrec",
    "evaluate_redrec",
    "evaluate_online",
    "archive_events",
    "learn_online",
    "write_history",
    "write_catalogue",
    "moderate_items",
    "moderate_backlog",
    "calibrate_moderation",
    "train_moderation",
    "evaluate_redone",
    "evaluate_search",
    "redone_pretrain",
    "redone_finetune",
    "redone_prefer",
    "redone_reward",
    "redone_answers",
    "average_adapters",
    "search_mixture",
    "report_experiment",
    "evaluate_cross",
    "encode_items",
    "import_red_mmu",
)
DATA = {
    "train_redrec",
    "evaluate_redrec",
    "evaluate_online",
    "calibrate_moderation",
    "train_moderation",
    "evaluate_redone",
    "evaluate_search",
    "redone_pretrain",
    "redone_finetune",
    "redone_prefer",
    "redone_reward",
    "redone_answers",
    "evaluate_cross",
    "encode_items",
}
STAGE = ["--recipe", "/no/such.yaml", "--output", "/nowhere"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_world(tmp_path_factory.mktemp("small") / "world", notes=30, ads=3, users=8)


@pytest.mark.parametrize("name", JOBS)
def test_help_and_common_options(name: str) -> None:
    command = importlib.import_module(f"jobs.{name}").main
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    assert "--config" in shown.output
    assert "--out" in shown.output
    assert CliRunner().invoke(command, ["--no-such-option"]).exit_code == 2


@pytest.mark.parametrize("name", JOBS)
def test_a_bad_config_is_one_line_and_exit_code_2(name: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "c.yaml"
    file.write_text("prots: {}")
    command = importlib.import_module(f"jobs.{name}").main
    needed = ["--data", "/nowhere"] if name in DATA else []
    needed += ["name"] if name == "report_experiment" else []
    needed += ["--together", "one"] if name == "evaluate_cross" else []
    needed += ["--source", ".", "--to", str(tmp_path / "to")] if name == "import_red_mmu" else []
    needed += STAGE if name.startswith("redone_") and name != "redone_answers" else []
    needed += ["--to", str(tmp_path / "to")] if name == "redone_answers" else []
    needed += ["--first", "a", "--second", "b", "--output", "c"] if name == "average_adapters" else []
    failed = CliRunner().invoke(command, ["--config", str(file), *needed])
    assert failed.exit_code == 2
    assert "prots" in failed.output


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("moderate_backlog", [], "give --notes TABLE --verdicts FOLDER, or --topic"),
        ("moderate_backlog", ["--topic", "--engine", "fast"], "--engine is not JSON"),
        ("train_redrec", ["--data", "/nowhere"], "/nowhere has no interactions.parquet"),
        ("evaluate_redrec", ["--data", "WORLD", "--name", "never"], "never has no CURRENT"),
        ("train_redrec", ["--data", "WORLD", "--train-config", "/none.yaml"], "/none.yaml cannot be read"),
        ("train_redrec", ["--data", "WORLD", "--train-config", "redone_prefer"], "unknown field"),
        ("evaluate_cross", ["--data", "WORLD", "--together", "never"], "never has no CURRENT"),
        ("import_red_mmu", ["--source", "WORLD", "--to", "/nowhere"], "has no note_embeddings.parquet"),
        ("import_red_mmu", ["--source", "WORLD", "--to", "/nowhere", "--bit", "like=40"], "--bit like=40: give ACTION"),
        ("evaluate_online", ["--data", "WORLD", "--start", "soon"], "give an ISO date"),
        ("evaluate_online", ["--data", "WORLD", "--arms", "1h,1d"], "longest"),
        ("calibrate_moderation", ["--data", "WORLD"], "moderation/civil_toxic.parquet is not there"),
        ("calibrate_moderation", ["--notes", "/none.csv"], "/none.csv cannot be read"),
        ("calibrate_moderation", [], "give --data FOLDER or --notes FILE"),
        ("evaluate_moderation", ["--data", "WORLD"], "moderation/civil_toxic.parquet is not there"),
        ("evaluate_moderation", ["--data", "WORLD", "--set", "poems"], "no such set; use one of civil_toxic"),
        ("evaluate_moderation", ["--notes", "/none.csv"], "/none.csv cannot be read"),
        ("evaluate_moderation", [], "give --data FOLDER or --notes FILE"),
        ("evaluate_redone", ["--notes", "/none.csv"], "/none.csv cannot be read"),
        ("evaluate_redone", [], "give --data FOLDER or --notes FILE"),
        ("train_moderation", ["--data", "WORLD"], "moderation/civil_toxic.parquet is not there"),
        ("train_moderation", ["--data", "WORLD", "--leave-out", "poems"], "no such set; use one of civil_toxic"),
        ("train_moderation", ["--data", "WORLD", "--notes", "/none.csv"], "/none.csv cannot be read"),
        ("train_moderation", ["--data", "WORLD", "--check", "/none.csv"], "/none.csv cannot be read"),
        ("evaluate_redone", ["--data", "/nowhere", "--part", "moderation"], "edos.parquet is not there"),
        ("evaluate_redone", ["--data", "/nowhere"], "emotion.parquet is not there"),
        ("evaluate_redone", ["--data", "/nowhere", "--only", "poems"], "no such set; use one of emotion"),
        ("evaluate_redone", ["--data", "/nowhere", "--part", "moderation", "--only", "emotion"], "asks nothing"),
        ("evaluate_redone", ["--data", "/nowhere", "--official", "/nowhere"], "no file of SNS-Bench or RedTrans-Bench"),
        ("redone_finetune", ["--data", "/nowhere", *STAGE], "recipe /no/such.yaml cannot be read"),
        ("redone_answers", ["--data", "/nowhere", "--to", "/nowhere/f"], "alpaca_en.parquet is not there"),
        (
            "average_adapters",
            ["--first", "WORLD", "--second", "/b", "--output", "/no"],
            "give a folder that PEFT saved",
        ),
        ("search_mixture", [], "give --runs FOLDER, or --recipe YAML with --data FOLDER"),
        ("search_mixture", ["--runs", "/nowhere"], "regmix_train_mixture_1m.parquet is not there"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    world: Path, tmp_path: Path, name: str, options: list[str], said: str
) -> None:
    (tmp_path / "config.yaml").write_text(f"state: {tmp_path / 'state'}\n")
    command = importlib.import_module(f"jobs.{name}").main
    given = ["--config", str(tmp_path / "config.yaml"), *(str(world) if o == "WORLD" else o for o in options)]
    failed = CliRunner().invoke(command, given)
    assert failed.exit_code == 2
    assert said in failed.output
    assert "Traceback" not in failed.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--learn-from", "own-arm"], "needs --experiment"),
        (["--experiment", "E"], "needs --experiment"),
        (["--learn-from", "own-arm", "--experiment", "/no/such.yaml"], "cannot be read"),
        (["--learn-from", "own-arm", "--experiment", "E", "--name", "five"], "no arm is served by five"),
    ],
)
def test_a_learner_says_whose_behaviour_it_cannot_learn_from(tmp_path: Path, options: list[str], said: str) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(
        "name: e\nlayer: feed\narms: [{name: a, weight: 0.5}, {name: b, weight: 0.5, params: {model: four}}]"
    )
    command = importlib.import_module("jobs.learn_online").main
    failed = CliRunner().invoke(command, [str(file) if option == "E" else option for option in options])
    assert failed.exit_code == 2
    assert said in failed.output


def test_the_command_line_explains_itself_and_needs_a_system() -> None:
    for words in ([], ["up"], ["data", "load"], ["replay"], ["simulate"], ["model", "rollback"], ["status"]):
        assert CliRunner().invoke(cli, [*words, "--help"]).exit_code == 0
    failed = CliRunner().invoke(cli, ["--state", "/tmp/rayapp-no-such-state", "status"])
    assert failed.exit_code == 2
    assert "rayapp up" in failed.output


def test_every_packaged_recipe_of_red_rec_is_read_by_its_name() -> None:
    named = {
        name: load_train_config(name, {"minutes": 0.5}, packaged=RECIPES)
        for name in ("feed", "next_item", "cross_scenario", "news")
    }
    assert all(settings.minutes == 0.5 for settings in named.values())
    assert named["feed"].model.interests == 3
    assert named["next_item"].model.trend_days
