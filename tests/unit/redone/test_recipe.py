"""A run as YAML: what is wrong with it is said by its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from rayapp.redone.recipe import RecipeError, load_recipe, only_sources

RECIPES = Path(__file__).parents[3] / "jobs" / "configs"
GIVEN = """\
sources:
  - {name: emotion, kind: task, weight: 2}
  - {name: irony, kind: task}
tokens: 1000
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(GIVEN)
    return tmp_path / "mine.yaml"


def test_options_of_the_command_go_over_the_file(file: Path) -> None:
    recipe = load_recipe(file, "finetune", {"tokens": 50, "seed": None})
    assert (recipe.name, recipe.tokens, recipe.seed) == ("mine", 50, 0)
    assert [source.weight for source in recipe.sources] == [2, 1]


def test_a_model_of_a_single_task(file: Path) -> None:
    recipe = load_recipe(file, "finetune")
    assert [source.name for source in only_sources(recipe, ["irony"]).sources] == ["irony"]
    with pytest.raises(RecipeError, match="no such source; it has emotion, irony"):
        only_sources(recipe, ["stance"])


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("redone_pretrain", "pretrain"),
        ("redone_finetune", "finetune"),
        ("redone_refine", "finetune"),
        ("redone_prefer", "prefer"),
        ("redone_again", "finetune"),
        ("redone_balance", "finetune"),
        ("redone_general", "finetune"),
        ("redone_reward", "reward"),
    ],
)
def test_the_recipes_that_come_with_it_can_be_read(file: str, stage: str) -> None:
    recipe = load_recipe(RECIPES / f"{file}.yaml", stage, {"tokens": 7, "seed": None})
    assert recipe.tokens == 7
    assert recipe.name == file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GIVEN + "tokns: 3\n", "tokns"),
        (GIVEN.replace("1000", "many"), "tokens"),
        (GIVEN + "stage: prefer\n", "is of stage prefer; this job runs finetune"),
        ("sources: []\n", "no weight"),
        ("sources: [\n", "recipe"),
        ("sources: [{name: a, kind: poem}]", "Invalid enum value 'poem'"),
        (GIVEN + "sharding: fsdp\nworkers: 2\n", "among GPUs; give gpus: true"),
        (GIVEN + "sharding: deepspeed\ngpus: true\n", "workers: 2 or more"),
        ("sources: [{name: forms, kind: task}]", "questions without answers: have jobs.redone_answers find some"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(tmp_path / "bad.yaml", "finetune")


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml", "finetune")
