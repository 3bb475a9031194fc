"""What an answer is worth to the fourth stage."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from rayapp.redone.recipe import RecipeError, load_recipe
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.hashtag import hashtag
from rayapp.redone.tasks.mrc import simple
from rayapp.redone.tasks.ner import ner
from rayapp.redone.training.preference import mistake_rejected
from rayapp.redone.training.rewards import task_rewards


def rewards(example: Example, *said: str) -> list[float]:
    return task_rewards(list(said), [msgspec.json.encode(example).decode()] * len(said))


def test_an_answer_is_worth_its_own_tasks_metric() -> None:
    several = hashtag("sunny day", ["beach", "snow", "sea", "ski"], ["beach", "sea"], "test")
    assert rewards(several, "beach; sea", "beach", "snow", "beach; snow; sea; ski") == pytest.approx(
        [1.0, 2 / 3, 0.0, 2 / 3]
    )
    people = ner("Ada met Bob", "people", ["Ada", "Bob"], "test")
    assert rewards(people, "ada; bob", "Ada", "[]") == pytest.approx([1.0, 2 / 3, 0.0])


def test_no_answer_where_there_is_none_is_worth_all() -> None:
    unanswerable = simple("Who was it?", "It rains. It is cold.", [], "test")
    assert rewards(unanswerable, "[]", " []\n", "It rains.") == [1.0, 1.0, 0.0]
    assert mistake_rejected(unanswerable, ["[]", "[]"]) is None
    assert mistake_rejected(unanswerable, ["[]", "It rains."]) == "It rains."


def test_a_form_is_judged_though_there_is_no_answer_to_compare_with() -> None:
    wanted = Example("instruction_form", "Say it.\nDo not use any commas.", "", query="no commas:", source="test")
    assert rewards(wanted, "", "yes, yes", "yes") == [0.0, 0.0, 1.0]


def test_answers_of_several_tasks_stand_in_one_batch() -> None:
    one = ner("Ada is here", "people", ["Ada"], "test")
    other = simple("Where is she?", "Ada is here. It rains.", ["Ada is here."], "test")
    texts = [msgspec.json.encode(e).decode() for e in (one, other)]
    assert task_rewards(["Ada", "Ada is here."], texts, prompts=[[1], [2]], trainer_state=None) == [1.0, 1.0]


@pytest.mark.parametrize("reward", ["{samples: 1}", "{samples: 3}"])
def test_a_batch_holds_whole_groups_of_answers(tmp_path: Path, reward: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(f"batch: 8\nreward: {reward}\nsources: [{{name: emotion, kind: task}}]\n")
    with pytest.raises(RecipeError, match="a batch that is a multiple of it"):
        load_recipe(file, "reward")
    file.write_text("batch: 8\nreward: {samples: 4}\nsources: [{name: emotion, kind: task}]\n")
    assert load_recipe(file, "reward").reward.samples == 4
